"""Jobs of a service: what was asked for, how far it is, what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from autokd.client.connection import Connection
from autokd.core.atomic_write import write_together
from autokd.core.job import JobState
from autokd.errors import ServiceError

_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_PATIENCE: Final = 600.0
"""For so many seconds a service that has gone away is asked again: it may be starting anew."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened to a job.

    Attributes:
        id: Number within the job; they grow.
        at: Time, as ISO 8601.
        what: `state`, `progress`, `verdict` or `cancel`.
        data: The facts.
    """

    id: int
    at: str
    what: str
    data: Mapping[str, Any]


class Job:
    """A job of a service, as it was when it was read last.

    Attributes:
        content: Everything that the service says of it.
    """

    def __init__(self, connection: Connection, content: Mapping[str, Any]) -> None:
        self._connection, self.content = connection, content

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.content['what']} of {self.content['study']}, {self.state}>"

    @property
    def id(self) -> int:
        """Its number."""
        return int(self.content["id"])

    @property
    def state(self) -> JobState:
        """Where it stands."""
        return JobState(self.content["state"])

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state.is_over

    @property
    def reason(self) -> str:
        """Why it waits, has failed or was cancelled; empty if there is nothing to say."""
        return str(self.content.get("reason") or "")

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """How far it is, as the service says it."""
        return self.content.get("progress")

    @property
    def result(self) -> Any:
        """What its command prints with `--json`; None until it has succeeded and was read again."""
        return self.content.get("result")

    def refresh(self) -> Job:
        """Read it again, and return it."""
        self.content = self._connection.json(f"/v1/jobs/{self.id}")
        return self

    def cancel(self) -> Job:
        """Ask for its end: at once if it waits, else when its runs report next; what was found is kept."""
        self.content = self._connection.request("POST", f"/v1/jobs/{self.id}/cancel").json()
        return self

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Yield what happens to the job until it is over, from the first event that the service has kept.

        A connection that is cut is made again, and goes on after the last event.

        Args:
            after: Number of an event; only later ones are wanted.

        Raises:
            ServiceError: If the service stays away.
        """
        last, wait, since = after, _WAIT, time.monotonic()
        while True:
            try:
                for event in self._stream(last):
                    last, wait, since = event.id, _WAIT, time.monotonic()
                    yield event
                if self.refresh().is_over:
                    return
            except ServiceError as error:
                if error.status is not None and error.status < 500:
                    raise
                if time.monotonic() - since > _PATIENCE:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def wait(self) -> Job:
        """Wait for its end, and return it with its result."""
        for _ in self.events():
            pass
        return self.refresh()

    def download(self, path: str | Path) -> Path:
        """Write the model of a `distill` job, with its card beside it as `.json` and `.md`; return its path.

        Raises:
            ServiceError: If there is none.
            InputError: If they cannot be written.
        """
        model = Path(path)
        card = f"/v1/jobs/{self.id}/card"
        content = {
            model.with_suffix(".json"): self._content(card, "application/json"),
            model.with_suffix(".md"): self._content(card, "text/markdown"),
            model: self._content(f"/v1/jobs/{self.id}/model", "*/*"),
        }
        write_together(content, option=str(model))
        return model

    def _content(self, path: str, media_type: str) -> bytes:
        return self._connection.request("GET", path, headers={"Accept": media_type}).content

    def _stream(self, after: int) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        path = f"/v1/jobs/{self.id}/events"
        with self._connection.stream("GET", path, headers=headers) as answer:
            for line in answer.iter_lines():
                # Of server-sent events (WHATWG HTML, 9.2) the service writes each with one line of data.
                name, _, text = line.partition(":")
                if name == "data":
                    yield Event(**json.loads(text))
