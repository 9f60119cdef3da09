"""Import of own code under module names that nothing else has, so that two projects never meet.

`networks.py` of a recipe becomes `autokd_own_<hash>.networks`, and so does every module that it imports from
its own folder: import statements in own code look there first. Nothing is put on `sys.path`, and no module of
a plain name is made, so neither the working folder nor what was imported before decides.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from autokd.core.own_code import OwnCode

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

PREFIX: Final = "autokd_own_"
_PACKAGES: Final[dict[str, OwnCode]] = {}
"""All own code that was imported in this process, by the package that holds its modules."""
_GIVEN: Final = frozenset(sys.path)
"""Python's path as it was given to this process: installed packages may lie below a recipe's folder."""


def import_own(code: OwnCode, module: str) -> ModuleType:
    """Import a module of own code.

    `code` gets the files that the module imports by a computed name, now or later.

    Raises:
        Exception: What the code raises; `plain` makes names in its message those that the author wrote.
    """
    return importlib.import_module(f"{_package(code)}.{module}")


def with_imported_files(code: OwnCode) -> OwnCode:
    """Return code as it was imported in this process: with the files that were imported by computed names."""
    if code.files:
        _package(code)
    return code


def plain(message: str) -> str:
    """Return a message without the packages that own code is imported into."""
    for package in _PACKAGES:
        message = message.replace(f"{package}.", "")
    return message


def _package(code: OwnCode) -> str:
    """Return the package of this code: the same for equal contents of one folder."""
    if code.package:
        return code.package
    content = [str(code.folder), code.complete, code.digests]
    stem = PREFIX + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    attempt = 0
    while (package := f"{stem}_{attempt}") in _PACKAGES and not _is_current(_PACKAGES[package]):
        attempt += 1
    # Files that were added to equal code since belong to this one, too.
    code.files = _PACKAGES.setdefault(package, code).files
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    code.package = package
    return package


def _is_current(code: OwnCode) -> bool:
    """Return whether the files of imported code are still as they were imported."""
    if code.complete:
        return True
    try:
        return all((code.folder / file).read_bytes() == content for file, content in code.files.items())
    except OSError:
        return False


class _Finder(MetaPathFinder):
    """Finds the modules of own code by the package that their name begins with."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, module = fullname.partition(".")
        code = _PACKAGES.get(package)
        if code is None:
            return None
        file = code.file_of(module) if module else None
        if file is None and module and not code.is_folder(module):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        spec = ModuleSpec(fullname, _OwnLoader(code, package, file))
        if file is not None:
            spec.origin, spec.has_location = str(code.folder / file), True
        if file is None or file.endswith("__init__.py"):
            spec.submodule_search_locations = [str(code.folder.joinpath(*module.split(".")))]
        return spec


class _OwnLoader(Loader):
    """Runs one file of own code; its import statements look into the own code first."""

    def __init__(self, code: OwnCode, package: str, file: str | None) -> None:
        self._code, self._package, self._file = code, package, file

    def exec_module(self, module: ModuleType) -> None:
        if self._file is None:
            return
        # What a function finds as `__import__` is fixed by the module that it is defined in.
        own = {**vars(builtins), "__import__": _importing(self._code, self._package), "print": _print}
        module.__dict__["__builtins__"] = own
        path = str(self._code.folder / self._file)
        exec(compile(self._code.content(self._file), path, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, fullname: str) -> str | None:
        """Return the text of the file; `inspect`, and with it TorchScript, asks for it."""
        if self._file is None:
            return None
        return importlib.util.decode_source(self._code.content(self._file))


def _print(*values: object, file: SupportsWrite[str] | None = None, **options: Any) -> None:
    """Print what own code prints to standard error: standard output is for a command's result."""
    builtins.print(*values, file=sys.stderr if file is None else file, **options)


def _importing(code: OwnCode, package: str) -> Callable[..., ModuleType]:
    """Return what import statements in own code call in place of `builtins.__import__`."""

    def import_(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        names = tuple(fromlist or ())
        for below in _beginnings(code) if level == 0 else ():
            if code.provides(name, names, below=below):
                own: ModuleType = builtins.__import__(f"{package}.{below}{name}", globals, locals, names, 0)
                # Without names, `import a.b` gives a.
                return own if names else sys.modules[f"{package}.{below}{name.partition('.')[0]}"]
        module: ModuleType = builtins.__import__(name, globals, locals, names, level)
        if level == 0 and module is importlib:
            return _OwnImportlib(code, package)
        return module

    return import_


def _beginnings(code: OwnCode) -> Iterator[str]:
    """Yield what own modules' names begin in: the folder, and those below it that code put on `sys.path`."""
    yield ""
    for entry in dict.fromkeys(sys.path):
        path = None if not entry or entry in _GIVEN else Path(entry).absolute()
        if path is not None and path != code.folder and path.is_relative_to(code.folder):
            parts = path.relative_to(code.folder).parts
            # The names of packages hold no dots: this is how environments are called, such as `.venv`.
            if not any("." in part or part.endswith("-packages") for part in parts):
                yield ".".join((*parts, ""))


class _OwnImportlib(ModuleType):
    """`importlib` as own code sees it: `import_module` looks into the own code first, too."""

    def __init__(self, code: OwnCode, package: str) -> None:
        super().__init__("importlib")
        self._code, self._package = code, package

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        return importlib.import_module(self._placed(name), package and self._placed(package))

    def _placed(self, name: str) -> str:
        for below in _beginnings(self._code) if not name.startswith(".") else ():
            if self._code.provides(name, below=below):
                return f"{self._package}.{below}{name}"
        return name
