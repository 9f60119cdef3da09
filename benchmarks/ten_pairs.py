"""Ten pairs tuned for real: is the recommended answer worth more than what one has without it?

    python benchmarks/ten_pairs.py [--study STUDY] [--trials 32] [--home DIRECTORY]

The pairs were listed before any of them was looked at. Each gets the study's number of trials; two pairs of
one meeting share theirs, as `autokd tune` has it. All figures are gains on the test split, in pp of the
student. The rival is the better of the default setting and doing nothing. Which of the two is better is
decided where autokd decides: on confirmation, by the mean. The rival that knows the test split is shown
beside it; nobody can have that one, and noise alone lifts it above 0.

The second table is what a reader should doubt: how much of the winner's gain is the teacher's doing? The same
student goes on training on the same examples with the same seeds and no teacher (alpha = 0). The third says
which role is the better one. The results are in `docs/results/gains.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.compute.device import Compute
from autokd.compute.ray_cluster import session
from autokd.config.training import DistillationConfig
from autokd.core.records import Correctness
from autokd.core.setting import Pair, Position, Setting, Split, TransferSet, derive_seed
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.recommendation import Recommendation, Verdict
from autokd.recommendation.judgement import Judgement
from autokd.statistics.paired import NOTHING, POINTS, Interval, paired_interval
from autokd.workflows.prepare import prepare
from autokd.workflows.tune import tune as tune_pair
from autokd.workspace import Workspace
from benchmarks.pairs import pair_of

PAIRS = ("4,9", "9,4", "1,4", "4,1", "2,7", "7,2", "8,3", "3,8", "0,5", "6,1")
PACKAGES = ("torch", "ray", "optuna", "numpy", "scikit-learn", "sqlalchemy")
FROZEN = Path(__file__).parent / "frozen" / "digits.yaml"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair, judged; gains are on test, in pp of the student.

    Attributes:
        rival: `default` or `as-is`, whichever was better on confirmation.
        difference: Recommended minus rival, paired by seed and example.
        untaught: Winner minus `no teacher`; None where alpha has no meaning or there is no winner.
        arms: Correctness on test of each answer, by its name; shape (seeds, examples), or (examples,) as-is.
    """

    found: Recommendation
    judgement: Judgement
    rival: str
    difference: Interval
    untaught: Interval | None
    arms: dict[str, Correctness]

    @property
    def answer(self) -> str:
        return self.found.verdict.answer

    def gain(self, answer: str) -> Interval:
        """Of `tuned` (the winner of the race, whatever the verdict), `default` or `as-is`."""
        figures = self.judgement.test
        if answer == "as-is":
            return NOTHING
        return figures.winner_gain or figures.default_gain if answer == "tuned" else figures.default_gain

    def minus(self, first: str, second: str) -> NDArray[np.float64]:
        """Difference of correctness of two answers, shape (seeds or 1, examples)."""
        former, other = (self.arms[name].astype(np.float64) for name in (first, second))
        return np.atleast_2d(former - other)

    @property
    def oracle(self) -> str:
        """The better of default and nothing on test itself."""
        return "default" if self.gain("default").mean > 0 else "as-is"


def row(recommendation: Recommendation, federation: Federation, recipe: DistillationConfig) -> Row:
    """Line a recommendation up with its rivals."""
    judgement = recommendation.judgement
    if judgement is None:
        sys.exit(f"{recommendation.pair}: {recommendation.reason}")
    evidence, confirmation = judgement.evidence, recommendation.confirmation
    rival = "default" if judgement.confirmation.default_gain.mean > 0 else "as-is"
    arms = {
        "as-is": evidence.own[Split.TEST],
        "default": evidence.default.correct[Split.TEST],
        "tuned": (evidence.winner or evidence.default).correct[Split.TEST],
    }

    def minus(first: str, second: str) -> Interval:
        return paired_interval(
            arms[first],
            arms[second],
            confidence=confirmation.confidence,
            resamples=confirmation.resamples,
            seed=derive_seed(recommendation.records.study, first, second),
        )

    answer, untaught = recommendation.verdict.answer, None
    if evidence.winner is not None and evidence.winner.setting.transfer_set is not TransferSet.PUBLIC:
        alone = Setting(1.0, 0.0, evidence.winner.setting.transfer_set)
        arms["no teacher"] = np.stack(
            [
                untaught_student(federation, pair_of(recommendation.pair), alone, seed, recipe)
                for seed in evidence.seeds
            ]
        )
        untaught = minus("tuned", "no teacher")
    return Row(
        found=recommendation,
        judgement=judgement,
        rival=rival,
        difference=NOTHING if answer == rival else minus(answer, rival),
        untaught=untaught,
        arms=arms,
    )


def untaught_student(
    federation: Federation, pair: Pair, setting: Setting, seed: int, recipe: DistillationConfig
) -> Correctness:
    """Correctness on test of a run that is no part of any search; shape (examples,)."""
    run = Run(
        federation,
        pair,
        setting,
        seed=seed,
        recipe=recipe,
        rungs=(recipe.epochs,),
        splits=(Split.TEST,),
        compute=Compute(),
    )
    return next(run).evaluations[Split.TEST].correct


def pooled(
    differences: Sequence[NDArray[np.float64]], *, confidence: float = 0.95, resamples: int = 4000
) -> Interval:
    """Mean over these pairs, over examples and seeds like those at hand; percentiles of crossed resamples.

    All pairs are asked on the same examples, so one draw of examples serves them all; each has seeds of its
    own. The pairs are not resampled: they were fixed, and share participants.

    Args:
        differences: Of each pair, shape (seeds or 1, examples).
        confidence: In (0, 1).
        resamples: How many.
    """
    rng = np.random.default_rng(0)
    examples = differences[0].shape[1]
    drawn = rng.multinomial(examples, np.full(examples, 1 / examples), size=resamples)
    means = np.zeros(resamples)
    for difference in differences:
        seeds = len(difference)
        chosen = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
        means += ((chosen @ difference) * drawn).sum(axis=1) / difference.size
    mean = float(np.mean([each.mean() for each in differences]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means / len(differences), [tail, 1 - tail])
    return Interval(POINTS * mean, POINTS * min(mean, float(low)), POINTS * max(mean, float(high)))


def summary(rows: Sequence[Row]) -> dict[str, Interval]:
    """What each way of answering comes to on average, and how the recommended one compares."""
    return {
        "recommended": pooled([row.minus(row.answer, "as-is") for row in rows]),
        "better of default and nothing, by confirmation": pooled(
            [row.minus(row.rival, "as-is") for row in rows]
        ),
        "better of default and nothing, by test": pooled([row.minus(row.oracle, "as-is") for row in rows]),
        "always the default": pooled([row.minus("default", "as-is") for row in rows]),
        "always the winner of the race": pooled([row.minus("tuned", "as-is") for row in rows]),
        "recommended minus better by confirmation": pooled(
            [row.minus(row.answer, row.rival) for row in rows]
        ),
        "recommended minus better by test": pooled([row.minus(row.answer, row.oracle) for row in rows]),
        "winner minus no teacher on the same examples": pooled(
            [row.minus("tuned", "no teacher") for row in rows if row.untaught is not None]
        ),
    }


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown, in the order of the pairs."""
    yield (
        "| pair | verdict | winner of the race | its gain | default's gain | recommended "
        "| better of default and nothing | difference |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for row in rows:
        winner = row.judgement.evidence.winner
        cells = (
            row.found.pair,
            row.found.verdict,
            "none" if winner is None else winner.setting,
            _short(row.gain("tuned")),
            _short(row.gain("default")),
            f"{row.gain(row.answer).mean:+.1f} ({row.answer})",
            f"{row.gain(row.rival).mean:+.1f} ({row.rival})",
            _short(row.difference),
        )
        yield f"| {' | '.join(map(str, cells))} |"


def doubts(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: what the teacher is worth, the examples being there anyway."""
    yield "| pair | winner of the race | its gain | no teacher, same examples | difference |"
    yield "|---|---|---:|---:|---:|"
    for row in rows:
        winner = row.judgement.evidence.winner
        if winner is not None and row.untaught is not None:
            alone = POINTS * row.minus("no teacher", "as-is").mean()
            yield (
                f"| {row.found.pair} | {winner.setting} | {row.gain('tuned').mean:+.1f} | {alone:+.1f} "
                f"| {_short(row.untaught)} |"
            )


def positions(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: what becomes of each student by the role that it takes."""
    yield "| pair | advice to the student | as student | as teacher | by adoption |"
    yield "|---|---|---:|---:|---:|"
    for row in rows:
        pair, position = row.found.of_pair
        gains = (position.test.as_student, position.test.as_teacher, position.test.by_adoption)
        cells = (f"{gain.mean:+.1f}" if gain else "not searched" for gain in gains)
        yield f"| {pair} | {position.advice} | {' | '.join(cells)} |"


def _short(interval: Interval) -> str:
    return f"{interval.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"


def record(row: Row) -> dict[str, object]:
    """A pair as JSON values: all that `autokd recommend --json` says, and the comparison."""
    return {
        **row.found.to_json(),
        "rival": {"answer": row.rival, "gain": row.gain(row.rival).to_json()},
        "recommended_minus_rival": row.difference.to_json(),
        "winner_minus_no_teacher": None if row.untaught is None else row.untaught.to_json(),
        "better_on_test": row.oracle,
    }


def machine() -> dict[str, object]:
    """What timings depend on."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def tune(workspace: Workspace, pairs: Sequence[Pair]) -> tuple[list[Recommendation], list[dict[str, object]]]:
    """All pairs, meeting by meeting; and what each meeting took."""
    recommendations: dict[Pair, Recommendation] = {}
    meetings: list[dict[str, object]] = []
    for pair in pairs:
        if pair in recommendations:
            continue
        both = pair.reverse in pairs
        began = perf_counter()
        outcome = tune_pair(workspace, pair, position=None if both else Position.STUDENT)
        if outcome.interrupted:
            sys.exit("interrupted; with --home the same command goes on")
        searched = [str(recommendation.pair) for recommendation in outcome.recommendations]
        seconds = round(perf_counter() - began, 1)
        meetings.append({"searched": searched, "runs": outcome.ran, "seconds": seconds})
        print(f"{', '.join(searched)}: {outcome.ran} runs, {seconds} s", file=sys.stderr)
        recommendations.update(
            {pair_of(recommendation.pair): recommendation for recommendation in outcome.recommendations}
        )
    return [recommendations[pair] for pair in pairs], meetings


def main() -> None:
    """Prepare, tune, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default=str(FROZEN))
    parser.add_argument("--pair", action="append", help="in place of the ten")
    parser.add_argument("--trials", type=int, help="per pair, in place of the study's number")
    parser.add_argument(
        "--home", type=Path, help="by default made and thrown away; what it has is not redone"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "ten_pairs.json")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workspace = Workspace.open(options.study, home=home, trials=options.trials)
        pairs = [workspace.pair(text) for text in options.pair or PAIRS]
        before, began = machine(), perf_counter()
        stack.enter_context(session())
        federation = prepare(workspace, Compute(), progress=lambda done, total: None)
        prepared = perf_counter() - began
        recommendations, meetings = tune(workspace, pairs)
        seconds = perf_counter() - began
    torch.set_num_threads(1)  # As the workers have it.
    rows = [
        row(recommendation, federation, workspace.config.distillation) for recommendation in recommendations
    ]
    means = summary(rows)
    for part in (table, doubts, positions):
        print(*part(rows), sep="\n", end="\n\n")
    for name, interval in means.items():
        print(f"{name:48} {interval}")
    verdicts = {verdict.value: sum(row.found.verdict is verdict for row in rows) for verdict in Verdict}
    print(f"\n{federation.name}, {workspace.config.search.trials} trials a pair, {seconds:.0f} s; {verdicts}")
    content = {
        "study": options.study,
        "federation": federation.name,
        "trials_per_pair": workspace.config.search.trials,
        "machine": before,
        "load_at_end": [round(load, 1) for load in os.getloadavg()],
        "seconds": {"prepare": round(prepared, 1), "all": round(seconds, 1), "meetings": meetings},
        "verdicts": verdicts,
        "pooled": {name: interval.to_json() for name, interval in means.items()},
        "pairs": [record(row) for row in rows],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
