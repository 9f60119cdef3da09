"""What a verdict looks at: own model, default and winner on the same examples with paired seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autokd.config.study import CONFIRMATION_SEEDS, ConfirmationConfig, Objective
from autokd.core.records import (
    Correctness,
    Failure,
    RunRecord,
    RunState,
    Stage,
    TrialOrigin,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import DEFAULT, Setting, Split
from autokd.recommendation.race import ANY, RETRIES, winner
from autokd.statistics.paired import Weights

JUDGED = (Split.CONFIRMATION, Split.TEST)
"""The splits that confirmation runs are evaluated on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """The students of one setting, by seed.

    Attributes:
        correct: By split, shape (seeds, examples).
        forgetting: Mean over seeds on the test split, in pp; None if no run said it.
        diverged: How many of the seeds ended without a student; the own model stands in for it.
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
        default: The baseline to beat.
        winner: The race's choice; None if the default stands alone.
        local: By split, what each example counts on the student's own label distribution (`local.py`); empty
            where nobody asks for it.
    """

    seeds: tuple[int, ...]
    own: Mapping[Split, Correctness]
    default: Arm
    winner: Arm | None
    local: Mapping[Split, Weights] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InsufficientEvidence:
    """Why there is nothing to judge."""

    reason: str


def gather(
    plan: ConfirmationConfig,
    own: Mapping[Split, Correctness],
    trials: Sequence[TrialRecord],
    runs: Sequence[RunRecord],
    *,
    retries: int = RETRIES,
    aims: Objective = ANY,
    seeds: int | None = None,
    local: Mapping[Split, Weights] | None = None,
) -> Evidence | InsufficientEvidence:
    """Line the confirmation runs up, seed by seed.

    A run that diverged counts as the own model: whoever follows the advice and meets a diverging run keeps
    what was there. To drop it would praise a setting for the seeds that it survived. A run lost to
    infrastructure says nothing about its setting: its seed is left out of all arms.

    Args:
        plan: How many seeds.
        own: Correctness of the student's model as it is, by split, shape (examples,).
        trials: All trials of the study.
        runs: All race and confirmation runs of the study.
        retries: As in `race.pending`.
        aims: Likewise.
        seeds: How many seeds are looked at; by default `plan.seeds`.
        local: As in `Evidence`.
    """
    baselines = [trial for trial in trials if trial.role is TrialOrigin.BASELINE]
    if not any(trial.state is TrialState.COMPLETE for trial in baselines):
        return InsufficientEvidence(
            f"the default setting never ran to the full budget{_last_words(baselines)}"
        )
    best = winner(plan, trials, runs, retries=retries, aims=aims)
    runs = [run for run in runs if run.stage is Stage.CONFIRMATION and run.setting in (DEFAULT, best)]
    looked_at = seeds or plan.seeds
    defaults = _by_seed(looked_at, DEFAULT, runs)
    if not any(run.state is RunState.COMPLETE for run in defaults.values()):
        return InsufficientEvidence(
            f"no confirmation run of the default setting came to an end{_last_words(runs)}"
        )
    winners = {} if best is None else _by_seed(looked_at, best, runs)
    paired = tuple(seed for seed in defaults if seed in winners)
    # NOTE: two seeds are the fewest that tell how seeds vary.
    alone = best is None or len(paired) < 2 <= len(defaults)
    told = tuple(defaults) if alone else paired
    if len(told) < 2:
        return InsufficientEvidence(
            f"fewer than two seeds of the confirmation came to an end{_last_words(runs)}"
        )
    return Evidence(
        seeds=told,
        own={split: own[split] for split in JUDGED},
        default=arm(DEFAULT, [defaults[seed] for seed in told], own),
        winner=None if best is None or alone else arm(best, [winners[seed] for seed in told], own),
        local=local or {},
    )


def _by_seed(seeds: int, setting: Setting, runs: Sequence[RunRecord]) -> dict[int, RunRecord]:
    """Of each of the first seeds the COMPLETE run, or else one that diverged; in the order of seeds."""
    telling: dict[int, RunRecord] = {}
    for run in runs:
        diverged = run.failure is Failure.DIVERGED and run.seed not in telling
        if run.setting == setting and (run.state is RunState.COMPLETE or diverged):
            telling[run.seed] = run
    return {
        seed: telling[seed]
        for seed in range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + seeds)
        if seed in telling
    }


def arm(setting: Setting, runs: Sequence[RunRecord], own: Mapping[Split, Correctness]) -> Arm:
    """The students of runs that came to an end, in their order; `own` stands in for those that diverged."""
    complete = [run.state is RunState.COMPLETE for run in runs]
    lost = [0.0 if run.failure is Failure.DIVERGED else run.forgetting for run in runs]
    known = [forgetting for forgetting in lost if forgetting is not None]
    return Arm(
        setting=setting,
        correct={
            split: np.stack(
                [run.correct[split] if done else own[split] for run, done in zip(runs, complete, strict=True)]
            )
            for split in JUDGED
        },
        forgetting=float(np.mean(known)) if known else None,
        diverged=complete.count(False),
    )


def _last_words(records: Sequence[TrialRecord] | Sequence[RunRecord]) -> str:
    reasons = [record.reason for record in records if record.failure is not None and record.reason]
    return f" ({reasons[-1]})" if reasons else ""
