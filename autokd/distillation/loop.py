"""The inside of a run: a student, its optimizer and its transfer set, trained one epoch at a time."""

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
from autokd.config.training import DistillationConfig
from autokd.core.setting import Pair, Setting, derive_seed
from autokd.data.run_images import place_images
from autokd.distillation.loss import distillation_loss
from autokd.distillation.targets import targets
from autokd.distillation.transfer_set import examples
from autokd.errors import Diverged
from autokd.federation.federation import Federation, network
from autokd.models.training import batches, isolated_rng, learning_rate, make_optimizer, set_learning_rate

_FEWEST: Final = 2
"""Examples in a part: BatchNorm cannot train on one."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Means over the examples of one epoch, in nats.

    Attributes:
        soft: T²·KL to the teacher.
        hard: Cross-entropy to the labels; None on unlabelled examples.
    """

    soft: float
    hard: float | None


@final
class Loop:
    """Trains one student; all that it needs is on the device from the start, but images that do not fit.

    The order of the examples depends on federation, pair and seed index but not on the setting: two settings
    on one transfer set see the same batches, which takes the order's noise out of their comparison.

    Attributes:
        network: The student as trained so far.
        epochs: Trained so far.
        steps: Optimizer steps so far.
        seconds: Wall-clock time spent in `epoch` so far.
        size: Examples in the transfer set.
        parts: Into how many parts each batch is divided, since the device could not hold it as a whole.
        notice: What a user is to know of where the images lie; empty if there is nothing to tell.
    """

    def __init__(
        self,
        federation: Federation,
        pair: Pair,
        setting: Setting,
        *,
        seed: int,
        recipe: DistillationConfig,
        compute: Compute,
    ) -> None:
        data, where = federation.data, examples(federation, pair, setting.transfer_set)
        self.network: nn.Module = compute.place(network(federation, pair.student))
        self._mean = torch.tensor(data.mean, dtype=torch.float32, device=compute.device)
        self._std = torch.tensor(data.std, dtype=torch.float32, device=compute.device)
        self.epochs, self.steps, self.seconds, self.size, self.parts = 0, 0, 0.0, len(where), 1
        self._setting, self._recipe, self._compute = setting, recipe, compute
        self._images = place_images(data.images, where, compute)
        self.notice = self._images.notice
        # Labels of the public set exist in the data, but no run may look at them.
        self._labels = (
            None if setting.alpha is None else torch.from_numpy(data.labels[where]).to(compute.device)
        )
        self._targets = targets(
            setting.method,
            teacher=torch.from_numpy(federation.logits[pair.teacher, where]).to(compute.device),
            own=torch.from_numpy(federation.logits[pair.student, where]).to(compute.device),
            labels=self._labels,
            seen=(
                torch.from_numpy(federation.label_counts(pair.teacher)),
                torch.from_numpy(federation.label_counts(pair.student)),
            ),
        )
        self._optimizer = make_optimizer(recipe, self.network.parameters())
        self._chance = derive_seed(federation.name, str(pair), seed)
        self._order = torch.Generator().manual_seed(self._chance)

    def epoch(self) -> Losses:
        """Train on every example of the transfer set once.

        Raises:
            Diverged: If a loss was not finite, at the first such step (from 1, over the whole run). It is
                noticed at the end of the epoch: looking at every step would make a GPU wait for the host.
        """
        start, first = perf_counter(), self.steps + 1
        set_learning_rate(self._optimizer, learning_rate(self._recipe, self.epochs))
        # At every epoch, since looking at the student puts it into eval mode.
        train_mode(self.network, self._recipe)
        parts: list[Tensor] = []
        sizes: list[int] = []
        with isolated_rng(derive_seed("epoch", self._chance, self.epochs), self._compute.device):
            for chosen in batches(
                self.size, self._recipe.batch_size, self._order, device=self._compute.device
            ):
                parts += self._step_as_memory_allows(chosen)
                sizes.append(len(chosen))
        # Copying to the host waits for the device, so that the time below is all of the epoch's.
        losses = torch.stack(parts).view(len(sizes), -1).double().cpu().numpy()
        self.epochs, self.steps = self.epochs + 1, self.steps + len(sizes)
        self.seconds += perf_counter() - start
        _check_finite(losses[:, 0], first=first)
        return _over_examples(losses[:, 1:], sizes)

    def _step_as_memory_allows(self, chosen: Tensor) -> list[Tensor]:
        """One step; where the plan says so, in as many parts as the device needs, from then on."""
        while True:
            try:
                return self._step(chosen)
            except Exception as error:
                smaller = len(chosen) // (2 * self.parts) >= _FEWEST
                if self._recipe.on_out_of_memory == "fail" or not smaller or not ran_out_of_memory(error):
                    raise
            # Past the except block the traceback is gone, and with it the tensors that its frames held.
            self._optimizer.zero_grad(set_to_none=True)
            release_memory()
            self.parts *= 2

    def _step(self, chosen: Tensor) -> list[Tensor]:
        """One optimizer step on the examples at `chosen`; returns total, soft and (with labels) hard loss."""
        self._optimizer.zero_grad(set_to_none=True)
        pieces = chosen.tensor_split(max(1, min(self.parts, len(chosen) // _FEWEST)))
        # Means over the batch of means over its parts; a whole batch is left as it is, to the last bit.
        shares = [len(piece) / len(chosen) for piece in pieces]
        losses = [self._backward(piece, share) for piece, share in zip(pieces, shares, strict=True)]
        self._optimizer.step()
        if len(losses) == 1:
            return losses[0]
        return [
            torch.stack([share * loss for share, loss in zip(shares, column, strict=True)]).sum()
            for column in zip(*losses, strict=True)
        ]

    def _backward(self, chosen: Tensor, share: float) -> list[Tensor]:
        """Add the gradient of some of a batch's examples; returns their losses."""
        compute, labels, trust = self._compute, self._labels, self._targets.trust
        images = compute.pixels(self._images.batch(chosen), mean=self._mean, std=self._std)
        with compute.autocast():
            logits = self.network(images)
        # The loss is computed outside autocast in float32: T² would blow up bfloat16's rounding.
        loss = distillation_loss(
            logits.float(),
            self._targets.logits.index_select(0, chosen),
            None if labels is None else labels.index_select(0, chosen),
            self._setting,
            trust=None if trust is None else trust.index_select(0, chosen),
        )
        total = loss.total if share == 1 else share * loss.total
        total.backward()  # type: ignore[no-untyped-call]
        return [part.detach() for part in (loss.total, loss.soft, loss.hard) if part is not None]


def adapted(recipe: DistillationConfig, setting: Setting) -> DistillationConfig:
    """The recipe of a run: the study's, with what the setting has of its own."""
    own = {"learning_rate": setting.learning_rate, "epochs": setting.epochs, "batch_norm": setting.batch_norm}
    # Validated again: `model_copy` would take anything.
    changed = {name: value for name, value in own.items() if value is not None}
    return DistillationConfig.model_validate({**recipe.model_dump(), **changed}) if changed else recipe


def train_mode(module: nn.Module, recipe: DistillationConfig) -> None:
    """Train mode; where the recipe keeps BatchNorm `frozen`, its layers stay in eval mode.

    They then normalise with the running statistics of pre-training, which do not move; their scale and shift
    are trained like any other weight.
    """
    module.train()
    if recipe.batch_norm == "frozen":
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                layer.eval()


def _check_finite(totals: NDArray[np.float64], *, first: int) -> None:
    """Raise `Diverged` at the first loss that is not finite; `first` is the step of `totals[0]`."""
    for offset, loss in enumerate(totals.tolist()):
        if not math.isfinite(loss):
            raise Diverged(step=first + offset, loss=loss)


def _over_examples(losses: NDArray[np.float64], sizes: Sequence[int]) -> Losses:
    """Mean over examples of batch means; a row is a batch: soft and, with labels, hard."""
    soft, *hard = np.average(losses, axis=0, weights=sizes).tolist()
    return Losses(soft=soft, hard=hard[0] if hard else None)
