from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from autokd.config.space import Space, read_space
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, LabelPrior, Setting, TransferSet
from autokd.search.tpe import Tpe, initial_settings, subsample
from tests.search.worlds import open_space


def quality(setting: Setting) -> float:
    """In [0, 1]; best at T = 4, alpha = 0.25, on `both`."""
    alpha = 1.0 if setting.alpha is None else setting.alpha
    data = {TransferSet.BOTH: 0.2, TransferSet.TEACHER: 0.1}.get(setting.transfer_set, 0.0)
    return 0.7 + data - 0.04 * (math.log2(setting.temperature) - 2) ** 2 - 0.3 * (alpha - 0.25) ** 2


def finished(number: int, setting: Setting) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=TrialOrigin.SEARCH,
        state=TrialState.COMPLETE,
        curve=((10, quality(setting)),),
    )


def search(space: Space, trials: int, *, study: str = "s", startup_trials: int = 8) -> list[TrialRecord]:
    seen: list[TrialRecord] = []
    while len(seen) < trials:
        setting = Tpe(space, startup_trials=startup_trials).suggest(study, seen)
        if setting is None:
            break
        seen.append(finished(len(seen), setting))
    return seen


def best(trials: list[TrialRecord]) -> float:
    return max(trial.accuracy or 0 for trial in trials)


def test_the_same_trials_give_the_same_proposal_and_another_study_another() -> None:
    seen = search(open_space(), 12)
    again = Tpe(open_space(), startup_trials=8).suggest("s", seen)
    assert again == Tpe(open_space(), startup_trials=8).suggest("s", list(seen))
    assert again != Tpe(open_space(), startup_trials=8).suggest("t", seen)


def test_what_failed_for_good_is_not_proposed_again_and_teaches_nothing() -> None:
    seen = search(open_space(), 12)
    dead = TrialRecord(
        number=12,
        setting=Setting(3.0, 0.5, TransferSet.BOTH),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=TrialState.FAIL,
        failure=Failure.DIVERGED,
    )
    proposal = Tpe(open_space(), startup_trials=8).suggest("s", [*seen, dead])
    assert proposal is not None
    assert proposal != dead.setting


def test_workers_that_ask_at_once_get_different_settings() -> None:
    seen = search(open_space(), 12)
    for number in range(12, 20):
        setting = Tpe(open_space(), startup_trials=8).suggest("s", seen)
        assert setting is not None
        assert setting not in {trial.setting for trial in seen}
        seen.append(
            TrialRecord(
                number=number, setting=setting, seed=0, role=TrialOrigin.SEARCH, state=TrialState.RUNNING
            )
        )


def test_a_grid_is_tried_once_each_and_then_there_is_nothing() -> None:
    space = open_space(temperature=[1, 2, 4], alpha=[0.25, 0.5])
    seen = search(space, 1000)
    assert len(seen) == 3 * 2 * 3 + 3
    assert {trial.setting for trial in seen} == set(space.grid())


def test_a_baseline_outside_of_the_space_does_no_harm() -> None:
    space = open_space(temperature={"low": 4, "high": 8}, transfer_set=["both"])
    baseline = TrialRecord(
        number=0,
        setting=DEFAULT,
        seed=0,
        role=TrialOrigin.BASELINE,
        state=TrialState.COMPLETE,
        curve=((10, 0.99),),
    )
    seen = [baseline]
    for number in range(1, 15):
        setting = Tpe(space, startup_trials=5).suggest("s", seen)
        assert setting is not None
        assert setting in space
        seen.append(finished(number, setting))


def test_it_is_better_than_random_search() -> None:
    """Mean best of 40 trials over 12 studies, against the same number of random ones (seeds are fixed)."""
    space = open_space()
    tpe = [best(search(space, 40, study=f"study {index}")) for index in range(12)]
    random = [best(search(space, 40, study=f"study {index}", startup_trials=1000)) for index in range(12)]
    assert np.mean(tpe) > np.mean(random) + 0.005


def test_a_study_begins_without_the_teacher_on_each_labelled_set() -> None:
    seen = search(open_space(), 3)
    assert [trial.setting for trial in seen] == [
        Setting(1, 0, TransferSet.STUDENT),
        Setting(1, 0, TransferSet.TEACHER),
        Setting(1, 0, TransferSet.BOTH),
    ]


def test_anchors_lie_in_the_space_or_there_are_none() -> None:
    assert initial_settings(read_space("poster_sweep")) == ()
    assert initial_settings(open_space(transfer_set=["student", "public"])) == (
        Setting(1, 0, TransferSet.STUDENT),
    )
    assert initial_settings(open_space(alpha={"low": 0.1, "high": 1})) == ()
    hot = open_space(temperature={"low": 2, "high": 4}, transfer_set=["both", "public"])
    assert initial_settings(hot) == (Setting(2, 0, TransferSet.BOTH),)


def test_without_a_teacher_each_label_prior_is_tried() -> None:
    space = open_space(transfer_set=["student", "both", "public"], label_prior=["none", "adjusted"])
    assert initial_settings(space) == tuple(
        Setting(1, 0, transfer_set, label_prior=label_prior)
        for label_prior in LabelPrior
        for transfer_set in (TransferSet.STUDENT, TransferSet.BOTH)
    )
    trials = search(space, 40)
    assert {trial.setting.label_prior for trial in trials[4:]} == set(LabelPrior)
    assert all(trial.setting in space for trial in trials)


def test_of_many_trials_the_sampler_is_shown_the_best_some_of_each_rank_and_what_runs() -> None:
    settings = [Setting(1 + number / 100, 0.5, TransferSet.BOTH) for number in range(400)]
    ended = [
        replace(finished(number, setting), curve=((10, (number * 7 % 400) / 400),))
        for number, setting in enumerate(settings)
    ]
    running = replace(ended[0], number=400, state=TrialState.RUNNING, curve=())
    cut_short = replace(ended[0], number=401, state=TrialState.PRUNED, curve=((1, 0.999),))
    shown = subsample([*ended, running, cut_short])
    assert [trial.number for trial in shown] == sorted(trial.number for trial in shown)
    assert len(shown) == 101
    assert running in shown
    accuracies = sorted(trial.accuracy or 0.0 for trial in shown if trial.state is TrialState.COMPLETE)
    assert accuracies[-25:] == [number / 400 for number in range(375, 400)]
    # The others stand for all ranks alike.
    assert 0.4 < np.median(accuracies[:-25]) < 0.55


def test_of_few_trials_the_sampler_is_shown_all() -> None:
    seen = search(open_space(), 30)
    assert subsample(seen) == seen
