from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Constraints, Objective
from autokd.core.example_weights import ExampleWeights
from autokd.core.setting import DEFAULT, Split
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.judgement import Judgement, judge, objective_weights
from autokd.recommendation.verdict import Verdict
from autokd.statistics.label_weights import local_weights_of
from autokd.statistics.paired import Weights
from tests.recommendation.samples import HOT, make_evidence, make_federation
from tests.statistics.simulated import DIGITS, draw_arms

QUICK = ConfirmationConfig(resamples=200)


def with_local(evidence: Evidence, weights: Weights) -> Evidence:
    return replace(evidence, local={Split.CONFIRMATION: weights, Split.TEST: weights})


def arms_that_forget() -> Evidence:
    """The winner gains 30 pp on the whole and loses 20 on the first fifth, which is the student's own."""
    own = np.repeat([True, False], [70, 280])
    default, winner = np.tile(own, (5, 1)), np.tile(own, (5, 1))
    winner[:, :14], winner[:, 70:189] = False, True
    weights = np.repeat([5.0, 0.0], [70, 280])
    return with_local(make_evidence(winner, default, own), weights)


def test_a_winner_that_forgets_too_much_is_rejected() -> None:
    free = judge(arms_that_forget(), QUICK, seed=1)
    bound = judge(
        arms_that_forget(), QUICK, seed=1, aims=Objective(constraints=Constraints(max_forgetting=19.9))
    )
    wide = judge(
        arms_that_forget(), QUICK, seed=1, aims=Objective(constraints=Constraints(max_local_loss=20))
    )
    assert (free.verdict, free.forgotten) == (Verdict.TUNED, None)
    assert free.p_beats_default is not None
    assert free.p_beats_default < 0.01
    assert bound.verdict is Verdict.SKIP
    assert bound.p_beats_default is None
    assert bound.forgotten is not None
    assert bound.forgotten.winner is not None
    assert bound.forgotten.winner.mean == pytest.approx(20)
    assert not bound.forgotten.winner_allowed
    assert bound.forgotten.default_allowed
    assert wide.verdict is Verdict.TUNED


def test_the_objective_decides() -> None:
    local = judge(arms_that_forget(), QUICK, seed=1, aims=Objective(objective="gain_local"))
    both = judge(arms_that_forget(), QUICK, seed=1, aims=Objective(objective="gain_minus_forgetting"))
    assert local.decisive.winner_gain is not None
    assert local.decisive.winner_gain.mean == pytest.approx(-20)
    assert local.verdict is Verdict.SKIP
    assert both.decisive.winner_gain is not None
    assert both.decisive.winner_gain.mean == pytest.approx(10)
    assert local.confirmation == both.confirmation == judge(arms_that_forget(), QUICK, seed=1).decisive


def test_only_confirmation_decides() -> None:
    rng = np.random.default_rng(0)
    winner, default, own = draw_arms(rng, (0.9, 0.7), DIGITS, fixed=0.5)
    good, bad = make_evidence(winner, default, own), make_evidence(1 - winner > 0, 1 - default > 0, own)
    mixed = Evidence(
        seeds=good.seeds,
        own=good.own,
        default=Arm(
            setting=DEFAULT,
            correct={
                Split.CONFIRMATION: good.default.correct[Split.CONFIRMATION],
                Split.TEST: bad.default.correct[Split.TEST],
            },
            forgetting=0.0,
        ),
        winner=good.winner,
    )
    assert judge(good, QUICK, seed=1).verdict is Verdict.TUNED
    assert judge(mixed, QUICK, seed=1).verdict is Verdict.TUNED
    assert judge(mixed, QUICK, seed=1).confirmation == judge(good, QUICK, seed=1).confirmation
    assert judge(mixed, QUICK, seed=1).test != judge(good, QUICK, seed=1).test


def test_the_arm_shown_goes_with_the_verdict() -> None:
    rng = np.random.default_rng(1)
    winner, default, own = draw_arms(rng, (0.8, 0.65), DIGITS, fixed=0.5)
    tuned = judge(make_evidence(winner, default, own), QUICK, seed=1)
    beaten = judge(make_evidence(default, winner, own), QUICK, seed=1)
    alone = judge(make_evidence(None, default, own), QUICK, seed=1)
    assert (tuned.verdict, tuned.shown.setting) == (Verdict.TUNED, HOT)
    assert tuned.gain(Split.TEST) == tuned.test.winner_gain
    assert (beaten.verdict, beaten.shown.setting) == (Verdict.DEFAULT, DEFAULT)
    assert beaten.gain(Split.CONFIRMATION) == beaten.confirmation.default_gain
    assert (alone.verdict, alone.shown.setting) == (Verdict.DEFAULT, DEFAULT)


def test_runs_that_copy_the_default_are_not_tuned() -> None:
    rng = np.random.default_rng(4)
    default, own = draw_arms(rng, (0.8,), DIGITS, fixed=0.6)
    for flips in range(4):
        winner = default.copy()
        winner[:, np.flatnonzero(~default.any(axis=0))[:flips]] = True
        assert judge(make_evidence(winner, default, own), QUICK, seed=1).verdict is Verdict.DEFAULT


def test_an_objective_weighs_the_examples() -> None:
    federation = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    local = local_weights_of(federation, 1)
    split, right = Split.CONFIRMATION, np.zeros((2, 4), dtype=bool)
    evidence = replace(make_evidence(None, right, right[0]), local=local)
    assert objective_weights(Objective(), evidence, split) is None
    assert objective_weights(Objective(objective="gain_local"), evidence, split) is local[split]
    added = objective_weights(Objective(objective="gain_minus_forgetting"), evidence, split)
    assert added is not None
    np.testing.assert_allclose(added, 1 + local[split])
    # A gain is on the target distribution, and forgetting is not.
    target = np.array([4.0, 0.0, 0.0, 0.0])
    aimed = replace(evidence, weights=ExampleWeights({split: target}))
    assert objective_weights(Objective(), aimed, split) is target
    assert objective_weights(Objective(objective="gain_local"), aimed, split) is local[split]
    added = objective_weights(Objective(objective="gain_minus_forgetting"), aimed, split)
    assert added is not None
    np.testing.assert_allclose(added, target + local[split])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_every_figure_is_on_the_target(seed: int) -> None:
    """Weights that are whole numbers are examples that stand there so often; weights of 1 are none."""
    rng = np.random.default_rng(seed)
    own, default, winner = (rng.random(shape) < 0.5 for shape in (60, (3, 60), (3, 60)))
    often = rng.integers(0, 4, 60)
    often[0] = 1
    rows, splits = np.repeat(np.arange(60), often), (Split.CONFIRMATION, Split.TEST)
    evidence = make_evidence(winner, default, own)

    def by(weights: Weights) -> Judgement:
        aimed = ExampleWeights(dict.fromkeys(splits, weights))
        return judge(replace(evidence, weights=aimed), QUICK, seed=1)

    aimed = by(often / often.mean())
    repeated = judge(make_evidence(winner[:, rows], default[:, rows], own[rows]), QUICK, seed=1)
    for split in splits:
        figures_on_target, expected = aimed.figures(split), repeated.figures(split)
        for name in ("default_gain", "winner_gain", "improvement"):
            assert getattr(figures_on_target, name).mean == pytest.approx(getattr(expected, name).mean)
    assert aimed.decisive == aimed.confirmation

    plain, ones = judge(evidence, QUICK, seed=1), by(np.ones(60))
    assert (ones.verdict, ones.confirmation, ones.test) == (plain.verdict, plain.confirmation, plain.test)
    assert ones.p_beats_default == plain.p_beats_default
    assert ones.variance_samples() == plain.variance_samples()
