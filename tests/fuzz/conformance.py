"""Many requests of every operation of the service, drawn from its OpenAPI document, on a store with results.

    python -m tests.fuzz.conformance [--examples 2000] [--seed 0]

Some are as the document has them, some name what there is, and some break its rules. It ends with code 0 if
no answer had a status of 500 or more, and each had a status, a format, headers and a content that the
document tells. schemathesis draws the requests and judges the answers.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import patch

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err, Result
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from autokd.core.access_token import Scope
from autokd.core.job import JobState
from autokd.service.app import Service
from autokd.service.job_folders import MODEL, folder_of
from autokd.store.job_queue import ClaimedJob, JobQueue
from autokd.store.jobs import Jobs
from autokd.workflows.tokens import create
from tests.service.conftest import settings as service_settings
from tests.service.conftest import unpacked
from tests.service.serving import served_in_a_thread

T = TypeVar("T")
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KNOWN: Final[Mapping[str, Sequence[Any]]] = {
    "name": ["small", "digits"],
    "pair": ["0-1", "3-0", "9-9"],
    "student": [0, 3, 4],
    "teacher": [0, 3, 4],
    "id": [1, 2, 3, 4],
    "path": ["a.npz", "a/b.pt", "../a"],
    "space": ["default", "private"],
    "Range": ["bytes=0-1", "bytes=5-", "bytes=-3", "bytes=0-0,2-3", "bytes =0-1", "bytes=99-", "x"],
    "If-None-Match": ["*", '"a"'],
    "accept": ["*/*", "application/json", "text/csv", "text/markdown", "image/png"],
    "study": ["small"],
    "command": ["status", "recommend", "none"],
    "pairs": [["0,1"], "all", ["0,0"]],
    "options": [[{"name": "--out", "value": "x"}], [{"name": "--json", "value": "x"}]],
}
"""What there is, or nearly, by the name of a parameter or of a field."""
WAYS: Final = ("as told", "of what there is", "against the rules")
COMMANDS: Final = 20
"""Commands at most that are done, each by a process of its own; the rest of them is refused."""


def _described(result: Result[T, InvalidSchema]) -> T:
    """Return an operation.

    Raises:
        InvalidSchema: If the document describes it wrongly.
    """
    if isinstance(result, Err):
        raise result.err()
    return result.ok()


def main(arguments: Sequence[str]) -> int:
    """Send all requests, print a line for each operation, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=2000, help="requests in all, at least")
    parser.add_argument("--seed", type=int, default=0, help="decides on the requests")
    parser.add_argument("--only", default="", help="operations whose path holds this")
    options = parser.parse_args(arguments)
    total, failed = 0, 0
    with served() as (document, address, token):
        schema = schemathesis.openapi.from_dict(document)
        asked = {"base_url": address, "headers": {"Authorization": f"Bearer {token}"}, "timeout": 300}
        every = [_described(result) for result in schema.get_all_operations()]
        operations = [operation for operation in every if options.only in operation.path]
        # Operations without parameters have few requests; then others get more, drawn anew.
        number = options.seed
        while total < options.examples and not failed:
            share = math.ceil((options.examples - total) / len(operations) / len(WAYS))
            for operation in operations:
                statuses: Counter[int] = Counter()
                failed += sum(not holds(operation, way, statuses, asked, share, number) for way in WAYS)
                listed = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
                print(f"{operation.label}: {listed}", flush=True)
                total += statuses.total()
            number += 1
    print(f"{total} requests of {len(operations)} operations: {failed or 'nothing'} against the document")
    return 1 if failed else 0


@contextmanager
def served() -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield the document of a service whose pairs are tuned and that has jobs, its address, and a token."""
    with tempfile.TemporaryDirectory() as name:
        home = unpacked(Path(name))
        # Requests with wrong tokens are among those that break the rules, and must not shut out all others.
        with patch("autokd.service.auth._GUESSES", 1e9):
            service = Service(service_settings(home, jobs=0, rate=1e6))
        try:
            address = service.context.settings.address
            token = create(address, name="admin", scope=Scope.ADMIN).text
            _jobs(service, home)
            with served_in_a_thread(service) as url:
                yield service.api.openapi(), url, token
        finally:
            service.close()


def _jobs(service: Service, home: Path) -> None:
    """Post a job that waits, one that is at work, and two that are over, one of them with a model."""
    store = service.context.opened.store
    for what in ("tune", "tune", "tune", "distill"):
        request = {"what": what, "study": "small"}
        Jobs(store).add(what=what, study="small", recipe="a", request=request, who="")
    for id, result in ((2, None), (3, {"a": 1}), (4, {"a": 1})):
        claim = JobQueue(store).claim(Jobs(store).job(id), seconds=3600)
        assert claim is not None
        driver = ClaimedJob(store, id, claim, seconds=3600)
        driver.take()
        if result is not None:
            driver.end(JobState.SUCCEEDED, result=result)
    model = folder_of(home, 4) / MODEL
    model.parent.mkdir(parents=True)
    model.write_bytes(b"0123456789")
    model.with_suffix(".json").write_text("{}")
    model.with_suffix(".md").write_text("# a card")


def holds(
    operation: Any, way: str, statuses: Counter[int], asked: Mapping[str, Any], count: int, number: int
) -> bool:
    """Send requests of one operation; return whether all answers are what the document tells."""
    try:
        ask(operation, way, statuses, asked, count=count, number=number)
    except (FailureGroup, ExceptionGroup) as error:
        print(f"{operation.label}, {way}: {error}", flush=True)
        return False
    return True


def ask(
    operation: Any, way: str, statuses: Counter[int], asked: Mapping[str, Any], *, count: int, number: int
) -> None:
    """Send requests of one operation.

    Raises:
        FailureGroup: If an answer is not what the document tells; it says which request shows it.
    """
    mode = GenerationMode.NEGATIVE if way == WAYS[2] else GenerationMode.POSITIVE
    cases = operation.as_strategy(mode)

    @seed(number)
    @settings(
        max_examples=min(count, COMMANDS) if operation.path == "/v1/commands" and way == WAYS[1] else count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        case = data.draw(cases)
        if way == WAYS[1]:
            for place in (case.path_parameters, case.query, case.headers, case.body):
                if isinstance(place, dict):
                    _name(place, data)
        answer = case.call(**asked)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    # An operation without parameters has no rules to break.
    with suppress(Unsatisfiable):
        one()


def _name(place: dict[str, Any], data: st.DataObject) -> None:
    """Let some of what a request names be what there is."""
    for key in list(place):
        known = next((values for name, values in KNOWN.items() if name.lower() == str(key).lower()), None)
        if known is not None and data.draw(st.integers(0, 3)):
            place[key] = data.draw(st.sampled_from(known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
