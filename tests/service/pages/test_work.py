"""What the page of a study says is at work: jobs and commands."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from autokd.core.job import JobState
from autokd.service.app import Service
from autokd.service.pages.rendering import duration
from autokd.service.pages.work import work_of
from autokd.store.job_queue import ClaimedJob, JobQueue
from autokd.store.jobs import Jobs
from tests.service.conftest import Api

WORK = "/studies/digits/work"
REQUEST = {"what": "tune", "study": "digits", "pairs": ["4,9", "9,4"], "trials": 8, "budget": {"seconds": 90}}


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_job_is_shown_from_its_post_to_its_end(idle: Service, tuner: Api, reader: Api) -> None:
    assert "Nothing is at work" in reader.get(WORK).text
    before = work_of(idle.context, "digits", None).version
    job = tuner.request("POST", "/v1/jobs", json=REQUEST).json()
    after = work_of(idle.context, "digits", None).version
    assert before != after
    text = tuner.get(WORK).text
    assert (
        f"Job {job['id']} queued tune 4,9 9,4, at most 8 trials a pair, 90 seconds asked by tuner Cancel"
        in words(text)
    )
    assert f'data-cancel="{job["id"]}"' in text
    assert "data-cancel" not in reader.get(WORK).text
    line = re.search(r">digits</a>.*?</tr>", reader.get("/").text, re.DOTALL)
    assert line is not None
    assert words(line[0]).split()[1:] == ["10", "90", "0", "1", "shipped"]
    tuner.request("POST", f"/v1/jobs/{job['id']}/cancel")
    text = tuner.get(WORK).text
    assert "cancelled" in text
    retried = re.search(r'data-retry="([^"]+)"', text)
    assert retried is not None
    again = tuner.request("POST", "/v1/jobs", json=json.loads(unescape(retried[1]))).json()
    assert (again["id"], again["request"]) == (job["id"] + 1, job["request"])
    assert work_of(idle.context, "digits", None).version != after


def test_progress_is_that_of_the_json(idle: Service, tuner: Api) -> None:
    number = tuner.request("POST", "/v1/jobs", json=REQUEST).json()["id"]
    store = idle.context.opened.store
    claim = JobQueue(store).claim(Jobs(store).job(number), seconds=30)
    assert claim is not None
    driver = ClaimedJob(store, number, claim, seconds=60)
    driver.take()
    driver.run()
    figures = {"stage": "tune", "done": 3, "left": 9, "seconds_left": 95.0, "runs_per_second": 0.5}
    driver.progress({**figures, "pairs": 2, "judged": 1}, fruitful=True)
    driver.wait("waits: <b>")
    text = tuner.get(WORK).text
    line = re.search(rf'<li data-job="{number}">.*?</li>', text, re.DOTALL)
    assert line is not None
    assert 'max="12" value="3"' in line[0]
    assert "waits: &lt;b&gt;" in line[0]
    shown = tuner.json(f"/v1/jobs/{number}")["progress"]
    assert re.search(r"about 1:3\d min to go", line[0])
    said = "3 runs done, about 9 left; 1 of 2 pairs judged; 0.5 runs a second"
    assert said in words(line[0])
    assert (shown["done"], shown["left"], shown["judged"], shown["pairs"]) == (3, 9, 1, 2)
    assert "Commands at work" not in text
    driver.end(JobState.FAILED, reason="there was no room")
    over = tuner.get(WORK).text
    assert "there was no room" in over
    assert "to go" not in over


def test_who_may_only_read_starts_nothing(tuner: Api, reader: Api) -> None:
    assert "data-start" in tuner.get("/studies/digits").text
    page = reader.get("/studies/digits").text
    assert "data-start" not in page
    assert "scope tune may start" in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0:00 min"), (59.6, "1:00 min"), (3599, "59:59 min"), (3700, "1:01 h")]
)
def test_times_are_said_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said
