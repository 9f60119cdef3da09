"""What others see of a study that autokd wrote: Optuna, its samplers, and its dashboard."""

from __future__ import annotations

import gc
import json
import time
import weakref
from datetime import datetime, timedelta
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy import text

from autokd.core.records import Failure, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.errors import StoreError
from autokd.store import Store
from tests.store.samples import DISTRIBUTIONS, ODD, PUBLIC, rung

STUDY = "digits-1a2b3c4d/digits-5e6f7a8b/4->9"


@pytest.fixture
def searched(file_store: Store) -> Store:
    """A store with one study that has a trial of each kind."""
    file_store.create_study(STUDY, attributes={"federation": "digits-1a2b3c4d", "teacher": 4})

    def begin(setting: Setting, role: TrialOrigin = TrialOrigin.SEARCH) -> int:
        return file_store.begin_trial(STUDY, setting, seed=0, role=role, distributions=DISTRIBUTIONS).number

    baseline, pruned, failed, _running = (
        begin(DEFAULT, TrialOrigin.BASELINE),
        begin(ODD),
        begin(PUBLIC),
        begin(ODD),
    )
    for epoch in (3, 6, 10):
        file_store.report(STUDY, baseline, rung(epoch, 0.5 + epoch / 100))
    file_store.end_trial(STUDY, baseline, TrialState.COMPLETE)
    file_store.report(STUDY, pruned, rung(3, 0.25))
    file_store.end_trial(STUDY, pruned, TrialState.PRUNED)
    file_store.end_trial(STUDY, failed, TrialState.FAIL, failure=Failure.DIVERGED, reason="loss became nan")
    return file_store


def optuna_storage(store: Store) -> RDBStorage:
    return RDBStorage(store.url)


def in_memory() -> list[FrozenTrial]:
    """Trials as Optuna keeps them; other tests may have left some."""
    gc.collect()
    # NOTE: `isinstance` would ask each for its class, and some objects warn when they are asked anything.
    return [each for each in gc.get_objects() if type(each) is FrozenTrial]


def test_a_study_that_is_evicted_takes_no_memory(searched: Store) -> None:
    searched.evict(STUDY)
    before = {id(each) for each in in_memory()}
    searched.trials(STUDY)
    read = [weakref.ref(each) for each in in_memory() if id(each) not in before]
    assert len(read) >= 4
    searched.evict(STUDY)
    gc.collect()
    assert not any(each() for each in read)


def test_optuna_sees_what_happened(searched: Store) -> None:
    study = optuna.load_study(study_name=STUDY, storage=optuna_storage(searched))
    assert study.direction is StudyDirection.MAXIMIZE
    assert study.metric_names == ["validation accuracy"]
    assert study.user_attrs == {"federation": "digits-1a2b3c4d", "teacher": 4}
    baseline, pruned, failed, running = study.trials
    assert (baseline.state, baseline.value) == (OptunaState.COMPLETE, 0.6)
    assert baseline.params == {"temperature": 1.0, "alpha": 0.5, "transfer_set": "student"}
    assert baseline.intermediate_values == {3: 0.53, 6: 0.56, 10: 0.6}
    fixed = {"memory_format": "contiguous", "precision": "float32"}
    assert baseline.user_attrs == {"role": "baseline", "seed": 0, "epochs": 10, **fixed}
    assert (pruned.state, pruned.value) == (OptunaState.PRUNED, 0.25)
    assert (failed.state, failed.value) == (OptunaState.FAIL, None)
    assert failed.user_attrs == {
        "role": "search",
        "seed": 0,
        "epochs": 0,
        "failure": "diverged",
        "reason": "loss became nan",
        **fixed,
    }
    assert running.state is OptunaState.RUNNING
    assert baseline.duration is not None
    assert baseline.datetime_start is not None
    assert abs((datetime.now() - baseline.datetime_start).total_seconds()) < 600


@pytest.mark.parametrize("space", ["whole", "without the default setting"])
def test_samplers_learn_from_it(file_store: Store, space: str) -> None:
    distributions = dict(DISTRIBUTIONS)
    if space != "whole":
        distributions["temperature"] = FloatDistribution(2, 4, log=True)
        distributions["transfer_set"] = CategoricalDistribution(["teacher", "both"])
    file_store.create_study(STUDY, attributes={})
    drawn = [Setting(2 + step / 10, step / 20, TransferSet.BOTH) for step in range(15)]
    for setting, role in [(DEFAULT, TrialOrigin.BASELINE), *((each, TrialOrigin.SEARCH) for each in drawn)]:
        trial = file_store.begin_trial(STUDY, setting, seed=0, role=role, distributions=distributions)
        file_store.report(STUDY, trial.number, rung(10, setting.temperature / 10))
        file_store.end_trial(STUDY, trial.number, TrialState.COMPLETE)
    study = optuna.load_study(
        study_name=STUDY,
        storage=optuna_storage(file_store),
        sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=5),
    )
    for _ in range(3):
        drawn_now = study.ask(distributions).params
        assert drawn_now.keys() == distributions.keys()
        assert all(
            distributions[name]._contains(distributions[name].to_internal_repr(value))
            for name, value in drawn_now.items()
        )


def get_json(app: Any, path: str) -> Any:
    """What the dashboard's own page would fetch."""
    environment: dict[str, Any] = {}
    setup_testing_defaults(environment)
    path, _, environment["QUERY_STRING"] = path.partition("?")
    environment["PATH_INFO"] = path
    status: list[str] = []
    body = b"".join(app(environment, lambda line, headers, *rest: status.append(line)))
    assert status == ["200 OK"], body
    return json.loads(body)


def test_optuna_dashboard_shows_it(searched: Store) -> None:
    app = optuna_dashboard.wsgi(optuna_storage(searched))
    (summary,) = get_json(app, "/api/studies")["study_summaries"]
    assert summary["study_name"] == STUDY
    detail = get_json(app, f"/api/studies/{summary['study_id']}?after=0")
    assert [trial["state"] for trial in detail["trials"]] == ["Complete", "Pruned", "Fail", "Running"]
    assert detail["objective_names"] == ["validation accuracy"]


def test_studies_of_others_are_left_alone(searched: Store) -> None:
    storage = optuna_storage(searched)
    optuna.create_study(study_name="theirs", storage=storage, direction="minimize").add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    assert searched.studies() == (STUDY,)
    with pytest.raises(StoreError, match="not written by autokd"):
        searched.trials("theirs")
    with pytest.raises(StoreError, match="was not made by autokd"):
        searched.create_study("theirs", attributes={})


def test_a_trial_added_in_the_dashboard_is_named(searched: Store) -> None:
    optuna.load_study(study_name=STUDY, storage=optuna_storage(searched)).enqueue_trial({"temperature": 2.0})
    with pytest.raises(StoreError, match="trial 4 of study"):
        searched.trials(STUDY)


def test_a_study_deleted_in_the_dashboard_is_gone_and_can_be_made_again(searched: Store) -> None:
    assert searched.trials(STUDY)
    optuna.delete_study(study_name=STUDY, storage=optuna_storage(searched))
    assert searched.trials(STUDY) == ()
    with pytest.raises(StoreError, match="no study"):
        searched.report(STUDY, 3, rung(3))
    searched.create_study(STUDY, attributes={})
    assert searched.trials(STUDY) == ()


def test_a_study_cut_off_before_its_attributes_is_completed(file_store: Store) -> None:
    optuna_storage(file_store).create_new_study([StudyDirection.MAXIMIZE], STUDY)
    file_store.create_study(STUDY, attributes={"teacher": 4})
    assert file_store.studies() == (STUDY,)
    assert file_store.attributes(STUDY) == {"teacher": 4}


def test_a_trial_cut_off_before_its_end_may_end_otherwise(searched: Store) -> None:
    """Killed between reason and state, a trial is still RUNNING; the next command ends it its own way."""
    storage = optuna_storage(searched)
    study = storage.get_study_id_from_name(STUDY)
    running = storage.get_trial_id_from_study_id_trial_number(study, 3)
    storage.set_trial_user_attr(running, "failure", Failure.ERROR.value)
    searched.end_trial(STUDY, 3, TrialState.FAIL, failure=Failure.INTERRUPTED, reason="stopped")
    assert searched.trials(STUDY)[3].failure is Failure.INTERRUPTED


def test_optuna_says_nothing(file_store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    file_store.create_study(STUDY, attributes={})
    assert capfd.readouterr() == ("", "")


def test_an_end_that_others_wrote_meanwhile_is_kept(file_store: Store) -> None:
    file_store.create_study(STUDY, attributes={})
    trial = file_store.begin_trial(
        STUDY, ODD, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS
    ).number
    file_store.report(STUDY, trial, rung(3, 0.5))
    with Store.open(file_store.url) as other:
        other.end_trial(STUDY, trial, TrialState.PRUNED)
    with pytest.raises(StoreError, match="has ended as PRUNED and cannot end as COMPLETE"):
        file_store.end_trial(STUDY, trial, TrialState.COMPLETE)
    file_store.end_trial(STUDY, trial, TrialState.PRUNED)
    assert file_store.trials(STUDY)[trial].state is TrialState.PRUNED


def test_a_trial_that_failed_without_a_report_cannot_end_otherwise(searched: Store) -> None:
    """That it has ended is what is wrong, not that it had nothing to report."""
    with pytest.raises(StoreError, match="has ended as FAIL and cannot end as COMPLETE"):
        searched.end_trial(STUDY, 2, TrialState.COMPLETE)


def test_times_are_told_as_optuna_tells_its_own(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the driver's clock is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        file_store.create_study(STUDY, attributes={})
        trial = file_store.begin_trial(
            STUDY, ODD, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS
        )
        file_store.end_trial(STUDY, trial.number, TrialState.FAIL, failure=Failure.ERROR, reason="none")
        study = optuna.load_study(study_name=STUDY, storage=optuna_storage(file_store))
        study.tell(study.ask(), 0.5)
        ours, theirs = study.trials
        for our_time, their_time in (
            (ours.datetime_start, theirs.datetime_start),
            (ours.datetime_complete, theirs.datetime_complete),
        ):
            assert our_time is not None
            assert their_time is not None
            assert timedelta(0) <= their_time - our_time < timedelta(minutes=10)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("ended", [False, True])
def test_a_report_of_which_a_reader_sees_half_is_not_there_yet(file_store: Store, ended: bool) -> None:
    """Optuna reads values after attributes, in statements of their own; a trial's end comes after both."""
    file_store.create_study(STUDY, attributes={})
    number = file_store.begin_trial(
        STUDY, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS
    ).number
    file_store.report(STUDY, number, rung(3, 0.5))
    file_store.report(STUDY, number, rung(6, 0.6))
    if ended:
        file_store.end_trial(STUDY, number, TrialState.COMPLETE)
    with file_store.optuna_storage.engine.begin() as connection:
        connection.execute(text("DELETE FROM trial_system_attributes WHERE \"key\" = 'rung 6'"))
    if ended:
        with pytest.raises(StoreError, match="rung 6"):
            file_store.trials(STUDY)
    else:
        assert file_store.trials(STUDY)[0].curve == ((3, 0.5),)
        assert [report.epoch for report in file_store.reports(STUDY)[number]] == [3]
