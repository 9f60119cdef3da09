"""Loggers: what the tools' own readers find of a pair's trials, and that no logger can harm a search."""

from __future__ import annotations

import logging
import shutil
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from autokd.cli.loggers import loggers_of
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.errors import ArgumentError, InputError
from autokd.store.tables import RecommendationRow
from autokd.workflows.callbacks import CallbackList, Callbacks, JudgedTrials
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger, logged
from autokd.workflows.tune import tune
from autokd.workspace import Workspace
from tests.paths import ROOT

STUDY = "digits-1a2b3c4d/digits-default-5e6f7a8b/4->9"
TRIALS = (
    TrialRecord(
        number=0,
        setting=DEFAULT,
        seed=0,
        role=TrialOrigin.BASELINE,
        state=TrialState.COMPLETE,
        curve=((5, 0.25), (10, 0.5)),
        forgetting_curve=(1.5, -2.5),
    ),
    TrialRecord(
        number=1,
        setting=Setting(4.0, 0.125, TransferSet.BOTH, epochs=20),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=TrialState.PRUNED,
        curve=((5, 0.375),),
        forgetting_curve=(0.0,),
    ),
    TrialRecord(
        number=2,
        setting=Setting(2.0, None, TransferSet.PUBLIC),
        seed=0,
        role=TrialOrigin.TRANSFERRED,
        state=TrialState.FAIL,
        failure=Failure.DIVERGED,
        reason="loss became nan at step 3",
    ),
)
JUDGED = JudgedTrials(
    study=STUDY,
    pair="4->9",
    trials=TRIALS,
    recommendation={
        "verdict": "tuned",
        "gain": {"mean": 3.5, "low": 1.0, "high": 6.0},
        "default_gain": None,
        "decision": {
            "action": "learn",
            "words": "learn from 4",
            "gain": {"mean": 3.5, "low": 1.0, "high": 6.0},
        },
    },
)
OTHER = replace(JUDGED, study=STUDY.replace("4->9", "9->4"), pair="9->4", trials=TRIALS[:1])
"""Another pair of the same batch."""


class Recording(TrialLogger):
    """Keeps what it gets, or does something else instead."""

    TOOL, PACKAGE, EXTRA = "a tool", "autokd", "tool"

    def __init__(self, act: Callable[[LoggedTrial], None] | None = None) -> None:
        super().__init__()
        self.seen: list[LoggedTrial] = []
        self.there: set[str] = set()
        self._act = act

    def written(self, trials: Sequence[LoggedTrial]) -> Collection[str]:
        return self.there

    def write(self, trial: LoggedTrial) -> None:
        self.seen.append(trial)
        if self._act is not None:
            self._act(trial)


def test_a_trial_has_parameters_curve_and_verdict() -> None:
    first, second, third = (logged(JUDGED, trial) for trial in TRIALS)
    assert first.name == "4->9 trial 0"
    assert first.curve[1] == (10, {"validation_accuracy": 0.5, "forgetting": -2.5})
    assert first.tags["verdict"] == "tuned"
    assert first.figures == {"final_validation_accuracy": 0.5, "decision_gain": 3.5, "gain": 3.5}
    assert second.parameters == {
        "seed": 0,
        "temperature": 4.0,
        "alpha": 0.125,
        "transfer_set": "both",
        "epochs": 20,
    }
    assert "alpha" not in third.parameters
    assert third.curve == ()
    assert third.tags["reason"] == "loss became nan at step 3"


def test_tensorboards_own_reader_shows_the_trials_of_a_batch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from autokd.workflows.loggers.tensorboard import TensorBoardLogger

    write(TensorBoardLogger(tmp_path), JUDGED, OTHER)
    folders = sorted(tmp_path.glob("digits-1a2b3c4d/*/*/*"))
    assert [folder.relative_to(folder.parents[1]).as_posix() for folder in folders] == [
        "4-to-9/trial-000",
        "4-to-9/trial-001",
        "4-to-9/trial-002",
        "9-to-4/trial-000",
    ]
    reader = EventAccumulator(str(folders[0])).Reload()
    events = [(event.step, event.value) for event in reader.Scalars("validation_accuracy")]
    assert events == [(5, 0.25), (10, 0.5)]
    assert reader.Scalars("gain")[0].value == 3.5
    (text,) = reader.Tensors("pair/text_summary")
    assert b"verdict tuned" in text.tensor_proto.string_val[0]


def test_mlflows_own_reader_shows_the_trials_of_a_batch(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    from autokd.workflows.loggers.mlflow import MlflowLogger

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    write(MlflowLogger(uri), JUDGED, OTHER)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("autokd")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["4->9 trial 0", "4->9 trial 1", "4->9 trial 2", "9->4 trial 0"]
    assert runs["4->9 trial 1"].data.params["temperature"] == "4.0"
    assert runs["4->9 trial 1"].data.tags["verdict"] == "tuned"
    ends = [run.info.status for _, run in sorted(runs.items())]
    assert ends == ["FINISHED", "FINISHED", "FAILED", "FINISHED"]
    curve = client.get_metric_history(runs["4->9 trial 0"].info.run_id, "validation_accuracy")
    assert [(metric.step, metric.value) for metric in curve] == [(5, 0.25), (10, 0.5)]


def test_wandbs_offline_folder_is_parsed_by_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb
    from wandb.proto import wandb_internal_pb2

    from autokd.workflows.loggers.wandb import WandbLogger

    monkeypatch.setenv("WANDB_MODE", "online")
    write(WandbLogger(tmp_path), replace(JUDGED, trials=TRIALS[1:]))
    # Killed before the second was written to its end: it is begun anew, and the first one stays.
    ledger = tmp_path / "wandb" / "autokd-trials.txt"
    ledger.write_text(ledger.read_text().splitlines()[0] + "\n")
    write(WandbLogger(tmp_path), replace(JUDGED, trials=(), earlier=TRIALS[1:]))
    wandb.teardown()  # As at the end of a process: before that, W&B may still have to write to its files.
    parse = wandb_internal_pb2.Record.FromString  # type: ignore[attr-defined]
    files = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    runs = [[parse(data) for data in records_of(file.read_bytes())] for file in files]
    names = [record.run.display_name for run in runs for record in run if record.HasField("run")]
    assert sorted(set(names)) == ["4->9 trial 1", "4->9 trial 2"]
    seen = "".join(str(record) for run in runs for record in run)
    for part in ("validation_accuracy", "temperature", "tuned", "learn from 4"):
        assert part in seen


def records_of(content: bytes) -> Iterator[bytes]:
    """The records of W&B's file, which has LevelDB's format after seven bytes of its own."""
    at, record = 7, b""
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # Whole, or the last part.
            yield record
            record = b""


def write(logger: Callbacks, *pairs: JudgedTrials) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Own warnings of these libraries, e.g. of deprecated parts of others, are theirs.
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        for judged in pairs:
            logger.on_verdict(judged)
        logger.on_end()
        assert not logger._failed  # type: ignore[attr-defined]


def test_a_logger_that_fails_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail(trial: LoggedTrial) -> None:
        raise OSError("http://me:secret@server is away")

    logger = Recording(fail)
    with caplog.at_level(logging.WARNING, logger="autokd"):
        logger.on_verdict(JUDGED)
        logger.on_end()
    (record,) = caplog.records
    assert "logging to a tool failed (OSError: http://***@server is away)" in record.getMessage()
    assert len(logger.seen) == 1


def test_a_slow_logger_delays_nothing() -> None:
    logger = Recording(lambda trial: time.sleep(0.1))
    began = time.monotonic()
    logger.on_verdict(JUDGED)
    assert time.monotonic() - began < 0.1
    logger.on_end()
    assert [trial.number for trial in logger.seen] == [0, 1, 2]


def test_a_logger_that_hangs_ends_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.workflows.loggers.base._SILENT_SECONDS", 0.2)
    logger = Recording(lambda trial: time.sleep(1))
    with caplog.at_level(logging.WARNING, logger="autokd"):
        logger.on_verdict(JUDGED)
        logger.on_end()
    assert "a tool has taken no trial" in caplog.text
    assert "run again" in caplog.text


def test_a_logger_without_trials_makes_nothing(tmp_path: Path) -> None:
    logger = Recording()
    logger.on_end()
    assert logger.seen == []


def test_several_callbacks_are_all_called() -> None:
    first, second = Recording(), Recording()
    both = CallbackList([first, second, Callbacks()])
    both.on_prepare(0, 1)
    both.on_stopping()
    both.on_verdict(JUDGED)
    both.on_end()
    assert len(first.seen) == len(second.seen) == 3
    for name in vars(Callbacks):
        if not name.startswith("_"):
            assert name in vars(CallbackList), f"{name} is not passed on"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tensorbord", "did you mean tensorboard?"),
        ("postgresql://me:secret@there", "must begin with tensorboard, mlflow or wandb"),
        ("wandb=", "names no place"),
        ("mlflow=http://me:secret@server:5000", "MLFLOW_TRACKING_USERNAME"),
    ],
)
def test_a_tool_that_is_not_known(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        loggers_of([text], tmp_path)
    assert "secret" not in str(error.value)


def test_a_tool_that_is_not_installed_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.workflows.loggers.base.find_spec", lambda name: None)
    for tool in ("tensorboard", "mlflow", "wandb"):
        with pytest.raises(InputError, match=rf"pip install 'autokd\[{tool}\]'"):
            loggers_of([tool], tmp_path)


def test_runs_are_sent_only_if_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.workflows.loggers.base.find_spec", lambda name: object())
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    wandb: Any
    mlflow: Any
    (wandb,) = loggers_of(["wandb"], tmp_path)
    assert (wandb._mode, wandb._folder) == ("offline", tmp_path)
    (wandb,) = loggers_of(["wandb=online"], tmp_path)
    assert wandb._mode == "online"
    (mlflow,) = loggers_of(["mlflow"], tmp_path)
    assert mlflow._uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    (mlflow,) = loggers_of(["mlflow=http://server:5000"], tmp_path)
    assert mlflow._uri == "http://server:5000"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ArgumentError, match="mode"):
        type(wandb)(tmp_path, mode="onlin")


class Told(Callbacks):
    """Keeps what it is told of pairs."""

    def __init__(self) -> None:
        self.judged: dict[str, JudgedTrials] = {}
        self.ended = 0

    def on_verdict(self, judged: JudgedTrials) -> None:
        self.judged[judged.pair] = judged

    def on_end(self) -> None:
        self.ended += 1


def test_a_call_tells_of_each_trial_once(tmp_path: Path) -> None:
    """The home of an earlier version, in which there is nothing left to run."""
    folder = ROOT / "tests" / "compatibility"
    shutil.unpack_archive(folder / "home.zip", tmp_path / "home")
    workspace = Workspace.open(folder / "small.yaml", home=tmp_path / "home")
    again = Told()
    tune(workspace, Pair(1, 3), callbacks=again)
    assert {pair: judged.trials for pair, judged in again.judged.items()} == {"1->3": (), "3->1": ()}
    assert [len(judged.earlier) for judged in again.judged.values()] == [12, 4]
    assert again.ended == 1
    with workspace.open_store(create=False) as store:
        study = again.judged["1->3"].study
        with store.optuna_storage.engine.begin() as connection:
            connection.execute(delete(RecommendationRow).where(RecommendationRow.study == study))
        trials = store.trials(study)
    first = Told()
    tune(workspace, Pair(1, 3), callbacks=first)
    assert first.judged["1->3"].trials == trials
    assert len(trials) == 12
    assert first.judged["1->3"].recommendation["verdict"] == "tuned"
    assert first.judged["3->1"].trials == ()
