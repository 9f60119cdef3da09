"""Names of weights as wrappers, other repositories and files that leave shared weights out write them."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn

from autokd.models.checkpoint import StateDict
from autokd.models.weights import COUNTER

_INSIDE_NAMES: Final = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "module.")
"""What wrappers put into the middle of names, too, where only a part of a network was wrapped."""
_OTHER_NAMES: Final = ((".linear.", ".fc."), (".shortcut.", ".downsample."))
"""What pytorch-cifar and others call the last layer and the shortcuts of a ResNet, and what torchvision calls
them."""


def without_wrappers(weights: StateDict, expected: StateDict) -> Iterator[StateDict]:
    """Yield the weights by their names, and by their names without the wrappers inside them."""
    yield weights
    inside = [word for word in _INSIDE_NAMES if not any(word in f".{name}" for name in expected)]
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        for word in inside:
            name = name.replace(f".{word}", ".").removeprefix(word)
        renamed[name] = value
    if len(renamed) == len(weights) and renamed.keys() != weights.keys():
        yield renamed


def written_otherwise(weights: StateDict, expected: StateDict) -> Iterator[StateDict]:
    """Yield the weights `without_wrappers`, and then by names that other repositories give the same parts.

    Only names are translated: whether all of them and their shapes are the network's is compared as ever.
    """
    for renamed in without_wrappers(weights, expected):
        yield renamed
        other = dict(renamed)
        for theirs, ours in _OTHER_NAMES:
            if any(ours in f".{name}" for name in expected) and not any(
                theirs in f".{name}" for name in expected
            ):
                other = {f".{name}".replace(theirs, ours).removeprefix("."): other[name] for name in other}
        if len(other) == len(renamed) and other.keys() != renamed.keys():
            yield other


def after(weights: StateDict, prefix: str) -> StateDict:
    """Return the weights whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def with_shared(weights: StateDict, expected: StateDict) -> StateDict:
    """Return weights with those that the network shares with one of them, which safetensors writes once."""
    by_place: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for name, value in expected.items():
        if value.numel():
            by_place[value.data_ptr(), value.shape, value.stride(), value.dtype].append(name)
    complete = dict(weights)
    for names in by_place.values():
        stored = [name for name in names if name in weights]
        if stored:
            complete |= {name: weights[stored[0]] for name in names if name not in weights}
    return complete


def in_its_order(values: Sequence[Tensor], expected: StateDict) -> StateDict | None:
    """Return arrays by the names of a network, in whose order they are; None if their shapes are others.

    The counters of BatchNorm may be left out.
    """
    for names in (list(expected), [name for name in expected if not name.endswith(COUNTER)]):
        if [expected[name].shape for name in names] == [value.shape for value in values]:
            return dict(zip(names, values, strict=True))
    return None


def as_it_reads(network: nn.Module, weights: StateDict) -> StateDict | None:
    """Return the weights that a network itself makes of a state dict; None if it refuses it.

    PyTorch's layers read what earlier versions of them have written, as those of weight normalisation do.
    """
    if not any(module._load_state_dict_pre_hooks for module in network.modules()):
        return None
    reader = copy.deepcopy(network)
    try:
        with torch.random.fork_rng(devices=()):
            reader.load_state_dict(dict(weights), strict=True)
    except Exception:
        # A hook may raise anything; the reason is told by names and shapes.
        return None
    return {name: value for name, value in reader.state_dict().items() if isinstance(value, Tensor)}


def common_beginnings(weights: Mapping[str, object]) -> Iterator[str]:
    """Yield what all names begin with, up to each of its dots, the empty beginning first."""
    first, *_ = [*weights, ""]
    parts = first.split(".")
    for end in range(len(parts)):
        beginning = "".join(f"{part}." for part in parts[:end])
        if all(name.startswith(beginning) for name in weights):
            yield beginning
