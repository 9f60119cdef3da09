"""Rivals beside winner and default: the queue with the real sampler and store, by rule 3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from autokd.config.space import Space
from autokd.core.records import Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Setting, Split, TransferSet, with_budget_of
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER
from autokd.recommendation import Verdict
from autokd.recommendation.comparisons import BEYOND_BUDGET, TEACHER_PART
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.race import differs_in_budget_only
from tests.execution.test_search_queue_by_rule_2 import ONE_BY_ONE, PAIRS, Batch, plan
from tests.search.worlds import BEST_RATE, FORWARD, Killed, open_space

RATES: Mapping[str, Any] = {"learning_rate": {"low": 0.025, "high": 1.6, "log": True}}
BUDGETS_ONLY = open_space(temperature=[1.0], alpha=[0.5], transfer_set=["student"], **RATES)


def batch(folder: Path, *, space: Space | None = None, learns: bool = True, **search: Any) -> Batch:
    return Batch(folder, plan(**search), space=space, learns=learns, rule=3)


def arms(judged: Judgement) -> dict[str, Setting]:
    return {name: arm.setting for name, arm in judged.evidence.arms.items()}


def test_a_winner_with_a_teacher_is_confirmed_beside_the_same_examples_without_one(tmp_path: Path) -> None:
    tuned_batch = batch(tmp_path)
    tuned_batch.work()
    for pair in PAIRS:
        (basis,), judged = tuned_batch.bases(pair), tuned_batch.judged[pair]
        winner = judged.evidence.winner
        assert (judged.rule, judged.basis) == (3, basis)
        assert winner is not None
        assert winner.setting.alpha != 0
        rival = judged.evidence.rivals[NO_TEACHER].setting
        assert (rival.alpha, rival.transfer_set) == (0, winner.setting.transfer_set)
        # The space searches no budget, so there is no default at a budget of its own.
        assert basis.rivals.keys() == {f"no_teacher/{winner.setting.transfer_set}"}
        assert arms(judged).keys() == {"winner", "default", NO_TEACHER}
        # All arms have the same seeds.
        seeds = len(judged.evidence.seeds)
        assert tuned_batch.seeds(pair) == Counter(dict.fromkeys(arms(judged).values(), seeds))
        part = judged.teacher_part(Split.TEST)
        assert part == judged.test.intervals[TEACHER_PART]
        assert part is not None
        accuracies = [arm.correct[Split.TEST].mean() for arm in (winner, judged.evidence.rivals[NO_TEACHER])]
        assert part.mean == pytest.approx(100 * (accuracies[0] - accuracies[1]))


def test_tuned_beats_the_corrected_own_model_and_each_default(tmp_path: Path) -> None:
    tuned_batch = batch(tmp_path, space=open_space(**RATES))
    tuned_batch.work()
    verdicts = {tuned_batch.judged[pair].verdict for pair in PAIRS}
    assert Verdict.TUNED in verdicts
    for pair in PAIRS:
        (basis,), judged = tuned_batch.bases(pair), tuned_batch.judged[pair]
        rival = basis.rivals[DEFAULT_BUDGET]
        assert differs_in_budget_only(rival)
        # It was found on validation: near the best rate.
        assert rival.learning_rate is not None
        assert BEST_RATE / 2.5 < rival.learning_rate < 2.5 * BEST_RATE
        assert arms(judged)[DEFAULT_BUDGET] == rival
        if judged.verdict is Verdict.TUNED:
            for name in ("winner gain", "winner beyond corrected", "improvement", BEYOND_BUDGET):
                assert judged.decisive.intervals[name].low > 0


def test_a_pair_whose_only_difference_is_its_budget_is_not_tuned(tmp_path: Path) -> None:
    """The budget is worth 15 pp here, and nothing else is searched."""
    tuned_batch = batch(tmp_path, space=BUDGETS_ONLY)
    tuned_batch.work()
    for pair in PAIRS:
        (basis,), judged = tuned_batch.bases(pair), tuned_batch.judged[pair]
        settings = [basis.winner] if basis.race is None else basis.race.settings
        assert all(setting is None or differs_in_budget_only(setting) for setting in settings)
        assert judged.verdict in (Verdict.DEFAULT, Verdict.UNDECIDED)
        assert judged.budget_only
        assert DEFAULT_BUDGET not in arms(judged)
        assert judged.p_beats_default is None
    # What beats everything is the default at its budget, and that is the answer.
    defaults = [
        tuned_batch.judged[pair] for pair in PAIRS if tuned_batch.judged[pair].verdict is Verdict.DEFAULT
    ]
    assert any(judged.shown is judged.evidence.winner for judged in defaults)
    for judged in defaults:
        if judged.shown is judged.evidence.winner:
            assert with_budget_of(DEFAULT, judged.shown.setting) == judged.shown.setting != DEFAULT
            assert judged.gain(Split.TEST) == judged.test.winner_gain


def test_rivals_are_in_the_store_before_the_first_run_that_follows_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned_batch = batch(tmp_path, space=open_space(**RATES))
    queue, handed = tuned_batch.world.queue, list[tuple[AnyPair, Setting]]()
    assign = queue.assign

    def assigned(key: str) -> RunSpec | None:
        spec = assign(key)
        if spec is not None and spec.stage is Stage.CONFIRMATION:
            (basis,) = tuned_batch.bases(spec.pair)
            settings = {DEFAULT, *basis.rivals.values(), *(basis.race.settings if basis.race else ())}
            assert spec.setting in settings | {basis.winner}
            handed.append((spec.pair, spec.setting))
        return spec

    monkeypatch.setattr(queue, "assign", assigned)
    tuned_batch.work(workers=3)
    assert {pair for pair, _ in handed} == set(PAIRS)


def test_killed_after_any_report_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    space = open_space(**RATES)
    whole = batch(tmp_path / "whole", space=space, epsilon=3.0)
    reports = whole.work()
    expected = whole.outcome()
    for after in range(7, reports, 29):
        killed = batch(tmp_path / str(after), space=space, epsilon=3.0)
        with pytest.raises(Killed):
            killed.work(reports=after)
        killed.world.close()
        resumed = batch(tmp_path / str(after), space=space, epsilon=3.0)
        resumed.work()
        assert resumed.outcome() == expected, after
        resumed.world.close()


def test_without_a_surrogate_rivals_are_trials_that_ran_to_the_end(tmp_path: Path) -> None:
    tuned_batch = Batch(tmp_path, plan(), meetings=[[FORWARD]], rule=3, learns=False)
    tuned_batch.work()
    (basis,) = tuned_batch.bases(FORWARD)
    trials = {trial.setting for trial in tuned_batch.world.trials(FORWARD)}
    assert all(any(rival.alpha == t.alpha == 0 for t in trials) for rival in basis.rivals.values())


def test_pairs_of_rules_2_and_3_are_tuned_in_one_batch(tmp_path: Path) -> None:
    rules: dict[AnyPair, int] = dict(zip(PAIRS, (2, 3, 2), strict=True))
    tuned_batch = Batch(tmp_path, plan(), meetings=ONE_BY_ONE, rule=rules)
    tuned_batch.work()
    for pair, rule in rules.items():
        judged = tuned_batch.judged[pair]
        assert judged.rule == rule
        assert bool(judged.evidence.rivals) is (judged.evidence.corrected is not None) is (rule == 3)
        assert bool(tuned_batch.bases(pair)[0].rivals) is (rule == 3)


def test_examples_without_labels_have_a_rival_on_labelled_ones(tmp_path: Path) -> None:
    tuned_batch = batch(tmp_path, space=open_space(transfer_set=["public"]))
    tuned_batch.work()
    for pair in PAIRS:
        winner = tuned_batch.judged[pair].evidence.winner
        if winner is not None:
            assert winner.setting.transfer_set is TransferSet.PUBLIC
            rival = tuned_batch.judged[pair].evidence.rivals[NO_TEACHER].setting
            assert (rival.alpha, rival.transfer_set) == (0, TransferSet.STUDENT)
