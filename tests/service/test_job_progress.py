"""What a driver tells of a job, and what one after it does not tell again."""

from __future__ import annotations

from pathlib import Path

from autokd.core.job import JobState
from autokd.service.job_progress import Told
from autokd.store import Store, sqlite_url
from autokd.store.job_queue import ClaimedJob, JobQueue
from autokd.store.jobs import Jobs


def claimed(store: Store, id: int) -> ClaimedJob:
    claim = JobQueue(store).claim(Jobs(store).job(id), seconds=60)
    assert claim is not None
    driver = ClaimedJob(store, id, claim, seconds=-1)
    driver.take()
    return driver


def test_a_verdict_is_told_once_however_often_drivers_die(home: Path) -> None:
    first = {"words": "4->9", "pair": {"teacher": 4, "student": 9}, "verdict": "tuned", "gain": 1 / 3}
    other = {"words": "9->4", "pair": {"teacher": 9, "student": 4}, "verdict": "skip", "gain": None}
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        jobs = Jobs(store)
        id = jobs.add(what="tune", study="s", recipe="r", request={}, who="a")[0].id
        driver = claimed(store, id)
        news = Told(driver.told("verdict"))
        news.verdict(first)
        news.write(driver)
        # Killed; the next one finds both judged, and one of them has changed at last.
        driver = claimed(store, id)
        news = Told(driver.told("verdict"))
        for event in (first, other, {**first, "verdict": "default"}, {**first, "verdict": "default"}):
            news.verdict(event)
        news.write(driver)
        driver.end(JobState.SUCCEEDED, result=[])
        verdicts = [event.data for event in jobs.events(id) if event.what == "verdict"]
    assert verdicts == [first, other, {**first, "verdict": "default"}]
