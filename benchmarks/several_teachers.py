"""Several teachers at once beside the best single one and beside none, on the mean of all students.

    python -m benchmarks.several_teachers [--study digits] [--seed 0] [--students 0,1,... | all]
        [--candidates all | 0,3,7] [--trials 32] [--run-seeds 3] [--with-pairs] [--home DIRECTORY]

`--seed` is the federation's. All students learn in one batch, with all other participants as candidates and
nothing private moving. Each group is confirmed with `--run-seeds` seeds. With `--with-pairs` all pairs of
these students are tuned before, so that the best single teacher has its own search; else it is the best
setting with one teacher of the group's. What is judged was chosen on validation; all figures are from
test, in pp, and intervals are over students (Student's t). With `--home` what it has is not done again, also
after a kill.

The numbers are kept in `benchmarks/results/several_teachers_<study>_<seed>.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from scipy.stats import t as student_t

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.pair import AnyPair, Group, Pair
from autokd.core.setting import Position, Split
from autokd.recommendation import Recommendation
from autokd.recommendation.comparisons import (
    AVERAGED_GAIN,
    BEYOND_AVERAGED,
    BEYOND_SINGLE,
    CORRECTED_GAIN,
    DEFAULT_GAIN,
    TEACHER_PART,
    WINNER_GAIN,
)
from autokd.recommendation.race import teachers_of
from autokd.workflows.candidates import groups_of
from autokd.workflows.recommend import recommend
from autokd.workflows.status import status
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace

RESULTS: Final = Path(__file__).parent / "results"
FIGURES: Final = {
    "gain": WINNER_GAIN,
    "default_gain": DEFAULT_GAIN,
    "over_single_teacher": BEYOND_SINGLE,
    "over_no_teacher": TEACHER_PART,
    "corrected_own_model": CORRECTED_GAIN,
    "averaged_models": AVERAGED_GAIN,
    "over_averaged_models": BEYOND_AVERAGED,
}
"""What is compared, by its name in the results."""


def plan(study: str, seed: int, trials: int, run_seeds: int) -> StudyConfig:
    """Return a shipped recipe with another federation seed, and as many seeds in each confirmation."""
    config = read_study_config(study)
    federation = config.federation.model_copy(update={"seed": seed})
    looks = ConfirmationConfig(seeds=run_seeds, early_looks=(), race_seeds=config.confirmation.race_seeds)
    return config.with_(trials=trials).model_copy(update={"federation": federation, "confirmation": looks})


def over_students(values: Sequence[float]) -> dict[str, float] | None:
    """Return mean and 95% interval over students; None of fewer than two."""
    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(student_t.ppf(0.975, len(values) - 1)) * error
    return {"mean": mean, "low": mean - reach, "high": mean + reach}


def row(recommendation: Recommendation) -> dict[str, Any]:
    """Return what one group came to."""
    intervals = {} if recommendation.judgement is None else recommendation.judgement.test.intervals
    figures = {name: intervals[key].mean if key in intervals else None for name, key in FIGURES.items()}
    winner = None if recommendation.judgement is None else recommendation.judgement.evidence.winner
    if winner is not None:
        # What nobody or one participant teaches is no better than that rival: it is that rival.
        teachers = teachers_of(recommendation.pair, winner.setting)
        figures |= {"over_single_teacher": 0.0} if teachers < 2 else {}
        figures |= {"over_no_teacher": 0.0} if teachers < 1 else {}
    return {
        "group": str(recommendation.pair),
        "verdict": recommendation.verdict.value,
        "setting": None if recommendation.setting is None else recommendation.setting.to_json(),
        "recommended_gain": recommendation.recommended_gain.mean,
        **figures,
        "sent": None if recommendation.network is None else recommendation.network.total,
        "trials": len(recommendation.records.trials),
        "accuracy_before": recommendation.student.accuracy(Split.TEST),
    }


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return each figure over the students of which it is known, with their number."""
    names = ("recommended_gain", *FIGURES)
    known = {name: [each[name] for each in rows if each[name] is not None] for name in names}
    return {
        name: {"students": len(values), **(over_students(values) or {})} for name, values in known.items()
    }


def measure(workspace: Workspace, groups: Sequence[AnyPair], *, with_pairs: bool) -> dict[str, Any]:
    """Tune what is missing, and return all figures."""
    began = perf_counter()
    if with_pairs:
        pairs = [Pair(teacher, group.student) for group in groups for teacher in group.teachers]
        tune_all(workspace, pairs, position=Position.STUDENT)
    batch = tune_all(workspace, groups, position=Position.STUDENT)
    if batch.interrupted:
        raise KeyboardInterrupt
    rows = [row(recommend(workspace, group)) for group in groups if isinstance(group, Group)]
    whole = status(workspace).whole
    return {
        "study": workspace.config.name,
        "federation_seed": getattr(workspace.config.federation, "seed", None),
        "trials": workspace.config.search.trials,
        "run_seeds": workspace.config.confirmation.seeds,
        "with_pairs": with_pairs,
        "seconds": round(perf_counter() - began),
        "over_students": summary(rows),
        "whole_federation": None if whole is None else whole.to_json(),
        "groups": rows,
    }


def main() -> None:
    """Measure, print the means and keep everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--students", default="all")
    parser.add_argument("--candidates", default="all")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--run-seeds", type=int, default=3)
    parser.add_argument("--with-pairs", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    config = plan(options.study, options.seed, options.trials, options.run_seeds)
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workspace = Workspace.open(config, home=home)
        students = (
            None if options.students == "all" else [int(number) for number in options.students.split(",")]
        )
        chosen = [None] if students is None else students
        groups = [group for number in chosen for group in groups_of(workspace, options.candidates, number)]
        measured = measure(workspace, groups, with_pairs=options.with_pairs)
    output = RESULTS / f"several_teachers_{config.name}_{options.seed}.json"
    output.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps(measured["over_students"], indent=1))
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
