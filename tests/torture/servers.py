"""Two servers, each with a home of its own, share the queue of one database; one is killed in the middle.

    python -m tests.torture.servers [--jobs 12] [--storage URL]

Each job is asked for at both servers at the same moment under one key. The database is a PostgreSQL server of
its own unless another one is named, which must be empty. It ends with code 0 if every job was done once.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx

from autokd.core.job import JobState
from autokd.service.job_folders import MODEL, folder_of
from autokd.store import Store
from autokd.store.jobs import Jobs
from tests.postgres import private_postgres
from tests.service.conftest import STUDY, unpacked
from tests.service.processes import ServerProcess

_SETTING: Final = {"temperature": 4.0, "alpha": 0.5, "transfer_set": "both"}
_PATIENCE: Final = 1800.0
"""Seconds without the end of a job, after which they hang."""
_ENDS: Final = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=12, help="so many")
    parser.add_argument("--storage", help="URL of an empty database")
    options = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        storage = options.storage or stack.enter_context(private_postgres()).url
        servers = []
        for name in ("first", "second"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"autokd-{name}-")))
            more = ("--study", str(STUDY), "--storage", storage, "--no-auth")
            server = ServerProcess(unpacked(folder.resolve()), folder / "log", *more)
            stack.callback(server.kill, signal.SIGINT)
            server.start()
            servers.append(server)
        store = stack.enter_context(Store.open(storage, create=False))
        numbers = [_posted(servers, seed) for seed in range(options.jobs)]
        assert len(set(numbers)) == options.jobs, f"some requests are one job: {numbers}"
        _wait(store, numbers, ended=options.jobs // 3)
        first, second = servers
        first.kill()
        print(f"{time.monotonic() - began:.0f} s: the first server is killed", flush=True)
        _wait(store, numbers, ended=options.jobs)
        done = [_check(store, number, servers) for number in numbers]
    assert {first, second} == set(done), "one server has done all"
    shares = ", ".join(str(count) for count in Counter(map(id, done)).values())
    print(f"{time.monotonic() - began:.0f} s: {options.jobs} jobs, each done once ({shares} by a server)")


def _posted(servers: Sequence[ServerProcess], seed: int) -> int:
    """The number of a job that was asked for at all servers at the same moment under one key."""
    request = {"what": "distill", "study": "small", "pair": "3,0", "setting": _SETTING, "seed": seed}
    answers: list[httpx.Response] = []
    together = threading.Barrier(len(servers))

    def post(address: str) -> None:
        together.wait()
        headers = {"Idempotency-Key": f"seed-{seed}"}
        answers.append(
            httpx.post(f"{address}/v1/jobs", json=request, headers=headers, timeout=300, trust_env=False)
        )

    threads = [threading.Thread(target=post, args=(server.address,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202] * len(servers), [a.text for a in answers]
    numbers = {int(answer.json()["id"]) for answer in answers}
    assert len(numbers) == 1, f"one request is several jobs: {numbers}"
    return numbers.pop()


def _wait(store: Store, numbers: Sequence[int], *, ended: int) -> None:
    """Until so many jobs are over."""
    known, changed = -1, time.monotonic()
    while (now := sum(state in _ENDS for _, state in Jobs(store).heads(numbers).values())) < ended:
        if now != known:
            known, changed = now, time.monotonic()
        assert time.monotonic() - changed < _PATIENCE, f"nothing happens after {now} jobs"
        time.sleep(0.5)


def _check(store: Store, number: int, servers: Sequence[ServerProcess]) -> ServerProcess:
    """The server whose driver has done a job, which is the only one."""
    job = Jobs(store).job(number)
    assert job.state is JobState.SUCCEEDED, job.reason
    states = [event.data["state"] for event in Jobs(store).events(number) if event.what == "state"]
    wanted: list[Any] = ["queued", "preparing", "running", "succeeded"]
    assert states == wanted, f"job {number}: {states}"
    made = [server for server in servers if (folder_of(server.home, number) / MODEL).exists()]
    assert len(made) == 1, f"job {number}: {len(made)} homes have its model"
    return made[0]


if __name__ == "__main__":
    main()
