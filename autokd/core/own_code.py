"""Own code: the Python files in a recipe's folder that a name in the recipe, such as `networks:small`, needs.

They are found by reading, without running anything: the file that is named, and what it imports from the same
folder, and so on. Workers and later commands import these very contents (`autokd.core.own_imports`), wherever
they run and whatever else is called so.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from autokd.errors import PlanError

_NEVER_OWN: Final = ("autokd", "__future__")
"""A recipe may lie in the folder that autokd itself is in."""


class OwnCode:
    """Sources of one name's code.

    Args:
        folder: Absolute path of the folder that module names begin in.
        files: Contents by path below `folder`, with slashes; none if it is that of an installed package.
        complete: Whether there is nothing else to import in `folder`. Otherwise a file that is imported by a
            computed name is added to `files` when that happens.
        lost: Files that the code had and that are not there any more.
    """

    def __init__(
        self, folder: Path, files: Mapping[str, bytes], *, complete: bool, lost: Collection[str] = ()
    ) -> None:
        self.folder, self.files, self.complete, self.lost = folder, dict(files), complete, tuple(lost)
        self.package = ""  # That it was imported into, in this process.

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "package": ""}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, in hex."""
        return {file: hashlib.sha256(content).hexdigest() for file, content in sorted(self.files.items())}

    def content(self, file: str) -> bytes:
        """Return a file's content, which belongs to the code from now on."""
        if file not in self.files:
            self.files[file] = (self.folder / file).read_bytes()
        return self.files[file]

    def file_of(self, module: str) -> str | None:
        """Return the file of a module or package, by its name with dots; None if it is not in the folder."""
        stem = module.replace(".", "/")
        for file in (f"{stem}/__init__.py", f"{stem}.py"):
            if self._has(file):
                return file
        return None

    def is_folder(self, module: str) -> bool:
        """Return whether a folder without `__init__.py` has that name."""
        stem = module.replace(".", "/")
        known = any(file.startswith(f"{stem}/") for file in self.files)
        return known or (not self.complete and (self.folder / stem).is_dir())

    def provides(self, module: str, names: Collection[str] = (), *, below: str = "") -> bool:
        """Return whether `import module`, or `from module import names`, means a file of the folder.

        A folder without `__init__.py`, which may hold data, counts only if it leads to such a file.

        Args:
            below: What the names begin in instead of the folder, e.g. `lib.`.
        """
        first = module.partition(".")[0]
        if first in _NEVER_OWN:
            return False
        module = below + module
        if self.file_of(below + first) or self.file_of(module):
            return True
        return self.is_folder(module) and any(self.file_of(f"{module}.{name}") for name in names)

    def _has(self, file: str) -> bool:
        return file in self.files or (not self.complete and (self.folder / file).is_file())


def read_own_code(folder: Path, module: str, *, also: Collection[str] = ()) -> OwnCode:
    """Return the code of a module in a folder, as it is there now; nothing is run.

    Without such a file in the folder it is without files, and the name means an installed package.

    Args:
        also: Further files that belong to it, if they are there: imported before by a computed name.

    Raises:
        PlanError: If a file cannot be read.
    """
    code = OwnCode(folder.absolute(), {}, complete=False)
    waiting, seen = [module], set()
    try:
        if not code.provides(module):
            return OwnCode(code.folder, {}, complete=True)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            # Importing a.b.c runs a and a.b before.
            waiting += [name.rpartition(".")[0]] if "." in name else []
            file = code.file_of(name)
            if file is not None:
                package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
                waiting += _imported(code, code.content(file), package)
        for file in also:
            if (code.folder / file).is_file():
                code.content(file)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise PlanError(source=str(code.folder), problem=problem) from error
    return code


def _imported(code: OwnCode, source: bytes, package: str) -> Iterator[str]:
    """Yield the modules of the folder that a file of `package` may import, wherever in it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # Importing it says what is wrong.
    for node in ast.walk(tree):
        for module, names in _statements(node, package):
            if module in ("", package) or code.provides(module, names):
                yield from ([module] if module else [])
                yield from (f"{module}.{name}".lstrip(".") for name in names)


def _statements(node: ast.AST, package: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what a node of the syntax tree imports: the absolute name of a module, and names from it."""
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield alias.name, []
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package.split(".") if package else []
            base = above[: len(above) - (level - 1)] if level else []
            yield ".".join([*base, *([module] if module else [])]), [alias.name for alias in names]
        case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]):
            word = getattr(called, "attr", getattr(called, "id", ""))
            if word in ("import_module", "__import__"):
                above = package.split(".") if package and name.startswith(".") else []
                dots = len(name) - len(name.lstrip("."))
                yield ".".join([*above[: len(above) - (dots - 1)], name[dots:]]).strip("."), []
