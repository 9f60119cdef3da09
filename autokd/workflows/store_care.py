"""Care for a store: backup, restore, check, and giving back the pairs of a driver that is dead."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autokd.core.setting import AnyPair
from autokd.errors import ForeignLog, InputError, NotTuned, StoreError, StoreUnreachable
from autokd.search.study_names import held_pair
from autokd.store import DriverFacts, normalise
from autokd.store import backup as copies
from autokd.store.checking import Problem, problems
from autokd.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Released:
    """A driver whose pairs were given back.

    Attributes:
        owner: User, machine and process, for people.
        studies: Number of names that it had.
    """

    owner: str
    studies: int


def backup_store(workspace: Workspace, target: Path) -> None:
    """Copy a SQLite store into a new file, also while drivers are at work; see `autokd.store.backup`."""
    copies.backup(normalise(workspace.storage), target)


def restore_store(workspace: Workspace, source: Path) -> None:
    """Put a backup in the place of a SQLite store, also of one that cannot be read.

    Raises:
        InputError: If a driver is alive, or the backup is none.
    """
    try:
        with workspace.open_store(create=False) as store:
            alive = [driver for driver in store.leases.drivers() if driver.alive]
    except NotTuned:
        alive = []
    except StoreError as error:
        if isinstance(error, StoreUnreachable) and not isinstance(error, ForeignLog):
            raise
        # Why somebody restores a backup; it is kept as it is.
        _log.warning("what is there cannot be read: %s", error)
        alive = []
    if alive:
        raise InputError(
            f"{alive[0].owner} is at work on this store; stop it first (autokd stop), or give its pairs back "
            "if it is dead (autokd store release)"
        )
    copies.restore(normalise(workspace.storage), source)


def check_store(workspace: Workspace) -> tuple[Problem, ...]:
    """Return all that is wrong in a store; empty if nothing is.

    Raises:
        NotTuned: If there is no store.
    """
    with workspace.open_store(create=False) as store:
        return tuple(problems(store))


def release_pairs(workspace: Workspace, pairs: Sequence[AnyPair] | None) -> tuple[Released, ...]:
    """Give back the pairs of drivers that are dead, whatever the time of their leases says.

    A driver loses all of its pairs. Should it be alive after all, it writes nothing more.

    Args:
        pairs: Pairs of this study; None for all of its pairs.

    Raises:
        InputError: If such a driver is alive on this machine.
    """
    wanted = None if pairs is None else set(pairs)

    def has_one(driver: DriverFacts) -> bool:
        held = [held_pair(study, workspace.config, workspace.space) for study in driver.studies]
        return any(pair is not None and (wanted is None or pair.pair in wanted) for pair in held)

    with workspace.open_store(create=False) as store:
        drivers = [driver for driver in store.leases.drivers() if has_one(driver)]
        for driver in drivers:
            if driver.here:
                raise InputError(f"{driver.owner} is alive on this machine; end it by autokd stop")
        store.leases.release([driver.token for driver in drivers])
    return tuple(Released(driver.owner, len(driver.studies)) for driver in drivers)
