"""Jobs of the service, on each database."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from autokd.core.job import Job, JobState
from autokd.errors import LeaseLost, StoreError
from autokd.store import Store, audit
from autokd.store.job_queue import ATTEMPTS, ClaimedJob, JobQueue
from autokd.store.job_tables import JobRow
from autokd.store.jobs import SAME_SECONDS, Jobs, NoSuchJob, OtherRequest
from autokd.store.process import Process

_studies = count()


def post(store: Store, same: str | None = None, **more: Any) -> Job:
    """A new job of a study of its own."""
    fields = {"what": "tune", "study": f"study-{next(_studies)}", "recipe": "r", "who": "ci", **more}
    job, new = Jobs(store).add(same=same, request={"pairs": ["4,9"]}, **fields)
    assert new
    return job


def claimed(store: Store, job: Job, *, seconds: float = 60.0) -> ClaimedJob:
    """The job with a driver, which is this process."""
    claim = JobQueue(store).claim(job, seconds=30)
    assert claim is not None
    driver = ClaimedJob(store, job.id, claim, seconds=seconds)
    driver.take()
    return driver


def change(store: Store, id: int, **values: Any) -> None:
    with Session(store.optuna_storage.engine) as session, session.begin():
        session.execute(update(JobRow).where(JobRow.id == id).values(**values))


def waiting(store: Store) -> set[int]:
    return {job.id for job in JobQueue(store).unfinished() if not job.alive}


def test_a_job_goes_from_its_post_to_its_end_and_every_step_is_an_event(store: Store) -> None:
    jobs, posted = Jobs(store), post(store)
    assert (posted.state, posted.events, posted.alive) == (JobState.QUEUED, 1, False)
    driver = claimed(store, posted)
    assert jobs.job(posted.id).state is JobState.PREPARING
    assert str(Process.current()) == jobs.job(posted.id).owner
    driver.run()
    for done in (1, 2, 3):
        driver.progress({"done": done}, fruitful=True)
    driver.tell("verdict", [{"pair": "4->9"}, {"pair": "9->4"}])
    assert driver.renew() == ""
    driver.end(JobState.SUCCEEDED, result=[1])
    job = jobs.job(posted.id)
    assert (job.state, job.result, job.alive, job.claim) == (JobState.SUCCEEDED, [1], False, None)
    assert job.progress == {"done": 3}
    assert job.started is not None
    assert job.ended is not None
    assert job.created <= job.started <= job.ended
    events = jobs.events(job.id)
    assert [(event.number, event.what) for event in events] == [
        (1, "state"),
        (2, "state"),
        (3, "state"),
        # Of the progress only the last is kept, and numbers are never given twice.
        (6, "progress"),
        (7, "verdict"),
        (8, "verdict"),
        (9, "state"),
    ]
    assert [event.data for event in events[3:5]] == [{"done": 3}, {"pair": "4->9"}]
    assert jobs.events(job.id, after=7) == events[5:]
    assert jobs.heads([job.id]) == {job.id: (9, JobState.SUCCEEDED)}
    assert job.id not in waiting(store)


def test_jobs_are_listed_newest_first_by_state_and_study(store: Store) -> None:
    jobs, study = Jobs(store), f"study-{next(_studies)}"
    first, second, third = (post(store, study=study) for _ in range(3))
    jobs.cancel(second.id, "me")
    assert [job.id for job in jobs.jobs(study=study)] == [third.id, second.id, first.id]
    assert [job.id for job in jobs.jobs(study=study, states=[JobState.CANCELLED])] == [second.id]
    assert [job.id for job in jobs.jobs(study=study, before=third.id, limit=1)] == [second.id]
    with pytest.raises(NoSuchJob, match="there is no job 999999"):
        jobs.job(999_999)
    with pytest.raises(NoSuchJob):
        jobs.events(999_999)
    with pytest.raises(NoSuchJob):
        jobs.cancel(999_999, "me")


def test_the_same_key_is_the_same_job_for_a_day(store: Store) -> None:
    jobs, key = Jobs(store), f"key-{next(_studies)}"
    first = post(store, key, study="s")
    fields: Any = {"what": "tune", "study": "s", "recipe": "r", "who": "ci", "same": key}
    again, new = jobs.add(request={"pairs": ["4,9"]}, **fields)
    assert (again.id, new) == (first.id, False)
    with pytest.raises(OtherRequest, match=f"job {first.id} was posted under it"):
        jobs.add(request={"pairs": ["9,4"]}, **fields)
    change(store, first.id, created=first.created - SAME_SECONDS - 1)
    second, new = jobs.add(request={"pairs": ["9,4"]}, **fields)
    assert (second.id > first.id, new) == (True, True)


def test_of_posts_at_once_under_one_key_there_is_one_job(store: Store) -> None:
    key, ids = f"key-{next(_studies)}", []

    def add() -> None:
        fields: Any = {"what": "tune", "study": "s", "recipe": "r", "who": "ci", "same": key}
        ids.append(Jobs(store).add(request={}, **fields)[0].id)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_of_servers_that_want_a_job_at_once_only_one_gets_it(store: Store) -> None:
    job, claims = post(store), []
    threads = [
        threading.Thread(target=lambda: claims.append(JobQueue(store).claim(job, seconds=30)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claims) == 6
    assert sum(claim is not None for claim in claims) == 1
    assert job.id not in waiting(store)


def test_a_job_whose_driver_is_silent_or_gone_waits_again_and_the_former_driver_writes_nothing(
    store: Store,
) -> None:
    job = post(store)
    former = claimed(store, job, seconds=-1)
    assert job.id in waiting(store)
    now = claimed(store, Jobs(store).job(job.id))
    assert job.id not in waiting(store)
    for write in (former.renew, former.run, lambda: former.end(JobState.FAILED)):
        with pytest.raises(LeaseLost, match="another driver has taken over"):
            write()
    now.run()
    gone = Process.current().model_copy(update={"number": 2**22 - 1})
    change(store, job.id, owner=gone.model_dump_json())
    assert job.id in waiting(store)
    last = JobQueue(store).claim(Jobs(store).job(job.id), seconds=30)
    assert last is not None
    JobQueue(store).free(job.id, "that of another driver")
    assert job.id not in waiting(store)
    JobQueue(store).free(job.id, last)
    claimed(store, Jobs(store).job(job.id)).end(JobState.SUCCEEDED)
    assert Jobs(store).job(job.id).state is JobState.SUCCEEDED


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_by_its_driver(store: Store) -> None:
    jobs = Jobs(store)
    queued = jobs.cancel(post(store).id, "me")
    assert (queued.state, queued.reason) == (JobState.CANCELLED, "cancelled by me")
    assert jobs.cancel(queued.id, "again").events == queued.events
    running = post(store)
    driver = claimed(store, running)
    asked = jobs.cancel(running.id, "me")
    assert (asked.state, asked.asked_to_cancel) == (JobState.PREPARING, "me")
    assert driver.renew() == "me"
    driver.end(JobState.CANCELLED, reason="cancelled by me")
    assert jobs.job(running.id).state is JobState.CANCELLED


def test_a_job_whose_driver_is_being_started_is_cancelled_at_once(store: Store) -> None:
    job = post(store)
    claim = JobQueue(store).claim(job, seconds=60)
    assert claim is not None
    assert Jobs(store).job(job.id).alive
    assert Jobs(store).cancel(job.id, "me").state is JobState.CANCELLED
    with pytest.raises(LeaseLost):
        ClaimedJob(store, job.id, claim, seconds=60).take()
    assert Jobs(store).job(job.id).state is JobState.CANCELLED


def test_a_job_that_was_to_end_is_not_taken_up_again(store: Store) -> None:
    jobs, job = Jobs(store), post(store)
    driver = claimed(store, job)
    jobs.cancel(job.id, "me")
    driver.give_back("the server ends")
    assert JobQueue(store).claim(jobs.job(job.id), seconds=30) is None
    assert jobs.job(job.id).state is JobState.CANCELLED


def test_a_job_whose_drivers_die_again_and_again_has_failed(store: Store) -> None:
    jobs, job = Jobs(store), post(store)
    change(store, job.id, attempts=ATTEMPTS)
    assert JobQueue(store).claim(jobs.job(job.id), seconds=30) is None
    assert jobs.job(job.id).state is JobState.FAILED
    assert "has died" in jobs.job(job.id).reason


def test_runs_that_end_and_a_job_that_is_given_back_begin_to_count_anew(store: Store) -> None:
    jobs, job = Jobs(store), post(store)
    driver = claimed(store, job)
    driver.wait("pair 4->9 is busy")
    assert (jobs.job(job.id).attempts, jobs.job(job.id).reason) == (1, "pair 4->9 is busy")
    driver.progress({"done": 1}, fruitful=True)
    assert jobs.job(job.id).attempts == 0
    driver.give_back("the server ends")
    waiting = jobs.job(job.id)
    assert (waiting.state, waiting.reason, waiting.claim) == (JobState.QUEUED, "the server ends", None)
    JobQueue(store).explain(waiting, "nobody knows the recipe")
    assert jobs.job(job.id).reason == "nobody knows the recipe"


def test_a_job_that_autokd_has_not_written_is_refused(store: Store) -> None:
    job = post(store)
    change(store, job.id, state="dreaming")
    try:
        with pytest.raises(StoreError, match=f"job {job.id} was not written by autokd"):
            Jobs(store).job(job.id)
    finally:
        with store.optuna_storage.engine.begin() as connection:
            for table, column in (("autokd_job_event", "job_id"), ("autokd_job", "id")):
                connection.execute(text(f"DELETE FROM {table} WHERE {column} = {job.id}"))


def test_lines_of_the_audit_stay_in_order(store: Store) -> None:
    for number in range(3):
        audit.add_line(
            store, who="ci", token="0a1b2c3d", request="r", what="job.add", subject=str(number), data={"n": 1}
        )
    newest, middle = audit.lines(store, limit=2)
    assert (newest.subject, middle.subject, newest.data) == ("2", "1", {"n": 1})
    assert [line.subject for line in audit.lines(store, before=middle.id, limit=1)] == ["0"]
