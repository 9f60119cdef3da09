"""What the driver tells a worker to run, and what the worker answers; plain enough to cross Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from autokd.compute.device import Compute
from autokd.config.study import StudyConfig
from autokd.config.training import DistillationConfig
from autokd.core.records import Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Split

ANSWER: Final = "answer"
"""The key under which a worker's answer stands in the result that Tune passes on."""
NOTICE: Final = "notice"
"""Likewise, of what a user is to know of how the run is done."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all runs of an experiment have in common."""

    recipe: DistillationConfig
    rungs: tuple[int, ...]
    compute: Compute

    @classmethod
    def of(cls, plan: StudyConfig, compute: Compute) -> RunContext:
        return cls(recipe=plan.distillation, rungs=plan.rungs, compute=compute)

    def rungs_for(self, spec: RunSpec) -> tuple[int, ...]:
        """Where a run looks at its student: a trial at each rung, a swept run at more, others at the end."""
        end = spec.setting.epochs or self.rungs[-1]
        if spec.stage is Stage.SWEEP:
            return swept_rungs(end)
        return rungs_until(end, self.rungs) if spec.stage is None else (end,)

    def splits_for(self, spec: RunSpec) -> tuple[Split, ...]:
        """What a run may look at: choose on validation, decide on confirmation, report on test.

        A swept run decides nothing, and looks at all of them.
        """
        if spec.stage is Stage.SWEEP:
            return (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)
        if spec.stage in (Stage.CONFIRMATION, Stage.RIVAL):
            return (Split.CONFIRMATION, Split.TEST)
        return (Split.VALIDATION,)


def rungs_until(end: int, rungs: Sequence[int]) -> tuple[int, ...]:
    """The rungs of a trial whose full budget may be another than the plan's."""
    return (*(rung for rung in rungs[:-1] if rung < end), end)


def swept_rungs(epochs: int) -> tuple[int, ...]:
    """Where a swept run is looked at: densely at first, where early stopping would decide."""
    return tuple(sorted({max(1, round(share * epochs)) for share in _SWEPT}))


_SWEPT: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
