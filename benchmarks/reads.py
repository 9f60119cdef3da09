"""CPU seconds of commands that read a whole store, beside those of an earlier commit.

    python -m benchmarks.reads --home HOME

HOME holds a tuned batch; it is copied first. Both versions run the same commands in turn, each in a new
process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[1]
EARLIER: Final = "bb3545b"
RESULTS: Final = Path(__file__).parent / "results" / "reads.json"
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "report": ("report", "--out", "report.html"),
    "recommend --all": ("recommend", "--all", "--json"),
}


def main() -> None:
    """Run all rounds, print each command's figures and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="Home folder of a tuned batch.")
    parser.add_argument("--study", default="digits", help="Its study recipe.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each command runs in each version.")
    options = parser.parse_args()
    with TemporaryDirectory() as name, earlier_tree(Path(name) / "earlier") as earlier:
        folder = Path(name)
        homes = {"earlier": folder / "home-earlier", "now": folder / "home-now"}
        for home in homes.values():
            shutil.copytree(options.home, home)
        trees = {"earlier": earlier, "now": ROOT}
        results = {}
        for command, arguments in COMMANDS.items():
            seconds: dict[str, list[float]] = {"earlier": [], "now": []}
            for number in range(options.rounds):
                for version in sorted(trees, reverse=bool(number % 2)):
                    line = [*arguments, "--study", options.study, "--home", str(homes[version])]
                    seconds[version].append(cpu_seconds(trees[version], line, folder))
            ratios = [now / before for now, before in zip(seconds["now"], seconds["earlier"], strict=True)]
            results[command] = {
                "earlier": [round(value, 2) for value in seconds["earlier"]],
                "now": [round(value, 2) for value in seconds["now"]],
                "ratio": round(statistics.median(ratios), 3),
                "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
            }
            print(f"autokd {command}: {results[command]} (ratio: CPU seconds now / earlier)", flush=True)
    RESULTS.write_text(json.dumps({"earlier_commit": EARLIER, "commands": results}, indent=2) + "\n")


@contextmanager
def earlier_tree(folder: Path) -> Iterator[Path]:
    """Check the earlier commit out into a folder."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(folder), EARLIER], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def cpu_seconds(tree: Path, arguments: Sequence[str], folder: Path) -> float:
    """Run autokd of a source tree, and return its user and system time."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "autokd", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
