from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, FederationFacts
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.core.verdict_basis import VariancePrior, VerdictBasis
from autokd.recommendation import Recommendation, Verdict, pending
from autokd.recommendation.comparisons import DEFAULT_GAIN, IMPROVEMENT, WINNER_GAIN
from autokd.recommendation.interim_looks import (
    Unfinished,
    extension,
    judge_pair,
    look_confidence,
    seeds_wanted,
)
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.power import can_still_change, what_would_decide
from autokd.statistics.paired import variance_components
from tests.recommendation.samples import (
    HOT,
    WARM,
    confirmation_runs,
    failed_run,
    make_federation,
    make_plan,
    make_trials,
    recommend_from,
)
from tests.statistics.simulated import SEEDS_RULE, Noise, draw_arms

PAIR = Pair(0, 1)
TWICE = make_plan(max_seeds=15, resamples=200)
SIZES = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}


def test_one_look_is_at_the_confidence_of_the_plan() -> None:
    assert look_confidence(ConfirmationConfig()) == look_confidence(ConfirmationConfig(max_seeds=5)) == 0.95


@given(st.integers(2, 20), st.integers(1, 60), st.sampled_from([0.9, 0.95, 0.99]))
def test_two_looks_lie_between_one_look_and_bonferroni(seeds: int, more: int, confidence: float) -> None:
    confidence_of_look = look_confidence(
        ConfirmationConfig(seeds=seeds, max_seeds=seeds + more, confidence=confidence)
    )
    assert confidence < confidence_of_look <= 1 - (1 - confidence) / 2


def test_two_looks_of_equal_size_have_the_level_that_pocock_published() -> None:
    """Pocock 1977, table 1: two looks at a total of 5% are at 0.0294 each."""
    assert 1 - look_confidence(ConfirmationConfig(seeds=5, max_seeds=10)) == pytest.approx(0.0294, abs=5e-5)


def test_two_looks_together_err_as_one() -> None:
    """Standard error of 5% from 1,500 simulations: 0.6%; where seeds are nearly all the noise."""
    config = ConfirmationConfig(seeds=5, max_seeds=15)
    rng = np.random.default_rng(0)
    noise = Noise(difficulty=1.0, taste=0.02, shift=0.3, flutter=0.1)
    once = twice = 0
    for _ in range(1500):
        first, other = draw_arms(rng, (0.65, 0.65), noise, seeds=15, examples=200)
        beyond = [
            abs(100 * (first[:seeds].mean() - other[:seeds].mean()))
            > variance_components(first[:seeds], other[:seeds]).half_width(confidence)
            for seeds, confidence in ((5, look_confidence(config)), (15, look_confidence(config)), (15, 0.95))
        ]
        twice += beyond[0] or beyond[1]
        once += beyond[2]
    assert twice / 1500 < 0.065
    assert once / 1500 == pytest.approx(0.05, abs=0.02)


def searched(
    accuracies: tuple[float, float], *, seeds: int, seed: int = 0
) -> tuple[FederationFacts, PairRecords, Recommendation]:
    """A federation, the records of a pair with so many confirmation seeds, and what is recommended."""
    rng = np.random.default_rng(seed)
    arms = {
        split: draw_arms(rng, accuracies, SEEDS_RULE, fixed=0.6, seeds=15, examples=size)
        for split, size in SIZES.items()
    }
    own = {split: correct[2] for split, correct in arms.items()}
    runs = [
        run
        for arm, setting in enumerate((HOT, DEFAULT))
        for run in confirmation_runs(
            setting,
            {split: correct[arm][:seeds] for split, correct in arms.items() if split is not Split.VALIDATION},
        )
    ]
    federation, trials = make_federation([own, own]), make_trials(HOT)
    records = PairRecords(pair=PAIR, study="s", trials=trials, runs=runs)
    config = _as_far(TWICE, seeds_wanted(TWICE, federation, records), seeds)
    return federation, records, recommend_from(config, federation, records)


def _as_far(config: StudyConfig, wanted: int, seeds: int) -> StudyConfig:
    """A plan that asks for no more than there is, so that something is recommended in any case."""
    return config if wanted <= seeds else make_plan(resamples=200)


def test_a_pair_that_is_decided_gets_no_more_seeds() -> None:
    federation, records, judgement = searched((0.95, 0.7), seeds=5)
    assert seeds_wanted(TWICE, federation, records) == 5
    assert isinstance(judge_pair(TWICE, federation, records), Judgement)
    assert judgement.verdict is Verdict.TUNED
    assert judgement.to_json()["seeds"] == 5


def test_an_undecided_pair_gets_the_rest_for_both_arms_and_is_judged_on_all() -> None:
    federation, records, _ = searched((0.66, 0.62), seeds=5)
    assert seeds_wanted(TWICE, federation, records) == 15
    assert judge_pair(TWICE, federation, records) == Unfinished(
        "20 race and confirmation runs are to be done"
    )
    owed = pending(TWICE, records, seeds=15)
    assert [run.seed for run in owed] == [2000 + seed for seed in range(5, 15) for _ in range(2)]
    assert {run.setting for run in owed} == {HOT, DEFAULT}
    federation, records, judgement = searched((0.66, 0.62), seeds=15)
    assert isinstance(judge_pair(TWICE, federation, records), Judgement)
    decided = judgement.to_json()["decided_on"]
    assert isinstance(decided, dict)
    assert len(decided["seeds"]) == 15
    assert decided["confidence"] == look_confidence(TWICE.confirmation)


def test_what_ran_after_a_decision_changes_nothing() -> None:
    """Somebody lowers the cap, or the driver had runs under way: the first look decided."""
    few, many = (searched((0.95, 0.7), seeds=seeds)[2].to_json() for seeds in (5, 15))
    assert few["decided_on"] == many["decided_on"]


def test_a_cap_below_the_first_look_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_seeds 4 lies below seeds 5"):
        ConfirmationConfig(max_seeds=4)
    assert ConfirmationConfig(max_seeds=5).fixed_looks == (5,)
    assert ConfirmationConfig(max_seeds=5).looks == (2, 3, 5)


# By rule 2

LOOKS = make_plan(resamples=200)
BASIS = VerdictBasis(
    trials=2,
    search=LOOKS.search.bounds,
    ended="it ended",
    winner=HOT,
    looks=(2, 3, 5),
    confidence=0.97,
    seed_share=1.0,
    priors={
        f"{split.value}/{name}": VariancePrior(2.0, 16.0)
        for split in (Split.CONFIRMATION, Split.TEST)
        for name in (DEFAULT_GAIN, WINNER_GAIN, IMPROVEMENT)
    },
)
QUIET = Noise(taste=0.3, shift=0.02, flutter=0.2)


def confirmed(
    accuracies: tuple[float, float],
    *,
    seeds: int,
    own: float = 0.6,
    noise: Noise = QUIET,
    basis: VerdictBasis = BASIS,
    seed: int = 0,
    most: int = 5,
) -> tuple[FederationFacts, PairRecords]:
    """A federation, and the records of a pair of rule 2 with the first of `most` confirmation seeds."""
    rng = np.random.default_rng(seed)
    arms = {
        split: draw_arms(rng, accuracies, noise, fixed=own, seeds=most, examples=size)
        for split, size in SIZES.items()
    }
    runs = [
        run
        for arm, setting in enumerate((HOT, DEFAULT))
        for run in confirmation_runs(
            setting,
            {split: correct[arm][:seeds] for split, correct in arms.items() if split is not Split.VALIDATION},
        )
    ]
    models = {split: correct[2] for split, correct in arms.items()}
    records = PairRecords(pair=PAIR, study="s", rule=2, bases=(basis,), trials=make_trials(HOT), runs=runs)
    return make_federation([models, models]), records


def judged(federation: FederationFacts, records: PairRecords) -> Judgement:
    judgement = judge_pair(LOOKS, federation, records)
    assert isinstance(judgement, Judgement)
    return judgement


def wanted(*arguments: object, **options: object) -> int:
    return seeds_wanted(LOOKS, *confirmed(*arguments, **options))  # type: ignore[arg-type]


def test_a_pair_that_is_clear_after_two_seeds_gets_no_third() -> None:
    assert wanted((0.95, 0.7), seeds=2) == 2
    judgement = judged(*confirmed((0.95, 0.7), seeds=2))
    assert (judgement.verdict, judgement.rule, judgement.confidence) == (Verdict.TUNED, 2, 0.97)
    assert len(judgement.evidence.seeds) == 2


def test_two_seeds_that_show_that_nothing_gains_end_it_too() -> None:
    material = confirmed((0.40, 0.42), seeds=2, own=0.75)
    assert judged(*material).verdict is Verdict.SKIP
    assert seeds_wanted(LOOKS, *material) == 2


def test_a_first_look_waits_for_both_arms() -> None:
    assert wanted((0.95, 0.7), seeds=1) == 2
    judgement = judge_pair(LOOKS, *confirmed((0.95, 0.7), seeds=1))
    assert judgement == Unfinished("2 race and confirmation runs are to be done")


RESTLESS = replace(BASIS, priors={name: VariancePrior(20.0, 16.0) for name in BASIS.priors})


def restless(
    accuracies: tuple[float, float], *, seeds: int, seed: int
) -> tuple[FederationFacts, PairRecords]:
    return confirmed(accuracies, seeds=seeds, noise=SEEDS_RULE, basis=RESTLESS, seed=seed)


def test_what_may_still_change_goes_on_from_look_to_look_up_to_the_last() -> None:
    federation, records = restless((0.68, 0.62), seeds=2, seed=1)
    assert seeds_wanted(LOOKS, federation, records) == 3
    assert judge_pair(LOOKS, federation, records) == Unfinished("2 race and confirmation runs are to be done")
    assert [spec.seed for spec in pending(LOOKS, records, seeds=3)] == [2002, 2002]
    assert seeds_wanted(LOOKS, *restless((0.68, 0.62), seeds=3, seed=1)) == 5
    last = judged(*restless((0.68, 0.62), seeds=5, seed=1))
    assert len(last.evidence.seeds) == 5


def test_what_further_seeds_cannot_decide_ends_undecided_and_says_what_would() -> None:
    """Seeds hardly vary here: examples are all the doubt, and they stay the same."""
    noise = Noise(taste=0.7, shift=0.0, flutter=0.01)
    basis = replace(
        BASIS, priors={name: VariancePrior(0.01, prior.dof) for name, prior in BASIS.priors.items()}
    )
    cases = [
        confirmed((0.62, 0.61), seeds=2, own=0.60, noise=noise, basis=basis, seed=seed) for seed in range(12)
    ]
    ended = [case for case in cases if seeds_wanted(LOOKS, *case) == 2]
    verdicts = [judged(*case) for case in ended]
    futile = [judgement for judgement in verdicts if judgement.verdict is Verdict.UNDECIDED]
    assert len(futile) >= 6
    assert all(
        "only more confirmation examples" in what_would_decide(judgement, LOOKS.confirmation)
        for judgement in futile
    )


def test_a_default_that_may_still_be_beaten_goes_on_and_one_that_may_not_ends() -> None:
    federation, records = confirmed((0.76, 0.74), seeds=2, noise=SEEDS_RULE, basis=RESTLESS)
    first = judged(federation, replace(records, bases=(replace(RESTLESS, looks=(2,)),)))
    assert first.verdict is Verdict.DEFAULT
    assert can_still_change(first, 0.5, seeds=5)
    assert seeds_wanted(LOOKS, federation, records) == 3
    far = confirmed((0.55, 0.80), seeds=2)
    assert judged(*far).verdict is Verdict.DEFAULT
    assert seeds_wanted(LOOKS, *far) == 2


def test_a_seed_that_was_lost_may_be_made_up_for_by_a_further_one() -> None:
    federation, records = confirmed((0.95, 0.7), seeds=2)
    lost = [failed_run(HOT, 0, Failure.OUT_OF_MEMORY) for _ in range(LOOKS.search.retries + 1)]
    kept = [run for run in records.runs if (run.setting, run.seed) != (HOT, 2000)]
    records = replace(records, runs=[*lost, *kept])
    assert seeds_wanted(LOOKS, federation, records) == 3
    # So does a winner all of whose seeds were: the default alone would be judged, and that at a look.
    again = [run for run in lost + kept if (run.setting, run.seed) != (HOT, 2001)]
    assert seeds_wanted(LOOKS, federation, replace(records, runs=again)) == 2
    gone = [failed_run(HOT, 1, Failure.OUT_OF_MEMORY) for _ in range(LOOKS.search.retries + 1)]
    assert seeds_wanted(LOOKS, federation, replace(records, runs=again + gone)) == 3


def test_a_judgement_knows_of_other_pairs_what_was_stored_and_nothing_else() -> None:
    """The basis alone says what others had shown; another one gives other intervals, the same means."""
    once = replace(BASIS, looks=(5,))
    federation, records = confirmed((0.75, 0.66), seeds=5, basis=once)
    first, again = judged(federation, records), judged(federation, replace(records))
    assert first.confirmation == again.confirmation
    assert first.p_beats_default == again.p_beats_default
    alone = judged(federation, replace(records, bases=(replace(once, priors={}),)))
    wild = {name: VariancePrior(200.0, 16.0) for name in BASIS.priors}
    wide = judged(federation, replace(records, bases=(replace(once, priors=wild),)))
    means = {
        (judgement.confirmation.default_gain.mean, judgement.test.default_gain.mean)
        for judgement in (first, alone, wide)
    }
    assert len(means) == 1
    assert wide.confirmation.default_gain.low < first.confirmation.default_gain.low
    assert wide.test.default_gain.low < first.test.default_gain.low
    # What the pair shows others is its own noise, whatever it was told.
    assert wide.variance_samples() == alone.variance_samples() == first.variance_samples()


def test_a_p_value_is_corrected_for_the_looks_that_were_planned() -> None:
    federation, records = confirmed((0.66, 0.62), seeds=5)
    three = judged(federation, records).p_beats_default
    p_value = judged(federation, replace(records, bases=(replace(BASIS, looks=(5,)),))).p_beats_default
    assert three is not None
    assert p_value is not None
    assert p_value < three <= 3 * p_value


def test_without_a_basis_a_pair_of_rule_2_is_not_judged() -> None:
    federation, records = confirmed((0.95, 0.7), seeds=5)
    assert judge_pair(LOOKS, federation, replace(records, bases=())) == Unfinished("its search has not ended")


def test_while_a_search_is_extended_its_answer_stays_and_is_marked() -> None:
    federation, records = confirmed((0.80, 0.66), seeds=5)
    before = judged(federation, records)
    assert extension(records, before) == ""
    longer = replace(records, trials=[*records.trials, *make_trials(WARM)[1:]])
    searching = judged(federation, longer)
    assert searching.confirmation == before.confirmation
    assert extension(longer, searching).startswith("its search goes on, with 1 trial since")
    # The longer search has found another winner, of which nothing is confirmed yet.
    basis = replace(BASIS, winner=WARM, trials=len(longer.trials), extension=1)
    extended = replace(longer, bases=(*records.bases, basis))
    assert pending(LOOKS, extended, seeds=2)
    kept = judged(federation, extended)
    assert (kept.verdict, kept.confirmation, kept.basis) == (
        before.verdict,
        before.confirmation,
        before.basis,
    )
    assert "until then, this is the answer of before" in extension(extended, kept)
    recommendation = recommend_from(LOOKS, federation, extended)
    assert recommendation.decision.to_json() == recommend_from(LOOKS, federation, records).decision.to_json()
    assert recommendation.to_json()["extending"] == recommendation.extending
    assert "extending" not in recommend_from(LOOKS, federation, records).to_json()


def test_an_extension_that_fails_withdraws_nothing() -> None:
    federation, records = confirmed((0.80, 0.66), seeds=5)
    lost = [
        failed_run(WARM, seed, Failure.OUT_OF_MEMORY)
        for seed in range(5)
        for _ in range(LOOKS.search.retries + 1)
    ]
    basis = replace(BASIS, winner=WARM, extension=1)
    extended = replace(records, bases=(*records.bases, basis), runs=[*records.runs, *lost])
    assert judged(federation, extended).verdict is judged(federation, records).verdict
