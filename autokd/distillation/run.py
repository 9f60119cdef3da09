"""One distillation as an iterator over rungs; it knows no Ray, no SQL and no files."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
from torch import nn
from torch.backends import cudnn

from autokd.compute.device import Compute
from autokd.compute.out_of_memory import ran_out_of_memory, release_memory
from autokd.config.training import DistillationConfig
from autokd.core.records import RungReport
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.distillation.evaluation import Evaluation, assess
from autokd.distillation.loop import Loop, Losses, adapted
from autokd.errors import Diverged, OutOfMemory
from autokd.federation.federation import Federation
from autokd.models.inference import logits_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rung:
    """What a run says at one rung.

    Attributes:
        epoch: Epochs trained so far, from 1.
        evaluations: Of the student as it is now, on each split that was asked for.
        soft_loss: Mean T²·KL over the examples of this epoch, in nats.
        hard_loss: Mean cross-entropy over the examples of this epoch, in nats; None on unlabelled data.
        examples_per_second: Of training since the run began, evaluation excluded.
        seconds: Wall-clock time of training since the run began, evaluation excluded.
    """

    epoch: int
    evaluations: Mapping[Split, Evaluation]
    soft_loss: float
    hard_loss: float | None
    examples_per_second: float
    seconds: float

    def report(self, split: Split = Split.VALIDATION) -> RungReport:
        """The plain numbers of one split.

        Raises:
            KeyError: If the run was not asked to look at `split`.
        """
        seen = self.evaluations[split]
        return RungReport(
            epoch=self.epoch,
            accuracy=seen.accuracy,
            forgetting=seen.forgetting,
            local_accuracy=seen.local_accuracy,
            soft_loss=self.soft_loss,
            hard_loss=self.hard_loss,
            seconds=self.seconds,
        )


@final
class Run(Iterator[Rung]):
    """One run: (federation, pair, setting, seed, recipe) → a student. Iterating trains it, rung by rung.

    The student starts from its participant's weights with a fresh optimizer; the teacher's logits are those
    stored with the federation. The run is a function of its arguments: the same give the same bits on the
    same device, precision and number of threads (which the worker sets, not the run), whatever ran before. It
    neither uses nor changes global random state. Nothing is computed before the first rung is asked for, and
    a run that is dropped between rungs, as ASHA does, leaves nothing behind.

        run = Run(federation, pair, DEFAULT, seed=0, recipe=recipe, rungs=(3, 6, 10),
                  splits=[Split.VALIDATION], compute=Compute())
        for rung in run:
            print(rung.epoch, rung.evaluations[Split.VALIDATION].accuracy)
        weights_of(run.student)

    Args:
        federation: Where participants, data and the teacher's logits come from.
        pair: Who teaches whom.
        setting: What is tuned.
        seed: A seed index, from 0. Runs of one pair and seed index are paired across settings (see `Loop`).
        recipe: How the student goes on training, as far as the setting does not say.
        rungs: Epochs at which to evaluate and yield, increasing, the last one the run's full budget.
        splits: What to evaluate on; nothing else is looked at.
        compute: Where and how tensors are computed.

    Raises:
        ValueError: If the participants, seed, rungs or splits do not hold.
        DeviceUnavailable: If this machine does not have the device.

    Asking for a rung raises, once, after which the run is over:
        Diverged: If the loss, or what the student answers at a rung, is not finite.
        OutOfMemory: If host or device memory does not suffice; what the run held is free by then.
        PlanError: If the transfer set is too small to train on.
    """

    def __init__(
        self,
        federation: Federation,
        pair: Pair,
        setting: Setting,
        *,
        seed: int,
        recipe: DistillationConfig,
        rungs: Sequence[int],
        splits: Sequence[Split],
        compute: Compute,
    ) -> None:
        participants = len(federation.participants)
        if max(pair.teacher, pair.student) >= participants:
            raise ValueError(f"pair {pair} is not one of {participants} participants, numbered from 0")
        recipe = adapted(recipe, setting)
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
        self._federation, self._pair, self._setting = federation, pair, setting
        self._seed, self._recipe, self._compute = seed, recipe, compute
        self._splits, self._owed = tuple(splits), deque(rungs)
        self._loop: Loop | None = None
        self._notice = ""
        self._student: nn.Module | None = None

    @property
    def notice(self) -> str:
        """What a user is to know of how it runs; empty before the first rung, or if there is nothing."""
        return self._notice

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
        if not self._owed:
            raise StopIteration
        try:
            with _deterministic_kernels():
                return self._advance()
        except Exception as error:
            self._abandon()
            if not ran_out_of_memory(error):
                raise
            words = str(error).partition("\n")[0]
        # Past the except block the traceback is gone, and with it the tensors that its frames held.
        release_memory()
        raise OutOfMemory(
            f"{self._pair} {self._setting}: {self._compute.device} ran out of memory ({words}); "
            "run fewer workers at once, lower distillation.batch_size, or set "
            "distillation.on_out_of_memory: split"
        )

    def _advance(self) -> Rung:
        """Train up to the next rung and look at the splits there."""
        loop = self._loop = self._loop or self._begin()
        self._notice = loop.notice
        epoch = self._owed.popleft()
        while loop.epochs < epoch:
            losses = loop.epoch()
        rung = self._rung(loop, losses)
        if not self._owed:
            self._student = loop.network.eval()
            self._student.zero_grad(set_to_none=True)
            self._loop = None
        return rung

    def _begin(self) -> Loop:
        """Gather what the run works on."""
        return Loop(
            self._federation,
            self._pair,
            self._setting,
            seed=self._seed,
            recipe=self._recipe,
            compute=self._compute,
        )

    def _rung(self, loop: Loop, losses: Losses) -> Rung:
        """What there is to say about the student now."""
        return Rung(
            epoch=loop.epochs,
            evaluations={split: self._evaluate(loop, split) for split in self._splits},
            soft_loss=losses.soft,
            hard_loss=losses.hard,
            examples_per_second=loop.epochs * loop.size / loop.seconds,
            seconds=loop.seconds,
        )

    def _evaluate(self, loop: Loop, split: Split) -> Evaluation:
        data, where, student = self._federation.data, self._federation.splits[split], self._pair.student
        # Asked in the same way as the models as they are, so that before and after differ in nothing else.
        logits = logits_of(loop.network, data, self._compute, where)
        if not np.isfinite(logits).all():
            # The loss of the last step was computed before its update: only the answers show that one.
            raise Diverged(step=loop.steps, loss=math.nan)
        labels = data.labels[where]
        return assess(
            logits.argmax(axis=1) == labels,
            labels=labels,
            label_distribution=self._federation.label_distribution(student),
            correct_before=self._federation.correct(student, split),
        )

    def _abandon(self) -> None:
        """Let go of everything, so that a failed run holds no memory and cannot be continued."""
        self._owed.clear()
        self._loop = None


@contextmanager
def _deterministic_kernels() -> Iterator[None]:
    """Let cuDNN use only kernels that give the same bits each time; of no effect on the CPU."""
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
