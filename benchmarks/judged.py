"""What the recommended answers are worth on federations that nobody had looked at, beside what knows as much.

    python -m benchmarks.judged [--only digits cifar10_six digits_mixed] [--seeds 1 2] [--home DIRECTORY]

autokd was built on the shipped seeds of the federations; here the seed is another one, and so are the
participants' examples, models and label shares. All pairs of the two digits federations are tuned in the
shipped space, the six pairs of CIFAR-10 in `private`, where nothing private moves. Told are gains on test, in
pp over the student's model as it is, with intervals over participants; what each answer and each rival is was
decided on validation or confirmation.

| rival | what it is |
|---|---|
| corrected | the own model, its label prior divided out |
| partner, corrected partner | the teacher's model, adopted |
| average, corrected average | both models' probabilities averaged: two models run |
| default | T = 1, alpha = 0.5 at the budget that validation chose |
| one model | the best of the rivals that need one model, chosen on confirmation |
| one setting | no teacher, both participants' data, adjusted loss, four times the epochs, for all pairs |
| cross-entropy, adjusted | no teacher, the student's data: rate, schedule and budget chosen on validation |

The last two are trained where no private example moves, the one setting where they may. With `--home` what
was done is not done again. The numbers are kept in `benchmarks/results/judged.json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import permutations, product
from multiprocessing.pool import Pool
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import yaml

from autokd.compute.ray_cluster import session
from autokd.config.space import sweep_examples
from autokd.core.price import Prices
from autokd.core.records import Correctness
from autokd.core.setting import LabelPrior, Pair, Split
from autokd.core.verdict_basis import DEFAULT_BUDGET
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.recommendation.comparisons import TEACHER_PART
from autokd.recommendation.recommendation import Recommendation
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import POINTS, Interval
from autokd.workflows.recommend import recommend
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.alone import Order, SharedOrder, trained_alike, trained_alone
from benchmarks.pairs import pair_of

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "judged.json"
_FEWEST: Final = 4
"""Pairs below which no interval over participants is told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is judged of a federation.

    Attributes:
        study: Its recipe, of which the seed is replaced.
        space: Shipped space.
        pairs: None for all of them.
    """

    study: Path
    space: str
    pairs: tuple[str, ...] | None = None

    @property
    def is_private(self) -> bool:
        """Whether no private example moves."""
        return self.space == "private"


PLANS: Final[Mapping[str, Plan]] = {
    "digits": Plan(HERE.parent / "studies" / "digits.yaml", "default"),
    "digits_mixed": Plan(HERE / "digits_mixed.yaml", "default"),
    "cifar10_six": Plan(HERE / "cifar10_six.yaml", "private", ("4,9", "9,4", "1,4", "4,1", "2,7", "8,3")),
}
ONE_MODEL: Final = (
    "as it is",
    "corrected",
    "partner",
    "corrected partner",
    "default",
    "default, best budget",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A pair; gains on test, in pp.

    Attributes:
        gains: Of the recommended answer and of each rival.
        teacher_part: What of the winner's gain is the teacher's; None for a winner without one.
        examples: Training examples of search, race and confirmation.
        sweep: Training examples of a sweep of the poster's grid at the largest budget of the search.
    """

    pair: str
    verdict: str
    setting: str
    has_teacher: bool
    gains: Mapping[str, float]
    teacher_part: float | None
    examples: int
    sweep: int


def with_seed(plan: Plan, seed: int, folder: Path) -> Path:
    """Write the recipe with another seed, and return its file."""
    content = yaml.safe_load(plan.study.read_text(encoding="utf-8"))
    content["federation"]["seed"] = seed
    content["space"] = plan.space
    dataset = content["federation"]["dataset"]
    if isinstance(dataset, dict) and "root" in dataset:
        dataset["root"] = str((plan.study.parent / dataset["root"]).resolve())
    file = folder / f"{plan.study.stem}_{seed}.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def untrained(federation: Federation, pair: Pair, split: Split) -> Mapping[str, Correctness]:
    """Return the correctness of everything that needs no training."""
    teacher, student = pair.teacher, pair.student
    return {
        "as it is": federation.correct(student, split),
        "corrected": federation.corrected(student, split),
        "partner": federation.correct(teacher, split),
        "corrected partner": federation.corrected(teacher, split),
        "average": federation.averaged((teacher, student), split),
        "corrected average": federation.averaged((teacher, student), split, without_priors=True),
    }


def row(workspace: Workspace, federation: Federation, recommendation: Recommendation) -> Row:
    """Hold one pair's answer against its rivals."""
    judgement, config = recommendation.judgement, workspace.config
    pair, setting = pair_of(recommendation.pair), recommendation.setting
    gains: dict[Split, dict[str, float]] = {}
    for split in (Split.CONFIRMATION, Split.TEST):
        own = federation.correct(pair.student, split).mean()
        in_split = {
            name: POINTS * float(right.mean() - own)
            for name, right in untrained(federation, pair, split).items()
        }
        if judgement is not None:
            evidence = judgement.evidence
            in_split["default"] = POINTS * float(evidence.default.correct[split].mean() - own)
            if (longer := evidence.rivals.get(DEFAULT_BUDGET)) is not None:
                in_split["default, best budget"] = POINTS * float(longer.correct[split].mean() - own)
        gains[split] = in_split
    chosen = max(
        (name for name in ONE_MODEL if name in gains[Split.TEST]), key=gains[Split.CONFIRMATION].__getitem__
    )
    on_test = gains[Split.TEST]
    on_test |= {"recommended": recommendation.recommended_gain.mean, "one model": on_test[chosen]}
    part = None if judgement is None else judgement.test.intervals.get(TEACHER_PART)
    prices = Prices.of_pair(federation.facts(), pair, epochs=config.distillation.epochs)
    assert prices is not None
    return Row(
        pair=str(pair),
        verdict=recommendation.verdict.value,
        setting=str(setting),
        has_teacher=setting is not None and setting.alpha != 0,
        gains=on_test,
        teacher_part=None if part is None else part.mean,
        examples=prices.spent((*recommendation.records.trials, *recommendation.records.runs)),
        sweep=sweep_examples(config, workspace.space, prices),
    )


def averages(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the mean gain of the recommended answer and of each rival, and the answer minus the rival."""
    ours = {Pair.parse(row.pair): row.gains["recommended"] for row in rows}
    averages: dict[str, Any] = {"recommended": {"gain": dyadic_interval(ours).to_json()}}
    for name in sorted(set.intersection(*(set(row.gains) for row in rows)) - {"recommended"}):
        theirs = {Pair.parse(row.pair): row.gains[name] for row in rows}
        beyond = {pair: ours[pair] - theirs[pair] for pair in ours}
        averages[name] = {
            "gain": dyadic_interval(theirs).to_json(),
            "recommended minus it": dyadic_interval(beyond).to_json(),
        }
    parts = {Pair.parse(row.pair): row.teacher_part for row in rows if row.teacher_part is not None}
    if len(parts) >= _FEWEST:
        averages["teacher's part"] = {"gain": dyadic_interval(parts).to_json(), "pairs": len(parts)}
    return averages


def judged(name: str, seed: int, home: Path, workers: int) -> dict[str, Any]:
    """Tune one federation and return all its figures."""
    plan = PLANS[name]
    study = with_seed(plan, seed, home)
    place = home / study.stem
    workspace = Workspace.open(study, home=place)
    everybody = range(workspace.config.federation.size)
    pairs = [Pair(*two) for two in permutations(everybody, 2)]
    pairs = pairs if plan.pairs is None else [workspace.pair(text) for text in plan.pairs]
    began = perf_counter()
    if tune_all(workspace, pairs).interrupted:
        raise SystemExit(130)
    seconds = perf_counter() - began
    federation = find(place, workspace.config.federation)
    assert federation is not None
    rows = [row(workspace, federation, recommend(workspace, pair)) for pair in pairs]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        add = with_trained_alone if plan.is_private else with_one_setting
        rows = add(rows, study, place, pool)
    return {
        "federation": federation.name,
        "pairs": len(rows),
        "verdicts": dict(sorted(Counter(row.verdict for row in rows).items())),
        "winners with a teacher": sum(row.has_teacher for row in rows),
        "cost": sum(row.examples for row in rows) / sum(row.sweep for row in rows),
        "seconds of this command": round(seconds),
        "on test, pp": averages(rows),
        "rows": [asdict(row) for row in rows],
    }


def with_trained_alone(rows: Sequence[Row], study: Path, place: Path, pool: Pool) -> list[Row]:
    """Add the rivals that are trained on the student's data."""
    students = sorted({Pair.parse(row.pair).student for row in rows})
    orders = [Order(study, place, *case) for case in product(students, LabelPrior)]
    kept = _carried_out(trained_alone, orders, place / "alone.json", pool)
    words = {LabelPrior.NONE: "cross-entropy", LabelPrior.ADJUSTED: "adjusted cross-entropy"}
    return [
        _with(
            row,
            {
                words[prior]: kept[str(Order(study, place, Pair.parse(row.pair).student, prior))]["gain"]
                for prior in LabelPrior
            },
        )
        for row in rows
    ]


def with_one_setting(rows: Sequence[Row], study: Path, place: Path, pool: Pool) -> list[Row]:
    """Add the setting that all pairs share."""
    orders = [SharedOrder(study, place, Pair.parse(row.pair)) for row in rows]
    kept = _carried_out(trained_alike, orders, place / "one_setting.json", pool)
    return [_with(row, {"one setting": kept[str(order)]}) for row, order in zip(rows, orders, strict=True)]


def _with(row: Row, gains: Mapping[str, float]) -> Row:
    return replace(row, gains={**row.gains, **gains})


def _carried_out(
    work: Callable[[Any], Any], orders: Sequence[object], file: Path, pool: Pool
) -> dict[str, Any]:
    """Return what comes of each order, by its name; the file keeps them as they come."""
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    missing = [order for order in orders if str(order) not in kept]
    for order, answer in zip(missing, pool.imap(work, missing), strict=True):
        kept[str(order)] = answer
        file.write_text(json.dumps(kept, indent=1))
    return kept


def table(judged: Mapping[str, Any]) -> str:
    """Return one federation's figures in Markdown."""
    lines = ["| | gain on test (pp) | the recommended answer minus it |", "|---|---:|---:|"]
    for name, figure in judged["on test, pp"].items():
        lines.append(f"| {name} | {_shown(figure['gain'])} | {_shown(figure.get('recommended minus it'))} |")
    return "\n".join(lines)


def _shown(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else str(Interval(interval["mean"], interval["low"], interval["high"]))


def main() -> None:
    """Judge, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=sorted(PLANS), default=list(PLANS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--home", type=Path, help="by default made and thrown away")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.mkdir(parents=True, exist_ok=True)
        for name, seed in product(options.only, options.seeds):
            with session():
                results = judged(name, seed, home.resolve(), os.cpu_count() or 1)
            kept = json.loads(options.out.read_text()) if options.out.exists() else {}
            kept[f"{name}, seed {seed}"] = results
            options.out.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            brief = {key: value for key, value in results.items() if key not in ("rows", "on test, pp")}
            print(f"\n{name}, seed {seed}: {json.dumps(brief)}\n\n{table(results)}", flush=True)


if __name__ == "__main__":
    main()
