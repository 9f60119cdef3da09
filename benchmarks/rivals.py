"""The recommended answer beside everything that a sceptic would do instead, on the average of many pairs.

    python -m benchmarks.rivals [--study STUDY] [--pairs 24 | 4,9 9,4 ...] [--home DIRECTORY]

All pairs are tuned first, since one rival is the setting that did best on the others; with `--home` what it
has is not done again. Then `explain` runs the rivals of the pairs asked for, by default 24 drawn by chance.
What is recommended was decided on confirmation, which setting a rival has on validation; all figures are from
test, in pp over the student's model as it is, and intervals resample participants. Where a rival is the very
setting that is held against the others, it counts with what that gains.

Where the gain comes from is told, too, for the setting that won: what each step from the default to it is
worth. The numbers are kept in `benchmarks/results/rivals.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from autokd.compute.ray_cluster import session
from autokd.core.setting import Pair, Split
from autokd.explanation.attribution import Step
from autokd.explanation.comparison import Line
from autokd.explanation.explanation import Explanation
from autokd.recommendation import Recommendation
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import Interval
from autokd.workflows.explain import explain
from autokd.workflows.recommend import recommend
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.null import asked_for
from benchmarks.pairs import pair_of

FROZEN: Final = Path(__file__).parent / "frozen" / "digits.yaml"
RESULTS: Final = Path(__file__).parent / "results" / "rivals.json"
WORDS: Final = {
    "partner": "adopting the teacher's model as it is",
    "default_learning_rate": "the default with the best of five learning rates",
    "cross_entropy": "no teacher, the same examples",
}
"""Of rivals that are called something else for each pair."""


class Row(NamedTuple):
    """A pair's recommendation and what it was held against."""

    found: Recommendation
    explained: Explanation

    @property
    def pair(self) -> Pair:
        """The pair of both."""
        return pair_of(self.found.pair)

    @property
    def recommended(self) -> float:
        """What following the recommendation gains on test, in pp; 0 where that is to change nothing."""
        answer = self.found.verdict.answer
        return 0.0 if answer == "as-is" else self.gain("default" if answer == "default" else None)

    def gain(self, rival: str | None) -> float:
        """Of a rival on test, or of the setting that is compared with them; in pp."""
        if rival is None:
            return self.explained.gain[Split.TEST].mean
        line = self.line(rival)
        # A rival has no line of its own where it is what the others are compared with.
        return self.explained.gain[Split.TEST].mean if line is None else _gain(line).mean

    def line(self, rival: str) -> Line | None:
        """None where there is none."""
        return next((line for line in self.explained.lines if line.key == rival), None)


def _gain(line: Line) -> Interval:
    assert line.gain is not None, line.note
    return line.gain[Split.TEST]


def rivals(rows: Sequence[Row]) -> Mapping[str, str]:
    """Key and words of all that some pair was held against."""
    return {
        line.key: WORDS.get(line.key, line.words)
        for row in rows
        for line in row.explained.lines
        if line.gain is not None and line.key != "winner"
    }


def means(rows: Sequence[Row]) -> Mapping[str, tuple[Interval, Interval]]:
    """By rival: its gain, and the recommended answer minus it; "recommended" has the first alone."""
    ours = {row.pair: row.recommended for row in rows}
    intervals = {"recommended": (dyadic_interval(ours), dyadic_interval(dict.fromkeys(ours, 0.0)))}
    for rival in rivals(rows):
        theirs = {row.pair: row.gain(rival) for row in rows}
        differences = {pair: ours[pair] - theirs[pair] for pair in ours}
        intervals[rival] = dyadic_interval(theirs), dyadic_interval(differences)
    return intervals


def steps(rows: Sequence[Row]) -> Mapping[str, tuple[Interval, int]]:
    """What each step is worth on test, 0 for a pair without it; and how many have it, at least one."""
    parts = {row.pair: row.explained.attribution for row in rows}
    intervals: dict[str, tuple[Interval, int]] = {}
    for step in Step:
        worth = {
            pair: part.parts[step][Split.TEST].mean
            for pair, part in parts.items()
            if part is not None and step in part.parts
        }
        if worth:
            intervals[step.value] = (
                dyadic_interval({pair: worth.get(pair, 0.0) for pair in parts}),
                len(worth),
            )
    return intervals


def main() -> None:
    """Tune, explain, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default=str(FROZEN))
    parser.add_argument("--pairs", nargs="+", default=["24"], help="so many drawn by chance, or these")
    parser.add_argument("--home", type=Path, help="by default made and thrown away")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workspace = Workspace.open(options.study, home=home)
        everybody = range(workspace.config.federation.size)
        pairs = asked_for(options.pairs, len(everybody))
        stack.enter_context(session())
        if tune_all(workspace, [Pair(*two) for two in permutations(everybody, 2)]).interrupted:
            raise SystemExit(130)
        rows, runs, began = [], 0, perf_counter()
        for pair in pairs:
            done = explain(workspace, pair)
            if done.explanation is None:
                raise SystemExit(130)
            rows.append(Row(recommend(workspace, pair), done.explanation))
            runs += done.explanation.runs
            print(f"{pair}: {rows[-1].found.verdict}, {rows[-1].recommended:+.1f} pp", flush=True)
        seconds = perf_counter() - began
    words = {"recommended": "the recommended answer", **rivals(rows)}
    print("\n| | gain, pp | the recommended answer minus it |\n|---|---:|---:|")
    for rival, (gain, difference) in means(rows).items():
        print(f"| {words[rival]} | {gain} | {'' if rival == 'recommended' else difference} |")
    print("\n| step | worth, pp | of so many pairs |\n|---|---:|---:|")
    for step, (worth, count) in steps(rows).items():
        print(f"| {step} | {worth} | {count} of {len(rows)} |")
    print(f"\n{runs} runs of rivals, {seconds:.0f} s")
    content = {
        "study": options.study,
        "pairs": {str(row.pair): row.explained.to_json() for row in rows},
        "means": {
            name: {"gain": gain.to_json(), "recommended_minus_it": difference.to_json()}
            for name, (gain, difference) in means(rows).items()
        },
        "steps": {
            name: {"worth": worth.to_json(), "pairs": count} for name, (worth, count) in steps(rows).items()
        },
        "runs": runs,
    }
    RESULTS.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
