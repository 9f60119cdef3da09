"""The Slurm script with a Slurm, a Ray and a driver that only note what they are asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.docker.files import FOLDER

_NOTE = 'echo "$(basename "$0") $* storage=${AUTOKD_STORAGE-none} token=${#RAY_AUTH_TOKEN}" >> "$NOTES"\n'
PROGRAMS = {
    "scontrol": "printf 'one\\ntwo\\nthree\\n'",
    # Its own options, then the command.
    "srun": _NOTE + 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "ray": _NOTE + "[[ $1 == start ]] && exec sleep 60; exit 0",
    "autokd": _NOTE + 'trap "echo interrupted >> \\"$NOTES\\"; exit 130" TERM\n'
    'until [[ $(grep -c ^srun "$NOTES") == 3 ]]; do sleep 0.05; done\n'
    'if [[ -n ${LONG-} ]]; then sleep 30 & wait; fi; exit "${CODE-0}"',
}


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on three nodes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "NOTES": str(tmp_path / "notes"),
        "SLURM_JOB_ID": "1234567",
        "SLURM_JOB_NODELIST": "three nodes",
        "SLURM_CPUS_PER_TASK": "8",
        "AUTOKD_STORAGE": "postgresql://autokd@db/autokd",
    }


def notes(job: dict[str, str]) -> list[str]:
    file = Path(job["NOTES"])
    return file.read_text().splitlines() if file.exists() else []


def test_a_head_then_workers_then_the_driver_and_all_of_them_end(job: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", FOLDER / "slurm.sh", "--all", "--study", "a b.yaml"],
        env={**job, "CODE": "2"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2, done.stderr  # the driver's own code
    # The workers start at once, after the head.
    started = [line for line in notes(job) if line.startswith("srun")]
    nodes = [line.split("--nodelist=")[1].split()[0] for line in started]
    assert (nodes[0], sorted(nodes)) == ("one", ["one", "three", "two"])
    assert "ray start --head --port=24567 --include-dashboard=false --num-cpus=8 --block" in started[0]
    assert all("ray start --address=one:24567 --num-cpus=8 --block" in line for line in started[1:])
    # Ray's nodes get to know the token, and not the database.
    assert all(line.endswith("storage=none token=64") for line in started)
    (driver,) = (line for line in notes(job) if line.startswith("autokd"))
    assert driver == "autokd tune --all --study a b.yaml storage=postgresql://autokd@db/autokd token=64"


def test_the_end_of_the_time_reaches_the_driver(job: dict[str, str]) -> None:
    with subprocess.Popen(["bash", FOLDER / "slurm.sh", "--all"], env={**job, "LONG": "1"}) as running:
        until = time.monotonic() + 20
        while not any(line.startswith("autokd") for line in notes(job)):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.3)  # until it has set its trap
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 130
    assert "interrupted" in notes(job)
