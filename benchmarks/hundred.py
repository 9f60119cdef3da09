"""A hundred participants, 9,900 pairs: how soon the first run is under way, and what reading costs meanwhile.

    python -m benchmarks.hundred [--home HOME] [--runs 8]

Prepares the federation first (some minutes), which HOME keeps. Then one `autokd tune --all` runs until so
many runs have ended; figures are those of its process and of the commands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError, connect
from tempfile import TemporaryDirectory
from typing import Final

import psutil

STUDY: Final = """
name: hundred
federation:
  name: hundred
  dataset: digits
  participants: 100
  partition: {scheme: iid}
  splits: {validation: 200, confirmation: 350, test: 250, public: 50}
  architectures: [{name: mlp}]
  pretraining: {learning_rate: 0.1, epochs: 1}
distillation: {learning_rate: 0.1, epochs: 4}
search: {trials: 4, startup_trials: 2, stopping: {rungs: [1, 2], reduction: 2, grace: 0}}
confirmation: {candidates: 2, race_seeds: 1, seeds: 2, resamples: 200}
"""
RESULTS: Final = Path(__file__).parent / "results" / "hundred.json"
_BEGUN: Final = "SELECT count(*) FROM trials"
_ENDED: Final = "SELECT count(*) FROM trials WHERE state <> 'RUNNING'"
_PATIENCE: Final = 300.0


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="folder of the federation; by default a temporary one")
    parser.add_argument("--runs", type=int, default=8, help="runs that end before the batch is stopped")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = measure(options.home or Path(folder), Path(folder), options.runs)
    print(json.dumps(figures, indent=2))
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


def measure(home: Path, folder: Path, runs: int) -> dict[str, float]:
    """Return seconds, and the resident memory of the driver in MB."""
    study = folder / "hundred.yaml"
    study.write_text(STUDY)
    store = home / "autokd.db"
    options = ("--study", str(study), "--home", str(home))
    _run("prepare", *options)
    for leftover in home.glob("autokd.db*"):
        leftover.unlink()
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-m", "autokd", "tune", "--all", *options]) as tune:
        try:
            _wait(store, _BEGUN, 1, tune)
            first = time.monotonic() - began
            first_cpu = _cpu_seconds(tune.pid)
            _wait(store, _ENDED, runs, tune)
            ended = time.monotonic() - began
            status = _run("status", *options)
            report = _run("report", *options, "--out", str(folder / "report.html"))
            resident = psutil.Process(tune.pid).memory_info().rss / 1e6
        finally:
            tune.send_signal(signal.SIGINT)
    return {
        "first_run_begun_s": round(first, 1),
        "first_run_begun_driver_cpu_s": round(first_cpu, 1),
        f"{runs}_runs_ended_s": round(ended, 1),
        "driver_resident_mb": round(resident),
        "status_s": round(status[0], 1),
        "status_cpu_s": round(status[1], 1),
        "report_s": round(report[0], 1),
        "report_cpu_s": round(report[1], 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _cpu_seconds(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def _run(*arguments: str) -> tuple[float, float]:
    """Run a command; return its seconds, and its seconds of CPU time, which other work does not lengthen."""
    began, before = time.monotonic(), os.times()
    subprocess.run([sys.executable, "-m", "autokd", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, cpu


def _wait(store: Path, query: str, least: int, tune: subprocess.Popen[bytes]) -> None:
    """Wait until the store has so many."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and tune.poll() is None:
        if store.exists():
            try:
                with closing(connect(f"file:{store}?mode=ro", uri=True)) as connection:
                    if connection.execute(query).fetchone()[0] >= least:
                        return
            except OperationalError:  # The tables are just being made.
                pass
        time.sleep(0.05)
    raise SystemExit(f"fewer than {least} after {_PATIENCE:.0f} s: {query}")


if __name__ == "__main__":
    main()
