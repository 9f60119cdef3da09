"""The poster's observations on made-up stores whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from autokd.claims.all_claims import observe
from autokd.claims.best_swept import best_swept
from autokd.claims.claim import Claim, Status, measured
from autokd.claims.position_claims import worths_of
from autokd.config.confirmation import ConfirmationConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RungReport, RungScores, RunRecord, RunState, Stage, TrialRecord
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.recommendation.judgement import Judgement
from autokd.statistics.dyadic import dyadic_interval
from tests.explanation.samples import judged
from tests.recommendation.samples import (
    HOT,
    make_federation,
    make_trial,
)

EXAMPLES = 200
FAIR = Setting(2.0, 0.5, TransferSet.STUDENT)
SHARED = Setting(1.0, 0.5, TransferSet.BOTH)
PAIRS = [Pair(t, s) for t, s in permutations(range(5), 2)]
OWN = (0.3, 0.4, 0.5, 0.6, 0.7)
PLAN = ConfirmationConfig(resamples=200)


def right(share: float, examples: int = EXAMPLES) -> np.ndarray:
    return np.arange(examples) < round(share * examples)


FEDERATION = make_federation([{split: right(own) for split in Split} for own in OWN])


def swept(setting: Setting, share: float, *, lost: float = 0.0, seed: int = 0) -> RunRecord:
    correct = {split: right(share) for split in Split}
    return RunRecord(
        stage=Stage.SWEEP,
        setting=setting,
        seed=seed,
        state=RunState.COMPLETE,
        correct=correct,
        curve=(RungScores(10, dict.fromkeys(Split, share), dict.fromkeys(Split, lost), 1.0),),
    )


def by_sweep(shares: Callable[[Pair], Mapping[Setting, float]], seeds: int = 1) -> dict[Pair, PairRecords]:
    return {
        pair: stored(
            pair,
            sweep_runs=[swept(*worth, seed=seed) for worth in shares(pair).items() for seed in range(seeds)],
        )
        for pair in PAIRS
    }


def stored(pair: Pair, **records: Any) -> PairRecords:
    return PairRecords(pair=pair, study=str(pair), **records)


def claim_of(
    seen: Mapping[Pair, PairRecords], key: str, judgements: Mapping[Pair, Judgement | None] | None = None
) -> Claim:
    judged_pairs = {
        pair: judgement for pair, judgement in (judgements or {}).items() if judgement is not None
    }
    claims = observe(seen, judged_pairs, FEDERATION, PLAN, dataset="digits")
    return next(claim for claim in claims if claim.key == key)


def mean(claim: Claim) -> float:
    assert claim.figure is not None
    return claim.figure.mean


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_share_of_pairs_whose_temperature_and_weight_matter(seeds: int) -> None:
    """They do where participant 0 teaches or learns, 8 of 20 pairs."""

    def shares(pair: Pair) -> Mapping[Setting, float]:
        return {DEFAULT: 0.5, FAIR: 0.7 if 0 in pair.meeting else 0.5, SHARED: 0.9}

    claim = claim_of(by_sweep(shares, seeds), "share_that_needs_tuning")
    assert (mean(claim), claim.pairs, claim.source, claim.unit) == (0.4, 20, "sweep", "share of pairs")
    assert ("one seed" in claim.how) == (seeds == 1)


@pytest.mark.parametrize(("better", "counts"), [(22, False), (28, False), (40, True)])
def test_a_difference_that_examples_make_by_chance_does_not_count(better: int, counts: bool) -> None:
    """Either is right alone on some of 200 examples: the default on 20, the other on `better`.

    28 - 20 is a difference of 4 pp, and its standard error 3.5 pp; 40 - 20 is 10 pp, and it is 3.8 pp.
    """
    place = np.arange(EXAMPLES)
    default, other = place < 20, (place >= 20) & (place < 20 + better)
    runs = [swept(DEFAULT, 0.5), swept(FAIR, 0.9)]
    for run, correct in zip(runs, (default, other), strict=True):
        run.correct[Split.CONFIRMATION][:] = correct
    seen = {pair: stored(pair, sweep_runs=runs) for pair in PAIRS}
    assert mean(claim_of(seen, "share_that_needs_tuning")) == float(counts)


def test_what_is_chosen_is_chosen_on_validation() -> None:
    """FAIR is better there and worse where it is told, so it counts for nothing."""

    def runs(pair: Pair) -> Sequence[RunRecord]:
        misled = {Split.VALIDATION: right(0.9), Split.CONFIRMATION: right(0.2), Split.TEST: right(0.2)}
        good = swept(FAIR, 0.9)
        return [
            swept(DEFAULT, 0.5),
            RunRecord(
                stage=Stage.SWEEP,
                setting=FAIR,
                seed=0,
                state=RunState.COMPLETE,
                correct=misled,
                curve=good.curve,
            ),
        ]

    seen = {pair: stored(pair, sweep_runs=runs(pair)) for pair in PAIRS}
    assert mean(claim_of(seen, "share_that_needs_tuning")) == 0
    assert mean(claim_of(seen, "tuning_pays")) == pytest.approx(-30)


def by_search(shares: Callable[[Pair], Mapping[Setting, float]]) -> dict[Pair, PairRecords]:
    def trials(pair: Pair) -> list[TrialRecord]:
        return [
            make_trial(0, DEFAULT, 0.5),
            *(make_trial(number, *worth) for number, worth in enumerate(shares(pair).items(), 1)),
        ]

    return {
        pair: stored(
            pair, trials=trials(pair), reports={trial.number: [_report(trial)] for trial in trials(pair)}
        )
        for pair in PAIRS
    }


def _report(trial: TrialRecord) -> RungReport:
    """A student forgets 5 pp on its own examples and 1 on both."""
    lost = 5.0 if trial.setting.transfer_set is TransferSet.STUDENT else 1.0
    return RungReport(
        epoch=10,
        accuracy=trial.accuracy or 0.0,
        forgetting=lost,
        local_accuracy=0.5,
        soft_loss=0.0,
        hard_loss=0.0,
        seconds=1.0,
    )


def test_without_a_sweep_trials_must_differ_by_more_than_chance() -> None:
    """The standard error of a difference is 4.9 pp on 200 examples; 6 pp is chance, 20 pp is not."""
    seen = by_search(lambda pair: {FAIR: 0.7 if pair.student == 0 else 0.56, SHARED: 0.9})
    claim = claim_of(seen, "share_that_needs_tuning")
    assert (mean(claim), claim.pairs, claim.source) == (0.2, 20, "search")


def test_pairs_of_which_nothing_else_was_tried_there_are_left_out() -> None:
    claim = claim_of(
        by_search(lambda pair: {FAIR: 0.9} if 0 in pair.meeting else {SHARED: 0.9}), "share_that_needs_tuning"
    )
    assert (claim.status, claim.figure) == (Status.NOT_MEASURABLE, None)
    assert "(8 pairs so far)" in claim.how


def test_what_own_settings_have_beyond_the_best_single_one() -> None:
    """SHARED is best on average; where participant 0 learns, FAIR is better by 20 pp: 4 of 20 pairs."""

    def shares(pair: Pair) -> Mapping[Setting, float]:
        return {DEFAULT: 0.4, FAIR: 0.8 if pair.student == 0 else 0.5, SHARED: 0.6}

    claim = claim_of(by_sweep(shares), "no_single_setting")
    assert mean(claim) == pytest.approx(20 * 4 / 20)
    assert str(SHARED) in claim.how


def test_forgetting_is_told_of_the_sets_that_differ_most() -> None:
    losses = {DEFAULT: 6.0, FAIR: 4.0, SHARED: -1.0}
    seen = {
        pair: stored(
            pair,
            sweep_runs=[swept(setting, 0.5, lost=lost + pair.student) for setting, lost in losses.items()],
        )
        for pair in PAIRS
    }
    claim = claim_of(seen, "forgetting")
    assert mean(claim) == pytest.approx(6.0)
    assert claim.status is Status.REPRODUCED
    assert claim.how.startswith("forgetting on student minus both examples")
    assert {name: its.mean for name, its in claim.beside.items()} == pytest.approx(
        {"on student": 5 + 2, "on both": -1 + 2}
    )


def test_forgetting_from_searches() -> None:
    claim = claim_of(by_search(lambda pair: {SHARED: 0.6}), "forgetting")
    assert mean(claim) == pytest.approx(4.0)
    assert claim.source == "search"


def test_the_right_position_is_chosen_on_confirmation_and_told_on_test() -> None:
    """Of participants 0 (own 0.3) and 1 (0.4): 0->1 looks better where it is chosen, and is worse on test."""
    models = {
        Pair(0, 1): {Split.CONFIRMATION: right(0.7), Split.TEST: right(0.5)},
        Pair(1, 0): {Split.CONFIRMATION: right(0.6), Split.TEST: right(0.65)},
    }
    worths = worths_of(models, FEDERATION)
    first, other = worths[Pair(0, 1)], worths[Pair(1, 0)]
    assert first == pytest.approx((10, 25, 10, 25, 0))
    # The other side learns in 1->0, and the right position is that it teaches; adoption of model 1 gains 10.
    assert other == pytest.approx((35, 20, 20, 35, 10))
    # The identity of the poster's tables.
    assert first.as_student - first.as_teacher == pytest.approx(other.as_teacher - other.as_student)


def test_the_position_stands_beside_adoption() -> None:
    """The model is the better the stronger its student was; so the stronger one should learn."""
    seen = by_sweep(lambda pair: {DEFAULT: OWN[pair.student] + 0.1, FAIR: 0.2})
    claim = claim_of(seen, "position")
    gaps = [abs(OWN[pair.student] - OWN[pair.teacher]) for pair in PAIRS]
    assert mean(claim) == pytest.approx(100 * np.mean(gaps))
    assert claim.source == "sweep"
    assert claim.beside["right position beyond that"].mean == pytest.approx(10)
    assert claim.beside["as student"].mean == pytest.approx(10)
    assert claim.status is Status.REPRODUCED


def test_the_multiple_is_told_and_not_decided() -> None:
    """Whoever learns gains 10 pp, so that the stronger one should learn, and the weaker one teach."""
    claim = claim_of(by_sweep(lambda pair: {DEFAULT: OWN[pair.student] + 0.1}), "times_of_position")
    assert claim.status is Status.NOT_MEASURABLE
    # Participant 2 with 0, 1, 3, 4: right 10, 10, 20, 30, wrong -10, 0, 10, 10. Of 3 and 4 wrong is no gain.
    assert "at most 7.0 (participant 2), 5 or more for 1 of 5 participants" in claim.how
    assert "without meaning for the 2 that" in claim.how


def test_confirmed_answers_go_before_swept_ones() -> None:
    judgement = judged(HOT).judgement
    claim = claim_of({pair: stored(pair) for pair in PAIRS}, "tuning_pays", dict.fromkeys(PAIRS, judgement))
    assert mean(claim) == pytest.approx(25)
    assert (claim.source, claim.status) == ("confirmation", Status.REPRODUCED)


def test_swept_pairs_have_to_do_where_too_few_were_confirmed() -> None:
    few = {Pair(0, 1): judged(HOT).judgement}
    seen = by_sweep(lambda pair: {DEFAULT: OWN[pair.student], FAIR: OWN[pair.student] + 0.1})
    seen[Pair(0, 1)] = stored(Pair(0, 1))
    claim = claim_of(seen, "tuning_pays", few)
    assert (claim.source, claim.pairs) == ("sweep", 19)
    assert claim_of(seen, "position", few).source == "sweep"


def test_an_empty_store_measures_nothing_and_says_what_is_needed() -> None:
    claims = observe({}, {}, FEDERATION, PLAN, dataset="digits")
    assert {claim.status for claim in claims} == {Status.NOT_MEASURABLE}
    assert all(claim.how for claim in claims)
    assert len({claim.key for claim in claims}) == len(claims)


@pytest.mark.parametrize(
    ("level", "status"),
    [(1.0, Status.REPRODUCED), (-1.0, Status.NOT_REPRODUCED), (0.0, Status.OPEN)],
)
def test_the_interval_decides_what_became_of_a_claim(level: float, status: Status) -> None:
    rng = np.random.default_rng(1)
    values = {pair: level + float(rng.normal(0, 0.3)) for pair in PAIRS}
    claim = measured("a", "b", values, source="sweep", how="c", lacking="d")
    assert claim.figure == dyadic_interval(values)
    assert claim.status is status
    assert claim.to_json()["status"] == status.value


@pytest.mark.parametrize(
    ("share", "status"), [(0.3, Status.NOT_REPRODUCED), (0.65, Status.REPRODUCED), (0.95, Status.REPRODUCED)]
)
def test_a_share_may_be_the_posters_or_more(share: float, status: Status) -> None:
    rng = np.random.default_rng(1)
    values = {pair: share + float(rng.normal(0, 0.05)) for pair in PAIRS}
    claim = measured("a", "b", values, threshold=1 / 2, expected=2 / 3, source="s", how="c", lacking="d")
    assert claim.status is status


def test_a_setting_that_diverged_is_no_candidate() -> None:
    """Of two seeds one died: the setting has nothing to be paired with."""
    runs = [swept(setting, 0.5, seed=seed) for setting in (DEFAULT, SHARED) for seed in (0, 1)]
    died = replace(
        swept(FAIR, 0.9, seed=1), state=RunState.FAIL, failure=Failure.DIVERGED, correct={}, curve=()
    )
    seen = {pair: stored(pair, sweep_runs=[*runs, swept(FAIR, 0.9), died]) for pair in PAIRS}
    assert mean(claim_of(seen, "tuning_pays")) == 0


def test_a_sweep_that_begins_with_a_further_seed_takes_nothing_away() -> None:
    runs = [swept(setting, share) for setting, share in {DEFAULT: 0.5, FAIR: 0.9}.items()]
    whole = {pair: stored(pair, sweep_runs=runs) for pair in PAIRS}
    begun = {pair: stored(pair, sweep_runs=[*runs, swept(DEFAULT, 0.5, seed=1)]) for pair in PAIRS}
    for key in ("share_that_needs_tuning", "no_single_setting", "tuning_pays"):
        assert claim_of(begun, key) == claim_of(whole, key)


def test_a_sweep_of_few_pairs_takes_nothing_from_what_searches_show() -> None:
    searched = by_search(lambda pair: {FAIR: 0.9, SHARED: 0.6})
    few = by_sweep(lambda pair: {DEFAULT: 0.5, FAIR: 0.9, SHARED: 0.6})
    first = PAIRS[0]
    both = {**searched, first: replace(searched[first], sweep_runs=few[first].sweep_runs)}
    for key in ("share_that_needs_tuning", "forgetting"):
        before = claim_of(searched, key)
        assert (before.pairs, before.source) == (len(PAIRS), "search")
        assert claim_of(both, key) == before
        assert claim_of({**searched, **few}, key).source == "sweep"


def test_what_a_sweep_found_is_chosen_on_validation_and_told_on_test() -> None:
    misled = swept(FAIR, 0.9)
    misled.correct[Split.TEST][:] = right(0.6)
    pair = Pair(1, 0)
    best = best_swept(
        stored(pair, sweep_runs=[swept(DEFAULT, 0.5), misled]), FEDERATION.participants[0], PLAN
    )
    assert best is not None
    assert (best.setting, best.settings, best.seeds) == (FAIR, 2, 1)
    assert best.gain.mean == pytest.approx(100 * (0.6 - OWN[0]))
    assert best.default_gain is not None
    assert best.default_gain.mean == pytest.approx(100 * (0.5 - OWN[0]))
    alone = best_swept(stored(pair, sweep_runs=[misled]), FEDERATION.participants[0], PLAN)
    assert alone is not None
    assert (alone.setting, alone.gain.mean, alone.default_gain) == (FAIR, best.gain.mean, None)
    assert best_swept(stored(pair), FEDERATION.participants[0], PLAN) is None
