"""Reads what `torch.save` or `pickle.dump` wrote without running anything that the file names.

A checkpoint of a training script mostly holds more than weights: the command line's `argparse.Namespace`, an
optimizer, paths, NumPy scalars, classes of the script. `torch.load(weights_only=True)` refuses all of these.
Here only the functions that rebuild tensors, arrays and plain containers are called, by an allow-list;
everything else that the file names becomes an empty `Placeholder`, which does nothing.
"""

from __future__ import annotations

import collections
import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Final

import numpy as np
import torch

_AHEAD: Final = 1000
_NEVER_IN_WEIGHTS: Final = frozenset(
    {
        *(
            "code",
            "codeop",
            "commands",
            "ctypes",
            "importlib",
            "marshal",
            "nt",
            "os",
            "pickle",
            "posix",
            "pty",
        ),
        *("runpy", "shutil", "socket", "subprocess", "sys", "tempfile", "timeit", "urllib"),
        "webbrowser",
    }
)
"""Modules that no checkpoint names for a good reason; one that does is refused, although nothing runs."""


class NamesCode(pickle.UnpicklingError):
    """A file names something that runs commands; nothing of it was run."""


class Placeholder(dict[Any, Any]):
    """Stands for an object of a class that is not read; keeps the state and the entries that it was given.

    Attributes:
        state: What the object would have been restored from; None if there was nothing.
    """

    state: Any = None

    def __new__(cls, *args: Any, **options: Any) -> Placeholder:
        return super().__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    # An enum member, say, may be the key of a dict.
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__

    def __call__(self, *args: Any, **options: Any) -> Placeholder:
        """Return what a function or class that a file reached by `getattr` would make: nothing, too."""
        return Placeholder()

    def append(self, item: object) -> None:
        """Drop an entry of a list."""

    def extend(self, items: object) -> None:
        """Drop entries of a list."""


def load(file: Path) -> Any:
    """Return what `torch.save` or `pickle.dump` wrote, on the CPU, with `Placeholder`s for what is not read.

    Raises:
        NamesCode: If it names a module that runs commands.
        pickle.UnpicklingError, RuntimeError, ...: If it is no such file, or damaged; torch's readers and
            pickle raise nearly anything.
    """
    with file.open("rb") as opened:
        if not zipfile.is_zipfile(opened):
            opened.seek(0)
            first = _Unpickler(opened).load()
            # Before its archives torch wrote several pickles, the first of which is a number.
            if first != torch.serialization.MAGIC_NUMBER:
                return first
        opened.seek(0)
        return _of_torch_save(opened)


def _of_torch_save(file: IO[bytes]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Not `weights_only`: torch's own reader refuses a file for any class that it does not know, and has
        # no way to pass it by. Nothing is run here either, since `_Unpickler` finds no other functions.
        return torch.load(file, map_location="cpu", weights_only=False, pickle_module=_PICKLE)


def _storage(content: bytes) -> Any:
    """Return the storage of a tensor that was pickled without `torch.save`."""
    return _of_torch_save(io.BytesIO(content))


def _check_memo(file: IO[bytes]) -> None:
    """Refuse a pickle whose numbers of remembered values run ahead of them: as many would be reserved.

    The file stays where it was.

    Raises:
        pickle.UnpicklingError: If it does.
        ValueError: If it is damaged.
    """
    begin = file.tell()
    for seen, (code, argument, _) in enumerate(pickletools.genops(file)):
        if "PUT" in code.name and isinstance(argument, int) and argument > seen + _AHEAD:
            raise pickle.UnpicklingError(f"value {argument} is remembered after {seen} steps")
    file.seek(begin)


class _Unpickler(pickle.Unpickler):
    """Finds the functions of the allow-list, and a `Placeholder` for any other name."""

    def __init__(self, file: IO[bytes], **options: Any) -> None:
        _check_memo(file)
        super().__init__(file, **options)

    def find_class(self, module: str, name: str, /) -> Any:
        known = _allowed().get(f"{module}.{name}")
        if known is not None:
            return known
        top = module.partition(".")[0]
        if top in _NEVER_IN_WEIGHTS or (top in _BUILTINS and name in _RUN_CODE):
            raise NamesCode(f"{module}.{name}")
        if top in _BUILTINS and name in _CONTAINERS:
            return _CONTAINERS[name]
        return type(name.rpartition(".")[2], (Placeholder,), {"__module__": module})


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


_PICKLE: Final = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="inert_pickle")
"""What `torch.load` uses of a pickle module."""


@cache
def _allowed() -> dict[str, Any]:
    """Return the functions and classes that may be called, by full name: all of them only build values."""
    rebuild = torch._utils
    allowed: dict[str, Any] = {
        "collections.OrderedDict": collections.OrderedDict,
        "collections.Counter": collections.Counter,
        "collections.defaultdict": _default_dict,
        "_codecs.encode": _encode,
        "torch.Size": torch.Size,
        "torch.device": torch.device,
        "torch.Tensor": torch.Tensor,
        "torch.storage._load_from_bytes": _storage,
        "torch.storage.UntypedStorage": torch.UntypedStorage,  # Of 8-bit floats, for one.
        "torch.nn.parameter.Parameter": torch.nn.Parameter,
        "torch.nn.parameter.Buffer": torch.nn.Buffer,
        "torch._utils._rebuild_tensor": rebuild._rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": rebuild._rebuild_tensor_v2,
        "torch._utils._rebuild_tensor_v3": rebuild._rebuild_tensor_v3,
        "torch._utils._rebuild_parameter": rebuild._rebuild_parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter_with_state,
        "torch._utils._rebuild_device_tensor_from_numpy": _of_device,
        "torch._utils._rebuild_device_tensor_from_cpu_tensor": _of_device,
        "torch._utils._rebuild_sparse_tensor": rebuild._rebuild_sparse_tensor,
        "torch._utils._rebuild_qtensor": rebuild._rebuild_qtensor,
        "torch._tensor._rebuild_from_type_v2": _of_type,
        "torch.serialization._get_layout": torch.serialization._get_layout,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
    }
    for name in ("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine"):
        allowed[f"torch.{name}"] = getattr(torch, name)
    for name in dir(torch):
        if isinstance(value := getattr(torch, name), torch.dtype):
            allowed[f"torch.{name}"] = value
    # NumPy 1 and 2 name their module differently.
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed[f"{module}.scalar"] = np._core.multiarray.scalar  # type: ignore[attr-defined]
        allowed[f"{module.replace('multiarray', 'numeric')}._frombuffer"] = np._core.numeric._frombuffer  # type: ignore[attr-defined]
        allowed[f"{module}._reconstruct"] = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    return allowed


def _set(items: Sequence[Any] = ()) -> set[Any]:
    """Return a set of what the file lists; anything else could unfold to any size."""
    return set(items) if isinstance(items, list | tuple) else set()


def _bytearray(content: object = b"", encoding: str = "latin1") -> bytearray:
    """Return the bytes that the file holds."""
    if isinstance(content, str):
        return bytearray(_encode(content, encoding))
    return bytearray(content) if isinstance(content, bytes) else bytearray()


def _default_dict(*args: Any) -> dict[Any, Any]:
    """Return a plain dict: a factory is not called."""
    return dict(args[1]) if len(args) > 1 and isinstance(args[1], dict) else {}


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes as pickle's protocol 2 writes them; other codecs may unfold to any size."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding}")
    return text.encode("latin1")


def _parameter_with_state(data: torch.Tensor, requires_grad: bool, hooks: Any, state: Any) -> torch.Tensor:
    """Return a parameter without the attributes that the script gave it."""
    return torch.nn.Parameter(data, requires_grad)


def _of_device(data: Any, kind: torch.dtype, device: object, requires_grad: bool) -> torch.Tensor:
    """Return a tensor of an accelerator of another kind, such as a TPU, on the CPU."""
    return torch.as_tensor(data).to(kind)


def _of_type(rebuild: Any, kind: Any, args: tuple[Any, ...], state: Any) -> Any:
    """Return a tensor of a subclass as a plain one, without attributes."""
    return rebuild(*args)


_BUILTINS: Final = ("builtins", "__builtin__")
_CONTAINERS: Final[dict[str, Any]] = {
    "set": _set,
    "frozenset": _set,
    "bytearray": _bytearray,
    "complex": complex,
    "slice": slice,
    "range": range,
    "xrange": range,
}
_RUN_CODE: Final = frozenset(
    {
        *("eval", "exec", "execfile", "compile", "open", "file", "__import__", "reload", "apply"),
        *("input", "raw_input", "breakpoint", "setattr", "delattr", "globals", "locals", "vars"),
    }
)
"""Built-in functions that no checkpoint names for a good reason. Others are not called either: enums are
pickled as `getattr(class, name)`, and an error or a function may be a value."""
