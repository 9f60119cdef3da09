"""Pre-training of one participant on its private data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig
from autokd.config.training import PretrainingConfig
from autokd.core.setting import derive_seed
from autokd.core.weights import Weights
from autokd.data.augmentation import crop_and_flip
from autokd.data.dataset import Dataset
from autokd.data.run_images import Images, place_images
from autokd.errors import Diverged
from autokd.models.building import build_for
from autokd.models.inference import logits_of
from autokd.models.training import batches, learning_rate, make_optimizer, set_learning_rate
from autokd.models.weights import weights_of


@dataclass(frozen=True, slots=True, eq=False)
class Pretrained:
    """Result of pre-training one participant.

    Attributes:
        weights: State dict.
        logits: Logits on all of the data, in eval mode, float32, shape (n, classes).
        notice: Message for the user on where the images were kept; may be empty.
    """

    weights: Weights
    logits: NDArray[np.float32]
    notice: str = ""


def pretrain(
    recipe: FederationConfig, data: Dataset, private: NDArray[np.int64], *, participant: int, compute: Compute
) -> Pretrained:
    """Train one participant on its private examples, and evaluate it on all examples once.

    The same arguments give the same bits on the same device and thread count; torch's global random state
    is not changed.

    Args:
        recipe: Recipe of the federation, with architecture, pre-training and seed.
        data: Examples of the federation.
        private: Indices of the participant's examples, shape (m,), m >= 2.
        participant: Number of the participant.
        compute: Device and precision; the caller sets `compute.threads`, which is global to a process.

    Raises:
        Diverged: If the loss stops being finite.
    """
    seed = derive_seed("pretraining", recipe.name, recipe.seed, participant)
    module = compute.place(build_for(data, recipe.architecture(participant), seed=seed))
    order = torch.Generator().manual_seed(seed)
    images = place_images(data.images, private, compute)
    steps = _train(module, recipe.pretraining, data, private, images, order=order, compute=compute)
    logits = logits_of(module, data, compute)
    if not np.isfinite(logits).all():
        # The last step may spoil the weights after a loss that was finite.
        raise Diverged(step=steps, loss=math.nan)
    return Pretrained(weights=weights_of(module), logits=logits, notice=images.notice)


def _train(
    module: nn.Module,
    recipe: PretrainingConfig,
    data: Dataset,
    private: NDArray[np.int64],
    images: Images,
    *,
    order: torch.Generator,
    compute: Compute,
) -> int:
    """Train in place, and return the number of steps."""
    module.train()
    optimizer = make_optimizer(recipe, module.parameters())
    labels = torch.from_numpy(data.labels[private]).to(compute.device)
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    step = 0
    for epoch in range(recipe.epochs):
        set_learning_rate(optimizer, learning_rate(recipe, epoch))
        losses = []
        for batch in batches(len(private), recipe.batch_size, order, device=compute.device):
            pixels = images.batch(batch)
            if recipe.augmentation == "crop_flip":
                pixels = crop_and_flip(pixels, order)
            with compute.autocast():
                logits = module(compute.pixels(pixels, mean=mean, std=std))
            loss = F.cross_entropy(logits.float(), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.detach())
        # Looked at once an epoch, since reading a loss makes the CPU wait for a GPU.
        for value in torch.stack(losses).tolist():
            if not math.isfinite(value):
                raise Diverged(step=step, loss=value)
            step += 1
    return step
