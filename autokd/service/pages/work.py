"""What is at work on a study: commands with their progress and the time that is left."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from autokd.core.setting import Group, Pair
from autokd.service.context import Context
from autokd.service.views import OpenStudy
from autokd.workflows.status import DriverStatus


@dataclass(frozen=True, slots=True)
class Work:
    """What is at work on a study.

    Attributes:
        drivers: Commands and jobs that hold pairs of the study.
    """

    drivers: tuple[DriverStatus, ...]

    @property
    def version(self) -> str:
        """What tells it from the work of other times; the time that is left passes by itself."""
        facts = [(driver.owner, driver.ended, driver.left, driver.asked_to_stop) for driver in self.drivers]
        return hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def work_of(context: Context, name: str, space: str | None) -> Work:
    """Return what is at work on a study now."""
    starts: tuple[str, ...] = ()
    if context.views.is_prepared(name, space):
        starts = context.views.answer(name, space, "starts", _starts)
    drivers = context.opened.store.leases.drivers() if starts else ()
    return Work(
        tuple(
            DriverStatus.of(driver)
            for driver in drivers
            if driver.alive and any(study.startswith(starts) for study in driver.studies)
        )
    )


def _starts(study: OpenStudy) -> tuple[str, ...]:
    """Return what the names of all studies of pairs and groups begin with; nothing if it is not prepared."""
    if not study.results.is_prepared:
        return ()
    names = study.results.study(Pair(0, 1)), study.results.study(Group((0, 1), 2))
    return tuple(f"{name.rpartition('/')[0]}/" for name in names)
