"""Jobs over HTTP: posted, listed, followed and cancelled; no driver runs here but the tests themselves."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from autokd.core.access_token import Scope
from autokd.core.job import JobState
from autokd.service.app import Service
from autokd.service.feed import Feed
from autokd.store import Store, audit
from autokd.store.job_queue import ClaimedJob, JobQueue
from autokd.store.jobs import Jobs
from autokd.workflows.tokens import create, revoke
from tests.service.conftest import Api

JOBS = "/v1/jobs"
TUNE: dict[str, Any] = {"what": "tune", "study": "digits", "pairs": ["4,9"]}


@pytest.fixture(scope="module")
def store(idle: Service) -> Store:
    return idle.context.opened.store


def post(tuner: Api, headers: dict[str, str] | None = None, **more: Any) -> Any:
    return tuner.request("POST", JOBS, json={**TUNE, **more}, headers=headers or {})


def posted(tuner: Api, **more: Any) -> int:
    answer = post(tuner, **more)
    assert answer.status_code == 202, answer.text
    number: int = answer.json()["id"]
    return number


def taken(store: Store, id: int) -> ClaimedJob:
    """The job with a driver."""
    claim = JobQueue(store).claim(Jobs(store).job(id), seconds=30)
    assert claim is not None
    driver = ClaimedJob(store, id, claim, seconds=60)
    driver.take()
    return driver


def test_a_post_is_answered_with_the_place_of_a_queued_job(tuner: Api) -> None:
    more: dict[str, Any] = {"try": ["T=4,alpha=0.9,transfer_set=both"]}
    answer = post(tuner, trials=12, position="student", **more)
    assert answer.status_code == 202
    job = tuner.json(answer.headers["location"])
    assert answer.headers["location"] == f"{JOBS}/{job['id']}"
    assert (job["state"], job["who"], job["what"], job["study"]) == ("queued", "tuner", "tune", "digits")
    assert job["request"] == {
        **TUNE,
        "trials": 12,
        "position": "student",
        "try": ["T=4,alpha=0.9,transfer_set=both"],
    }
    assert (job["progress"], job["result"], job["events"]) == (None, None, 1)
    assert {name: value for name, value in job.items() if name != "result"} == answer.json()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"what": "tune", "study": "digits", "pairs": ["4,10"]}, "pairs"),
        ({"what": "tune", "study": "digits", "pairs": ["4,4"]}, "pairs"),
        ({"what": "tune", "study": "digits"}, "pairs"),
        ({"what": "tune", "study": "digits", "pairs": ["4,9"], "student": "9"}, "pairs"),
        ({"what": "tune", "study": "digits", "student": "10"}, "student"),
        ({"what": "tune", "study": "digits", "student": "9", "teacher": "9"}, "student"),
        ({"what": "tune", "study": "digits", "teachers": "0,3"}, "student"),
        ({"what": "tune", "study": "digits", "teachers": "9,3", "student": "9"}, "teachers"),
        ({"what": "tune", "study": "digits", "pairs": ["4,9"], "try": ["T=4,beta=1"]}, "try_"),
        ({"what": "explain", "study": "digits"}, "pair"),
        ({"what": "distill", "study": "digits", "student": "9"}, "teachers"),
        ({"what": "distill", "study": "digits", "pair": "4,9", "target": {"0": 0.5}}, "target"),
        (
            {
                "what": "distill",
                "study": "digits",
                "pair": "4,9",
                "setting": {"temperature": 2, "transfer_set": "validation"},
            },
            "setting.transfer_set",
        ),
        (
            {
                "what": "distill",
                "study": "digits",
                "pair": "4,9",
                "setting": {"temperature": -2, "alpha": 1, "transfer_set": "both"},
            },
            "setting",
        ),
    ],
)
def test_what_does_not_exist_is_refused_with_its_field(
    tuner: Api, store: Store, request_: dict[str, Any], field: str
) -> None:
    before = [job.id for job in Jobs(store).jobs()]
    answer = tuner.request("POST", JOBS, json=request_)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert [job.id for job in Jobs(store).jobs()] == before


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"study": "none"}, 404, "study"),
        ({"space": "none"}, 404, "search space"),
        ({"space": "../x"}, 422, "tune.space"),
        ({"study": "../x"}, 422, "tune.study"),
        ({"what": "delete"}, 422, ""),
        ({"trials": 1}, 422, "tune.trials"),
        ({"more": 1}, 422, "tune.more"),
        ({"budget": {"seconds": 1, "epochs": 1}}, 422, "tune.budget"),
    ],
)
def test_a_request_that_is_not_valid_is_refused(
    tuner: Api, more: dict[str, Any], status: int, field: str
) -> None:
    answer = post(tuner, **more)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


def test_the_same_key_is_the_same_job_of_one_token(tuner: Api, store: Store, idle: Service) -> None:
    key = {"Idempotency-Key": "nightly-1"}
    first, again = post(tuner, key), post(tuner, key)
    assert first.status_code == again.status_code == 202
    assert first.headers["location"] == again.headers["location"]
    other = post(tuner, key, pairs=["9,4"])
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    somebody = Api(idle, create(idle.context.settings.address, name="other", scope=Scope.TUNE).text)
    assert post(somebody, key).headers["location"] != first.headers["location"]
    assert post(tuner, {"Idempotency-Key": "a b"}).status_code == 422


@pytest.mark.parametrize(
    "request_",
    [
        {**TUNE, "try": ["T=4,alpha=0.9,transfer_set=both"], "budget": {"epochs": 50}, "effort": "quick"},
        {"what": "sweep", "study": "digits", "student": "9", "seeds": 2},
        {"what": "explain", "study": "digits", "student": "9", "teachers": "0,3,7"},
        {"what": "distill", "study": "digits", "pair": "4,9", "target": {"0": 0.5, "1": 0.5}, "force": True},
    ],
)
def test_what_has_failed_is_asked_for_again_as_it_was_posted(
    tuner: Api, store: Store, request_: dict[str, Any]
) -> None:
    first = tuner.request("POST", JOBS, json=request_).json()
    taken(store, first["id"]).end(JobState.FAILED, reason="the disk was full")
    failed = tuner.json(f"{JOBS}/{first['id']}")
    assert failed["request"] == request_
    again = tuner.request("POST", JOBS, json=failed["request"])
    assert again.status_code == 202, again.text
    retried = again.json()
    assert retried["id"] > first["id"]
    assert (retried["state"], retried["request"], retried["reason"]) == ("queued", request_, None)
    assert tuner.json(f"{JOBS}/{first['id']}") == failed


def test_jobs_are_listed_by_state_and_study_in_pages(tuner: Api, reader: Api) -> None:
    first, second = posted(tuner, study="digits_iid"), posted(tuner, study="digits_iid")
    tuner.request("POST", f"{JOBS}/{first}/cancel")
    path = f"{JOBS}?study=digits_iid"
    listed = reader.json(path)
    assert [job["id"] for job in listed] == [second, first]
    assert "result" not in listed[0]
    assert [job["id"] for job in reader.json(f"{path}&state=cancelled&state=failed")] == [first]
    assert [job["id"] for job in reader.json(f"{path}&limit=1")] == [second]
    assert [job["id"] for job in reader.json(f"{path}&before={second}")] == [first]
    assert reader.get(f"{JOBS}?state=dreaming").status_code == 422


def test_who_may_only_read_starts_and_cancels_nothing(tuner: Api, reader: Api) -> None:
    number = posted(tuner)
    for answer in (post(reader), reader.request("POST", f"{JOBS}/{number}/cancel")):
        assert (answer.status_code, answer.json()["way_out"]) == (403, "use a token made with --scope tune")
    assert reader.json(f"{JOBS}/{number}")["state"] == "queued"


@pytest.mark.parametrize("path", ["/999999", "/999999/events"])
def test_an_unknown_job_is_said_so(tuner: Api, path: str) -> None:
    assert tuner.get(f"{JOBS}{path}").json()["type"] == "urn:autokd:problem:job"
    assert tuner.request("POST", f"{JOBS}/999999/cancel").status_code == 404
    assert tuner.get(f"{JOBS}/x").status_code == 422


def test_progress_and_the_time_that_is_left_are_those_of_the_driver(tuner: Api, store: Store) -> None:
    number = posted(tuner)
    driver = taken(store, number)
    driver.run()
    driver.progress({"stage": "tune", "done": 3, "left": 9, "seconds_left": 60.0}, fruitful=True)
    job = tuner.json(f"{JOBS}/{number}")
    assert (job["state"], job["progress"]["done"], job["progress"]["left"]) == ("running", 3, 9)
    assert 50 < job["progress"]["seconds_left"] <= 60
    assert job["driver"]
    driver.end(JobState.FAILED, reason="pair 4->9 has no data")
    job = tuner.json(f"{JOBS}/{number}")
    assert (job["state"], job["reason"]) == ("failed", "pair 4->9 has no data")
    assert (job["progress"]["seconds_left"], job["driver"]) == (None, None)


def test_cancelling_asks_the_driver_and_what_is_over_stays(tuner: Api, store: Store) -> None:
    number = posted(tuner)
    driver = taken(store, number)
    cancel = f"{JOBS}/{number}/cancel"
    assert tuner.request("POST", cancel).json()["asked_to_cancel"] == "tuner"
    assert driver.renew() == "tuner"
    driver.end(JobState.SUCCEEDED, result=[])
    assert tuner.request("POST", cancel).json()["state"] == "succeeded"


def test_every_change_is_a_line_of_the_audit(tuner: Api, store: Store) -> None:
    answer = post(tuner, {"X-Request-ID": "from-a-test"})
    number = answer.json()["id"]
    tuner.request("POST", f"{JOBS}/{number}/cancel")
    cancelled, added = audit.lines(store, limit=2)
    assert (added.what, added.subject, added.who, added.request) == (
        "job.add",
        str(number),
        "tuner",
        "from-a-test",
    )
    assert added.data == {"what": "tune", "study": "digits", "pairs": 1}
    assert (cancelled.what, cancelled.subject, cancelled.data) == (
        "job.cancel",
        str(number),
        {"state": "cancelled"},
    )
    assert tuner.headers["Authorization"].count(str(added.token)) == 1
    before = len(audit.lines(store))
    assert tuner.request("POST", f"{JOBS}/{number}/cancel").status_code == 200
    assert len(audit.lines(store)) == before


def events_of(tuner: Api, path: str, **headers: str) -> list[dict[str, Any]]:
    """The events of a stream, which has ended."""
    answer = tuner.get(path, accept="text/event-stream", **headers)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        event = json.loads(fields["data"])
        assert (fields["event"], fields["id"]) == (event["what"], str(event["id"]))
        events.append(event)
    return events


def test_a_stream_has_what_polling_has_and_goes_on_where_it_was_cut(tuner: Api, store: Store) -> None:
    number = posted(tuner)
    path = f"{JOBS}/{number}/events"
    driver = taken(store, number)

    def work() -> None:
        time.sleep(0.3)
        driver.run()
        driver.tell("verdict", [{"words": "4->9"}, {"words": "9->4"}])
        time.sleep(0.6)
        driver.end(JobState.SUCCEEDED, result=[])

    thread = threading.Thread(target=work)
    thread.start()
    streamed = events_of(tuner, path)
    thread.join()
    assert [event["what"] for event in streamed] == ["state", "state", "state", "verdict", "verdict", "state"]
    assert streamed[-1]["data"] == {"state": "succeeded"}
    assert tuner.json(path) == streamed
    assert tuner.json(f"{path}?after=4") == streamed[4:]
    assert events_of(tuner, path, last_event_id="4") == streamed[4:]
    assert events_of(tuner, f"{path}?after=5", last_event_id="1") == streamed[5:]
    assert events_of(tuner, path, last_event_id="4x") == streamed
    assert tuner.get(path, accept="image/png").status_code == 406


def test_a_stream_ends_with_its_token_and_with_its_server(
    idle: Service, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.service.feed._QUIET_SECONDS", 0.2)
    monkeypatch.setattr("autokd.service.streams._LOOK_SECONDS", 0.1)
    address = idle.context.settings.address
    short = Api(idle, create(address, name="short", scope=Scope.TUNE).text)
    number = posted(short)
    threading.Timer(0.4, revoke, [address, "short"]).start()
    answer = short.get(f"{JOBS}/{number}/events", accept="text/event-stream")
    assert ": ping" in answer.text

    feed = Feed(idle.context.opened)

    async def closed() -> list[int]:
        asyncio.get_running_loop().call_later(0.3, feed.close)
        return [event.number async for event in feed.listen(number, after=0) if event is not None]

    assert asyncio.run(closed()) == [1]


def test_a_job_has_no_place_of_the_home(tuner: Api, home: Path) -> None:
    assert str(home) not in json.dumps(tuner.json(JOBS))
