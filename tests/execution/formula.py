"""A Tune worker whose runs are formulas: what drivers are tested and measured with instead of training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.result import DONE

from autokd.config.search import rungs_of
from autokd.config.study import StudyConfig
from autokd.core.run_spec import RunSpec
from autokd.execution.run_context import ANSWER
from tests.search.worlds import record, report


class FormulaTrainable(tune.Trainable):
    """Answers as `DistillationTrainable` does, without a federation; it can be reused, too."""

    def setup(
        self,
        config: dict[str, Any],
        rungs: tuple[int, ...] = (),
        seconds: float = 0.0,
        journal: Path | None = None,
    ) -> None:
        assert rungs
        self._all_rungs, self._seconds, self._journal = rungs, seconds, journal
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._assignment = RunSpec.from_config(new_config)
        budget = self._assignment.setting.epochs or self._all_rungs[-1]
        self._rungs = list(rungs_of(self._all_rungs, budget)) if self._assignment.stage is None else []
        self._began = False
        return True

    def step(self) -> dict[str, Any]:
        # NOTE: not in `setup`: Tune may start a worker for a run that it then gives to one that is free.
        if self._journal is not None and not self._began:
            enter(self._journal, "began", self._assignment)
        self._began = True
        time.sleep(self._seconds)
        if self._assignment.stage is not None:
            return {ANSWER: record(self._assignment), DONE: True}
        return {ANSWER: report(self._assignment, self._rungs.pop(0)), DONE: not self._rungs}


def formula(
    config: StudyConfig, *, seconds: float = 0.0, journal: Path | None = None
) -> type[tune.Trainable]:
    """What `distilling` is for real runs.

    Args:
        config: For its rungs.
        seconds: From one rung to the next.
        journal: Where workers enter each run that they begin.
    """
    trainable: type[tune.Trainable] = tune.with_parameters(
        FormulaTrainable, rungs=config.rungs, seconds=seconds, journal=journal
    )
    return trainable


def enter(journal: Path, event: str, spec: RunSpec) -> None:
    """Add a line to a journal that several processes write; lines this short stay whole, and in order."""
    with journal.open("ab", buffering=0) as file:
        file.write(f"{event}\t{key_of(spec)}\n".encode())


def key_of(spec: RunSpec) -> str:
    """What makes a run the same run."""
    return json.dumps(spec.to_config(), sort_keys=True)
