"""Loggers under faults: a tool that is away, full or silent costs a warning; what it lacks comes later."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from autokd.workflows.loggers.base import LoggedTrial, TrialLogger, logged
from autokd.workflows.loggers.mlflow import MlflowLogger
from autokd.workflows.loggers.tensorboard import TensorBoardLogger
from autokd.workflows.loggers.wandb import WandbLogger
from tests.workflows.loggers.mlflow_server import FakeMlflow, fake_mlflow
from tests.workflows.loggers.test_loggers import JUDGED, TRIALS, Recording, write

TOOLS: Final[dict[str, Callable[[Path], TrialLogger]]] = {
    "tensorboard": TensorBoardLogger,
    "mlflow": lambda folder: MlflowLogger(f"sqlite:///{folder / 'mlflow.db'}"),
    "wandb": WandbLogger,
}
RESUMED = replace(JUDGED, trials=(), earlier=TRIALS)
"""What a command finds done that runs after one which was killed."""


def test_what_a_tool_has_is_not_written_again() -> None:
    logger = Recording()
    logger.there = {logged(JUDGED, trial).key for trial in TRIALS[:2]}
    write(logger, replace(JUDGED, trials=TRIALS[2:], earlier=TRIALS[:2]), RESUMED)
    assert [trial.number for trial in logger.seen] == [2, 2]


def test_a_key_tells_what_was_run_and_not_how_it_was_judged() -> None:
    keys = {logged(JUDGED, trial).key for trial in TRIALS}
    assert len(keys) == 3
    judged_again = replace(JUDGED, recommendation={"verdict": "skip"})
    assert {logged(judged_again, trial).key for trial in TRIALS} == keys
    tuned_anew = replace(TRIALS[0], curve=((5, 0.25), (10, 0.75)))
    assert logged(JUDGED, tuned_anew).key not in keys


def test_tensorboard_has_each_trial_once(tmp_path: Path) -> None:
    write(TensorBoardLogger(tmp_path), replace(JUDGED, trials=TRIALS[:2]))
    write(TensorBoardLogger(tmp_path), RESUMED)
    files = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    assert [file.parent.name for file in files] == ["trial-000", "trial-001", "trial-002"]
    # A study that was deleted and tuned again does not mix its curves with those of before.
    anew = replace(TRIALS[0], curve=((5, 0.25), (10, 0.75)))
    write(TensorBoardLogger(tmp_path), replace(JUDGED, trials=(anew,)))
    assert len([file for file in tmp_path.rglob("trial-000-*/*") if file.is_file()]) == 1


@pytest.mark.parametrize("teachers", ["0,3,7", ",".join(map(str, range(99)))])
def test_a_folder_of_several_teachers_needs_no_quotes(teachers: str, tmp_path: Path) -> None:
    group = replace(JUDGED, study=f"digits/default/{{{teachers}}}->99", pair=f"{{{teachers}}}->99")
    write(TensorBoardLogger(tmp_path), group)
    write(TensorBoardLogger(tmp_path), group)
    (folder,) = (tmp_path / "digits" / "default").iterdir()
    assert folder.name.startswith("0,")
    assert folder.name.endswith("-to-99")
    assert not set(folder.name) & set("{}>")
    assert len([file for file in folder.rglob("*") if file.is_file()]) == 3


def test_files_of_earlier_versions_are_those_trials(tmp_path: Path) -> None:
    folder = tmp_path / JUDGED.study.replace("->", "-to-") / "trial-000"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1790000000.host.1.0").write_bytes(b"")
    assert TensorBoardLogger(tmp_path).written([logged(JUDGED, TRIALS[0])]) == {logged(JUDGED, TRIALS[0]).key}


def test_mlflow_has_each_trial_once(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_mlflow() as server:
        write(MlflowLogger(server.uri), JUDGED)
        first = named(server)
        assert first == {"4->9 trial 0": "FINISHED", "4->9 trial 1": "FINISHED", "4->9 trial 2": "FAILED"}
        server.runs.pop()
        server.runs[1]["info"]["status"] = "RUNNING"  # Killed while it was written.
        write(MlflowLogger(server.uri), RESUMED)
        assert named(server) == first
        assert len(server.runs) == 3
        for tag in server.runs[0]["data"]["tags"]:  # A run of an earlier version has no key.
            tag["key"] = tag["key"].replace("autokd.key", "other")
        write(MlflowLogger(server.uri), RESUMED)
        assert len(server.runs) == 3
    assert capsys.readouterr().out == ""  # There is what `--json` prints.


def named(server: FakeMlflow) -> dict[str, str]:
    return {run["info"]["run_name"]: run["info"]["status"] for run in server.runs}


def test_mlflows_tables_are_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.tracking

    class Killed(BaseException):
        """As a kill: nothing is tidied up."""

    def begin(tracking_uri: str) -> None:
        Path(tracking_uri.removeprefix("sqlite:///")).write_bytes(b"half of it")
        raise Killed

    file = tmp_path / "folder" / "mlflow.db"
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.tracking, "MlflowClient", begin)
        with pytest.raises(Killed):
            MlflowLogger(f"sqlite:///{file}").written([logged(JUDGED, TRIALS[0])])
    assert not file.exists()
    write(MlflowLogger(f"sqlite:///{file}"), JUDGED)
    assert [entry.name for entry in file.parent.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("status", [0, 500])
def test_a_server_that_dies_midway_is_not_waited_for_long(
    status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.workflows.loggers.base._SILENT_SECONDS", 2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with fake_mlflow(answers=4, status=status) as server:
        logger = MlflowLogger(server.uri)
        began = time.monotonic()
        with caplog.at_level(logging.WARNING, logger="autokd"):
            logger.on_verdict(JUDGED)
            logger.on_end()
        assert time.monotonic() - began < 60
        assert [run["info"]["status"] for run in server.runs] == ["RUNNING"]
    assert "the same command logs the rest" in caplog.text
    with fake_mlflow() as again:
        again.runs = server.runs
        write(MlflowLogger(again.uri), RESUMED)
        assert sorted(named(again)) == ["4->9 trial 0", "4->9 trial 1", "4->9 trial 2"]


def test_ctrl_c_ends_the_wait_and_not_the_command(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()

    def hang(trial: LoggedTrial) -> None:
        over.wait(30)

    logger = Recording(hang)
    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        logger.on_verdict(JUDGED)
        threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        with caplog.at_level(logging.WARNING, logger="autokd"):
            logger.on_end()
    finally:
        signal.signal(signal.SIGINT, before)
        over.set()
    assert "not waiting for a tool" in caplog.text


@pytest.mark.parametrize("tool", TOOLS)
def test_a_place_that_cannot_be_a_folder(tool: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    logger = TOOLS[tool](tmp_path / "file")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="autokd"):
        logger.on_verdict(JUDGED)
        logger.on_end()
    # MLflow by itself would try for minutes.
    assert time.monotonic() - began < 60
    (record,) = (entry for entry in caplog.records if "waiting" not in entry.getMessage())
    assert f"logging to {logger.TOOL} failed" in record.getMessage()


def test_wandb_takes_no_other_folder_and_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, trial = WandbLogger(tmp_path), logged(JUDGED, TRIALS[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(PermissionError):
            logger.write(trial)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="No space left") as full:
        logger.write(trial)
    assert full.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_wandb_asks_for_no_key_in_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[bool] = []

    def login(*, verify: bool, prompt: bool) -> bool:
        asked.append(prompt)
        return False

    monkeypatch.setattr(wandb, "login", login)
    with pytest.raises(PermissionError, match="run wandb login"):
        WandbLogger(tmp_path, mode="online").write(logged(JUDGED, TRIALS[0]))
    assert asked == [False]


def test_tensorboard_leaves_no_half_a_file_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    logger = TensorBoardLogger(tmp_path)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="autokd"):
        patch.setattr(Path, "write_bytes", full)
        logger.on_verdict(JUDGED)
        logger.on_end()
    assert "No space left on device" in caplog.text
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    write(TensorBoardLogger(tmp_path), RESUMED)
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 3
