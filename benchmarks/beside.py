"""A batch of all 90 pairs and the demo's pair beside an earlier autokd, in one session: cost, gain and time.

    python -m benchmarks.beside [--revision bb3545b] [--study digits] [--only now] [--out FILE]

Both start from an empty store with the federation prepared, which takes the same in both. Gains are those of
the recommended answers, on test, 0 where the advice is to leave the model as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = Path(__file__).parent / "results" / "beside.json"
SPACE: Final = ROOT / "search_spaces" / "former" / "default_1.yaml"
"""The space of both: the earlier version knows no other."""
SWEEP: Final = 76
"""Settings of the grid `poster_sweep`, each of which runs to its end in a sweep."""
EPOCHS: Final = 10


def unpacked(revision: str, folder: Path) -> Path:
    """Return a copy of the tree as it was at a revision."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def run(tree: Path, home: Path, *words: str) -> tuple[Any, float]:
    """Return the answer of a command of the version in `tree`, if it is asked for JSON, and its seconds."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "autokd", *words, "--home", str(home)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{words} of {tree} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout) if "--json" in words else None, seconds


def measured(tree: Path, home: Path, study: str) -> dict[str, Any]:
    """Return what a batch and the demo's pair come to."""
    run(tree, home / "pair", "prepare", "--study", study)
    tune = ("tune", "--study", study, "--space", str(SPACE), "--json")
    _, demo = run(tree, home / "pair", *tune, "--pair", "4,9")
    run(tree, home / "batch", "prepare", "--study", study)
    answers, seconds = run(tree, home / "batch", *tune, "--all")
    sweep = len(answers) * SWEEP * EPOCHS
    spent = Counter[str]()
    for answer in answers:
        spent.update(answer["epochs_spent"])
    return {
        "pairs": len(answers),
        "verdicts": dict(sorted(Counter(answer["verdict"] for answer in answers).items())),
        "search": spent["search"] / sweep,
        "confirmation": spent["confirmation"] / sweep,
        "gain": sum(answer["recommended"]["gain"]["mean"] for answer in answers) / len(answers),
        "seconds": seconds,
        "demo": demo,
    }


def main() -> None:
    """Measure both versions, print them side by side, and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--revision", default="bb3545b")
    parser.add_argument("--study", default="digits")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", help="`now` or the revision; the other side stays as it is in the file")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.only else {}
    with TemporaryDirectory() as folder:
        trees = {"now": ROOT, options.revision: unpacked(options.revision, Path(folder) / "before")}
        for name in [options.only] if options.only else trees:
            tree = trees[name]
            results[name] = measured(tree, Path(folder) / f"home {name}", options.study)
            print(name, json.dumps(results[name], indent=2), flush=True)
    now, before = results["now"], results[options.revision]
    results["ratios"] = {name: now[name] / before[name] for name in ("seconds", "demo")}
    results["gain now minus before"] = now["gain"] - before["gain"]
    print(json.dumps({name: results[name] for name in ("ratios", "gain now minus before")}, indent=2))
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
