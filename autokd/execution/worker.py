"""What a worker does: one run after the other on the federation it was given once."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.result import DONE

from autokd.core.records import Failure, RungScores, RunRecord, RunState, Stage
from autokd.core.run_spec import RunFailure, RunResult, RunSpec
from autokd.core.setting import Split
from autokd.distillation import Run, Rung
from autokd.errors import Diverged, OutOfMemory
from autokd.execution.run_context import ANSWER, NOTICE, RunContext
from autokd.federation.federation import Federation


class DistillationTrainable(tune.Trainable):
    """A Tune worker; its whole variation is in `config` (an `RunSpec`), so it is reused for every run.

    The one trainable of the experiment: Tune's registry is keyed by name, and two of one name would silently
    run each other's code.
    """

    def setup(
        self, config: dict[str, Any], federation: Federation | None = None, job: RunContext | None = None
    ) -> None:
        assert federation is not None
        assert job is not None
        torch.set_num_threads(job.compute.threads)
        compute = job.compute.on_assigned_gpu() if ray.get_gpu_ids() else job.compute
        self._federation, self._job = federation, replace(job, compute=compute)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._assignment = RunSpec.from_config(new_config)
        # Dropping the former run frees its student; a new run holds nothing before its first rung.
        self._run: Run | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next rung and say how it went."""
        try:
            self._run = self._run or self._begin()
            rung = next(self._run)
            if self._assignment.stage is not None:
                record = _record(self._assignment, self._assignment.stage, [rung, *self._run])
                return _last(record, self._run.notice)
        except Diverged as error:
            return _last(RunFailure(Failure.DIVERGED, str(error)))
        except OutOfMemory as error:
            return _last(RunFailure(Failure.OUT_OF_MEMORY, str(error)))
        except Exception:
            # It would come again (a run is a function of its arguments), so it is data, not a lost worker.
            return _last(RunFailure(Failure.ERROR, traceback.format_exc(limit=-5)))
        done = rung.epoch == self._job.rungs_for(self._assignment)[-1]
        return {ANSWER: rung.report(), NOTICE: self._run.notice, DONE: done}

    def cleanup(self) -> None:
        self._run = None

    def _begin(self) -> Run:
        given = self._assignment
        return Run(
            self._federation,
            given.pair,
            given.setting,
            seed=given.seed,
            recipe=self._job.recipe,
            rungs=self._job.rungs_for(given),
            splits=self._job.splits_for(given),
            compute=self._job.compute,
        )


def _last(answer: RunResult, notice: str = "") -> dict[str, Any]:
    return {ANSWER: answer, NOTICE: notice, DONE: True}


def _record(given: RunSpec, stage: Stage, rungs: Sequence[Rung]) -> RunRecord:
    end = rungs[-1]
    reported = Split.VALIDATION if stage is Stage.RACE else Split.TEST
    return RunRecord(
        stage=stage,
        setting=given.setting,
        seed=given.seed,
        state=RunState.COMPLETE,
        correct={split: seen.correct for split, seen in end.evaluations.items()},
        forgetting=end.evaluations[reported].forgetting,
        local_accuracy=end.evaluations[reported].local_accuracy,
        epochs=end.epoch,
        seconds=end.seconds,
        curve=tuple(_scores(rung) for rung in rungs) if stage is Stage.SWEEP else (),
    )


def _scores(rung: Rung) -> RungScores:
    return RungScores(
        epoch=rung.epoch,
        accuracy={split: seen.accuracy for split, seen in rung.evaluations.items()},
        forgetting={split: seen.forgetting for split, seen in rung.evaluations.items()},
        seconds=rung.seconds,
    )
