"""Import and call of a recipe's `package.module:factory`: the only place where a recipe's code is run."""

from __future__ import annotations

import importlib
import site
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from autokd.core.own_code import OwnCode, read_own_code
from autokd.core.own_imports import import_own, plain
from autokd.core.process_state import undisturbed
from autokd.core.regular_files import regular_size
from autokd.errors import PlanError

TIMM: Final = "timm:"
"""What stands before the names of timm's models."""


HF: Final = "hf:"
"""What stands before a folder with a model of transformers."""
HF_CONFIG: Final = "config.json"
_LARGEST_CONFIG: Final = 2**24


def code_of(name: str, folder: Path | None) -> OwnCode:
    """Return the code that a recipe names, or the configuration that describes a network; nothing is run.

    Args:
        name: `package.module:factory`, or `hf:folder`.
        folder: Folder of the recipe; None for one that was made in a program: then the name means what the
            program would import.

    Raises:
        PlanError: If a file cannot be read, or the module is `__main__`.
    """
    module = name.partition(":")[0]
    if is_hf(name, folder):
        return _configuration(name, folder)
    if module.partition(".")[0] == "__main__":
        raise PlanError(
            source=name,
            problem="is in the program that is running, which workers cannot import; put the function or "
            "class into a file beside the recipe, e.g. networks.py, and name it as networks:make",
        )
    if folder is not None:
        if module.endswith(".py") and (folder / module).is_file():
            raise PlanError(source=name, problem=f"names a file; say {name.replace('.py:', ':', 1)}")
        return read_own_code(folder, module)
    place = _place(module)
    if place is None or _is_installed(place):
        return OwnCode(Path(sys.path[0]).absolute(), {}, complete=True)
    return read_own_code(place, module)


def is_timm(name: str, folder: Path | None) -> bool:
    """Return whether a network is `timm:` and a model of timm; a module `timm` of one's own goes first."""
    if not name.startswith(TIMM) or name == f"{TIMM}create_model":
        return False
    return _is_no_own_module("timm", folder)


def is_hf(name: str, folder: Path | None) -> bool:
    """Return whether a network is `hf:` and a folder; a module `hf` of one's own goes first."""
    return name.startswith(HF) and _is_no_own_module("hf", folder)


def _is_no_own_module(name: str, folder: Path | None) -> bool:
    """Return whether the recipe's folder has no module of this name; a folder without code is none."""
    if folder is None:
        return True
    return not (folder / f"{name}.py").exists() and not any((folder / name).rglob("*.py"))


def _configuration(name: str, folder: Path | None) -> OwnCode:
    """Return the configuration of a network as its own code: what it is made of."""
    place = ((folder or Path()) / Path(name.removeprefix(HF)).expanduser()).absolute()
    file = place / HF_CONFIG
    try:
        regular_size(file, most=_LARGEST_CONFIG)
        return OwnCode(place, {HF_CONFIG: file.read_bytes()}, complete=True)
    except OSError as error:
        raise PlanError(source=str(file), problem=f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise PlanError(source=str(file), problem=str(error)) from None


def call(name: str, options: Mapping[str, Any], code: OwnCode) -> Any:
    """Return the result of the factory.

    Args:
        name: `package.module:factory`.
        options: Keyword arguments of the factory.
        code: Code that the name means; without files, that of an installed package.

    Raises:
        PlanError: If it cannot be imported, or raises.
    """
    module_name, _, attribute = name.partition(":")
    program = f"{module_name}.py"
    try:
        with undisturbed(program):
            factory: Any = _imported(name, code)
            for part in attribute.split("."):
                factory = getattr(factory, part)
    except PlanError:
        raise
    except (Exception, SystemExit) as error:
        file = code.file_of(module_name) if code.files else None
        where = f"; the file is {code.folder / file}" if file else ""
        raise PlanError(source=name, problem=f"cannot be imported: {_reason(error)}{where}") from error
    if not callable(factory) or _is_network(factory):
        problem = (
            f"is a {type(factory).__name__} that is made already; name a class, or a function that makes it"
        )
        raise PlanError(source=name, problem=problem)
    try:
        with undisturbed(program):
            return factory(**options)
    except (Exception, SystemExit) as error:
        raise PlanError(source=name, problem=f"raises {type(error).__name__}: {_words(error)}") from error


def _is_network(factory: object) -> bool:
    """Return whether it is a network of PyTorch, which may not be imported here: these can be called, too."""
    return not isinstance(factory, type) and hasattr(factory, "state_dict")


def installed_notice(name: str, code: OwnCode) -> str:
    """Return what to know of a name that means an installed package; empty for own code."""
    module = name.partition(":")[0]
    first = module.partition(".")[0]
    where = _place(module)
    if code.files or where is None:
        return ""
    try:
        package = f"{first} {metadata.version(first)}"
    except metadata.PackageNotFoundError:
        package = first
    return (
        f"{name} is code of the package {package} in {where}, since {code.folder} has no {first}.py: changes "
        "of the package are not noticed, and workers need the same"
    )


def _imported(name: str, code: OwnCode) -> ModuleType:
    """Return the module of a factory."""
    module = name.partition(":")[0]
    if code.lost:
        problem = (
            f"cannot be imported: {code.lost[0]}, which it was checked with, is not in {code.folder} now"
        )
        raise PlanError(source=name, problem=f"{problem}; put it back")
    if code.files:
        return import_own(code, module)
    where, first = _place(module), module.partition(".")[0]
    if where is None or _is_of_working_folder(where):
        problem = f"cannot be imported: {code.folder} has no {first}.py, and no package {first} is installed"
        way_out = "it has to lie beside the recipe, whatever folder the command is typed in"
        raise PlanError(source=name, problem=f"{problem}; {way_out}")
    importlib.invalidate_caches()
    return importlib.import_module(module)


def _place(module: str) -> Path | None:
    """Return the folder or archive that this process would import a module from; None if there is none."""
    first = module.partition(".")[0]
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).absolute().parent
    return Path(spec.origin).absolute().parent if spec.has_location and spec.origin else Path(sys.prefix)


def _is_installed(folder: Path) -> bool:
    """Return whether a folder is one of Python's own or of installed packages."""
    paths = [
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
    ]
    return folder == Path(sys.prefix) or folder in {
        Path(path) for path in (*paths, site.getusersitepackages())
    }


def _is_of_working_folder(folder: Path) -> bool:
    """Return whether a folder is on Python's path only because a program was started in it."""
    others = {Path(path).absolute() for path in sys.path[1:] if path}
    return folder == Path.cwd() and folder not in others and not _is_installed(folder)


def _reason(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "it ends the program; put what a script does under `if __name__ == '__main__':`"
    if isinstance(error, ImportError | AttributeError):
        return _words(error)
    return f"{type(error).__name__}: {_words(error)}"


def _words(error: BaseException) -> str:
    return plain(str(error))[:200]
