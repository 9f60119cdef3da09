"""A Tune worker: does one run after another on a federation that it gets once."""

from __future__ import annotations

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
from autokd.core.tensor_format import TensorFormat
from autokd.distillation import Run, Rung
from autokd.errors import Diverged, OutOfMemory
from autokd.execution.run_context import ANSWER, LOGITS, NOTICE, Parcel, RunContext
from autokd.federation.federation import Federation
from autokd.text.reasons import with_traceback


class DistillationTrainable(tune.Trainable):
    """Does the run of a `RunSpec`, which is all that `config` has, so the worker is reused for every run.

    It is the only trainable of the experiment: Tune registers trainables by name, and one of two with the
    same name would silently run the other's code.
    """

    def setup(
        self, config: dict[str, Any], federation: Federation | None = None, context: RunContext | None = None
    ) -> None:
        assert federation is not None
        assert context is not None
        torch.set_num_threads(context.compute.threads)
        compute = context.compute.on_assigned_gpu() if ray.get_gpu_ids() else context.compute
        self._federation, self._context = federation, replace(context, compute=compute)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._spec = RunSpec.from_config(new_config)
        # Dropping the previous run frees its student; a new run holds no memory before its first rung.
        self._run: Run | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next rung, and return what it came to."""
        spec, context = self._spec, self._context
        try:
            self._run = self._run or Run(
                self._federation,
                spec.pair,
                spec.setting,
                seed=spec.seed,
                recipe=context.recipe,
                rungs=context.rungs_for(spec),
                splits=context.splits_for(spec),
                compute=context.compute_for(spec),
                keep_logits=spec.stage is Stage.CONFIRMATION,
                weights=context.weights_for(spec),
            )
            rung = next(self._run)
            if spec.stage is not None:
                record = _record(spec, spec.stage, self._run.tensor_format, [rung, *self._run])
                return _last(record, self._run.notice)
        except Diverged as error:
            return _last(RunFailure(Failure.DIVERGED, str(error)))
        except OutOfMemory as error:
            return _last(RunFailure(Failure.OUT_OF_MEMORY, str(error)))
        except Exception as error:
            # It would happen again (a run is a function of its arguments), so it is recorded like a result.
            return _last(RunFailure(Failure.ERROR, with_traceback(error)))
        done = rung.epoch == context.rungs_for(spec)[-1]
        return {ANSWER: rung.report(), NOTICE: self._run.notice, DONE: done}

    def cleanup(self) -> None:
        self._run = None


def _last(result: RunResult, notice: str = "") -> dict[str, Any]:
    last = {ANSWER: result, NOTICE: notice, DONE: True}
    if isinstance(result, RunRecord) and result.logits:
        return last | {ANSWER: replace(result, logits={}), LOGITS: Parcel(result.logits)}
    return last


def _record(spec: RunSpec, stage: Stage, tensor_format: TensorFormat, rungs: Sequence[Rung]) -> RunRecord:
    end = rungs[-1]
    reported = Split.VALIDATION if stage is Stage.RACE else Split.TEST
    return RunRecord(
        stage=stage,
        setting=spec.setting,
        seed=spec.seed,
        state=RunState.COMPLETE,
        correct={split: evaluation.correct for split, evaluation in end.evaluations.items()},
        forgetting=end.evaluations[reported].forgetting,
        local_accuracy=end.evaluations[reported].local_accuracy,
        epochs=end.epoch,
        seconds=end.seconds,
        curve=tuple(_scores(rung) for rung in rungs) if stage is Stage.SWEEP else (),
        tensor_format=tensor_format,
        logits={
            split: evaluation.logits
            for split, evaluation in end.evaluations.items()
            if evaluation.logits is not None
        },
    )


def _scores(rung: Rung) -> RungScores:
    accuracy = {split: evaluation.accuracy for split, evaluation in rung.evaluations.items()}
    forgetting = {split: evaluation.forgetting for split, evaluation in rung.evaluations.items()}
    return RungScores(rung.epoch, accuracy, forgetting, rung.seconds)
