"""Who has changed what over HTTP: lines that are added to the store and stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from autokd.store.db_errors import translate_errors, translated_session, validated
from autokd.store.job_tables import AuditRow
from autokd.store.leases import Now
from autokd.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """A change that somebody has made.

    Attributes:
        at: Seconds since 1970 by the database's clock.
        who: Name of the token; empty without tokens.
        token: Public part of the token; None without tokens.
        request: Id of the request, as in the log.
        what: Kind of change, e.g. `job.add`.
        subject: What was changed, e.g. the number of a job or the name of a study.
    """

    id: int
    at: float
    who: str
    token: str | None
    request: str
    what: str
    subject: str
    data: Mapping[str, Any]


def add_line(
    store: Store,
    *,
    who: str,
    token: str | None,
    request: str,
    what: str,
    subject: str,
    data: Mapping[str, Any],
) -> None:
    """Add a line; see `AuditLine`."""
    values = {"who": who, "token": token, "request": request, "what": what, "subject": subject}
    engine = store.optuna_storage.engine
    with translate_errors(engine.url), engine.begin() as connection:
        connection.execute(insert(AuditRow).values(at=Now(), data=json.dumps(data), **values))


def lines(store: Store, *, before: int | None = None, limit: int = 100) -> tuple[AuditLine, ...]:
    """Return lines, the newest first.

    Args:
        before: Only lines with a smaller id.
    """
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.id < before)
    engine = store.optuna_storage.engine
    with translated_session(engine) as session, validated("its audit"):
        return tuple(
            AuditLine(
                id=row.id,
                at=row.at,
                who=row.who,
                token=row.token,
                request=row.request,
                what=row.what,
                subject=row.subject,
                data=json.loads(row.data),
            )
            for row in session.scalars(query)
        )
