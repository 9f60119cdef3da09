"""The tables that Optuna Dashboard lets one download, made safe for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from autokd.text.escaping import csv_text

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CSV: Final = "text/csv"


def with_safe_csv(app: WSGIApplication) -> WSGIApplication:
    """Return an application in whose tables no cell is executed; numbers stay numbers."""

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        begun: list[Any] = []

        def start_later(*response: Any) -> Callable[[bytes], object]:
            begun[:] = response
            return lambda text: None

        body = app(environment, start_later)
        status, headers, *more = begun
        if not any(name.lower() == "content-type" and value.startswith(_CSV) for name, value in headers):
            start(status, headers, *more)
            return body
        text = _safe(b"".join(body).decode()).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start(status, [*kept, ("Content-Length", str(len(text)))], *more)
        return [text]

    return answer


def _safe(text: str) -> str:
    safe = io.StringIO(newline="")
    writer = csv.writer(safe)
    writer.writerows([csv_text(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline="")))
    return safe.getvalue()
