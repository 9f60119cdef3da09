"""Tables of the service: jobs, who has changed what, who has signed in; tokens are in `tables`."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from autokd.store.tables import LONG_TEXT, Base, TokenRow


class JobRow(Base):
    """One job (see `autokd.core.job.Job`); times are the database's, in seconds since 1970.

    `request`, `progress`, `result` and `owner` (see `Process`) are JSON. `claim` is the token of the claim of
    the driver, or of the server that starts it, which holds until `expires`. `same` is a hash of who has
    posted the job and under which Idempotency-Key, and null without one; it is unique, so the database
    refuses a second job. It is cleared when another job may have that key. `events` counts the job's events.
    """

    __tablename__ = "autokd_job"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(16))
    study: Mapped[str] = mapped_column(String(64), index=True)
    recipe: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(LONG_TEXT)
    same: Mapped[str | None] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    who: Mapped[str] = mapped_column(String(64))
    created: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None]
    attempts: Mapped[int]
    reason: Mapped[str] = mapped_column(LONG_TEXT)
    asked_to_cancel: Mapped[str | None] = mapped_column(String(64))
    owner: Mapped[str | None] = mapped_column(LONG_TEXT)
    claim: Mapped[str | None] = mapped_column(String(32))
    expires: Mapped[float | None]
    progress: Mapped[str | None] = mapped_column(LONG_TEXT)
    told: Mapped[float | None]
    result: Mapped[str | None] = mapped_column(LONG_TEXT)
    events: Mapped[int]


class JobEventRow(Base):
    """An event of a job, by its number within the job; `data` is JSON.

    A number is given while the job's row is locked, so whoever has read some of them has read all before.
    Of events `progress` only the last one is kept.
    """

    __tablename__ = "autokd_job_event"

    job_id: Mapped[int] = mapped_column(ForeignKey(JobRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[float]
    what: Mapped[str] = mapped_column(String(16))
    data: Mapped[str] = mapped_column(LONG_TEXT)


class AuditRow(Base):
    """A change that somebody has made over HTTP; rows are never changed or removed.

    `token` is the public part of the token, null without tokens; `data` is JSON.
    """

    __tablename__ = "autokd_audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    who: Mapped[str] = mapped_column(String(64))
    token: Mapped[str | None] = mapped_column(String(8))
    request: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(LONG_TEXT)
    data: Mapped[str] = mapped_column(LONG_TEXT)


class SessionRow(Base):
    """A browser that has signed in with a token; `id` is the SHA-256 of the random number that it has.

    Times are the database's, in seconds since 1970; `used` is behind by an hour at most, so that reading is
    seldom a write.
    """

    __tablename__ = "autokd_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey(TokenRow.id), index=True)
    created: Mapped[float]
    used: Mapped[float]
