"""Stopping: asks the drivers of a study to end, from another process or machine, and waits for them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.public_calls import checked
from autokd.core.setting import AnyPair
from autokd.search.study_names import Held, held_pair
from autokd.store import DriverFacts, Store, validated
from autokd.workflows.callbacks import Callbacks
from autokd.workspace import Workspace

_LOOK_SECONDS: Final = 0.5
"""Time between two looks whether a driver has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedDriver:
    """A driver that was asked to stop, or had ended without giving its pairs back.

    Attributes:
        owner: User, machine and process of the driver.
        since: Start of the driver, in UTC.
        command: What it does: `tune`, `sweep`, `explain`, or `prepare` while it prepares the federation.
        pairs: Its pairs, sorted; empty while it prepares the federation.
        judged: Number of these that have a recommendation.
        was_alive: Whether it was at work when it was asked.
        ended: Whether it has ended; False if nobody waited.
        names: Names of the federation's participants.
    """

    owner: str
    since: datetime
    command: str
    pairs: tuple[AnyPair, ...]
    judged: int
    was_alive: bool
    ended: bool
    names: ParticipantNames = NUMBERS_ONLY

    def to_json(self) -> dict[str, Any]:
        """Return plain values; times as ISO 8601."""
        return {
            "owner": self.owner,
            "since": self.since.isoformat(timespec="seconds"),
            "command": self.command,
            "pairs": [{**pair.to_json(), **self.names.beside(pair)} for pair in self.pairs],
            "judged": self.judged,
            "was_alive": self.was_alive,
            "ended": self.ended,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The result of `stop`.

    Attributes:
        drivers: Drivers of the pairs, oldest first; empty if none was at work.
        elsewhere: Drivers at work in the same store for other pairs, recipes or spaces: owner, and one of the
            names that it holds.
    """

    drivers: tuple[StoppedDriver, ...]
    elsewhere: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd stop --json` prints."""
        return {
            "drivers": [driver.to_json() for driver in self.drivers],
            "elsewhere": [{"owner": owner, "holds": name} for owner, name in self.elsewhere],
        }


@checked()
def stop(
    workspace: Workspace,
    pairs: Collection[AnyPair] | None = None,
    *,
    wait: bool = True,
    callbacks: Callbacks | None = None,
) -> Stopped:
    """Ask the drivers at work on some pairs to stop, as Ctrl-C would, and wait until they have ended.

    A driver stops with all of its pairs. Its runs end at their next report, and the same command continues
    later. The request ends with its driver: whoever starts later is not stopped by it.

    Args:
        pairs: By default all pairs of the federation.
        wait: Whether to return only when the drivers have ended.
        callbacks: Called with those that have not ended yet, twice a second.

    Raises:
        NotTuned: If there is no store.

    >>> import autokd
    >>> autokd.stop(autokd.Workspace.open("mine.yaml")).drivers
    ()
    """
    callbacks = callbacks or Callbacks()
    with workspace.open_store(create=False) as store:
        mine: dict[str, tuple[DriverFacts, Sequence[Held]]] = {}
        elsewhere: list[tuple[str, str]] = []
        for driver in store.leases.drivers():
            held = [
                each
                for name in driver.studies
                if (each := held_pair(name, workspace.config, workspace.space))
            ]
            if any(pairs is None or each.pair is None or each.pair in pairs for each in held):
                mine[driver.token] = driver, held
            elif driver.alive and driver.studies:
                elsewhere.append((driver.owner, driver.studies[0]))
        alive = {token for token, (driver, _) in mine.items() if driver.alive}
        store.leases.ask_to_stop(alive)
        if wait:
            _wait(store, {token: mine[token][0].owner for token in alive}, callbacks)
        recommended = set(store.recommended())
        return Stopped(
            drivers=tuple(
                _stopped(driver, held, recommended, waited=wait, names=workspace.names)
                for driver, held in mine.values()
            ),
            elsewhere=tuple(elsewhere),
        )


def _wait(store: Store, owners: Mapping[str, str], callbacks: Callbacks) -> None:
    """Wait until drivers have ended, or are seen to be gone."""
    began = time.monotonic()
    while left := [
        owners[driver.token] for driver in store.leases.drivers() if driver.alive and driver.token in owners
    ]:
        callbacks.on_waiting(left, time.monotonic() - began)
        time.sleep(_LOOK_SECONDS)


def _stopped(
    driver: DriverFacts,
    held: Sequence[Held],
    recommended: Collection[str],
    *,
    waited: bool,
    names: ParticipantNames,
) -> StoppedDriver:
    commands = {each.command for each in held}
    with validated("its drivers"):
        since = datetime.fromtimestamp(driver.since, UTC)
    return StoppedDriver(
        owner=driver.owner,
        since=since,
        # An explanation also holds the studies that it explains.
        command=next(name for name in ("explain", "sweep", "tune", "prepare") if name in commands),
        pairs=tuple(sorted({each.pair for each in held if each.pair is not None})),
        judged=sum(study in recommended for study in driver.studies),
        was_alive=driver.alive,
        ended=waited or not driver.alive,
        names=names,
    )
