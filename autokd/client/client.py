"""The typed face of a service."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from autokd.client.connection import Connection, server_of
from autokd.client.jobs import Job
from autokd.config.defaults import TOKEN_VARIABLE
from autokd.core.atomic_write import write_together
from autokd.core.pair import Pair
from autokd.errors import ArgumentError

PairName = str | Pair | tuple[int, int]
"""A pair: `Pair(4, 9)`, `(4, 9)`, or `"4,9"`."""


class Client:
    """Asks a service (`autokd serve`) for what it has, and for jobs.

    Args:
        server: Address, e.g. `http://127.0.0.1:8321`; by default that of the environment, `AUTOKD_SERVER`.
        token: Token that `autokd token create` has shown; by default `AUTOKD_TOKEN`, and none if that is not
            set either.
        timeout: Seconds that an answer may take.

    Raises:
        ArgumentError: If the address is missing, or none.

    Every method raises `RequestRefused`, an `InputError`, if the service refuses, and `ServiceError` if it
    does not answer or has failed.

        with autokd.Client("http://127.0.0.1:8321", token) as client:
            job = client.tune("digits", ["4,9", "9,4"]).wait()
            client.pair("digits", "4,9")["recommendation"]["decision"]
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 150.0,
        connection: Connection | None = None,
    ) -> None:
        secret = os.environ.get(TOKEN_VARIABLE) if token is None else token
        self.connection = connection or Connection(server_of(server), secret, timeout=timeout)

    def __repr__(self) -> str:
        return f"<Client of {self.connection.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def studies(self) -> list[dict[str, Any]]:
        """Return the study recipes that the service knows."""
        return list(self.connection.json("/v1/studies"))

    def study(self, name: str, *, space: str | None = None) -> dict[str, Any]:
        """Return a study recipe, its federation, and where its pairs stand."""
        return dict(self.connection.json(_study(name), space=space))

    def pairs(
        self,
        study: str,
        *,
        verdict: str | None = None,
        student: int | None = None,
        teacher: int | None = None,
        space: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return what `autokd recommend --all --json` lists, or those that are chosen."""
        query = {"verdict": verdict, "student": student, "teacher": teacher, "space": space}
        return list(self.connection.json(f"{_study(study)}/pairs", **query))

    def pair(self, study: str, pair: PairName, *, space: str | None = None) -> dict[str, Any]:
        """Return the recommendation of a pair, its trials with their curves, and its other runs."""
        teacher, student = _numbers(pair)
        return dict(self.connection.json(f"{_study(study)}/pairs/{teacher}-{student}", space=space))

    def partners(self, study: str, student: int, *, space: str | None = None) -> dict[str, Any]:
        """Return the ranking of a participant's partners."""
        return dict(self.connection.json(f"{_study(study)}/partners/{int(student)}", space=space))

    def predict(self, study: str, pair: PairName, *, space: str | None = None) -> dict[str, Any]:
        """Return what the runs of other pairs suggest for a pair."""
        teacher, student = _numbers(pair)
        path = f"{_study(study)}/predict"
        return dict(self.connection.json(path, teacher=teacher, student=student, space=space))

    def report(self, study: str, path: str | Path, *, space: str | None = None) -> Path:
        """Write the report as one HTML file, and return its path."""
        return self._write(f"{_study(study)}/report.html", path, space)

    def export(self, study: str, path: str | Path, *, space: str | None = None) -> Path:
        """Write all measurements as a Parquet table, and return its path."""
        return self._write(f"{_study(study)}/export.parquet", path, space)

    def run(self, command: str, study: str, **fields: Any) -> dict[str, Any]:
        """Return what a command that only reads has printed there: `output`, `errors` and `exit_code`.

        Args:
            command: `status`, `recommend`, `advise` or `observations`.
            fields: `space`, `options` (each with `name` and `value`), `columns`, `color`.
        """
        body = {"command": command, "study": study, **fields}
        return dict(self.connection.request("POST", "/v1/commands", json=body).json())

    def put_study(self, name: str, recipe: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the service a study recipe, as YAML or as its content, and return what it says of it."""
        if isinstance(recipe, str):
            body: dict[str, Any] = {
                "content": recipe.encode(),
                "headers": {"Content-Type": "application/yaml"},
            }
        else:
            body = {"json": recipe}
        return dict(self.connection.request("PUT", _study(name), **body).json())

    def jobs(self, *, study: str | None = None, states: Sequence[str] = ()) -> list[Job]:
        """Return the latest jobs, the newest first, at most a hundred."""
        query: dict[str, Any] = {"study": study, "state": list(states) or None}
        return [Job(self.connection, entry) for entry in self.connection.json("/v1/jobs", **query)]

    def job(self, id: int) -> Job:
        """Return a job by its number."""
        return Job(self.connection, self.connection.json(f"/v1/jobs/{int(id)}"))

    def submit(self, what: str, study: str, **fields: Any) -> Job:
        """Ask for a job; `fields` are those of the request in docs/openapi.json.

        A request that gets no answer is repeated under the same key, and is one job.
        """
        body = {
            "what": what,
            "study": study,
            **{name: value for name, value in fields.items() if value is not None},
        }
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return Job(
            self.connection, self.connection.request("POST", "/v1/jobs", json=body, headers=headers).json()
        )

    def tune(self, study: str, pairs: Sequence[PairName] | Literal["all"] = "all", **fields: Any) -> Job:
        """Ask for the search of pairs, as `autokd tune` does it."""
        return self.submit("tune", study, pairs=_listed(pairs), **fields)

    def sweep(self, study: str, pairs: Sequence[PairName] | Literal["all"] = "all", **fields: Any) -> Job:
        """Ask for all runs of a grid, as `autokd sweep` does it."""
        return self.submit("sweep", study, pairs=_listed(pairs), **fields)

    def explain(self, study: str, pair: PairName, **fields: Any) -> Job:
        """Ask for an explanation, as `autokd explain` gives it."""
        return self.submit("explain", study, pair=_text(pair), **fields)

    def distill(self, study: str, pair: PairName, **fields: Any) -> Job:
        """Ask for the recommended student; `Job.download` fetches it."""
        return self.submit("distill", study, pair=_text(pair), **fields)

    def _write(self, address: str, path: str | Path, space: str | None) -> Path:
        query = {} if space is None else {"space": space}
        content = self.connection.request("GET", address, params=query).content
        write_together({Path(path): content}, option=str(path))
        return Path(path)


def _study(name: str) -> str:
    if not name or "/" in name or name.startswith("."):
        raise ArgumentError("study", f"must be the name of a study recipe of the service, not {name!r}")
    return f"/v1/studies/{name}"


def _text(pair: PairName) -> str:
    """Return a pair as requests have it; names of participants are the service's to understand."""
    return pair if isinstance(pair, str) else "{},{}".format(*_numbers(pair))


def _listed(pairs: Sequence[PairName] | Literal["all"]) -> list[str] | str:
    return pairs if isinstance(pairs, str) else [_text(pair) for pair in pairs]


def _numbers(pair: PairName) -> tuple[int, int]:
    """Return teacher and student of a pair.

    Raises:
        InputError: If it is none.
    """
    if isinstance(pair, str):
        pair = Pair.parse(pair)
    elif not isinstance(pair, Pair):
        pair = Pair(*pair)
    return pair.teacher, pair.student
