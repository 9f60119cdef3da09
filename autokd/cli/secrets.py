"""Keeps a password in `--storage` out of the process list and out of Ray's records."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import islice

from autokd.config.defaults import STORAGE_VARIABLE
from autokd.core.safe_path import child_environment


def hide_secrets() -> None:
    """Restart the program with a secret address in the environment instead of in the arguments.

    Ray records the command line of its driver, which it reads from the operating system; only a new process
    image has another one.
    """
    arguments, secret = without_secret(sys.argv[1:])
    if secret is not None:
        changed = {**os.environ, **child_environment(), STORAGE_VARIABLE: secret}
        environment = {name: value for name, value in changed.items() if value is not None}
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "autokd", *arguments], environment)


def without_secret(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments without a `--storage` that contains a secret, and that address or None."""
    kept: list[str] = []
    secret: str | None = None
    waiting = iter(arguments)
    for argument in waiting:
        option = [argument, *islice(waiting, 1)] if argument == "--storage" else [argument]
        name, _, value = "=".join(option).partition("=")
        if name == "--storage" and value and holds_secret(value):
            secret = value
        else:
            kept += option
    return kept, secret


def holds_secret(address: str) -> bool:
    """Return whether an address contains a password."""
    # Imported here: the database libraries take a second to import, and most commands do not need them.
    from autokd.store import redacted

    return redacted(address) != address
