from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.price import Prices
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.core.verdict_basis import SearchBounds, VarianceSample, VerdictBasis
from autokd.recommendation.race import after_race
from autokd.search.basis import (
    error_of,
    fix_basis,
    needs_basis,
    planned_looks,
    promise,
    race_worth,
    why_ended,
)
from autokd.search.ending import Outlook, Prospects
from autokd.search.gaussian_process import Posterior
from autokd.search.rivals import RivalChoice
from autokd.statistics.looks import confidence_of_each, correlations
from tests.search.worlds import open_space, tiny_plan

GOOD, BETTER, BEST = (Setting(power, 0.3, TransferSet.BOTH) for power in (2.0, 4.0, 8.0))
PLAN = tiny_plan(trials=6).model_copy(update={"confirmation": ConfirmationConfig()})
NOISE = 4.0


def trial(number: int, setting: Setting, accuracy: float = 0.5) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=TrialOrigin.BASELINE if number == 0 else TrialOrigin.SEARCH,
        state=TrialState.COMPLETE,
        curve=((10, accuracy),),
    )


TRIALS = tuple(trial(number, setting) for number, setting in enumerate((DEFAULT, GOOD, BETTER)))


def records(*bases: VerdictBasis, trials: Sequence[TrialRecord] = TRIALS, rule: int = 2) -> PairRecords:
    return PairRecords(pair=Pair(0, 1), study="f/r/0->1", rule=rule, bases=bases, trials=trials)


def seen(
    means: Mapping[Setting, float],
    *,
    deviation: float = 0.1,
    unknown: Sequence[Setting] = (),
    noise: float = NOISE,
) -> Prospects:
    known = np.array([setting not in unknown for setting in means])
    posterior = Posterior(np.array(list(means.values())), deviation**2 * np.eye(len(means)))
    return Prospects(tuple(means), known, posterior, noise)


CLEAR = seen({DEFAULT: 1.0, GOOD: 2.0, BETTER: 6.0})
CLOSE = seen({DEFAULT: 1.0, GOOD: 5.0, BETTER: 6.0}, deviation=4.0)


def samples(pairs: int = 20, *, seeds: float = 3.0, examples: float = 4.0) -> dict[str, list[VarianceSample]]:
    return {"confirmation/improvement": [VarianceSample(seeds, 4, examples)] * pairs}


def fixed(
    view: Prospects | None = CLEAR,
    *bases: VerdictBasis,
    config: StudyConfig = PLAN,
    trials: Sequence[TrialRecord] = TRIALS,
    others: Mapping[str, Sequence[VarianceSample]] | None = None,
    offset: float = 50.0,
    prices: Prices | None = None,
    choice: RivalChoice | None = None,
) -> tuple[VerdictBasis, ...]:
    return fix_basis(
        config,
        records(*bases, trials=trials, rule=2 if choice is None else 3),
        ended="it ended",
        seen=view,
        offset=offset,
        others=others or {},
        prices=prices,
        choice=choice,
    )


def basis(view: Prospects | None = CLEAR, **options: object) -> VerdictBasis:
    (fixed_basis,) = fixed(view, **options)  # type: ignore[arg-type]
    return fixed_basis


# Winner or race


def test_the_setting_believed_to_be_best_is_judged_without_a_race() -> None:
    fixed_basis = basis()
    assert (fixed_basis.winner, fixed_basis.race) == (BETTER, None)
    assert (fixed_basis.trials, fixed_basis.ended, fixed_basis.extension) == (3, "it ended", 0)
    assert fixed_basis.search == SearchBounds(6, PLAN.search.epsilon, PLAN.search.confidence)


def test_a_winner_has_run_to_the_end() -> None:
    assert basis(seen({DEFAULT: 1.0, GOOD: 2.0, BEST: 9.0}, unknown=[BEST])).winner == GOOD
    nothing = basis(seen({GOOD: 2.0, BEST: 9.0}, unknown=[GOOD, BEST]))
    assert (nothing.winner, nothing.race) == (None, None)


def test_a_default_believed_to_be_best_is_judged_alone() -> None:
    fixed_basis = basis(seen({DEFAULT: 6.0, GOOD: 5.0}, deviation=4.0))
    assert (fixed_basis.winner, fixed_basis.race) == (None, None)
    # So is a setting that is the default in all but name.
    twin = replace(DEFAULT, temperature=DEFAULT.temperature * 1.001)
    assert basis(seen({DEFAULT: 5.9, twin: 6.0, GOOD: 2.0})).winner is None


PRICES = Prices(student=30, teacher=20, public=10, validation=40, epochs=10)
LONG, SHORT = replace(GOOD, epochs=40), replace(GOOD, epochs=20)


@pytest.mark.parametrize(
    ("believed", "chosen"),
    [
        ({LONG: 6.0, SHORT: 5.6}, SHORT),
        ({LONG: 6.0, SHORT: 5.4}, LONG),
        ({GOOD: 6.0, replace(GOOD, transfer_set=TransferSet.STUDENT): 5.6}, None),
        ({LONG: 6.0, SHORT: 5.7, replace(BEST, transfer_set=TransferSet.TEACHER): 5.55}, None),
    ],
)
def test_of_settings_as_good_as_the_best_the_cheapest_is_judged(
    believed: dict[Setting, float], chosen: Setting | None
) -> None:
    """None stands for the last one: fewer examples, with the same epochs or less."""
    view = seen({DEFAULT: 1.0, **believed})
    assert basis(view, prices=PRICES).winner == (chosen or next(reversed(believed)))
    assert basis(view).winner == next(iter(believed)), "prices that are not known decide nothing"


def test_where_the_default_is_as_good_and_cheaper_it_is_judged_alone() -> None:
    assert basis(seen({DEFAULT: 5.6, LONG: 6.0}), prices=PRICES).winner is None
    assert basis(seen({DEFAULT: 5.4, LONG: 6.0}), prices=PRICES).winner == LONG


def test_a_setting_that_did_not_run_to_its_end_is_not_chosen_because_it_is_cheap() -> None:
    view = seen({DEFAULT: 1.0, LONG: 6.0, SHORT: 5.9}, unknown=[SHORT])
    assert basis(view, prices=PRICES).winner == LONG


def test_a_race_keeps_what_its_settings_cost() -> None:
    race = basis(seen({DEFAULT: 1.0, SHORT: 5.0, LONG: 6.0}, deviation=4.0), prices=PRICES).race
    assert race is not None
    assert race.settings == (LONG, SHORT)
    assert race.prices == (40 * 50, 20 * 50)
    assert not getattr(basis(CLOSE).race, "prices", None)


def test_a_race_is_run_where_it_is_worth_the_least_improvement() -> None:
    fixed_basis = basis(CLOSE)
    assert fixed_basis.winner is None
    assert fixed_basis.race is not None
    assert fixed_basis.race.settings == (BETTER, GOOD)
    # Values on validation are gains and the accuracy of the model as it is.
    assert fixed_basis.race.mean == (56.0, 55.0)
    assert fixed_basis.race.covariance == ((16.0, 0.0), (0.0, 16.0))
    assert fixed_basis.race.noise == NOISE
    worth = race_worth(PLAN.confirmation, CLOSE, [2, 1])
    for least, raced in ((worth - 0.01, True), (worth + 0.01, False)):
        confirmation = PLAN.confirmation.model_copy(update={"min_improvement": least})
        config = PLAN.model_copy(update={"confirmation": confirmation})
        fixed_basis = basis(CLOSE, config=config)
        assert (fixed_basis.race is not None) is raced
        assert (fixed_basis.winner is None) is raced


def test_no_race_where_runs_are_too_noisy_to_change_the_answer() -> None:
    fixed_basis = basis(replace(CLOSE, noise=1e6))
    assert (fixed_basis.winner, fixed_basis.race) == (BETTER, None)


def test_no_race_between_settings_that_go_together() -> None:
    """Each may gain much more or less than believed, but both alike."""
    together = Posterior(CLOSE.posterior.mean, np.full((3, 3), 16.0))
    assert basis(replace(CLOSE, posterior=together)).winner == BETTER


def test_a_race_has_no_more_than_the_candidates_and_none_that_are_alike() -> None:
    many = {Setting(2.0 + step / 2, 0.3, TransferSet.BOTH): 5.0 + step / 10 for step in range(6)}
    twin = replace(next(reversed(many)), alpha=0.302)
    race = basis(seen({DEFAULT: 5.0, **many, twin: 5.4}, deviation=4.0)).race
    assert race is not None
    assert len(race.settings) == PLAN.confirmation.candidates == 3
    assert DEFAULT not in race.settings
    assert twin not in race.settings


def test_what_can_hardly_be_better_stays_out_of_the_race() -> None:
    race = basis(seen({DEFAULT: 1.0, GOOD: 5.0, BETTER: 6.0, BEST: -20.0}, deviation=4.0)).race
    assert race is not None
    assert race.settings == (BETTER, GOOD)


def test_what_a_race_is_worth_is_what_it_gains_in_simulations() -> None:
    """By races with drawn gains and runs. 4,000 races: standard error of the mean gain 0.06 pp."""
    field, rng = [2, 1], np.random.default_rng(0)
    belief = basis(CLOSE).race
    assert belief is not None
    gained = []
    for _ in range(4000):
        truth = rng.multivariate_normal(CLOSE.posterior.mean, CLOSE.posterior.covariance)
        runs = [truth[place] + rng.normal(0, math.sqrt(NOISE / 2)) + 50 for place in field]
        after = after_race(belief, dict(zip(belief.settings, runs, strict=True)), runs=2)
        chosen = field[belief.settings.index(max(after, key=after.__getitem__))]
        gained.append(truth[chosen] - truth[2])
    worth = race_worth(PLAN.confirmation, CLOSE, field)
    assert np.mean(gained) == pytest.approx(worth, abs=0.25)
    assert worth > 0.5


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=2), st.floats(0.1, 10), st.floats(0.01, 100))
def test_a_race_is_never_worth_less_than_nothing_and_noise_makes_it_worth_less(
    means: list[float], deviation: float, noise: float
) -> None:
    field = [0, 1]

    def worth(noise: float) -> float:
        view = seen(dict(zip((GOOD, BETTER), means, strict=True)), deviation=deviation, noise=noise)
        return race_worth(PLAN.confirmation, view, field)

    # The mean of 500 draws has an error of its own.
    slack = 4 * deviation / math.sqrt(500) + 0.01
    assert worth(noise) >= -slack
    assert worth(100 * noise) <= worth(noise) + slack


def test_without_a_surrogate_the_best_trial_is_judged() -> None:
    trials = (*TRIALS, trial(3, BEST, 0.9))
    fixed_basis = basis(None, trials=trials)
    assert (fixed_basis.winner, fixed_basis.race) == (BEST, None)


# Looks and their confidence


def test_a_pair_alone_is_not_judged_by_two_seeds() -> None:
    fixed_basis = basis()
    assert fixed_basis.looks == (3, 5)
    assert fixed_basis.priors == {}
    assert fixed_basis.seed_share == math.inf
    assert fixed_basis.confidence == confidence_of_each(1 - 0.9 * 0.05, correlations((3, 5), math.inf))


def test_pairs_before_it_show_how_seeds_vary() -> None:
    fixed_basis = basis(others=samples())
    assert fixed_basis.looks == (2, 3, 5)
    prior = fixed_basis.priors["confirmation/improvement"]
    assert 0 < prior.variance < 3.0
    # On the safe side: seeds are taken to be half as much of the noise again as they were.
    assert fixed_basis.seed_share == pytest.approx(1.5 * prior.variance / 4.0)
    expected = confidence_of_each(1 - 0.9 * 0.05, correlations((2, 3, 5), fixed_basis.seed_share))
    assert fixed_basis.confidence == expected
    assert 1 - fixed_basis.confidence > 1 - basis(others=samples(examples=0.4)).confidence


def test_too_few_pairs_before_it_show_nothing() -> None:
    assert basis(others=samples(5)) == basis()


def test_each_comparison_has_a_prior_of_its_own() -> None:
    others = {**samples(seeds=3.0), "test/improvement": [VarianceSample(9.0, 4, 1.0)] * 20}
    fixed_basis = basis(others=others)
    assert fixed_basis.priors.keys() == others.keys()
    assert fixed_basis.priors["test/improvement"].variance == pytest.approx(
        3 * fixed_basis.priors["confirmation/improvement"].variance
    )


def test_without_noise_of_examples_looks_are_taken_to_be_as_different_as_they_can_be() -> None:
    assert basis(others=samples(examples=0.0)).seed_share == math.inf


@pytest.mark.parametrize(
    ("fields", "alone", "looks"),
    [
        ({}, False, (2, 3, 5)),
        ({}, True, (3, 5)),
        ({"max_seeds": 15}, False, (2, 3, 5, 15)),
        ({"max_seeds": 15}, True, (3, 5, 15)),
        ({"early_looks": ()}, True, (5,)),
        ({"early_looks": (2, 4)}, True, (4, 5)),
        ({"seeds": 3}, False, (2, 3)),
        ({"seeds": 2}, False, (2,)),
        # A recipe that has no more than two seeds gets its two.
        ({"seeds": 2}, True, (2,)),
    ],
)
def test_planned_looks(fields: dict[str, object], alone: bool, looks: tuple[int, ...]) -> None:
    assert planned_looks(ConfirmationConfig.model_validate(fields), alone=alone) == looks


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_all_shares_of_the_error_add_up_to_no_more_than_the_whole(confidence: float) -> None:
    confirmation = ConfirmationConfig(confidence=confidence)
    shares = [error_of(confirmation, extension) for extension in range(40)]
    assert shares[0] == pytest.approx(0.9 * (1 - confidence))
    assert sum(shares) <= 1 - confidence + 1e-12
    assert sum(shares) == pytest.approx(1 - confidence)
    assert all(share > 0 for share in shares)
    assert shares == sorted(shares, reverse=True)


# Extensions


def extended(before: VerdictBasis, view: Prospects, **options: object) -> tuple[VerdictBasis, ...]:
    return fixed(view, before, trials=(*TRIALS, trial(3, BEST)), **options)  # type: ignore[arg-type]


def test_the_same_winner_keeps_the_verdict() -> None:
    before = basis(others=samples())
    (after,) = extended(before, CLEAR, others=samples(40, seeds=30.0), config=tiny_like(trials=9))
    assert after == replace(before, trials=4, search=tiny_like(trials=9).search.bounds)


def test_the_same_winner_is_judged_again_where_its_rivals_have_become_too_weak() -> None:
    space = open_space(epochs=[10, 40])

    def knowing(longer: float) -> RivalChoice:
        """The surrogate believes that training longer gains so much."""

        def believe(settings: Sequence[Setting]) -> NDArray[np.float64]:
            return np.array([longer * (setting.epochs == 40) for setting in settings])

        return RivalChoice(config=PLAN, space=space, trials=TRIALS, believe=believe)

    before = basis(choice=knowing(0.0))
    assert all(rival.epochs is None for rival in before.rivals.values())
    (kept,) = extended(before, CLEAR, choice=knowing(0.4))
    assert kept == replace(before, trials=4)
    first, second = extended(before, CLEAR, choice=knowing(0.6))
    assert (first, second.winner, second.extension) == (before, before.winner, 1)
    assert {rival.epochs for rival in second.rivals.values()} == {40}
    assert second.confidence > before.confidence


def tiny_like(**search: object) -> StudyConfig:
    return PLAN.with_(**search)


def test_another_winner_is_a_further_look_with_its_own_share_of_the_error() -> None:
    before = basis()
    first, second = extended(before, seen({DEFAULT: 1.0, BETTER: 6.0, BEST: 9.0}))
    assert first == before
    assert (second.winner, second.extension) == (BEST, 1)
    assert second.confidence == confidence_of_each(1 - 0.05 * 0.05, correlations((3, 5), math.inf))
    assert second.confidence > first.confidence
    trials = (*TRIALS, trial(3, BEST))
    *_, third = fixed(CLEAR, first, second, trials=trials)
    assert (third.winner, third.extension) == (BETTER, 2)
    assert third.confidence > second.confidence


def test_a_race_between_the_same_settings_keeps_the_verdict_and_another_one_does_not() -> None:
    before = basis(CLOSE)
    # The other one is ahead by now, and beliefs have moved: still the same question.
    (kept,) = extended(before, seen({DEFAULT: 1.0, GOOD: 6.5, BETTER: 6.0}, deviation=3.0))
    assert kept == replace(before, trials=4)
    _, raced = extended(before, seen({DEFAULT: 1.0, GOOD: 5.0, BETTER: 6.0, BEST: 6.0}, deviation=4.0))
    assert raced.extension == 1
    assert raced.race is not None
    assert BEST in raced.race.settings


def test_more_seeds_are_a_further_look_too() -> None:
    before = basis()
    confirmation = PLAN.confirmation.model_copy(update={"max_seeds": 15})
    config = PLAN.model_copy(update={"confirmation": confirmation})
    _, after = fixed(CLEAR, before, config=config)
    assert (after.winner, after.looks, after.extension) == (BETTER, (3, 5, 15), 1)


# When it is needed


def needed(*bases: VerdictBasis, config: StudyConfig = PLAN, **options: object) -> bool:
    return needs_basis(config, records(*bases, **options))  # type: ignore[arg-type]


def test_a_basis_is_needed_once() -> None:
    assert needed()
    assert not needed(basis())
    assert not needed(rule=1)


def test_none_is_needed_without_a_default_that_ran_to_the_end() -> None:
    running = replace(TRIALS[0], state=TrialState.RUNNING, curve=())
    failed = replace(TRIALS[0], state=TrialState.FAIL, curve=(), failure=Failure.DIVERGED)
    assert not needed(trials=(running,))
    assert not needed(trials=(failed, *TRIALS[1:]))


def test_an_extended_pair_needs_a_new_one() -> None:
    before = basis()
    assert needed(before, trials=(*TRIALS, trial(3, BEST)))
    for more in ({"trials": 9}, {"epsilon": 0.5}, {"confidence": 0.9}):
        assert needed(before, config=PLAN.with_(**more)), more
    for less in ({"trials": 4}, {"epsilon": 3.0}, {"confidence": 0.7}):
        assert not needed(before, config=PLAN.with_(**less)), less


def test_a_basis_that_was_kept_answers_the_question() -> None:
    """Else the driver would fix it again and again."""
    before = basis()
    config = PLAN.with_(trials=9, epsilon=0.5)
    trials = (*TRIALS, trial(3, BEST))
    (kept,) = fixed(CLEAR, before, config=config, trials=trials)
    assert not needed(kept, config=config, trials=trials)
    # Neither did a smaller number of trials after a larger one.
    assert not needed(kept, config=PLAN, trials=trials)


def test_more_seeds_of_the_recipe_need_a_new_one() -> None:
    before = basis()
    for fields, more in (({"max_seeds": 15}, True), ({"seeds": 7}, True), ({"seeds": 3}, False)):
        confirmation = PLAN.confirmation.model_copy(update=fields)
        assert needed(before, config=PLAN.model_copy(update={"confirmation": confirmation})) is more


# Why it ended

OUTLOOK = Outlook(sure=0.876, epsilon=1.58, regret=0.5, best=BETTER, ends=True)


def test_why_a_search_ended_is_said() -> None:
    def said(view: Outlook | None, **options: bool) -> str:
        return why_ended(PLAN, records(), view, **options)

    assert said(OUTLOOK) == "search ended after 3 settings: with 87% no other setting gains 1.6 pp more"
    assert said(OUTLOOK, exhausted=True) == said(OUTLOOK)
    open_ = replace(OUTLOOK, ends=False)
    assert said(open_) == said(None) == "search ended after 3 settings: its 6 trials are used up"
    assert said(open_, closed=True) == "search ended after 3 settings: the budget has no room for more"
    assert said(OUTLOOK, closed=True) == said(OUTLOOK)
    assert said(None, exhausted=True) == "search ended after 3 settings: these are all that the space has"


def test_what_a_pair_promises_is_the_gain_beyond_default_and_nothing() -> None:
    assert promise(CLEAR) == 5.0
    assert promise(seen({DEFAULT: -9.0, GOOD: 2.0})) == 2.0
    assert promise(seen({DEFAULT: 1.0, GOOD: 9.0, BETTER: 3.0}, unknown=[GOOD])) == 2.0
    assert promise(None) == promise(seen({GOOD: 9.0}, unknown=[GOOD])) == 0.0


def test_a_setting_that_was_repeated_counts_once() -> None:
    again = (*TRIALS, replace(TRIALS[2], number=3))
    assert why_ended(PLAN, records(trials=again), None, exhausted=False).startswith(
        "search ended after 3 settings"
    )
