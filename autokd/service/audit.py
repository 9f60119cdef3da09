"""One line for each change that somebody makes over HTTP: in the store, and in the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from autokd.core.access_token import AccessToken
from autokd.service.context import Context
from autokd.service.problems import request_id
from autokd.store.audit import add_line

_log = logging.getLogger(__name__)


def token_of(request: Request) -> AccessToken | None:
    """Return the token of a request; None where no token is wanted."""
    token: AccessToken | None = getattr(request.state, "token", None)
    return token


def who_asks(request: Request) -> str:
    """Return the name of the token of a request; empty where no token is wanted."""
    token = token_of(request)
    return "" if token is None else token.name


def audit(
    context: Context, request: Request, what: str, subject: str, data: Mapping[str, Any] | None = None
) -> None:
    """Add a line about a change.

    Args:
        what: Kind of change, e.g. `job.add`.
        subject: What was changed.
        data: More about it; JSON values.
    """
    token, number = token_of(request), request_id(request.scope)
    add_line(
        context.opened.store,
        who=who_asks(request),
        token=None if token is None else token.id,
        request=number,
        what=what,
        subject=subject,
        data=data or {},
    )
    facts = {"request": number, "token": who_asks(request) or None, "change": what, "subject": subject}
    _log.info("change", extra={"facts": facts})
