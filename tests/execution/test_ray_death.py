"""Ray's own processes die, or cannot start: one line with the way out, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


def batch(home: Path, *which: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The batch of `tests.execution.ray_death`, or its preparation."""
    return subprocess.run(
        [sys.executable, "-m", "tests.execution.ray_death", str(home), *which],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("kind", ["raylet", "gcs_server"])
def test_a_death_during_a_batch_is_one_line_and_the_same_batch_goes_on(home: Path, kind: str) -> None:
    died = batch(home, kind)
    lines = (died.stdout + died.stderr).splitlines()
    (line,) = [line for line in lines if "error: Ray has died during the batch: its " in line]
    assert "the same command goes on" in line
    assert died.returncode == 1
    assert batch(home, "none").returncode == 0


@pytest.mark.parametrize("kind", ["raylet", "gcs_server"])
def test_a_death_during_the_preparation_is_one_line(home: Path, kind: str) -> None:
    died = batch(home, kind, "preparation")
    (line,) = [line for line in (died.stdout + died.stderr).splitlines() if "error: " in line]
    assert line.startswith("error: Ray has died during the preparation: its ")
    assert "the same command goes on" in line
    assert died.returncode == 1
    assert not any(path.is_file() for path in home.rglob("*"))


def test_a_temporary_folder_that_cannot_be_used_is_named(home: Path) -> None:
    (home / "file").touch()
    refused = batch(home, "none", RAY_TMPDIR=str(home / "file" / "folder"))
    line = refused.stdout.splitlines()[0]
    assert line.startswith("error: Ray cannot start on this machine: ")
    assert "RAY_TMPDIR names another one" in line
