"""Time budgets kept: a batch of all 90 pairs with several `--time`, and one that is killed and continued.

    python -m benchmarks.budgets [--seconds 60 120 240] [--study STUDY] [--out FILE]

Each starts from an empty store with the federation prepared. *Used* is the whole command, from its start to
its end, as a share of its budget. The last row is a batch with the middle budget that is killed (SIGKILL,
with its workers) at two fifths of it and continued by the same command: there both commands count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any, Final

import psutil

FROZEN: Final = Path(__file__).parent / "frozen" / "digits.yaml"
RESULTS: Final = Path(__file__).parent / "results" / "budgets.json"
_KILLED_AT: Final = 0.4


def command(*words: str) -> list[str]:
    """Return an autokd command of this interpreter."""
    return [sys.executable, "-m", "autokd", *words]


def batch(home: Path, study: str, seconds: float) -> list[str]:
    """Return the command that tunes all pairs with a time budget."""
    words = ("tune", "--all", "--study", study, "--time", f"{seconds:g}s", "--home", str(home), "--json")
    return command(*words)


def tuned(home: Path, study: str, seconds: float) -> tuple[Any, float]:
    """Return the answers of a batch with a time budget, and the seconds that it took."""
    began = perf_counter()
    done = subprocess.run(batch(home, study, seconds), capture_output=True, text=True, check=False)
    took = perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"--time {seconds:g}s ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout), took


def killed(home: Path, study: str, seconds: float) -> float:
    """Start a batch, kill it with everything that it has started, and return the seconds that it had."""
    began = perf_counter()
    process = subprocess.Popen(
        batch(home, study, seconds), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    sleep(_KILLED_AT * seconds)
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    took = perf_counter() - began
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # It has ended together with the one before it.
            continue
    process.wait()
    return took


def row(answers: Any, *, budget: float, used: float) -> dict[str, Any]:
    """Return the figures of a batch."""
    gains = [answer["recommended"]["gain"]["mean"] for answer in answers]
    return {
        "budget": budget,
        "used": round(used / budget, 4),
        "pairs": len(answers),
        "verdicts": dict(sorted(Counter(answer["verdict"] for answer in answers).items())),
        "gain": round(sum(gains) / len(gains), 3),
        "epochs": sum(sum(answer["epochs_spent"].values()) for answer in answers),
    }


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", nargs="+", type=float, default=(60.0, 120.0, 240.0))
    parser.add_argument("--study", default=str(FROZEN))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared"
        words = ("prepare", "--study", options.study, "--home", str(prepared))
        subprocess.run(command(*words), check=True, capture_output=True)

        def home(name: str) -> Path:
            return Path(shutil.copytree(prepared, Path(folder) / name))

        def keep(row: dict[str, Any]) -> None:
            print(json.dumps(row), flush=True)
            rows.append(row)

        for seconds in options.seconds:
            answers, took = tuned(home(f"{seconds:g}"), options.study, seconds)
            keep(row(answers, budget=seconds, used=took))
        middle = sorted(options.seconds)[len(options.seconds) // 2]
        before = killed(home("killed"), options.study, middle)
        answers, took = tuned(Path(folder) / "killed", options.study, middle)
        keep({**row(answers, budget=middle, used=before + took), "killed after": round(before, 1)})
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
