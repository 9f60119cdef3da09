from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from autokd.config.objective import Objective
from autokd.config.space import Space, read_space
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Method, Pair, Setting, TransferSet
from autokd.search import gp_sampler
from autokd.search.acquisition import expected_improvement
from autokd.search.candidates import candidate_settings
from autokd.search.gaussian_process import Posterior
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import PLAIN_RECIPE, Task
from tests.search.worlds import OWN, features, open_space

PAIRS = [Pair(teacher, student) for teacher in range(4) for student in range(4) if teacher != student]
GRID = open_space(temperature=[1, 4, 16], alpha=[0.2, 0.5, 0.8], transfer_set=["student", "both"])
LINE = open_space(temperature=[2], alpha={"low": 0.2, "high": 0.8}, transfer_set=["both"])
STUDY = str(PAIRS[0])
HOT, COLD = Setting(16.0, 0.8, TransferSet.BOTH), Setting(1.0, 0.2, TransferSet.STUDENT)
Formula = Callable[[Setting], float]


def best_at(optimum: Setting) -> Formula:
    """Gains in pp, 8 at the optimum and down to a loss far from it."""

    def gain(setting: Setting) -> float:
        octaves = math.log2(setting.temperature / optimum.temperature)
        alphas = [1.0 if taught.alpha is None else taught.alpha for taught in (setting, optimum)]
        other_set = setting.transfer_set is not optimum.transfer_set
        return 8 - octaves**2 / 2 - 20 * (alphas[0] - alphas[1]) ** 2 - 3 * other_set

    return gain


HOT_IS_BEST = best_at(HOT)


def test_what_is_taught_is_learned_like_everything_else() -> None:
    space = open_space(temperature=[1, 4], alpha=[0.5], transfer_set=["both"], method=["plain", "ensemble"])
    learned = learner(space)
    for number, setting in enumerate(space.grid()):
        gain = 8.0 if setting.method is Method.ENSEMBLE else -8.0
        for pair in PAIRS[1:]:
            learned.learn(str(pair), trial(number, setting, gain))
    proposed = learned.suggest(STUDY, [])
    assert proposed is not None
    assert proposed.method is Method.ENSEMBLE


def learner(space: Space, most: int = 100) -> GpSampler:
    return GpSampler(
        space,
        tasks={str(pair): Task("formula", pair, features(pair)) for pair in PAIRS},
        initial_accuracy={str(pair): OWN for pair in PAIRS},
        startup_trials=3,
        recipe=PLAIN_RECIPE,
        most=most,
    )


def trial(
    number: int, setting: Setting, gain: float = 0.0, state: TrialState = TrialState.COMPLETE
) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=TrialOrigin.SEARCH,
        state=state,
        curve=() if state is TrialState.RUNNING else ((10, OWN + gain / 100),),
        failure=Failure.DIVERGED if state is TrialState.FAIL else None,
    )


def search(
    asked: GpSampler, trials: int, *, study: str = STUDY, gain: Formula = HOT_IS_BEST
) -> list[TrialRecord]:
    """The default, then what is proposed; every trial is learned from as soon as it is over."""
    seen: list[TrialRecord] = []
    setting: Setting | None = DEFAULT
    while setting is not None and len(seen) < trials:
        seen.append(trial(len(seen), setting, gain(setting)))
        asked.learn(study, seen[-1])
        setting = asked.suggest(study, seen)
    return seen


def settings_of(trials: Sequence[TrialRecord]) -> list[Setting]:
    return [trial.setting for trial in trials]


def assert_same(posterior: Posterior, other: Posterior) -> None:
    np.testing.assert_allclose(posterior.mean, other.mean, atol=1e-7)
    np.testing.assert_allclose(posterior.covariance, other.covariance, atol=1e-7)


def test_a_grid_is_proposed_once_each_and_then_there_is_nothing() -> None:
    seen = search(learner(GRID), 1000)
    assert len(seen) == 18
    assert set(settings_of(seen)) == set(GRID.grid())


def test_of_a_grid_without_the_teachers_part_too() -> None:
    """Most of those are not considered, since they are all one, and left for the end."""
    grid = open_space(temperature=[1, 4], alpha=[0, 0.5], transfer_set=["student", "public"])
    assert set(settings_of(search(learner(grid), 1000))) == set(grid.grid())


def test_once_all_is_tried_that_was_considered_tpe_goes_on() -> None:
    count = len(set(candidate_settings(LINE)) - {DEFAULT})
    later = settings_of(search(learner(LINE), 1 + count + 5))
    assert set(later[: 1 + count]) == set(candidate_settings(LINE))
    assert all(setting in LINE for setting in later[1 + count :])
    assert len(set(later)) == 1 + count + 5


def test_a_default_outside_of_the_space_is_not_proposed() -> None:
    outside = open_space(temperature=[4, 8], alpha=[0.5], transfer_set=["both"])
    assert DEFAULT not in outside
    everything = [trial(number, setting) for number, setting in enumerate(outside.grid())]
    assert learner(outside).suggest(STUDY, everything) is None
    assert set(settings_of(search(learner(outside), 1000))) == {DEFAULT, *outside.grid()}


def test_the_same_trials_give_the_same_proposals() -> None:
    space = open_space()
    assert search(learner(space), 10) == search(learner(space), 10)


def test_it_is_better_than_random_search() -> None:
    """Mean best of ten trials over eleven optima, against the same number of random ones."""
    grid = read_space("poster_sweep")
    searched, drawn = [], []
    for number, optimum in enumerate(grid.grid()[::7]):
        gain = best_at(optimum)
        searched.append(max(map(gain, settings_of(search(learner(grid), 10, gain=gain)))))
        drawn.append(max(map(gain, [DEFAULT, *random.Random(number).sample(grid.grid(), 9)])))
    assert np.mean(searched) > np.mean(drawn) + 0.5


@pytest.mark.parametrize("optimum", [HOT, COLD], ids=str)
def test_what_was_best_for_others_is_tried_first(optimum: Setting) -> None:
    asked, gain = learner(GRID), best_at(optimum)
    for pair in PAIRS[1:4]:
        for number, setting in enumerate(random.Random(pair.teacher).sample(GRID.grid(), 18)):
            asked.learn(str(pair), trial(number, setting, gain(setting)))
    default = trial(0, DEFAULT, gain(DEFAULT))
    asked.learn(STUDY, default)
    assert asked.suggest(STUDY, [default]) == optimum


def test_against_others_the_pairs_own_runs_prevail() -> None:
    """What is best for this pair is the worst of all to go by the others, so it would come last of 18."""
    asked = learner(GRID)
    for pair in PAIRS[1:4]:
        search(asked, 18, study=str(pair), gain=best_at(HOT))
    own = settings_of(search(asked, 10, gain=best_at(COLD)))
    assert own[1] == HOT
    assert COLD in own


def test_workers_that_ask_at_once_are_sent_apart() -> None:
    asked, considered = learner(open_space()), candidate_settings(open_space())
    seen = search(asked, 3)
    first = asked.suggest(STUDY, seen)
    assert first is not None
    under_way = [*seen, trial(3, first, state=TrialState.RUNNING)]
    second = asked.suggest(STUDY, under_way)
    assert second is not None
    before, after = asked.posterior(STUDY, seen), asked.posterior(STUDY, under_way)
    # Where the first one is, and around it, less is open than before: the second goes further away.
    place = considered.index(first)
    likeness = before.covariance[place] / (before.deviation[place] * before.deviation)
    assert likeness[considered.index(second)] < 0.9
    assert (likeness > 0.9).sum() > 1
    np.testing.assert_allclose(after.mean, before.mean)
    assert after.deviation[place] < before.deviation[place] / 2


@pytest.mark.parametrize("most", [100, 3])
def test_the_order_of_what_it_saw_does_not_matter(most: int) -> None:
    kept, anew = learner(open_space(), most=most), learner(open_space())
    seen = search(kept, 8)
    for trial in reversed(seen):
        anew.learn(STUDY, trial)
    assert_same(kept.posterior(STUDY, seen), anew.posterior(STUDY, seen))


def test_a_belief_is_formed_anew_when_others_have_taught_something() -> None:
    kept, anew = learner(GRID), learner(GRID)
    seen = search(kept, 4)
    for ended in seen:
        anew.learn(STUDY, ended)
    for number, setting in enumerate(GRID.grid()[:6]):
        for each in (kept, anew):
            each.learn(str(PAIRS[1]), trial(number, setting, -5.0))
    assert_same(kept.posterior(STUDY, seen), anew.posterior(STUDY, seen))


def test_a_trial_that_was_stopped_early_teaches_what_it_had_reached_and_is_not_tried_again() -> None:
    stopped, whole = learner(GRID), learner(GRID)
    tried = GRID.grid()[:3]
    for sampler, state in ((stopped, TrialState.PRUNED), (whole, TrialState.COMPLETE)):
        for number, setting in enumerate(tried):
            sampler.learn(STUDY, trial(number, setting, -5.0, state))
    ended = [trial(number, setting, -5.0, TrialState.PRUNED) for number, setting in enumerate(tried)]
    assert_same(stopped.posterior(STUDY, ended), whole.posterior(STUDY, []))
    assert stopped.suggest(STUDY, ended) not in tried


def test_what_failed_teaches_nothing_and_is_not_tried_again() -> None:
    state = TrialState.FAIL
    asked, unaware = learner(GRID), learner(GRID)
    for number, setting in enumerate(GRID.grid()[:9]):
        asked.learn(STUDY, trial(number, setting, 20.0, state))
    ended = [trial(number, setting, 20.0, state) for number, setting in enumerate(GRID.grid()[:9])]
    assert_same(asked.posterior(STUDY, ended), unaware.posterior(STUDY, []))
    assert asked.suggest(STUDY, ended) in GRID.grid()[9:]


def test_a_pairs_own_runs_count_even_when_no_more_are_learned() -> None:
    full, enough = learner(GRID, most=3), learner(GRID)
    others = [trial(number, setting, 5.0) for number, setting in enumerate(GRID.grid()[:3])]
    for each in (full, enough):
        for member in others:
            each.learn(str(PAIRS[1]), member)
    own = search(full, 5, gain=best_at(COLD))
    for member in own:
        enough.learn(STUDY, member)
    assert_same(full.posterior(STUDY, own), enough.posterior(STUDY, own))
    resumed = learner(GRID, most=3)
    for member in others:
        resumed.learn(str(PAIRS[1]), member)
    assert_same(resumed.posterior(STUDY, own), enough.posterior(STUDY, own))


def test_a_proposal_is_transferred_once_another_pair_has_told_something() -> None:
    asked = learner(GRID)
    seen = search(asked, 3)
    assert asked.role(STUDY, GRID.grid()[5]) is TrialOrigin.SEARCH
    asked.learn(str(PAIRS[1]), seen[0])
    assert asked.role(STUDY, GRID.grid()[5]) is TrialOrigin.TRANSFERRED
    assert asked.role(str(PAIRS[1]), GRID.grid()[5]) is TrialOrigin.TRANSFERRED
    # What is on no candidate_settings was TPE's idea, which looks at one pair.
    assert asked.role(STUDY, Setting(1.2345, 0.678, TransferSet.BOTH)) is TrialOrigin.SEARCH


def test_nothing_is_lost_of_a_study_that_was_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gp_sampler, "_CACHE_BYTES", 1)
    asked, anew = learner(GRID), learner(GRID)
    seen = search(asked, 4)
    asked.suggest(str(PAIRS[1]), [])
    for trial in seen:
        anew.learn(STUDY, trial)
    assert list(asked._cache) == [str(PAIRS[1])]
    assert_same(asked.posterior(STUDY, seen), anew.posterior(STUDY, seen))


LARGE = read_space("extended")


def suggestions(asked: GpSampler, count: int) -> list[TrialRecord]:
    return search(asked, count, gain=best_at(COLD))


def test_in_a_large_space_the_same_trials_give_the_same_suggestions() -> None:
    seen = suggestions(learner(LARGE), 6)
    assert seen == suggestions(learner(LARGE), 6)
    assert all(trial.setting in LARGE for trial in seen[1:])
    assert len(set(settings_of(seen))) == 6


def test_a_suggestion_promises_at_least_as_much_as_every_candidate() -> None:
    """By the surrogate's own posterior; some lie between the candidates."""
    asked, considered = learner(LARGE), set(candidate_settings(LARGE))
    seen, between = [trial(0, DEFAULT, 2.0)], 0
    asked.learn(STUDY, seen[0])
    for number in range(1, 7):
        best = max(100 * ((trial.accuracy or 0.0) - OWN) for trial in seen)
        promised = expected_improvement(asked.posterior(STUDY, seen), best)
        suggested = asked.suggest(STUDY, seen)
        assert suggested is not None
        prediction = asked._of_moves(STUDY, seen, [suggested])
        assert expected_improvement(prediction, best)[0] >= promised[:-1].max() - 1e-9
        between += suggested not in considered
        seen.append(trial(number, suggested, best_at(HOT)(suggested)))
        asked.learn(STUDY, seen[-1])
    assert between > 0


def test_a_running_trial_between_the_candidates_counts() -> None:
    asked = learner(LARGE)
    seen = suggestions(asked, 3)
    between = replace(seen[-1].setting, temperature=1.7)
    assert between not in candidate_settings(LARGE)
    before = asked.posterior(STUDY, seen)
    after = asked.posterior(STUDY, [*seen, trial(3, between, state=TrialState.RUNNING)])
    np.testing.assert_allclose(after.mean, before.mean, atol=1e-9)
    assert (after.deviation <= before.deviation + 1e-9).all()
    assert after.deviation.min() < before.deviation.min()


@pytest.mark.parametrize("most", [100, 2])
def test_prospects_are_those_of_a_surrogate_that_sees_all_at_once(most: int) -> None:
    asked, all_at_once = learner(LARGE, most=most), learner(LARGE)
    seen = suggestions(asked, 5)
    for trial in seen:
        all_at_once.learn(STUDY, trial)
    outlook = asked.prospects(STUDY, seen, Objective())
    assert outlook is not None
    assert set(settings_of(seen)) <= set(outlook.settings)
    assert_same(outlook.posterior, all_at_once._of_moves(STUDY, [], outlook.settings))


def test_where_epochs_are_searched_a_stopped_trial_teaches_its_setting_with_the_epochs_that_it_ran() -> None:
    stopped, shorter = learner(LARGE), learner(LARGE)
    setting = next(setting for setting in candidate_settings(LARGE) if setting.epochs == 20)
    curve = ((3, OWN), (5, OWN + 0.1))
    pruned = replace(trial(0, setting, state=TrialState.PRUNED), curve=curve)
    stopped.learn(STUDY, pruned)
    shorter.learn(STUDY, replace(trial(0, replace(setting, epochs=5)), curve=curve))
    assert_same(stopped.posterior(STUDY, [pruned]), shorter.posterior(STUDY, [pruned]))
    late = learner(LARGE, most=0)
    assert_same(late.posterior(STUDY, [pruned]), stopped.posterior(STUDY, [pruned]))
