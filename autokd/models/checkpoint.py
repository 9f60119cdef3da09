"""Checkpoints that were trained elsewhere: read without running code, and loaded into their network."""

from __future__ import annotations

import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from autokd.data.sources.labelled_images import unreadable
from autokd.errors import PlanError

_INSIDE: Final = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts save the state dict."""


def read_checkpoint(file: Path) -> Mapping[str, Tensor]:
    """Read a state dict to the CPU.

    The file is `.safetensors`, or else of `torch.save`, from which only tensors and plain containers are read
    (`weights_only`), so that no file can run code.

    Raises:
        PlanError: If it holds no state dict.
    """
    try:
        with file.open("rb") as opened:
            opened.read(1)
        content: Any = (
            safetensors.torch.load_file(file) if file.suffix == ".safetensors" else _unpickled(file)
        )
    except OSError as error:
        raise unreadable(file, error) from error
    except SafetensorError as error:
        raise _refused(file, f"is no safetensors file, or a damaged one ({error})") from error
    for name in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not content:
        raise _refused(file, f"holds a {type(content).__name__}, not a state dict; save model.state_dict()")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            problem = f"holds a {type(value).__name__} as {name!r}, not a tensor; save model.state_dict()"
            raise _refused(file, problem)
    # Names of a model that was wrapped in DataParallel.
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _unpickled(file: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        problem = (
            "holds more than weights, or is damaged; what it names is not run. Save model.state_dict(), "
            "or use safetensors"
        )
        raise _refused(file, problem) from error
    except (EOFError, zipfile.BadZipFile) as error:
        raise _refused(file, "is cut off") from error
    except Exception as error:
        # torch's parsers raise RuntimeError, OSError, UnicodeDecodeError and others.
        problem = f"is no checkpoint of torch.save, or is cut off or damaged ({type(error).__name__})"
        raise _refused(file, problem) from error


def checkpoint_hash(file: Path) -> str:
    """Return SHA-256 of a file, in hex.

    Raises:
        OSError: If it cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fit(network: nn.Module, weights: Mapping[str, Tensor], file: Path) -> None:
    """Load weights into their network.

    Raises:
        PlanError: If names or shapes are not exactly those of the network, or a weight is not a number.
    """
    expected = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            count = int((~torch.isfinite(value)).sum())
            raise _refused(file, f"{name} holds {count} values that are not finite numbers (NaN or infinite)")
        if name in expected and value.shape != expected[name].shape:
            problem = (
                f"{name} has the shape {tuple(value.shape)}, in the network {tuple(expected[name].shape)}"
            )
            raise _refused(file, f"{problem}; is it the checkpoint of another architecture?")
        if value.is_complex() or value.is_quantized or value.layout != torch.strided:
            raise _refused(file, f"{name} is no plain tensor ({value.dtype}, {value.layout})")
    missing = sorted(expected.keys() - weights.keys())
    beyond = sorted(weights.keys() - expected.keys())
    if missing or beyond:
        problems = [f"lacks {len(missing)} weights of the network, e.g. {missing[0]}"] if missing else []
        problems += [f"has {len(beyond)} that the network does not, e.g. {beyond[0]}"] if beyond else []
        raise _refused(file, f"{' and '.join(problems)}; is it the checkpoint of another architecture?")
    try:
        network.load_state_dict(dict(weights), strict=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _refused(file, f"does not fit the network: {str(error)[:200]}") from error


def _refused(file: Path, problem: str) -> PlanError:
    return PlanError(source=str(file), problem=problem)
