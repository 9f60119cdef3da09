"""Parts of training that pre-training and distillation share: optimizer, schedule, order of the examples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from autokd.config.training import TrainingConfig


def make_optimizer(
    recipe: TrainingConfig, parameters: Iterable[nn.Parameter], *, fused: bool = False
) -> Optimizer:
    """Return a new optimizer, without state of an earlier training.

    Args:
        fused: Update all parameters by one kernel, which takes half the time and rounds differently.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    # PyTorch takes None for: as usual on this device.
    kernel = True if fused else None
    match recipe.optimizer:
        case "sgd":
            return SGD(parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=kernel)
        case "adam":
            return Adam(parameters, lr=rate, weight_decay=decay, fused=kernel)
        case "adamw":
            return AdamW(parameters, lr=rate, weight_decay=decay, fused=kernel)


def learning_rate(recipe: TrainingConfig, epoch: int) -> float:
    """Return the learning rate of one epoch.

    `cosine` falls from the recipe's rate in the first epoch towards 0, which it would reach in the epoch
    after the last. Source: Loshchilov, Hutter 2017, arXiv:1608.03983, equation 5, without restarts.

    Raises:
        ValueError: If the recipe has no such epoch; the first is 0.
    """
    if not 0 <= epoch < recipe.epochs:
        raise ValueError(f"epoch={epoch} is not one of the recipe's {recipe.epochs}")
    match recipe.schedule:
        case "constant":
            return recipe.learning_rate
        case "cosine":
            return recipe.learning_rate * (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Use `rate` in all following steps."""
    for group in optimizer.param_groups:
        group["lr"] = rate


@contextmanager
def isolated_rng(seed: int, device: torch.device | str) -> Iterator[None]:
    """Seed torch's global generators inside the context, and restore them afterwards.

    Layers such as Dropout draw from the global generators only.
    """
    if torch.device(device).type == "cuda":
        with torch.random.fork_rng(devices=[torch.device(device)]):
            # Not torch.manual_seed, which would seed all CUDA devices.
            torch.default_generator.manual_seed(seed)
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
            yield
        return
    # As `fork_rng` does, at a fifth of its cost, which shows in epochs of a few steps.
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def batches(
    n: int, batch_size: int, generator: torch.Generator, *, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yield one epoch: every example once, in an order drawn from `generator`.

    The last batch holds the remainder. A remainder of a single example joins the batch before it, which then
    holds `batch_size` + 1: BatchNorm has no variance to compute from one example, and dropping it would make
    some example absent from every epoch of a small participant.

    Args:
        n: Number of examples, at least 2.
        batch_size: At least 2.
        generator: Generator on the CPU, so that the order is the same for all devices. The order is drawn
            when iteration begins.
        device: Device of the indices, to which they are copied once an epoch.

    Yields:
        int64 indices below `n`, shape (batch,), 2 <= batch <= `batch_size` + 1.

    Raises:
        ValueError: If `n` or `batch_size` is below 2.
    """
    if n < 2 or batch_size < 2:
        raise ValueError(f"n={n} and batch_size={batch_size} must be at least 2, which BatchNorm needs")
    order = torch.randperm(n, generator=generator).to(device)
    whole = n - 1 if n % batch_size == 1 else n
    starts = range(0, whole, batch_size)
    ends = [*starts[1:], n]
    for start, end in zip(starts, ends, strict=True):
        yield order[start:end]
