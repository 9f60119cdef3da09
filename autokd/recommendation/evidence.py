"""Evidence of a verdict: own model, default and winner on the same examples with paired seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autokd.config.study import StudyConfig
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.reasons import in_a_line
from autokd.core.records import Correctness, Failure, RunRecord, RunState, Stage, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, Split
from autokd.recommendation.race import confirmation_seeds, winner
from autokd.statistics.paired import Weights

JUDGED = (Split.CONFIRMATION, Split.TEST)
"""The splits that confirmation runs are evaluated on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """The students of one setting, by seed.

    Attributes:
        correct: By split, shape (seeds, examples).
        forgetting: Mean over seeds on the test split, in pp; None if no run reports it.
        diverged: Number of seeds that ended without a student; the own model stands in for it.
    """

    setting: Setting
    correct: Mapping[Split, Correctness]
    forgetting: float | None
    diverged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """All that the verdict of a pair depends on.

    Attributes:
        seeds: Indices of the paired confirmation runs; row i of each arm is seed i.
        own: Correctness of the student's model as it is, by split, shape (examples,).
        winner: The race's choice; None if the default stands alone.
        local: Weight of each example on the student's own label distribution, by split
            (`autokd.statistics.label_weights`); empty if only gain counts.
        weights: Weights of the examples on the target distribution: what a gain is measured with.
    """

    seeds: tuple[int, ...]
    own: Mapping[Split, Correctness]
    default: Arm
    winner: Arm | None
    local: Mapping[Split, Weights] = field(default_factory=dict)
    weights: ExampleWeights = EVEN


@dataclass(frozen=True, slots=True)
class InsufficientEvidence:
    """Why a pair cannot be judged although its runs have ended."""

    reason: str

    @classmethod
    def of(cls, lacking: str, records: Iterable[TrialRecord | RunRecord]) -> InsufficientEvidence:
        """Return it with the reason of the last failure among `records`."""
        reasons = [record.reason for record in records if record.failure is not None and record.reason]
        return cls(f"{lacking} ({in_a_line(reasons[-1])})" if reasons else lacking)


def gather(
    config: StudyConfig,
    own: Mapping[Split, Correctness],
    records: PairRecords,
    *,
    seeds: int,
    local: Mapping[Split, Weights],
) -> Evidence | InsufficientEvidence:
    """Pair the confirmation runs of winner and default by seed.

    A run that diverged counts as the own model: whoever follows the advice and meets a diverging run keeps
    the own model. To drop it would praise a setting for the seeds that it survived. A run lost to
    infrastructure says nothing about its setting: its seed is left out of all arms.

    Args:
        own: As in `Evidence`; so is `local`.
        seeds: Number of seeds that count, from the first on.
    """
    baselines = records.baselines
    if not any(trial.state is TrialState.COMPLETE for trial in baselines):
        return InsufficientEvidence.of("the default setting never ran to the full budget", baselines)
    best = winner(config, records)
    arms = (DEFAULT,) if best is None else (DEFAULT, best)
    runs = [run for run in records.runs if run.stage is Stage.CONFIRMATION and run.setting in arms]
    counted = [run for run in runs if run.seed in confirmation_seeds(seeds)]
    defaults = ended_runs(DEFAULT, counted)
    if not any(run.state is RunState.COMPLETE for run in defaults.values()):
        return InsufficientEvidence.of("no confirmation run of the default setting came to an end", runs)
    winners = {} if best is None else ended_runs(best, counted)
    paired = defaults.keys() & winners.keys()
    # NOTE: two seeds are the fewest that show how seeds vary.
    alone = best is None or len(paired) < 2 <= len(defaults)
    judged = tuple(sorted(defaults if alone else paired))
    if len(judged) < 2:
        return InsufficientEvidence.of("fewer than two seeds of the confirmation came to an end", runs)
    return Evidence(
        seeds=judged,
        own={split: own[split] for split in JUDGED},
        default=arm(DEFAULT, [defaults[seed] for seed in judged], own),
        winner=None if best is None or alone else arm(best, [winners[seed] for seed in judged], own),
        local=local,
        weights=records.weights,
    )


def ended_runs(setting: Setting, runs: Sequence[RunRecord]) -> dict[int, RunRecord]:
    """Return for each seed the run of a setting that is COMPLETE, or else one that diverged."""
    by_seed: dict[int, RunRecord] = {}
    for run in runs:
        diverged = run.failure is Failure.DIVERGED and run.seed not in by_seed
        if run.setting == setting and (run.state is RunState.COMPLETE or diverged):
            by_seed[run.seed] = run
    return by_seed


def arm(setting: Setting, runs: Sequence[RunRecord], own: Mapping[Split, Correctness]) -> Arm:
    """Return the students of runs that ended, in their order; `own` stands in for those that diverged."""
    students = [run.correct if run.state is RunState.COMPLETE else own for run in runs]
    lost = [0.0 if run.failure is Failure.DIVERGED else run.forgetting for run in runs]
    known = [forgetting for forgetting in lost if forgetting is not None]
    return Arm(
        setting=setting,
        correct={split: np.stack([correct[split] for correct in students]) for split in JUDGED},
        forgetting=float(np.mean(known)) if known else None,
        diverged=sum(run.state is not RunState.COMPLETE for run in runs),
    )
