"""Networks of transformers by a folder with `config.json`: nothing is downloaded, none of its code runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import torch
from torch import nn

from autokd.config.external import Network
from autokd.core.import_factory import HF, HF_CONFIG
from autokd.core.own_code import OwnCode
from autokd.errors import PlanError
from autokd.models.checkpoint import Checkpoint, StateDict
from autokd.text.reasons import kind_and_words

_ENDS: Final = ("ForSequenceClassification", "ForImageClassification", "ForAudioClassification")


def hugging_face_network(recipe: Network, code: OwnCode) -> nn.Module:
    """Return the classifier that a configuration describes, with random weights, in float32.

    Where the network takes an attention mask and its configuration names a token that fills texts up, the
    mask leaves these tokens out, as a tokenizer's mask does.

    Args:
        recipe: Network whose options replace entries of the configuration.
        code: Content of `config.json`.

    Raises:
        PlanError: If transformers is not installed, or the configuration describes no classifier of it.
    """

    def refused(problem: str) -> PlanError:
        return PlanError(source=f"network {recipe.name}", problem=problem)

    if HF_CONFIG not in code.files:
        raise refused(f"{code.folder / HF_CONFIG}, which it was checked with, is not there now; put it back")
    try:
        transformers: Any = import_module("transformers")
    except ImportError:
        problem = "needs the package transformers, which is not installed here; pip install 'autokd[hf]'"
        raise refused(problem) from None
    try:
        written = json.loads(code.files[HF_CONFIG])
    except ValueError as error:
        raise refused(f"{HF_CONFIG} is no JSON ({error})") from error
    if not isinstance(written, Mapping) or not isinstance(written.get("model_type"), str):
        raise refused(f"{HF_CONFIG} names no model_type; it is that of no model of transformers")
    if "auto_map" in written:
        problem = "names code of its own (auto_map), which is not run"
        raise refused(f"{HF_CONFIG} {problem}; name it as your own code: module:function")
    named = written.get("architectures")
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    if not name.endswith(_ENDS) or not hasattr(transformers, name):
        problem = f"architectures is {json.dumps(named)[:100]}, not a classifier of transformers"
        raise refused(f"{HF_CONFIG}: {problem} (...{_ENDS[0]})")
    content = {**written, **recipe.options}
    try:
        config = transformers.CONFIG_MAPPING[content["model_type"]].from_dict(content)
        network: nn.Module = getattr(transformers, name)(config)
    except Exception as error:
        raise refused(f"cannot be made of {HF_CONFIG}: {kind_and_words(error)}") from error
    filling = getattr(config, "pad_token_id", None)
    if type(filling) is int and "attention_mask" in _parameters(network):
        network.register_forward_pre_hook(_Masked(filling), with_kwargs=True)
    return network.float()


def _parameters(network: nn.Module) -> tuple[str, ...]:
    code: Any = getattr(type(network).forward, "__wrapped__", type(network).forward)
    names: tuple[str, ...] = code.__code__.co_varnames[: code.__code__.co_argcount]
    return names


class _Masked:
    """Gives a network the mask of its token ids: 0 for the tokens that fill texts up."""

    def __init__(self, filling: int) -> None:
        self._filling = filling

    def __call__(
        self, _network: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        (first, *_) = (*inputs, None)
        if not isinstance(first, torch.Tensor) or first.is_floating_point() or "attention_mask" in named:
            return None
        return inputs, {**named, "attention_mask": (first != self._filling).long()}


def by_own_names(network: nn.Module, checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint with the names of weights that a network of transformers has; others as they are.

    Files keep the names of earlier releases, which transformers translates whenever it reads them.
    """
    if not type(network).__module__.startswith("transformers."):
        return checkpoint
    translated = {key: _translated(network, weights) for key, weights in checkpoint.found.items()}
    return replace(checkpoint, found=translated)


def _translated(network: Any, weights: StateDict) -> StateDict:
    """Return a state dict by the names of a network, if they mean all of its weights and no other."""
    if weights.keys() == network.state_dict().keys():
        return weights
    logging: Any = import_module("transformers.utils.logging")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # What is missing would be drawn at random.
        with torch.random.fork_rng(devices=()):
            loaded, loading = type(network).from_pretrained(
                None,
                config=network.config,
                state_dict=dict(weights),
                output_loading_info=True,
                local_files_only=True,
            )
    except Exception:
        return weights  # What keeps it from fitting is told of its own names.
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    return weights if any(loading.get(kind) for kind in kinds) else loaded.state_dict()


def is_hugging_face(code: OwnCode | None, name: str) -> bool:
    """Return whether the code of a name is a configuration of transformers."""
    return code is not None and name.startswith(HF) and {*code.files, *code.lost} == {HF_CONFIG}
