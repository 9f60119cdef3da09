"""Which of a checkpoint's state dicts is a network's, whatever the training script wrapped it in.

Wrappers put their name before those of the weights: `module.` of DataParallel and AveragedModel, `_orig_mod.`
of `torch.compile`, `model.` or `net.` of a Lightning module. So a state dict fits if, after one prefix, its
names and shapes are exactly the network's. Nothing is guessed: where two fit, the recipe says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from autokd.models.checkpoint import Checkpoint, StateDict, refused, whole_model
from autokd.models.weight_names import (
    after,
    as_it_reads,
    common_beginnings,
    in_its_order,
    with_shared,
    without_wrappers,
    written_otherwise,
)
from autokd.models.weights import COUNTER, with_versions
from autokd.text.quoting import counted, listed

_AVERAGED: Final = ("ema", "swa", "averaged", "avg", "shadow")
"""Parts of the keys of a second model, averaged over the training."""
_ADAPTER: Final = "lora_"
"""Part of the names of low-rank adapters, as those of PEFT."""
_MERGE: Final = (
    "these are adapters, or a model with them: save the state dict of model.merge_and_unload() instead"
)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A state dict of a checkpoint that fits a network.

    Attributes:
        key: Where it lies: the keys in the file joined by `/`, then `:` and the prefix of its names, if any.
        weights: By the network's names.
        scores: Names of single numbers beside them, which the network does not have.
    """

    key: str
    weights: StateDict
    scores: tuple[str, ...] = ()

    @property
    def is_averaged(self) -> bool:
        """Whether its keys say that it is the average of another model's weights."""
        words = self.key.lower().replace("_", "/").replace(".", "/").replace(":", "/").split("/")
        return any(word in _AVERAGED for word in words)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The weights of a network.

    Attributes:
        notes: What the user should know about the choice.
    """

    weights: StateDict
    notes: tuple[str, ...] = ()


def choose(network: nn.Module, checkpoint: Checkpoint, file: Path, *, wanted: str | None = None) -> Chosen:
    """Return the weights of a checkpoint that are the network's.

    If a second model beside it is an average of it, by its key, the first one is taken and the second named.

    Args:
        wanted: `key` of the `Fit` that the recipe names; None for the only one.

    Raises:
        PlanError: If none fits, or several do; or a weight is not a finite number.
    """
    expected = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
    fits = list(_fits(checkpoint, expected)) or list(_otherwise(network, checkpoint, expected))
    if not fits:
        raise refused(file, _why_none(checkpoint, expected))
    chosen = _named(fits, wanted, file) if wanted is not None else _only(fits, file)
    others = [fit for fit in fits if fit is not chosen and not _same(fit, chosen)]
    notes = []
    if others and wanted is None:
        notes.append(
            f"the weights under {chosen.key!r} are taken; those under {_quoted_keys(others)} fit as well: "
            "weights: <key> takes them"
        )
    if chosen.scores:
        names = listed(sorted(map(repr, chosen.scores)), most=4)
        notes.append(f"the number {names} beside the weights is none of the network's, and left out")
    weights = _plain(chosen.weights, file)
    # Cast as `load_state_dict` does; only a narrower type has lost something, which the owner should know.
    narrow = sorted(
        {str(value.dtype) for name, value in weights.items() if _is_narrower(value, expected[name])}
    )
    if narrow:
        notes.append(f"the weights are {', '.join(narrow)}, and used as {_dtype(expected)}")
    whole = [name for name, value in weights.items() if _is_whole_number(value, expected[name])]
    if whole:
        notes.append(
            f"{whole[0]} holds whole numbers ({weights[whole[0]].dtype}), which are used as they are; if "
            "they are quantised, their scale is missing: save the weights as floating-point numbers"
        )
    return Chosen(weights, tuple(notes))


def fit(
    network: nn.Module, checkpoint: Checkpoint, file: Path, *, wanted: str | None = None
) -> tuple[str, ...]:
    """Load the weights of a checkpoint that are a network's, and return what the user should know.

    Raises:
        PlanError: As `choose`.
    """
    chosen = choose(network, checkpoint, file, wanted=wanted)
    try:
        # Strict: PyTorch itself does without the counters of BatchNorm.
        network.load_state_dict(with_versions(network, chosen.weights), strict=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise refused(file, f"does not fit the network: {str(error)[:200]}") from error
    return chosen.notes


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model in memory without what was put around it for training."""
    while True:
        if isinstance(model, nn.DataParallel | DistributedDataParallel | AveragedModel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):  # Of `torch.compile`.
            model = inner
        else:
            return model


def _fits(checkpoint: Checkpoint, expected: StateDict) -> Iterator[Fit]:
    for key, weights in checkpoint.found.items():
        for renamed in written_otherwise(weights, expected):
            fits = [
                Fit(
                    _named_key(key, prefix),
                    {name: here[name] for name in expected if name in here},
                    tuple(name for name in here.keys() - expected.keys() if _is_score(name, here[name])),
                )
                for prefix in _prefixes(renamed, expected)
                if _is_whole(here := with_shared(after(renamed, prefix), expected), expected)
            ]
            yield from fits
            if fits:
                break


def _otherwise(network: nn.Module, checkpoint: Checkpoint, expected: StateDict) -> Iterator[Fit]:
    """Yield what fits where no names do: what the network itself reads, and arrays in its order."""
    for key, weights in checkpoint.found.items():
        for prefix in common_beginnings(weights):
            read = as_it_reads(network, after(weights, prefix))
            if read is not None:
                yield Fit(_named_key(key, prefix), read)
                break
    for key, values in checkpoint.in_order.items():
        if (named := in_its_order(values, expected)) is not None:
            yield Fit(key or "its order", named)


def _named_key(key: str, prefix: str) -> str:
    return f"{key}:{prefix}" if prefix else key or "the file"


def _prefixes(weights: StateDict, expected: StateDict) -> Sequence[str]:
    """Return what may stand before the names of the network: nothing, or names that end in a dot."""
    if not expected:
        return []
    first = next((name for name in expected if not name.endswith(COUNTER)), next(iter(expected)))
    ends = [name.removesuffix(first) for name in weights if name.endswith(first)]
    return [prefix for prefix in ends if not prefix or prefix.endswith(".")]


def _is_whole(here: StateDict, expected: StateDict) -> bool:
    """Return whether names and shapes are exactly the network's."""
    return (
        not _lacking(here, expected)
        and not _beyond(here, expected)
        and all(here[name].shape == value.shape for name, value in expected.items() if name in here)
    )


def _lacking(here: StateDict, expected: StateDict) -> list[str]:
    return [name for name in expected if name not in here and not name.endswith(COUNTER)]


def _beyond(here: StateDict, expected: StateDict) -> list[str]:
    """Return the names that are not the network's: no state of a wrapper, and no epoch or score beside it."""
    return [
        name
        for name, value in here.items()
        if name not in expected
        and not name.endswith("_extra_state")
        and not (name == "n_averaged" and value.ndim == 0)
        and not _is_score(name, value)
    ]


def _is_score(name: str, value: Tensor) -> bool:
    """Return whether it may be an epoch or a score beside the weights, rather than a part of a layer."""
    return value.ndim == 0 and "." not in name and name != "n_averaged"


def _named(fits: Sequence[Fit], wanted: str, file: Path) -> Fit:
    for fit in fits:
        if wanted == fit.key or wanted == fit.key.partition(":")[0]:
            return fit
    keys = _quoted_keys(fits)
    raise refused(file, f"has no weights of the network under {wanted!r} (weights); those that fit: {keys}")


def _only(fits: Sequence[Fit], file: Path) -> Fit:
    """Return the fit that is no average, if there is one only, or all are equal."""
    plain = [fit for fit in fits if not fit.is_averaged] or list(fits)
    if all(_same(fit, plain[0]) for fit in plain[1:]):
        return plain[0]
    keys = _quoted_keys(plain)
    problem = f"has several state dicts that fit: {keys}; say which with weights: {plain[0].key!r}"
    raise refused(file, problem)


def _same(first: Fit, other: Fit) -> bool:
    return all(torch.equal(value, other.weights.get(name, value)) for name, value in first.weights.items())


def _plain(weights: StateDict, file: Path) -> StateDict:
    """Return weights whose values were checked.

    Raises:
        PlanError: If one is no plain tensor of finite numbers.
    """
    for name, value in weights.items():
        if value.is_complex() or value.is_quantized or value.layout != torch.strided:
            way_out = "dequantize()" if value.is_quantized else "to_dense()"
            plain = "" if value.is_complex() else f"; save {way_out} of it"
            raise refused(file, f"{name} is no plain tensor ({value.dtype}, {value.layout}){plain}")
        # PyTorch does not look into floats of 8 bits.
        finite = torch.isfinite(value.float() if value.itemsize == 1 else value)
        if not bool(finite.all()):
            count = int((~finite).sum())
            raise refused(
                file, f"{name} holds {counted(count, 'value')} that are not finite numbers (NaN or infinite)"
            )
    return weights


def _is_narrower(value: Tensor, expected: Tensor) -> bool:
    return (
        value.is_floating_point()
        and expected.is_floating_point()
        and torch.finfo(value.dtype).eps > torch.finfo(expected.dtype).eps
    )


def _is_whole_number(value: Tensor, expected: Tensor) -> bool:
    return expected.is_floating_point() and not value.is_floating_point()


def _dtype(expected: Mapping[str, Tensor]) -> torch.dtype:
    return next(value.dtype for value in expected.values() if value.is_floating_point())


def _why_none(checkpoint: Checkpoint, expected: StateDict) -> str:
    """Return what keeps the state dict that comes closest from being the network's."""
    if checkpoint.models:
        return whole_model(checkpoint)
    if checkpoint.in_order and not checkpoint.found:
        return _why_not_in_order(next(iter(checkpoint.in_order.values())), expected)
    tried = [
        (key, prefix, renamed)
        for key, weights in checkpoint.found.items()
        for renamed in without_wrappers(weights, expected)
        for prefix in dict.fromkeys([*_prefixes(renamed, expected), *_common(renamed), ""])
    ]

    def distance(candidate: tuple[str, str, StateDict]) -> int:
        _, prefix, weights = candidate
        return len(expected.keys() ^ after(weights, prefix).keys())

    key, prefix, weights = min(tried, key=distance)
    here = after(weights, prefix)
    where = f"under {_named_key(key, prefix)!r} " if key or prefix else ""
    another = "is it the checkpoint of another architecture?"
    missing, beyond = sorted(_lacking(here, expected)), sorted(_beyond(here, expected))
    if missing or beyond:
        problems = (
            [f"lacks {counted(len(missing), 'weight')} of the network, e.g. {missing[0]}"] if missing else []
        )
        problems += [f"has {len(beyond)} that the network does not, e.g. {beyond[0]}"] if beyond else []
        if any(_ADAPTER in name for name in beyond):
            another = _MERGE
        elif missing and [here[name].shape for name in beyond] == [expected[name].shape for name in missing]:
            another = (
                f"is {beyond[0]} there what the network calls {missing[0]}? Then rename it in the state dict"
            )
        return f"{where}{' and '.join(problems)}; {another}"
    name = next(name for name, value in expected.items() if name in here and here[name].shape != value.shape)
    shapes = f"{tuple(here[name].shape)}, in the network {tuple(expected[name].shape)}"
    return f"{where}{name} has the shape {shapes}; {another}"


def _why_not_in_order(values: Sequence[Tensor], expected: StateDict) -> str:
    statistics = ("running_mean", "running_var", COUNTER)
    parameters = {name: value for name, value in expected.items() if not name.endswith(statistics)}
    if len(parameters) < len(expected) and in_its_order(values, parameters) is not None:
        return (
            f"holds {counted(len(values), 'array')} in order, the parameters without BatchNorm's running "
            "mean and variance, which are of the model, too: save all of model.state_dict().values()"
        )
    return (
        f"holds {counted(len(values), 'array')} in order, and the network has "
        f"{counted(len(expected), 'weight')} of these "
        "shapes in another order or number; is it the checkpoint of another architecture?"
    )


def _common(weights: StateDict) -> Iterable[str]:
    """Return the first parts of all names, with their dots: `model.` of a Lightning module, for one."""
    return dict.fromkeys(f"{name.partition('.')[0]}." for name in weights if "." in name)


def _quoted_keys(fits: Sequence[Fit]) -> str:
    return listed([repr(fit.key) for fit in fits], most=4)
