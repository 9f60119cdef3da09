from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Constraints, Objective
from autokd.core.example_weights import ExampleWeights
from autokd.core.setting import DEFAULT, LabelPrior, Schedule, Split
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.comparisons import (
    BEYOND_BUDGET,
    COMPARISONS,
    CORRECTED_GAIN,
    DEFAULT_GAIN,
    IMPROVEMENT,
    TEACHER_PART,
    WINNER_GAIN,
    Figures,
    compare,
)
from autokd.recommendation.evidence import CORRECTED, Arm, Evidence
from autokd.recommendation.race import DEFAULT_ARM, WINNER
from autokd.recommendation.verdict import (
    Judgement,
    Verdict,
    decide,
    described,
    judge,
    objective_weights,
)
from autokd.statistics.label_weights import local_weights_of
from autokd.statistics.paired import Interval, Weights
from tests.recommendation.samples import HOT, TUNING, WARM, make_evidence, make_federation
from tests.statistics.simulated import DIGITS, draw_arms

QUICK = ConfirmationConfig(resamples=200)
INTERVALS = (
    st.tuples(*[st.floats(-20, 20)] * 3).map(sorted).map(lambda three: Interval(three[1], three[0], three[2]))
)


def around(mean: float, reach: float = 1.0) -> Interval:
    return Interval(mean, mean - reach, mean + reach)


def figures(
    winner: float,
    default: float,
    *,
    reach: float = 1.0,
    corrected: tuple[float, float] | None = None,
    budget: float | None = None,
) -> Figures:
    """What winner and default gain.

    Args:
        corrected: The same beyond the corrected own model.
        budget: What the winner gains beyond the default at its budget.
    """
    found = {WINNER_GAIN: winner, DEFAULT_GAIN: default, IMPROVEMENT: winner - default}
    if corrected is not None:
        found |= dict(zip(("winner beyond corrected", "default beyond corrected"), corrected, strict=True))
    if budget is not None:
        found[BEYOND_BUDGET] = budget
    return Figures({name: around(mean, reach) for name, mean in found.items()})


def alone(default: float, corrected: float | None = None) -> Figures:
    beyond = {} if corrected is None else {"default beyond corrected": around(corrected)}
    return Figures({DEFAULT_GAIN: around(default), **beyond})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (figures(5, 2), Verdict.TUNED),
        (figures(5, -3), Verdict.TUNED),
        (figures(5, 4.5), Verdict.DEFAULT),
        (figures(1.5, 4), Verdict.DEFAULT),
        (figures(-3, -6), Verdict.SKIP),
        (figures(-0.6, -0.6), Verdict.SKIP),
        (figures(0.3, -6), Verdict.UNDECIDED),
        (figures(0.8, 0.8), Verdict.UNDECIDED),
        (figures(-6, 0.3), Verdict.UNDECIDED),
        # Surely there, and surely too little to be worth it.
        (figures(0.3, 0.1, reach=0.05), Verdict.SKIP),
        (alone(2), Verdict.DEFAULT),
        (alone(-2), Verdict.SKIP),
        (alone(0.2), Verdict.UNDECIDED),
    ],
)
def test_rules_1_and_2(found: Figures, verdict: Verdict) -> None:
    assert decide(found, min_improvement=0.5) is verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (figures(9, 2, corrected=(5, -2)), Verdict.TUNED),
        # It beats all that rule 2 knows, and not the own model without its label prior.
        (figures(9, 2, corrected=(0.7, -6)), Verdict.UNDECIDED),
        (figures(9, 2, corrected=(-3, -6)), Verdict.SKIP),
        (figures(9, 8.5, corrected=(3, 2)), Verdict.DEFAULT),
        (figures(9, 8.5, corrected=(0.5, 0.3)), Verdict.UNDECIDED),
        # A corrected model that is worse than the own one takes nothing back.
        (figures(5, 2, corrected=(15, 12)), Verdict.TUNED),
        (figures(-3, -6, corrected=(7, 4)), Verdict.SKIP),
        # One arm can gain over the own model only, and the other over the corrected one only.
        (figures(5, -6, corrected=(-3, 4)), Verdict.SKIP),
        # The default at a budget of its own.
        (figures(9, 2, budget=3), Verdict.TUNED),
        (figures(9, 2, budget=0.9), Verdict.DEFAULT),
        (figures(9, -2, budget=0.9), Verdict.UNDECIDED),
        (figures(9, 2, budget=3, corrected=(0.5, -6)), Verdict.UNDECIDED),
        # The teacher's part decides nothing.
        (Figures({**figures(5, 2).intervals, TEACHER_PART: around(-8)}), Verdict.TUNED),
        (alone(4, corrected=2), Verdict.DEFAULT),
        (alone(4, corrected=-2), Verdict.SKIP),
        (alone(4, corrected=0), Verdict.UNDECIDED),
    ],
)
def test_rule_3(found: Figures, verdict: Verdict) -> None:
    assert decide(found, min_improvement=0.5) is verdict


@given(INTERVALS, INTERVALS, INTERVALS)
def test_each_verdict_says_what_it_says(winner: Interval, default: Interval, improvement: Interval) -> None:
    found = Figures({WINNER_GAIN: winner, DEFAULT_GAIN: default, IMPROVEMENT: improvement})
    match decide(found, min_improvement=0.5):
        case Verdict.TUNED:
            assert improvement.low > 0
            assert winner.low > 0
        case Verdict.DEFAULT:
            assert default.low > 0
            assert not (improvement.low > 0 and winner.low > 0)
        case Verdict.SKIP:
            assert max(winner.high, default.high) < 0.5
        case verdict:
            assert verdict is Verdict.UNDECIDED
            assert default.low <= 0
            assert max(winner.high, default.high) >= 0.5


EVERYTHING = st.fixed_dictionaries(
    dict.fromkeys((WINNER_GAIN, DEFAULT_GAIN, IMPROVEMENT), INTERVALS),
    optional={
        name: INTERVALS for name in COMPARISONS if name not in (WINNER_GAIN, DEFAULT_GAIN, IMPROVEMENT)
    },
)


@given(EVERYTHING)
def test_more_to_beat_never_makes_a_verdict_better(intervals: dict[str, Interval]) -> None:
    """What rule 3 adds may take `tuned` or `default` away, and never gives one."""
    by_rule_3 = decide(Figures(intervals), min_improvement=0.5)
    few = {name: intervals[name] for name in (WINNER_GAIN, DEFAULT_GAIN, IMPROVEMENT)}
    by_rule_2 = decide(Figures(few), min_improvement=0.5)
    if by_rule_3 is Verdict.TUNED:
        assert by_rule_2 is Verdict.TUNED
        for name in ("winner beyond corrected", BEYOND_BUDGET):
            assert name not in intervals or intervals[name].low > 0
    if by_rule_2 is Verdict.SKIP:
        assert by_rule_3 is Verdict.SKIP
    if by_rule_3 is Verdict.DEFAULT:
        assert intervals[DEFAULT_GAIN].low > 0
    reported = {TEACHER_PART, CORRECTED_GAIN, "default budget gain", "no teacher gain"}
    decisive = {name: found for name, found in intervals.items() if name not in reported}
    assert decide(Figures(decisive), min_improvement=0.5) is by_rule_3


@given(EVERYTHING, st.booleans(), st.sets(st.sampled_from([WINNER, DEFAULT_ARM, CORRECTED])))
def test_a_default_at_another_budget_is_never_tuned(
    intervals: dict[str, Interval], tunable: bool, excluded: set[str]
) -> None:
    def decided(**options: bool) -> Verdict:
        return decide(Figures(intervals), min_improvement=0.5, excluded=excluded, **options)

    assert decided(budget_only=True, tunable=tunable) is not Verdict.TUNED
    assert decided(tunable=False) is not Verdict.TUNED
    # It is the default where another setting would be tuned, and nothing else changes.
    as_another = decided()
    assert decided(budget_only=True) is (Verdict.DEFAULT if as_another is Verdict.TUNED else as_another)


@pytest.mark.parametrize(
    ("found", "excluded", "verdict"),
    [
        (figures(5, 2), {WINNER}, Verdict.DEFAULT),
        (figures(5, -3), {WINNER}, Verdict.SKIP),
        # What is not allowed is no rival either.
        (figures(5, 6), {DEFAULT_ARM}, Verdict.TUNED),
        (figures(0.8, 6), {DEFAULT_ARM}, Verdict.UNDECIDED),
        (figures(5, 6), {WINNER, DEFAULT_ARM}, Verdict.SKIP),
        (alone(5), {DEFAULT_ARM}, Verdict.SKIP),
        (figures(5, 2, corrected=(-3, -6)), {CORRECTED}, Verdict.TUNED),
        (figures(5, 2, budget=-3), {"default_budget"}, Verdict.TUNED),
    ],
)
def test_an_arm_that_breaks_a_constraint_has_no_say(
    found: Figures, excluded: set[str], verdict: Verdict
) -> None:
    assert decide(found, min_improvement=0.5, excluded=excluded) is verdict


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


def verdicts(accuracies: tuple[float, float], own: float, *, pairs: int, seed: int) -> list[Verdict]:
    rng = np.random.default_rng(seed)
    return [
        decide(
            compare(
                make_evidence(*draw_arms(rng, accuracies, DIGITS, fixed=own)),
                Split.CONFIRMATION,
                Bootstrap.of(QUICK, pair),
            ),
            min_improvement=0.5,
        )
        for pair in range(pairs)
    ]


def test_a_winner_that_is_the_default_in_truth_is_hardly_ever_called_tuned() -> None:
    """500 pairs, winner and default both 5 pp above as-is: one in forty may come out `tuned` by chance.

    That is 12.5 expected; a rule of that error rate exceeds 35 with odds below 1 in 10⁷.
    """
    found = verdicts((0.65, 0.65), 0.60, pairs=500, seed=1)
    assert found.count(Verdict.TUNED) <= 35
    # Nor is it silent: a gain of 5 pp over as-is is mostly seen.
    assert found.count(Verdict.DEFAULT) > 200


def test_a_truly_better_winner_is_mostly_called_tuned() -> None:
    assert verdicts((0.72, 0.64), 0.60, pairs=100, seed=2).count(Verdict.TUNED) >= 90


def test_pairs_that_lose_are_skipped() -> None:
    assert verdicts((0.52, 0.48), 0.60, pairs=50, seed=3).count(Verdict.SKIP) >= 45


def test_runs_that_copy_the_default_are_not_tuned() -> None:
    rng = np.random.default_rng(4)
    default, own = draw_arms(rng, (0.8,), DIGITS, fixed=0.6)
    for flips in range(4):
        winner = default.copy()
        winner[:, np.flatnonzero(~default.any(axis=0))[:flips]] = True
        assert judge(make_evidence(winner, default, own), QUICK, seed=1).verdict is Verdict.DEFAULT


def test_a_setting_without_a_teacher_is_called_fine_tuning() -> None:
    assert "fine-tuning on both" in described(TUNING)
    assert described(WARM) == "T=2 α=0.3 on both"
    adjusted = replace(TUNING, label_prior=LabelPrior.ADJUSTED)
    told = "fine-tuning on both, label prior adjusted (α = 0: the teacher is not used)"
    assert described(adjusted) == told
    longer = replace(TUNING, learning_rate=0.05, schedule=Schedule.COSINE, epochs=40)
    assert described(longer) == (
        "fine-tuning on both, learning rate 0.05, schedule cosine, epochs 40 (α = 0: the teacher is not used)"
    )


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


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_what_a_run_is_worth(gain: float, forgetting: float) -> None:
    assert Objective().value(gain, forgetting) == gain
    assert Objective(objective="gain_local").value(gain, forgetting) == -forgetting
    assert Objective(objective="gain_minus_forgetting").value(gain, forgetting) == gain - forgetting


def test_the_lower_limit_counts() -> None:
    aims = Objective(constraints=Constraints(max_forgetting=2.0, max_local_loss=1.0))
    assert aims.constraints.limit == 1.0
    assert aims.keeps(1.0)
    assert not aims.keeps(1.1)
    assert Objective().keeps(100.0)


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
        found, expected = aimed.figures(split), repeated.figures(split)
        for name in ("default_gain", "winner_gain", "improvement"):
            assert getattr(found, name).mean == pytest.approx(getattr(expected, name).mean)
    assert aimed.decisive == aimed.confirmation

    plain, ones = judge(evidence, QUICK, seed=1), by(np.ones(60))
    assert (ones.verdict, ones.confirmation, ones.test) == (plain.verdict, plain.confirmation, plain.test)
    assert ones.p_beats_default == plain.p_beats_default
    assert ones.variance_samples() == plain.variance_samples()
