"""One distillation as an iterator over rungs, without Ray, database and files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import final

from torch import nn
from torch.backends import cudnn

from autokd.compute.device import Compute
from autokd.compute.out_of_memory import ran_out_of_memory, release_memory
from autokd.config.training import DistillationConfig
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import RungReport
from autokd.core.setting import AnyPair, Setting, Split, TransferSet
from autokd.core.tensor_format import FORMER_FORMAT
from autokd.distillation.evaluation import Evaluation, evaluate
from autokd.distillation.trainer import Trainer, resolve_config
from autokd.errors import OutOfMemory
from autokd.federation.federation import Federation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rung:
    """What a run reports at one rung.

    Attributes:
        epoch: Number of epochs trained, from 1.
        evaluations: Scores of the student now, on each requested split.
        soft_loss, hard_loss, seconds: As in `RungReport`.
        examples_per_second: Training speed since the run began, evaluation excluded.
    """

    epoch: int
    evaluations: Mapping[Split, Evaluation]
    soft_loss: float
    hard_loss: float | None
    examples_per_second: float
    seconds: float

    def report(self, split: Split = Split.VALIDATION) -> RungReport:
        """Return the figures of one split.

        Raises:
            KeyError: If the run does not evaluate on `split`.
        """
        scores = self.evaluations[split]
        return RungReport(
            epoch=self.epoch,
            accuracy=scores.accuracy,
            forgetting=scores.forgetting,
            local_accuracy=scores.local_accuracy,
            soft_loss=self.soft_loss,
            hard_loss=self.hard_loss,
            seconds=self.seconds,
        )


@final
class Run(Iterator[Rung]):
    """One run: (federation, pair, setting, seed, recipe) → a student. Iterating trains it, rung by rung.

    The student starts from its participant's weights with a fresh optimizer; the teacher's logits are stored
    with the federation. A run is a function of its arguments: equal arguments give equal bits on the same
    device, precision and number of threads (which the worker sets, not the run). It neither uses nor changes
    global random state. Nothing is computed before the first rung is requested, and a run may be dropped
    between rungs, as ASHA does.

        run = Run(federation, pair, DEFAULT, seed=0, recipe=recipe, rungs=(3, 6, 10),
                  splits=[Split.VALIDATION], compute=Compute())
        for rung in run:
            print(rung.epoch, rung.evaluations[Split.VALIDATION].accuracy)
        weights_of(run.student)

    Args:
        seed: Seed index, from 0. Runs of one pair and seed index are paired across settings (see `Trainer`).
        recipe: How the student is trained, where the setting does not say it.
        rungs: Increasing epochs at which to evaluate and yield; the last one is the run's full budget.
        splits: Splits to evaluate on.
        keep_logits: Whether evaluations hold the student's outputs.
        weights: Weights of the examples on the student's target distribution, for accuracies.

    Attributes:
        notice: Message to the user about the run; empty before the first rung, or if there is none.
        tensor_format: Memory format and precision, which `compute` may leave open before the first rung.

    Raises:
        ValueError: If the participants, seed, rungs or splits are not valid.
        DeviceUnavailable: If this machine does not have the device.

    Requesting a rung may raise, after which the run is over:
        Diverged: If the loss or the student's outputs are not finite.
        OutOfMemory: If host or device memory is used up; the memory of the run is already released.
        PlanError: If the transfer set is too small to train on.
    """

    def __init__(
        self,
        federation: Federation,
        pair: AnyPair,
        setting: Setting,
        *,
        seed: int,
        recipe: DistillationConfig,
        rungs: Sequence[int],
        splits: Sequence[Split],
        compute: Compute,
        keep_logits: bool = False,
        weights: ExampleWeights = EVEN,
    ) -> None:
        participants = len(federation.participants)
        if max(*pair.teachers, pair.student) >= participants:
            raise ValueError(f"pair {pair} is not one of {participants} participants, numbered from 0")
        recipe = resolve_config(recipe, setting)
        if seed < 0:
            raise ValueError(f"seed={seed} is a seed index, from 0")
        if not rungs or rungs[0] < 1 or list(rungs) != sorted(set(rungs)) or rungs[-1] != recipe.epochs:
            raise ValueError(
                f"rungs={list(rungs)} must be increasing epochs from 1 up to the run's {recipe.epochs}"
            )
        if len(set(splits)) != len(splits):
            raise ValueError(f"splits={[str(split) for split in splits]} names a split twice")
        if setting.transfer_set is TransferSet.VALIDATION and Split.VALIDATION in splits:
            raise ValueError("a run on the validation split cannot be judged on it")
        compute.check()
        self._federation, self._pair, self._setting, self._compute = federation, pair, setting, compute
        self._splits, self._remaining, self._keep_logits = tuple(splits), deque(rungs), keep_logits
        self._weights = weights
        self._start = partial(Trainer, federation, pair, setting, seed=seed, config=recipe, compute=compute)
        self._trainer: Trainer | None = None
        self._student: nn.Module | None = None
        self.notice = ""
        self.tensor_format = compute.tensor_format or FORMER_FORMAT

    @property
    def student(self) -> nn.Module:
        """The trained student, in eval mode on the run's device.

        Raises:
            RuntimeError: If the last rung has not been reached.
        """
        if self._student is None:
            raise RuntimeError("there is no student before the run's last rung")
        return self._student

    def __next__(self) -> Rung:
        if not self._remaining:
            raise StopIteration
        try:
            with _deterministic_kernels():
                return self._advance()
        except Exception as error:
            # A failed run holds no memory and cannot be continued.
            self._remaining.clear()
            self._trainer = None
            if not ran_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
        # After the except block the traceback is gone, and with it the tensors that its frames held.
        release_memory()
        raise OutOfMemory(
            f"{self._pair} {self._setting}: {self._compute.device} ran out of memory ({reason}); "
            "run fewer workers at once, lower distillation.batch_size, or set "
            "distillation.on_out_of_memory: split"
        )

    def _advance(self) -> Rung:
        """Train up to the next rung and evaluate there."""
        trainer = self._trainer = self._trainer or self._start()
        self.notice, compute = trainer.notice, trainer.compute
        self.tensor_format = compute.tensor_format or FORMER_FORMAT
        epoch, student = self._remaining.popleft(), self._pair.student
        while trainer.epochs < epoch:
            losses = trainer.epoch()
        rung = Rung(
            epoch=trainer.epochs,
            evaluations={
                split: evaluate(
                    trainer.network,
                    self._federation,
                    student,
                    split,
                    compute,
                    step=trainer.steps,
                    keep_logits=self._keep_logits,
                    weights=self._weights,
                )
                for split in self._splits
            },
            soft_loss=losses.soft,
            hard_loss=losses.hard,
            examples_per_second=trainer.epochs * trainer.size / trainer.seconds,
            seconds=trainer.seconds,
        )
        if not self._remaining:
            self._student = trainer.network.eval()
            self._student.zero_grad(set_to_none=True)
            self._trainer = None
        return rung


@contextmanager
def _deterministic_kernels() -> Iterator[None]:
    """Restrict cuDNN to deterministic kernels; this has no effect on the CPU."""
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
