"""Adds a log-prior to the logits of a trained network for good, in its weights.

By Bayes' rule, a model of equal class shares plus the logarithms of a site's class shares is a model of that
site. Where a linear layer makes the logits, its bias takes them, and the network stays what it was; another
network gets a small one around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autokd.core.weights import Weights
from autokd.models.training import isolated_rng
from autokd.models.weights import load_weights, weights_of

LogPrior = NDArray[np.float64]
"""What is added to the logit of each class, shape (classes,)."""

_PROBES: Final = 4
_TOLERANCE: Final = 1e-4
"""Rounding of float32 relative to the largest logit, with a margin."""


@final
class WithLogPrior(nn.Module):
    """A network with a log-prior added to its logits, for networks whose last layer has no bias for it.

    Args:
        network: Maps images to logits (batch, classes).
    """

    log_prior: Tensor

    def __init__(self, network: nn.Module, *, classes: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("log_prior", torch.zeros(classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits + self.log_prior


@dataclass(frozen=True, slots=True)
class LastLayer:
    """The linear layer that makes a network's logits.

    Attributes:
        name: Name of the layer as in `nn.Module.named_modules`; empty if it is the whole network.
        outputs: For each class, the index of the layer's output that is its logit.
        size: Number of the layer's outputs.
        has_bias: Whether the layer has a bias as it is built; if not, it must be given one before the weights
            are loaded.
    """

    name: str
    outputs: tuple[int, ...]
    size: int
    has_bias: bool

    @property
    def bias(self) -> str:
        """Name of the bias in the state dict."""
        return f"{self.name}.bias".removeprefix(".")


def prepared(network: nn.Module, layer: LastLayer | None, *, classes: int) -> nn.Module:
    """Return the network that takes the weights which `added` returns; its log-prior is 0.

    Args:
        network: A network as it is built; changed if its layer has no bias.
        layer: Its last layer; None if it has none.
    """
    if layer is None:
        return WithLogPrior(network, classes=classes)
    if not layer.has_bias:
        network.get_submodule(layer.name).bias = nn.Parameter(torch.zeros(layer.size))
    return network


def added(weights: Weights, layer: LastLayer | None, log_prior: LogPrior) -> Weights:
    """Return weights with which the `prepared` network has `log_prior` added to its logits.

    Up to rounding this is exact, and adding `-log_prior` is dividing it out.

    Args:
        weights: Weights of the network as it is built.
        layer: As in `prepared`.
    """
    if layer is None:
        return {
            **{f"network.{name}": value for name, value in weights.items()},
            "log_prior": _read_only(log_prior.astype(np.float32)),
        }
    bias = weights.get(layer.bias, np.zeros(layer.size, np.float32))
    total = bias.astype(np.float64)
    total[list(layer.outputs)] += log_prior
    return {**weights, layer.bias: _read_only(total.astype(bias.dtype))}


def find_last_layer(
    network: nn.Module, image_shape: tuple[int, ...], *, inputs: Tensor | None = None
) -> LastLayer | None:
    """Return the linear layer whose outputs are a network's logits; None if there is no such layer.

    A layer is found by its outputs on random images, and proved by a change of its bias. So the network may
    be of any code, and its outputs in another order than the classes.

    Args:
        network: Network on the CPU; it is changed, and of no further use. A copy is not made here, since not
            every network can be copied.
        image_shape: (channels, height, width) of its images.
        inputs: Some inputs, where random numbers would be none: token ids, say.
    """
    network.eval()
    images = inputs
    if images is None:
        images = torch.randn((_PROBES, *image_shape), generator=torch.Generator().manual_seed(0))
    seen: dict[str, Tensor] = {}

    def watch(name: str, layer: nn.Linear) -> None:
        layer.register_forward_hook(lambda _layer, _inputs, made: seen.update({name: made}))

    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            watch(name, module)
    logits = _logits(network, images)
    for name, made in reversed(seen.items()):
        outputs = _places(logits, made)
        if outputs is None:
            continue
        has_bias = network.get_submodule(name).bias is not None
        layer = LastLayer(name=name, outputs=outputs, size=made.shape[1], has_bias=has_bias)
        if _adds(network, layer, images, logits):
            return layer
    return None


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode(), isolated_rng(0, "cpu"):
        logits: Tensor = network(images)
    return logits


def _places(logits: Tensor, made: Tensor) -> tuple[int, ...] | None:
    """Return for each class the first output not yet taken that has its logits; None if one has none."""
    if made.ndim != logits.ndim or len(made) != len(logits):
        return None
    left, places = list(range(made.shape[1])), []
    for column in logits.T:
        place = next((output for output in left if torch.equal(made[:, output], column)), None)
        if place is None:
            return None
        left.remove(place)
        places.append(place)
    return tuple(places)


def _adds(network: nn.Module, layer: LastLayer, images: Tensor, logits: Tensor) -> bool:
    """Return whether adding to the bias of a layer adds the same to the logits; it changes the network."""
    change = torch.randn(logits.shape[1], generator=torch.Generator().manual_seed(1))
    weights = added(weights_of(network), layer, change.double().numpy())
    try:
        load_weights(prepared(network, layer, classes=logits.shape[1]), weights)
    except ValueError:
        # The layer computes its bias of something else, so the state dict has none.
        return False
    changed = _logits(network, images)
    allowed = _TOLERANCE * float(logits.abs().max().clamp(min=1))
    return torch.allclose(changed, logits + change, rtol=0, atol=allowed)


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.setflags(write=False)
    return array
