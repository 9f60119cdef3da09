"""The real thing, small: Ray workers, Tune, SQLite, and networks that train for milliseconds."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunState, Stage, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, AnyPair, Pair, Setting, Split
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.data import mapped_arrays
from autokd.distillation import Run, Rung
from autokd.errors import StoreError
from autokd.execution.driver import distilling, drive
from autokd.execution.run_queue import FixedRunQueue, RunQueue, RunQueueProgress
from autokd.execution.search_queue import SearchQueue
from autokd.federation.federation import Federation
from autokd.federation.storage import federations_folder, save
from autokd.search.progress import Progress
from autokd.search.study_names import study_name, sweep_name
from autokd.store import Store, sqlite_url
from tests.distillation.conftest import make_federation
from tests.search.worlds import BACKWARD, FORWARD, TINY, open_space

pytestmark = pytest.mark.ray(workers=2)
MEETING = (FORWARD, BACKWARD)
GRID = open_space(temperature=[1, 4], alpha=[0.3], transfer_set=["both", "public"]).grid()


def tiny_plan(**distillation: object) -> StudyConfig:
    recipe = {"learning_rate": 0.05, "batch_size": 16, "epochs": 4, **distillation}
    search = {"trials": 5, "startup_trials": 3, "stopping": {"rungs": [1, 2], "reduction": 2, "grace": 0}}
    return StudyConfig.model_validate({**TINY, "distillation": recipe, "search": search})


@pytest.fixture(scope="module")
def federation() -> Federation:
    return replace(make_federation(), name="random-00000000")


class Session:
    """What a command sets up, on one store that lasts as long as the test."""

    def __init__(self, home: Path, federation: Federation, config: StudyConfig) -> None:
        self.home, self.federation, self.config = home, federation, config
        self.store = Store.open(sqlite_url(home / "store.db"))
        self.store.put_federation(federation.facts())
        self.names: dict[AnyPair, str] = {
            pair: study_name(federation.name, config, open_space(), pair) for pair in MEETING
        }
        for name in self.names.values():
            self.store.create_study(name, attributes={})
        self.swept: dict[AnyPair, str] = {pair: sweep_name(federation.name, config, pair) for pair in MEETING}

    def records(self, pair: AnyPair) -> PairRecords:
        name = self.names[pair]
        trials, runs = self.store.trials(name), self.store.runs(name)
        return PairRecords(pair=pair, study=name, trials=trials, runs=runs)

    def queue(
        self,
        listen: Callable[[Progress], None] = lambda progress: None,
        meetings: Sequence[Sequence[Pair]] = (MEETING,),
    ) -> SearchQueue:
        return SearchQueue(
            config=self.config,
            space=open_space(),
            federation=self.federation.facts(),
            meetings=meetings,
            read=self.records,
            store=self.store,
            listen=listen,
        )

    def sweep(self, listen: Callable[[RunQueueProgress], None] = lambda progress: None) -> FixedRunQueue:
        return FixedRunQueue.of_sweep(
            grid=GRID, names=self.swept, seeds=2, retries=0, store=self.store, listen=listen
        )

    def drive(
        self,
        queue: RunQueue,
        *,
        compute: Compute | None = None,
        tensor_formats: Mapping[AnyPair, TensorFormat] | None = None,
        **options: Any,
    ) -> bool:
        return drive(
            queue,
            distilling(self.config, self.federation, compute or Compute(), tensor_formats),
            home=self.home,
            workers=Resources(),
            **options,
        )


@pytest.fixture
def session(home: Path, federation: Federation) -> Session:
    return Session(home, federation, tiny_plan())


def _ctrl_c_after(ended: int) -> Callable[[Progress | RunQueueProgress], None]:
    """Listen for so many ended runs, of which two may end between two reports, and press Ctrl-C once."""
    pressed: list[int] = []

    def listen(progress: Progress | RunQueueProgress) -> None:
        if progress.ended >= ended and not pressed:
            pressed.append(progress.ended)
            os.kill(os.getpid(), signal.SIGINT)

    return listen


def test_a_meeting_is_searched_raced_and_confirmed_for_real(session: Session) -> None:
    # Several experiments on end, as a batch of thousands of runs has them.
    assert session.drive(session.queue(), runs_of_an_experiment=20)
    total = 0
    for pair, name in session.names.items():
        trials = session.store.trials(name)
        total += len(trials)
        assert [trial.state for trial in trials if trial.role is TrialOrigin.BASELINE] == [
            TrialState.COMPLETE
        ]
        for trial in trials:
            assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            assert (trial.epochs == 4) == (trial.state is TrialState.COMPLETE)
            reports = [rung.report() for rung in _again(session, pair, trial.setting, trial.seed)]
            curve = tuple((report.epoch, report.accuracy) for report in reports)
            # A pruned trial is the beginning of the same run.
            assert trial.curve == curve[: len(trial.curve)]
        runs = session.store.runs(name)
        assert len(runs) <= 2 + 4
        assert {run.state for run in runs} == {RunState.COMPLETE}
        assert {run.epochs for run in runs} == {4}
        for run in runs:
            assert list(run.logits) == (
                [Split.CONFIRMATION, Split.TEST] if run.stage is Stage.CONFIRMATION else []
            )
            for split, logits in run.logits.items():
                labels = session.federation.data.labels[session.federation.splits[split]]
                assert np.array_equal(logits.argmax(axis=1) == labels, run.correct[split])
    assert total == 10
    assert not [entry for entry in session.home.iterdir() if entry.name.startswith("ray-tune-")]
    # What is finished needs no workers: a second call returns at once and changes nothing.
    before = [session.store.trials(name) for name in session.names.values()]
    again = session.queue()
    assert again.finished
    assert session.drive(again)
    assert [session.store.trials(name) for name in session.names.values()] == before


def _again(
    session: Session,
    pair: AnyPair,
    setting: Setting,
    seed: int,
    *,
    rungs: Sequence[int] | None = None,
    splits: Sequence[Split] = (Split.VALIDATION,),
    compute: Compute | None = None,
) -> list[Rung]:
    """Do the same run here, without Ray: it equals the worker's to the bit (rule 8 of the design)."""
    return list(
        Run(
            session.federation,
            pair,
            setting,
            seed=seed,
            recipe=session.config.distillation,
            rungs=rungs or session.config.rungs,
            splits=splits,
            compute=compute or Compute(),
        )
    )


def test_interrupted_by_ctrl_c_it_goes_on_where_it_was(session: Session) -> None:
    calls: list[str] = []
    listen = _ctrl_c_after(3)
    before = signal.getsignal(signal.SIGINT)
    assert not session.drive(session.queue(listen), on_stopping=lambda: calls.append("stopping"))
    assert calls == ["stopping"]
    assert signal.getsignal(signal.SIGINT) is before
    trials = [trial for name in session.names.values() for trial in session.store.trials(name)]
    assert len([trial for trial in trials if trial.state is not TrialState.FAIL]) >= 3
    assert {trial.failure for trial in trials if trial.state is TrialState.FAIL} == {Failure.INTERRUPTED}
    assert session.drive(session.queue())
    for name in session.names.values():
        ended = session.store.trials(name)
        assert not [trial for trial in ended if trial.state is TrialState.RUNNING]
        assert len([trial for trial in ended if trial.setting == DEFAULT and trial.accuracy is not None]) >= 1
    made = [
        trial
        for name in session.names.values()
        for trial in session.store.trials(name)
        if trial.state is not TrialState.FAIL
    ]
    assert len(made) == 10


def test_a_request_of_another_process_ends_it_as_ctrl_c_does(session: Session) -> None:
    calls: list[str] = []
    session.store.leases.acquire(session.names.values())

    def listen(progress: Progress) -> None:
        if progress.ended >= 3 and not session.store.leases.asked_to_stop:
            with Store.open(sqlite_url(session.home / "store.db")) as outside:
                outside.leases.ask_to_stop([driver.token for driver in outside.leases.drivers()])
            until = time.monotonic() + 10
            while not session.store.leases.asked_to_stop and time.monotonic() < until:
                time.sleep(0.02)

    def asked() -> bool:
        return bool(session.store.leases.asked_to_stop)

    queue = session.queue(listen)
    assert not session.drive(queue, asked_to_stop=asked, on_stopping=lambda: calls.append("stopping"))
    assert calls == ["stopping"]
    assert queue.live == 0
    trials = [trial for name in session.names.values() for trial in session.store.trials(name)]
    assert 3 <= len([trial for trial in trials if trial.state is not TrialState.FAIL]) < 10
    assert {trial.failure for trial in trials if trial.state is TrialState.FAIL} <= {Failure.INTERRUPTED}
    # A request that came before the first run is obeyed, too.
    assert not session.drive(session.queue(), asked_to_stop=asked)
    assert [trial for name in session.names.values() for trial in session.store.trials(name)] == trials
    assert session.drive(session.queue())


def test_a_swept_run_is_the_same_run_looked_at_on_the_way_and_on_every_split(session: Session) -> None:
    """And each pair's runs have the tensor format of the pair, though they share the workers."""
    formats: dict[AnyPair, TensorFormat] = {
        FORWARD: TensorFormat("channels_last", "bfloat16"),
        BACKWARD: FORMER_FORMAT,
    }
    assert session.drive(session.sweep(), tensor_formats=formats)
    for pair, name in session.swept.items():
        runs = session.store.runs(name)
        compute = Compute().in_format(formats[pair])
        assert {run.tensor_format for run in runs} == {formats[pair]}
        assert {(run.setting, run.seed) for run in runs} == set(product(GRID, (0, 1)))
        assert len(runs) == 8
        for run in runs:
            again = _again(
                session,
                pair,
                run.setting,
                run.seed,
                rungs=(1, 2, 3, 4),
                splits=tuple(Split),
                compute=compute,
            )
            assert (run.stage, run.state, run.epochs) == (Stage.SWEEP, RunState.COMPLETE, 4)
            assert [scores.epoch for scores in run.curve] == [1, 2, 3, 4]
            for scores, rung in zip(run.curve, again, strict=True):
                seen = rung.evaluations
                assert scores.accuracy == {split: seen[split].accuracy for split in Split}
                assert scores.forgetting == {split: seen[split].forgetting for split in Split}
            for split in Split:
                np.testing.assert_array_equal(run.correct[split], again[-1].evaluations[split].correct)
            assert run.forgetting == again[-1].evaluations[Split.TEST].forgetting
            assert run.local_accuracy == again[-1].evaluations[Split.TEST].local_accuracy
            assert run.seconds == run.curve[-1].seconds > run.curve[0].seconds > 0


def test_images_that_do_not_fit_are_streamed_with_the_same_results_and_a_word(
    home: Path, federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    """The federation lies on disk, and no run may hold its images."""
    save(federation, federations_folder(home) / federation.name)
    files = mapped_arrays.read(federations_folder(home) / federation.name / "data.safetensors")
    mapped = replace(federation, data=replace(federation.data, images=files["images"]))
    session = Session(home, mapped, tiny_plan())
    assert session.drive(session.sweep(), compute=Compute(image_bytes=0))
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "memory has no room for a run's images"
    ]
    resident = replace(session.federation, data=federation.data)
    for pair, name in session.swept.items():
        runs = session.store.runs(name)
        assert len(runs) == 8
        for run in runs:
            again = Run(
                resident,
                pair,
                run.setting,
                seed=run.seed,
                recipe=session.config.distillation,
                rungs=(4,),
                splits=tuple(Split),
                compute=Compute(),
            )
            (rung,) = again
            for split in Split:
                np.testing.assert_array_equal(run.correct[split], rung.evaluations[split].correct)


def test_a_sweep_interrupted_by_ctrl_c_goes_on_where_it_was(session: Session) -> None:
    def kept() -> list[tuple[AnyPair, Setting, int]]:
        return [
            (pair, run.setting, run.seed)
            for pair, name in session.swept.items()
            for run in session.store.runs(name)
            if run.state is RunState.COMPLETE
        ]

    interrupted = session.sweep(_ctrl_c_after(3))
    assert not session.drive(interrupted)
    before = kept()
    assert 3 <= len(before) < 16
    assert interrupted.progress().done == len(before)
    assert session.drive(session.sweep())
    assert Counter(kept()) == Counter(product(MEETING, GRID, (0, 1)))


def test_a_worker_that_is_killed_costs_one_trial_which_is_made_again(
    home: Path, federation: Federation
) -> None:
    session = Session(home, federation, tiny_plan())

    def listen(progress: Progress) -> None:
        # Repeated until it hits a worker that has a run; losing an idle one has no effect.
        lost = any(study.counts.get(TrialState.FAIL) for study in progress.studies)
        if progress.ended >= 2 and not lost:
            for worker in _workers()[:1]:
                worker.kill()

    assert session.drive(session.queue(listen))
    trials = [trial for name in session.names.values() for trial in session.store.trials(name)]
    died = [trial for trial in trials if trial.state is TrialState.FAIL]
    assert {trial.failure for trial in died} == {Failure.INFRASTRUCTURE}
    assert all(trial.reason for trial in died)
    alive = {(trial.setting, trial.role) for trial in trials if trial.state is not TrialState.FAIL}
    assert {(trial.setting, trial.role) for trial in died} <= alive
    assert len(trials) - len(died) == 10


def _workers() -> list[psutil.Process]:
    """The processes that run our trainable now."""
    return [child for child in psutil.Process().children(recursive=True) if _runs_our_trainable(child)]


def _runs_our_trainable(process: psutil.Process) -> bool:
    try:
        return "Trainable" in " ".join(process.cmdline()[:1])
    except psutil.Error:  # It has just died.
        return False


def test_a_default_that_diverges_ends_with_the_reason_in_the_store(
    home: Path, federation: Federation
) -> None:
    session = Session(home, federation, tiny_plan(learning_rate=1e30))
    assert session.drive(session.queue())
    for name in session.names.values():
        baseline, *others = session.store.trials(name)
        assert (baseline.role, baseline.failure) == (TrialOrigin.BASELINE, Failure.DIVERGED)
        assert "try a lower learning rate" in baseline.reason
        # Trials that began before the baseline failed end in the same way.
        assert {trial.failure for trial in others} <= {Failure.DIVERGED}
        assert not session.store.runs(name)


def test_an_error_of_the_store_ends_the_experiment_and_is_raised(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = session.queue()
    calls = iter(range(100))
    report = queue._store.report

    def fail_at_the_third(self: Store, *args: object) -> None:
        if next(calls) == 2:
            raise StoreError("disk full")
        report(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "report", fail_at_the_third)
    with pytest.raises(StoreError, match="disk full"):
        session.drive(queue)
    states = {trial.state for name in session.names.values() for trial in session.store.trials(name)}
    assert TrialState.RUNNING not in states
