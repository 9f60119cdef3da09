"""Logits of a network on a data set."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autokd.compute.device import Compute
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import take_rows
from autokd.data.temporary_arrays import empty
from autokd.models.adapter import Adapted
from autokd.models.log_prior import WithLogPrior

_EVALUATION_BATCH: Final = 1000
_EVALUATION_BYTES: Final = 2**22
"""Largest batch of pixels in float32; activations take many times as much."""
_FEWEST: Final = 16


def logits_of(
    module: nn.Module, data: Dataset, compute: Compute, which: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return logits on the data, shape (n, classes), in eval mode and full precision.

    Full precision, because they stand for the model as it is in every later comparison. Images are normalised
    batch by batch, so that there is never a second copy of all.

    Args:
        module: Network on `compute.device`; left in eval mode.
        data: Images with class names and moments.
        compute: Device; its precision is not used.
        which: Indices of n images, shape (n,); None for all.
    """
    module.eval()
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    rows = np.arange(len(data.images)) if which is None else which
    step = evaluation_batch(module, data.images.shape[1:])
    logits = empty((len(rows), len(data.classes)), np.float32)
    with torch.inference_mode():
        for start in range(0, len(rows), step):
            images = torch.from_numpy(take_rows(data.images, rows[start : start + step]))
            answers = module(compute.pixels(images, mean=mean, std=std)).float().cpu()
            logits[start : start + step] = answers.numpy()
    return logits


def evaluation_batch(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the batch size of an evaluation.

    It depends on the network's input alone, since another batch size may round the logits differently, and is
    so small that evaluation needs no more memory than training. An adapted network may enlarge images, whose
    `shape` is (channels, height, width).
    """
    inner = module.network if isinstance(module, WithLogPrior) else module
    values = math.prod(inner.takes(shape) if isinstance(inner, Adapted) else shape)
    return max(_FEWEST, min(_EVALUATION_BATCH, _EVALUATION_BYTES // (4 * values)))
