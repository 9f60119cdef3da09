"""What the driver tells a worker to run, and what the worker answers; plain enough to cross Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from autokd.compute import Compute
from autokd.plan import DistillationRecipe, StudyPlan
from autokd.records import Failure, RungReport, RunRecord, Stage
from autokd.setting import Pair, Setting, Split, TransferSet

SEARCH: Final = "search"
ANSWER: Final = "answer"
"""The key under which a worker's answer stands in the result that Tune passes on."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One run to do.

    Attributes:
        stage: None for a trial of the search, which reports every rung and may be stopped.
    """

    pair: Pair
    setting: Setting
    seed: int
    stage: Stage | None

    def to_config(self) -> dict[str, Any]:
        """As Tune's `config`, of plain values only."""
        return {
            "teacher": self.pair.teacher,
            "student": self.pair.student,
            "temperature": self.setting.temperature,
            "alpha": self.setting.alpha,
            "transfer_set": str(self.setting.transfer_set),
            "seed": self.seed,
            "stage": SEARCH if self.stage is None else str(self.stage),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Assignment:
        """Back again; exact, since nothing was rounded."""
        stage = config["stage"]
        return cls(
            pair=Pair(config["teacher"], config["student"]),
            setting=Setting(config["temperature"], config["alpha"], TransferSet(config["transfer_set"])),
            seed=config["seed"],
            stage=None if stage == SEARCH else Stage(stage),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """What all runs of an experiment have in common."""

    recipe: DistillationRecipe
    rungs: tuple[int, ...]
    compute: Compute

    @classmethod
    def of(cls, plan: StudyPlan, compute: Compute) -> Job:
        return cls(recipe=plan.distillation, rungs=plan.rungs, compute=compute)

    def rungs_for(self, assignment: Assignment) -> tuple[int, ...]:
        """Where a run looks at its student: a trial at each rung, others at the end only."""
        return self.rungs if assignment.stage is None else self.rungs[-1:]

    def splits_for(self, assignment: Assignment) -> tuple[Split, ...]:
        """What a run may look at: choose on validation, decide on confirmation, report on test."""
        if assignment.stage is Stage.CONFIRMATION:
            return (Split.CONFIRMATION, Split.TEST)
        return (Split.VALIDATION,)


@dataclass(frozen=True, slots=True)
class Died:
    """A run's own end by error, as data: an exception would cost Tune the worker."""

    failure: Failure
    reason: str


Answer = RungReport | RunRecord | Died
