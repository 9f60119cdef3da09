"""Jobs of the service: what somebody asked for, where it stands, and what has happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """It waits for a driver, for the first time or again."""
    PREPARING = "preparing"
    """Its driver reads what it needs, prepares the federation, or waits for pairs that another driver has."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self in _OVER


_OVER: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the store has of a job. Times are the database's, in seconds since 1970.

    Attributes:
        id: Its number; later jobs have larger ones.
        what: `tune`, `sweep`, `explain` or `distill`.
        study: Name of its study recipe.
        recipe: Hash of the content of that recipe when the job was posted.
        request: What was asked for, validated; JSON values only.
        who: Name of the token that asked; empty without tokens.
        attempts: How often a driver has begun since a run of the job ended last.
        reason: Why it waits, has failed or was cancelled; empty if there is nothing to say.
        asked_to_cancel: Who has asked for its end; empty if nobody has.
        owner: User, machine and process of its driver; empty if it has none.
        alive: Whether that driver is at work: its lease holds, and its process is not known to be gone.
        here: Whether its driver certainly runs on this machine.
        claim: Token of the claim that `owner` has; None if there is none.
        progress: What its driver has told last; JSON values only; None before that.
        age: Seconds since then.
        result: What the command would print with `--json`; None unless it has succeeded.
        events: Number of its last event.
    """

    id: int
    what: str
    study: str
    recipe: str
    request: Mapping[str, Any]
    state: JobState
    who: str
    created: float
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    reason: str = ""
    asked_to_cancel: str = ""
    owner: str = ""
    alive: bool = False
    here: bool = False
    claim: str | None = None
    progress: Mapping[str, Any] | None = None
    age: float = 0.0
    result: Any = None
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that has happened to a job.

    Attributes:
        number: 1 for the job's first event; later ones have larger numbers.
        at: Seconds since 1970 by the database's clock.
        what: `state`, `progress`, `verdict` or `cancel`.
        data: JSON values.
    """

    number: int
    at: float
    what: str
    data: Mapping[str, Any]
