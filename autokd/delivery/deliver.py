"""Makes the model: one run in this process, and what its weights are worth as they lie in the file."""

from __future__ import annotations

import hashlib
import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
import torch

from autokd._version import __version__
from autokd.config.study import StudyConfig
from autokd.core.setting import Pair
from autokd.delivery.card import Card, Images, Origin
from autokd.delivery.measuring import measured
from autokd.delivery.order import Order
from autokd.distillation import Run, resolve_config
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes
from autokd.models.weights import Weights, weights_of

Progress = Callable[[int, int], None]
"""Told how many epochs are trained, of how many."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delivered:
    """A distilled model.

    Attributes:
        weights: Of the student, by name.
        content: The same as the bytes of a safetensors file.
        card: What is to be known of them.
    """

    weights: Weights
    content: bytes
    card: Card


def deliver(
    federation: Federation,
    plan: StudyConfig,
    order: Order,
    *,
    progress: Progress = lambda done, total: None,
) -> Delivered:
    """Distil in this process; the same arguments give the same bits on the same machine.

    What the card states is measured on the weights as they lie in the file: loaded into a fresh network, in
    float32 on the CPU, however they were trained.

    Args:
        plan: How the student goes on training, and the confidence of intervals.
        progress: Called at the start and after each epoch.

    Raises:
        ValueError: If the pair or seed does not hold.
        Diverged: If the loss or the student's answers stop being finite.
        OutOfMemory: If memory does not suffice.
        InputError: If the device is not there, or the transfer set is too small.
    """
    weights = _trained(federation, plan, order, progress)
    # One entry of metadata: several are written in any order, and the same weights shall be the same bytes.
    plain = {name: np.asarray(value, order="C") for name, value in weights.items()}
    content = safetensors.numpy.save(plain, metadata={"format": "pt"})
    data = federation.data
    _, channels, size, _ = data.images.shape
    card = Card(
        order=order,
        recipe=resolve_config(plan.distillation, order.setting),
        architecture=federation.participants[order.pair.student].architecture,
        images=Images(channels=channels, size=size, mean=data.mean, std=data.std, classes=data.classes),
        origin=_origin(federation, order.pair),
        scores=measured(federation, order.pair.student, weights, plan.confirmation),
        sha256=hashlib.sha256(content).hexdigest(),
        versions={
            "autokd": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    )
    return Delivered(weights=weights, content=content, card=card)


def _trained(
    federation: Federation,
    plan: StudyConfig,
    order: Order,
    progress: Progress,
) -> Weights:
    """Of the very run that a worker would do; it is looked at only to tell how it gets on."""
    epochs = resolve_config(plan.distillation, order.setting).epochs
    run = Run(
        federation,
        order.pair,
        order.setting,
        seed=order.seed_index,
        recipe=plan.distillation,
        rungs=range(1, epochs + 1),
        splits=(),
        compute=order.compute,
    )
    progress(0, epochs)
    with _threads(order.compute.threads):
        for rung in run:
            if rung.epoch == 1 and run.notice:
                _log.warning(run.notice)
            progress(rung.epoch, epochs)
    return weights_of(run.student)


def _origin(federation: Federation, pair: Pair) -> Origin:
    hashes = Hashes.of(federation)
    return Origin(
        name=federation.name,
        recipe=federation.recipe,
        sha256={
            "data": hashes.data,
            "layout": hashes.layout,
            "logits": hashes.logits,
            "teacher": hashes.weights[pair.teacher],
            "student": hashes.weights[pair.student],
        },
    )


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """A run leaves the number of threads to who starts it; here that is a user's process."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
