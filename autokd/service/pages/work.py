"""What is at work on a study: jobs and commands, with their progress and the time that is left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from autokd.core.job import Job, JobState
from autokd.core.setting import Group, Pair
from autokd.service.context import Context
from autokd.service.job_entries import JobEntry, entry
from autokd.service.views import OpenStudy
from autokd.workflows.status import DriverStatus

ACTIVE: Final = tuple(state for state in JobState if not state.is_over)
_MOST: Final = 1000
"""Most jobs that wait or are being done."""
_FORMER: Final = 8
"""Most jobs that are over and still shown."""
_FIELDS: Final = {
    "teacher": "teacher {}",
    "teachers": "teachers {}",
    "student": "student {}",
    "trials": "at most {} trials a pair",
    "effort": "effort {}",
    "position": "position {}",
    "space": "space {}",
    "seeds": "{} seeds",
}
"""How fields of a request are said, in this order."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job of a study.

    Attributes:
        entry: What `/v1/jobs` has of it.
        words: What it does, in words.
        request: What is posted to do the same again, as JSON.
    """

    entry: JobEntry
    words: str
    request: str

    @classmethod
    def of(cls, job: Job) -> JobLine:
        """Return the line of a job."""
        shown = entry(job)
        return cls(shown, ", ".join(_words(job.request)), json.dumps(shown.request))


@dataclass(frozen=True, slots=True)
class Work:
    """What is at work on a study.

    Attributes:
        jobs: Jobs of the study, the newest first; of those that are over some.
        drivers: Commands that hold pairs of the study.
    """

    jobs: tuple[JobLine, ...]
    drivers: tuple[DriverStatus, ...]

    @property
    def version(self) -> str:
        """What tells it from the work of other times; the time that is left passes by itself."""
        drivers = [(driver.owner, driver.ended, driver.left, driver.asked_to_stop) for driver in self.drivers]
        jobs = [(job.entry.id, job.entry.state, job.entry.events, job.entry.reason) for job in self.jobs]
        return hashlib.blake2b(repr((drivers, jobs)).encode(), digest_size=12).hexdigest()


def work_of(context: Context, name: str, space: str | None) -> Work:
    """Return what is at work on a study now."""
    jobs = _jobs(context, name)
    starts: tuple[str, ...] = ()
    if context.views.is_prepared(name, space):
        starts = context.views.answer(name, space, "starts", _starts)
    drivers = context.opened.store.leases.drivers() if starts else ()
    # A job says by itself how far it is.
    of_jobs = {job.owner for job in jobs if not job.state.is_over}
    return Work(
        tuple(map(JobLine.of, jobs)),
        tuple(
            DriverStatus.of(driver)
            for driver in drivers
            if driver.alive
            and driver.owner not in of_jobs
            and any(study.startswith(starts) for study in driver.studies)
        ),
    )


def _jobs(context: Context, name: str) -> list[Job]:
    jobs = context.opened.jobs
    newest = jobs.jobs(study=name, limit=_FORMER)
    active = jobs.jobs(states=ACTIVE, study=name, limit=_MOST)
    numbered = {job.id: job for job in (*newest, *active)}
    return sorted(numbered.values(), key=lambda job: -job.id)


def _words(request: Any) -> Iterator[str]:
    pairs = request.get("pairs")
    who = pairs if isinstance(pairs, str) else " ".join(pairs or ())
    yield f"{request['what']} {who or request.get('pair', '')}".rstrip()
    for name, words in _FIELDS.items():
        if name in request:
            yield words.format(request[name])
    for unit, amount in request.get("budget", {}).items():
        yield f"{amount:g} {unit.replace('_', ' ')}"


def _starts(study: OpenStudy) -> tuple[str, ...]:
    """Return what the names of all studies of pairs and groups begin with; nothing if it is not prepared."""
    if not study.results.is_prepared:
        return ()
    names = study.results.study(Pair(0, 1)), study.results.study(Group((0, 1), 2))
    return tuple(f"{name.rpartition('/')[0]}/" for name in names)
