"""Distils one model in this process and evaluates the weights as they are in the file."""

from __future__ import annotations

import hashlib
import logging
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import safetensors.numpy
import torch

from autokd._version import __version__
from autokd.compute.device import Compute
from autokd.compute.threads import computing_with
from autokd.config.study import StudyConfig
from autokd.config.training import DistillationConfig
from autokd.core.pair import Pair
from autokd.core.setting import Split
from autokd.core.weights import Weights
from autokd.data.dataset import Dataset
from autokd.delivery.card import Card, ImageFormat, InputFormat, Origin, is_owners
from autokd.delivery.evaluation import STUDY, evaluate_weights, weights_of_targets
from autokd.delivery.request import DistillationRequest
from autokd.delivery.target_prior import AddedPrior, best_strength, target_log_prior
from autokd.distillation import Run, resolve_config
from autokd.distillation.transfer_set import teaching
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes
from autokd.federation.networks import network
from autokd.models.adapter import OWNERS_NETWORK
from autokd.models.inference import logits_of
from autokd.models.log_prior import LogPrior, added, find_last_layer
from autokd.models.weights import load_weights, weights_of
from autokd.statistics.paired import Weights as ExampleWeights

Progress = Callable[[int, int], None]
"""Called with the number of trained epochs and their total."""

_log = logging.getLogger(__name__)

_EXAMPLES: Final = 4
"""Inputs of a federation of tensors by which the last layer of a network is found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delivered:
    """A distilled model.

    Attributes:
        content: The weights as the bytes of a safetensors file.
        card: Description of the model.
    """

    weights: Weights
    content: bytes
    card: Card


def deliver(
    federation: Federation,
    config: StudyConfig,
    request: DistillationRequest,
    *,
    progress: Progress = lambda done, total: None,
) -> Delivered:
    """Distil in this process; equal arguments give equal bits on the same machine.

    The scores on the card are those of the weights in the file: loaded into a new network, in float32 on the
    CPU, however they were trained.

    Args:
        config: How the student is trained, and the confidence of intervals.
        progress: Called at the start and after each epoch.

    Raises:
        ValueError: If the pair or seed is not valid.
        Diverged: If the loss or the student's outputs are not finite.
        OutOfMemory: If memory is used up.
        InputError: If the device does not exist, the transfer set is too small, or the target's shares do not
            fit the classes of the federation.
    """
    recipe, student = resolve_config(config.distillation, request.setting), request.pair.student
    log_prior = target_log_prior(federation, student, request.target)
    targets = weights_of_targets(federation, student, request.target, config.target)
    judged_on = config.target if isinstance(config.target, str) else STUDY
    trained = _trained(federation, recipe, request, progress)
    if log_prior is None:
        delivered, weights = None, trained
    else:
        of_target = targets["own" if request.target == "own" else "shares"].of(Split.VALIDATION)
        delivered = _fitted(federation, student, trained, log_prior, of_target)
        weights = delivered[0]
    architecture = federation.participants[student].architecture
    prefix = OWNERS_NETWORK if is_owners(architecture, delivered and delivered[1]) else ""
    # One entry of metadata: several are written in any order, and equal weights must give equal bytes.
    plain = {name.removeprefix(prefix): np.asarray(value, order="C") for name, value in weights.items()}
    content = safetensors.numpy.save(plain, metadata={"format": "pt"})
    data, pair, hashes = federation.data, request.pair, Hashes.of(federation)
    sha256 = {name: getattr(hashes, name) for name in ("data", "layout", "logits")}
    sha256 |= {"student": hashes.weights[pair.student]}
    if isinstance(pair, Pair):
        sha256 |= {"teacher": hashes.weights[pair.teacher]}
    else:
        sha256 |= {f"teacher {number}": hashes.weights[number] for number in teaching(pair, request.setting)}
    card = Card(
        request=request,
        recipe=recipe,
        architecture=architecture,
        images=_input_format(data),
        origin=Origin(name=federation.name, recipe=federation.recipe, sha256=sha256),
        added=None if delivered is None else delivered[1],
        scores=evaluate_weights(
            federation,
            student,
            trained,
            config.confirmation,
            targets=targets,
            judged_on=judged_on,
            delivered=delivered,
        ),
        target=config.target,
        sha256=hashlib.sha256(content).hexdigest(),
        versions={
            "autokd": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    )
    return Delivered(weights=weights, content=content, card=card)


def _input_format(data: Dataset) -> ImageFormat | InputFormat:
    if data.is_tensor:
        whole = data.images.dtype == np.int64
        return InputFormat(inputs=data.images.shape[1:], whole=whole, classes=data.classes)
    _, channels, height, width = data.images.shape
    return ImageFormat(
        channels=channels,
        size=height,
        width=None if width == height else width,
        mean=data.mean,
        std=data.std,
        classes=data.classes,
    )


def _fitted(
    federation: Federation,
    student: int,
    trained: Weights,
    log_prior: LogPrior,
    weights: ExampleWeights | None,
) -> tuple[Weights, AddedPrior]:
    """Return weights with as much of a log-prior in their logits as serves its target, and what was added."""
    model = network(federation, student)
    load_weights(model, trained)
    rows = federation.splits[Split.VALIDATION]
    logits = logits_of(model, federation.data, Compute(), rows)
    strength = best_strength(logits, federation.data.labels[rows], log_prior, weights)
    images = federation.data.images
    examples = torch.from_numpy(np.array(images[rows[:_EXAMPLES]])) if federation.data.is_tensor else None
    layer = find_last_layer(network(federation, student), images.shape[1:], inputs=examples)
    prior = AddedPrior(strength=strength, log_prior=tuple((strength * log_prior).tolist()), layer=layer)
    return added(trained, layer, np.array(prior.log_prior)), prior


def _trained(
    federation: Federation, recipe: DistillationConfig, request: DistillationRequest, progress: Progress
) -> Weights:
    """Return the weights of the run that a worker would do; it yields each epoch only to report progress."""
    run = Run(
        federation,
        request.pair,
        request.setting,
        seed=request.seed_index,
        recipe=recipe,
        rungs=range(1, recipe.epochs + 1),
        splits=(),
        compute=request.compute,
    )
    progress(0, recipe.epochs)
    with computing_with(request.compute.threads):
        for rung in run:
            if rung.epoch == 1 and run.notice:
                _log.warning(run.notice)
            progress(rung.epoch, recipe.epochs)
    return weights_of(run.student)
