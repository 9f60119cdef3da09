"""Python's path without the folders that a program has only because of where it was started.

Python itself puts the working folder first (`python -m`), or the folder of the script, and takes an empty
entry of `PYTHONPATH` for the working folder. A `torch.py` that lies there would be imported in place of
PyTorch. Nothing is imported here but what Python has imported before any program begins.
"""

import os
import sys

_CONSOLE_SCRIPTS = ("autokd", "autokd.exe", "autokd-script.py")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ROOT = os.path.dirname(_PACKAGE)
"""The folder that autokd itself is imported from: installed packages, or a checkout."""


def program_is_autokd() -> bool:
    """Return whether this process is the command line, and not a program that uses autokd as a library."""
    arguments = sys.orig_argv
    as_module = any(
        argument == "-mautokd" or (argument == "-m" and arguments[number + 1 : number + 2] == ["autokd"])
        for number, argument in enumerate(arguments)
    )
    return as_module or os.path.basename(sys.argv[0] if sys.argv else "") in _CONSOLE_SCRIPTS


def use_safe_path() -> None:
    """Take out of this process's path what `PYTHONPATH` and the start in a folder have put there.

    Folders that installed packages name (in `.pth` files) stay. If one is the working folder or the home, it
    goes to the end, and so does the folder of a checkout of autokd: nothing in it hides an installed module.
    """
    if not sys.flags.safe_path and sys.path and _is_of_program(sys.path[0]):
        del sys.path[0]
    written = os.environ.get("PYTHONPATH", "")
    # Python makes the entries absolute, an empty one among them, which stands for the working folder.
    own_entries = [_absolute(entry) for entry in written.split(os.pathsep)] if written else []
    first: list[str] = []
    last: list[str] = []
    for entry in sys.path:
        if not _depends_on_where(entry):
            first.append(entry)
        elif _same(entry, _ROOT) or (os.path.isabs(entry) and _absolute(entry) not in own_entries):
            last.append(os.path.abspath(entry))
    sys.path[:] = first + [entry for entry in last if entry not in first]
    if not any(_same(entry, _ROOT) for entry in sys.path):
        sys.path.append(_ROOT)


def child_environment() -> dict[str, str | None]:
    """Return the environment variables by which Python processes that are started now have a safe path, too.

    None stands for a variable that is not to be set.
    """
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in folders if entry and (not _depends_on_where(entry) or _same(entry, _ROOT))]
    # By `python -m autokd` in a checkout, or a path that a program has set, others may not find autokd.
    if _depends_on_where(_ROOT) and not any(_same(entry, _ROOT) for entry in kept):
        kept.append(_ROOT)
    return {
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, kept)) or None,
        "PYTHONSAFEPATH": "1",
    }


def _depends_on_where(entry: str) -> bool:
    """Return whether an entry is the working folder or the home, or relative to where one stands."""
    home = os.path.expanduser("~")
    return not os.path.isabs(entry) or _same(entry, _working_folder()) or _same(entry, home)


def _is_of_program(entry: str) -> bool:
    """Return whether Python's first entry is the one that it adds for a program."""
    script = sys.argv[0] if sys.argv else ""
    if script in ("", "-c", "-m") or "-m" in sys.orig_argv[1:2]:
        return entry == "" or _same(entry, _working_folder())
    return _same(entry, os.path.dirname(os.path.realpath(script)))


def _absolute(entry: str) -> str:
    return os.path.normpath(os.path.join(_working_folder(), entry))


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # It was removed.
        return ""


def _same(first: str, other: str) -> bool:
    return bool(first and other) and os.path.realpath(first) == os.path.realpath(other)
