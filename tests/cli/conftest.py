"""The command line as users meet it: the installed program, and the same program in this process, faster."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from autokd.cli.app import run
from autokd.config.yaml_files import read_study_config
from autokd.core.tensor_format import TensorFormat
from tests.paths import FEW

PROGRAM = Path(sys.executable).parent / "autokd"
TRIALS = "10"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content


Command = Callable[..., Outcome]


def autokd(*arguments: object, environment: Mapping[str, str] | None = None, cwd: Path) -> Outcome:
    """The installed program, without a terminal."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The installed program in an empty folder."""
    return lambda *arguments, **environment: autokd(*arguments, environment=environment, cwd=tmp_path)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """The same in this process: for what ends before any worker is needed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOKD_DEBUG", raising=False)

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["autokd", *map(str, arguments)])
        code = run()
        return Outcome(code, *capsys.readouterr())

    yield call
    os.environ.pop("AUTOKD_DEBUG", None)


@dataclass(frozen=True)
class Tuned:
    """A home where pair 4->9 of `digits` has been tuned with ten trials for each direction.

    In a former space: commands without `--space` go on in it, and runs are short.
    """

    home: Path
    first: Outcome

    @property
    def database(self) -> Path:
        return self.home / "autokd.db"

    def copy(self, where: Path) -> Tuned:
        """One to write to."""
        shutil.copytree(self.home, where)
        return Tuned(where, self.first)


@pytest.fixture(scope="package")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("tuned")
    home = folder / "home"
    first = autokd("tune", "--pair", "4,9", "--space", FEW, "--trials", TRIALS, "--home", home, cwd=folder)
    assert first.code == 0, first.err
    return Tuned(home, first)


@pytest.fixture
def ray_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where Ray keeps its session; short, since the paths of its sockets are limited to 107 bytes."""
    with TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def quick_study(tmp_path: Path) -> Path:
    """A study of the same federation in which little is to be done."""
    config = read_study_config("digits").model_dump(mode="json")
    config |= {"name": "quick", "space": FEW}
    config["distillation"]["epochs"] = 4
    config["search"].update(trials=4, startup_trials=4, stopping={"rungs": [1, 2], "grace": 0})
    config["confirmation"].update(candidates=1, race_seeds=1, seeds=2)
    file = tmp_path / "quick.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def dump(database: Path) -> str:
    """All that a database says, save who is at work in it."""
    with sqlite3.connect(database) as connection:
        leases = ("autokd_driver", "autokd_lease")
        lines = [line for line in connection.iterdump() if not any(name in line for name in leases)]
    connection.close()
    return "\n".join(lines)


def tensor_formats(database: Path) -> set[TensorFormat]:
    """Return the tensor formats of all runs outside the search."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT memory_format, precision FROM autokd_run").fetchall()
    connection.close()
    return {TensorFormat(*row) for row in rows}


def refused(outcome: Outcome, *words: str, code: int = 2) -> None:
    """Assert that a command ended with one line that has these words, and this exit code."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in line
    for word in words:
        assert word in line
