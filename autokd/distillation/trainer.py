"""Trains a student on its transfer set, one epoch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autokd.compute.device import Compute
from autokd.compute.out_of_memory import ran_out_of_memory, release_memory
from autokd.compute.tensor_formats import choose_format
from autokd.config.training import DistillationConfig
from autokd.core.setting import (
    AnyPair,
    Group,
    LabelPrior,
    Method,
    Setting,
    TransferSet,
    derive_seed,
)
from autokd.data.run_images import place_for_training
from autokd.distillation.companions import Companions
from autokd.distillation.loss import log_prior, loss_to_softened, softened
from autokd.distillation.targets import Targets, estimated_counts, targets
from autokd.distillation.transfer_set import examples, teaching
from autokd.errors import Diverged, PlanError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.models.training import batches, isolated_rng, learning_rate, make_optimizer, set_learning_rate

_MIN_PART: Final = 2
"""Minimum size of a part of a batch: BatchNorm cannot train on one example."""
_AT_ONCE: Final = 4096
"""Examples for which the targets of several teachers are made at once."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Means over the examples of one epoch, in nats.

    Attributes:
        soft: T²·KL to the targets.
        hard: Cross-entropy to the labels; None on unlabelled examples.
    """

    soft: float
    hard: float | None


@final
class Trainer:
    """Trains one student. Everything is on the device from the start, except images that do not fit.

    The order of the examples depends on federation, pair and seed index and not on the setting: two settings
    on one transfer set see the same batches, which removes the noise of the order from their comparison.

    Attributes:
        network: The student.
        compute: How it computes, with nothing left open.
        epochs: Number of epochs trained.
        steps: Number of optimizer steps.
        seconds: Wall-clock time spent in `epoch`.
        size: Number of examples that an epoch trains on.
        parts: Number of parts that each batch is divided into because the device cannot hold it.
        notice: Message to the user if the images are not on the device; else empty.
    """

    def __init__(
        self,
        federation: Federation,
        pair: AnyPair,
        setting: Setting,
        *,
        seed: int,
        config: DistillationConfig,
        compute: Compute,
    ) -> None:
        teachers = teaching(pair, setting)
        data, indices = federation.data, examples(federation, pair, setting.transfer_set, teachers=teachers)
        self.compute = _complete(compute, federation, pair.student)
        self.network: nn.Module = self.compute.place(network(federation, pair.student, seed=seed))
        self._seed = derive_seed(federation.name, str(pair), seed)
        self._companions: Companions | None = None
        own = len(indices)
        if setting.transfer_set is TransferSet.STUDENT_PUBLIC:
            own = len(federation.participants[pair.student].private)
            self._companions = Companions(own, len(indices), seed=derive_seed("companions", self._seed))
        self.epochs, self.steps, self.seconds, self.parts = 0, 0, 0.0, 1
        self.size = own if self._companions is None else 2 * own
        self._setting, self._config = setting, config
        self._images = place_for_training(data, indices, self.compute)
        self.notice = self._images.notice
        # Labels of the public set exist in the data, but no run may use them.
        self._labels = (
            None if setting.alpha is None else torch.from_numpy(data.labels[indices[:own]]).to(compute.device)
        )
        made = self._made(federation, pair, teachers, indices)
        self._targets, self._trust = softened(made.logits, setting.temperature), made.trust
        self._prior = (
            None
            if self._labels is None or setting.label_prior is LabelPrior.NONE
            else log_prior(self._labels, len(data.classes))
        )
        self._parameters = list(self.network.parameters())
        self._optimizer = make_optimizer(
            config, self._parameters, fused=self.compute.memory_format == "channels_last"
        )
        self._order = torch.Generator().manual_seed(self._seed)

    def _made(
        self, federation: Federation, pair: AnyPair, teachers: Sequence[int], indices: NDArray[np.int64]
    ) -> Targets:
        """Return the targets of the run's examples, from the logits that are stored with the federation."""
        device, setting = self.compute.device, self._setting

        def logits(number: int, part: NDArray[np.int64]) -> Tensor:
            return torch.from_numpy(federation.logits[number, part]).to(device)

        if not teachers or (setting.alpha == 0 and isinstance(pair, Group)):
            # The student's initial model is the only one, or no target has any weight.
            return Targets(logits(pair.student, indices))
        asks_student = None if setting.teachers is None else pair.student in setting.teachers
        seen = _seen(federation, pair.student, teachers, setting.method)
        if len(teachers) == 1:
            return targets(
                setting.method,
                teachers=[logits(teachers[0], indices)],
                student=logits(pair.student, indices),
                labels=self._labels,
                seen=seen,
                asks_student=asks_student,
            )
        # Methods of several models look at one example at a time, and at no label. The logits of thirty
        # models on all examples would take gigabytes.
        made = [
            targets(
                setting.method,
                teachers=[logits(number, part) for number in teachers],
                student=logits(pair.student, part),
                labels=None,
                seen=seen,
                asks_student=asks_student,
            ).logits
            for part in np.array_split(indices, max(1, math.ceil(len(indices) / _AT_ONCE)))
        ]
        return Targets(torch.cat(made))

    def epoch(self) -> Losses:
        """Train on every example of the transfer set once; of public ones beside own ones, on as many.

        Raises:
            Diverged: If a loss was not finite; it names the first such step of the run, from 1. It is raised
                at the end of the epoch, since a check at every step would make a GPU wait for the host.
        """
        start, first = perf_counter(), self.steps + 1
        set_learning_rate(self._optimizer, learning_rate(self._config, self.epochs))
        # An evaluation has put the student into eval mode.
        if not self.network.training:
            train_mode(self.network, self._config)
        parts: list[Tensor] = []
        sizes: list[int] = []
        with isolated_rng(derive_seed("epoch", self._seed, self.epochs), self.compute.device):
            for chosen in batches(*self._drawn(), self._order, device=self.compute.device):
                parts += self._step_in_parts(chosen)
                sizes.append(len(chosen))
        # A row has the losses of a step: total, soft and, with labels, hard. Copying to the host waits for
        # the device, so that the time below is all of the epoch's.
        losses = torch.stack(parts).view(len(sizes), -1).double().cpu().numpy()
        self.epochs, self.steps = self.epochs + 1, self.steps + len(sizes)
        self.seconds += perf_counter() - start
        for step, loss in enumerate(losses[:, 0].tolist(), start=first):
            if not math.isfinite(loss):
                raise Diverged(step=step, loss=loss)
        # What `np.average` does, at a tenth of its cost.
        soft, *hard = ((losses[:, 1:] * np.array(sizes)[:, None]).sum(axis=0) / sum(sizes)).tolist()
        return Losses(soft=soft, hard=hard[0] if hard else None)

    def _drawn(self) -> tuple[int, int]:
        """Return how many examples an epoch draws, and a batch of it, without those beside them."""
        if self._companions is None:
            return self.size, self._config.batch_size
        self._companions.draw(self.compute.device)
        return self.size // 2, max(2, self._config.batch_size // 2)

    def _step_in_parts(self, chosen: Tensor) -> list[Tensor]:
        """Make one step; if the recipe allows it, with the batch in as many parts as the device needs."""
        while True:
            try:
                return self._step(chosen)
            except Exception as error:
                smaller = len(chosen) // (2 * self.parts) >= _MIN_PART
                if self._config.on_out_of_memory == "fail" or not smaller or not ran_out_of_memory(error):
                    raise
            # After the except block the traceback is gone, and with it the tensors that its frames held.
            self._optimizer.zero_grad(set_to_none=True)
            release_memory()
            self.parts *= 2

    def _step(self, chosen: Tensor) -> list[Tensor]:
        """Make one optimizer step on the examples at `chosen`; return total, soft and any hard loss."""
        # What `zero_grad` of the optimizer does, at a tenth of its cost.
        for parameter in self._parameters:
            parameter.grad = None
        if self.parts == 1:
            whole = self._backward(chosen, 1)
            self._optimizer.step()
            return whole
        parts = chosen.tensor_split(max(1, min(self.parts, len(chosen) // _MIN_PART)))
        # The mean over the batch is the weighted mean over its parts.
        shares = [len(part) / len(chosen) for part in parts]
        losses = [self._backward(part, share) for part, share in zip(parts, shares, strict=True)]
        self._optimizer.step()
        return [
            torch.stack([share * loss for share, loss in zip(shares, column, strict=True)]).sum()
            for column in zip(*losses, strict=True)
        ]

    def _backward(self, chosen: Tensor, share: float) -> list[Tensor]:
        """Add the gradient of some examples of a batch; return their losses."""
        labels, trust = self._labels, self._trust
        rows = chosen if self._companions is None else self._companions.beside(chosen)
        with self.compute.autocast():
            logits = self.network(self._images.batch(rows))
        # The loss is computed in float32 outside autocast: T² would amplify the rounding of bfloat16.
        loss = loss_to_softened(
            logits.float(),
            self._targets.index_select(0, rows),
            None if labels is None else labels.index_select(0, chosen),
            self._setting,
            trust=None if trust is None else trust.index_select(0, rows),
            prior=self._prior,
        )
        total = loss.total if share == 1 else share * loss.total
        total.backward()  # type: ignore[no-untyped-call]
        return [part.detach() for part in (loss.total, loss.soft, loss.hard) if part is not None]


def _seen(federation: Federation, student: int, teachers: Sequence[int], method: Method) -> list[Tensor]:
    """Return the numbers of examples by class of the teachers and the student that a method may use.

    A teacher that tells no numbers counts as if it had as many examples as the student.

    Raises:
        PlanError: If the teachers' are to be estimated, and there are no public examples.
    """
    own = torch.from_numpy(federation.label_counts(student))
    if method is not Method.BALANCED_ESTIMATED:
        return [*(torch.from_numpy(federation.label_counts(number)) for number in teachers), own]
    if not federation.public.size:
        raise PlanError(
            source=federation.name,
            field="method",
            problem=f"{method} estimates the teacher's label prior on public examples, and there are none; "
            "take it out of the search space, or give the federation public examples",
        )
    public = [torch.from_numpy(federation.logits[number, federation.public]) for number in teachers]
    return [*(estimated_counts(logits, int(own.sum())) for logits in public), own]


def _complete(compute: Compute, federation: Federation, student: int) -> Compute:
    """Return how a run computes, with what is left open chosen as for a new study."""
    if compute.tensor_format is not None:
        return compute
    images = federation.data.image_shape
    return compute.in_format(choose_format(compute, network(federation, student), images))


def resolve_config(config: DistillationConfig, setting: Setting) -> DistillationConfig:
    """Return the configuration of a run: the study's, with what the setting says instead."""
    names = ("learning_rate", "schedule", "epochs", "batch_norm")
    values = {name: getattr(setting, name) for name in names}
    changes = {name: value for name, value in values.items() if value is not None}
    # Validated again, since `model_copy` would accept anything.
    return DistillationConfig.model_validate({**config.model_dump(), **changes}) if changes else config


def train_mode(module: nn.Module, config: DistillationConfig) -> None:
    """Set train mode; if BatchNorm is `frozen`, its layers stay in eval mode.

    They then normalise with the unchanged running statistics of pre-training; their scale and shift are
    trained like any other weight.
    """
    module.train()
    if config.batch_norm == "frozen":
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                layer.eval()
