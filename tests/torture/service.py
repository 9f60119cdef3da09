"""A job of twelve pairs whose server and driver are killed again and again; real runs, real workers.

    python -m tests.torture.service [--seed 0] [--storage URL] [--folder FOLDER]

With SIGKILL: the server four times, the driver of the job three times, both three times, at random moments;
the server is started again each time, and a client follows the job through all of it. It ends with code 0 if
the job succeeded, nothing was lost and nothing done twice. With a folder it may be interrupted, too: the same
command goes on.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, final

import psutil
from sqlalchemy import text

from autokd.client import Client, Event, Job
from autokd.core.job import JobState
from autokd.core.records import FederationFacts
from autokd.store import Store, sqlite_url
from autokd.store.jobs import Jobs
from autokd.workspace import Workspace
from tests.service.conftest import STUDY
from tests.service.processes import ServerProcess
from tests.torture.verdict import check_pairs, finished

TRIALS: Final = 5
_LATEST: Final = 3.0
"""Seconds that a blow waits at most, once its turn has come."""
_PATIENCE: Final = 1800.0
"""Seconds without anything new in the store, after which the job hangs."""
_NOD: Final = 0.5


class Blow(StrEnum):
    """Who is killed."""

    SERVER = "server"
    DRIVER = "driver"
    BOTH = "server and driver"


BLOWS: Final = [Blow.SERVER] * 4 + [Blow.DRIVER] * 3 + [Blow.BOTH] * 3


@final
class Ordeal:
    """A job, and what befalls it.

    Args:
        folder: Where everything lies; what is there is gone on with.
    """

    def __init__(self, folder: Path, storage: str | None, seed: int) -> None:
        home = folder / "home"
        self.place = Workspace.open(
            STUDY, home=home, storage=storage or sqlite_url(home / "autokd.db"), trials=TRIALS
        )
        self._notes, self._port = folder / "blows", folder / "port"
        self._notes.touch()
        port = int(self._port.read_text()) if self._port.exists() else None
        options = ("--study", str(STUDY), "--storage", self.place.storage, "--no-auth")
        self.server = ServerProcess(home, folder / "log", *options, port=port)
        self._port.write_text(str(self.server.port))
        self._dice, self._kept = random.Random(seed), set[str]()
        self._heard: list[Event] = []

    def suffer(self) -> None:
        """Have the job done through all blows, and check what came of it."""
        blows = list(BLOWS)
        self._dice.shuffle(blows)
        least = len(self.place.pairs) * (
            self.place.config.search.min_trials + self.place.config.confirmation.seeds
        )
        turns = sorted(self._dice.choices(range(least), k=len(blows)))
        self.server.start()
        with ExitStack() as stack:
            stack.callback(self._end)
            store = stack.enter_context(self.place.open_store(create=False))
            client = stack.enter_context(Client(self.server.address, ""))
            job = self._job(client)
            listener = threading.Thread(target=lambda: self._heard.extend(job.events()), daemon=True)
            listener.start()
            for turn, blow in list(zip(turns, blows, strict=True))[len(self._blows()) :]:
                self._wait(store, job.id, turn)
                time.sleep(self._dice.uniform(0, _LATEST))
                self._strike(store, blow)
            self._wait(store, job.id, None)
            listener.join(60)
            assert not listener.is_alive(), "the client has not heard of the end"
            self._check(store, job.id)

    def _job(self, client: Client) -> Job:
        """The only job, posted now if it was not before."""
        jobs = client.jobs()
        return jobs[0] if jobs else client.tune(self.place.config.name, "all", trials=TRIALS)

    def _blows(self) -> Sequence[str]:
        return self._notes.read_text().splitlines()

    def _wait(self, store: Store, id: int, records: int | None) -> None:
        """Wait until the store has so many trials and runs, or, if that is None, until the job is over."""
        known, changed = -1, time.monotonic()
        while True:
            state, now = Jobs(store).job(id).state, _records(store)
            assert records is None or not state.is_over, f"the job was {state} before all blows"
            if state.is_over if records is None else now >= records:
                return
            if now != known:
                known, changed = now, time.monotonic()
            assert time.monotonic() - changed < _PATIENCE, f"nothing happens after {now} records"
            time.sleep(_NOD)

    def _strike(self, store: Store, blow: Blow) -> None:
        self._kept |= set(self._finished(store))
        if blow is not Blow.SERVER:
            while not (drivers := self.server.drivers()):
                time.sleep(_NOD)
            for driver in drivers:
                with suppress(psutil.NoSuchProcess):
                    driver.kill()
        if blow is not Blow.DRIVER:
            self.server.kill()
            self.server.start()
        with self._notes.open("a") as notes:
            line = f"{time.strftime('%H:%M:%S')} {blow} after {_records(store)} trials and runs"
            notes.write(f"{line}\n")
            print(line, flush=True)

    def _federation(self, store: Store) -> FederationFacts | None:
        names = store.federations()
        return store.federation(names[0]) if names else None

    def _finished(self, store: Store) -> list[str]:
        federation = self._federation(store)
        if federation is None:
            return []
        known = {name.rpartition("/")[2] for name in store.names()}
        pairs = [pair for pair in self.place.pairs if str(pair) in known]
        return finished(self.place, store, pairs, federation)

    def _check(self, store: Store, id: int) -> None:
        job, pairs = Jobs(store).job(id), self.place.pairs
        assert job.state is JobState.SUCCEEDED, job.reason
        check_pairs(self.place, store, pairs, self._federation(store))
        lost = self._kept - set(self._finished(store))
        assert not lost, f"lost: {lost}"
        answers = [(entry["pair"]["teacher"], entry["pair"]["student"]) for entry in job.result]
        assert answers == sorted((pair.teacher, pair.student) for pair in pairs), answers
        events = Jobs(store).events(id)
        assert [event.number for event in events] == sorted({event.number for event in events})
        ends = [event.number for event in events if event.data.get("state") == JobState.SUCCEEDED]
        assert ends == [events[-1].number], ends
        verdicts = Counter(event.data["words"] for event in events if event.what == "verdict")
        assert verdicts == Counter(map(str, pairs)), f"verdicts were told so often: {verdicts}"
        heard = [event.id for event in self._heard if event.what != "progress"]
        assert heard == [event.number for event in events if event.what != "progress"], heard

    def _end(self) -> None:
        self.server.kill(signal.SIGINT)
        _, alive = psutil.wait_procs(self.server.family(), timeout=60)
        assert not alive, f"they are left: {[process.cmdline() for process in alive]}"


def _records(store: Store) -> int:
    """Trials and runs in the store."""
    with store.optuna_storage.engine.connect() as connection:
        query = text("SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM autokd_run)")
        return int(connection.execute(query).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="decides on what happens when")
    parser.add_argument("--storage", help="URL of an empty database; by default a SQLite file")
    parser.add_argument("--folder", type=Path, help="keeps everything, so that the same command goes on")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autokd-torture-")))
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        Ordeal(folder.resolve(), options.storage, options.seed).suffer()
    print(f"{time.monotonic() - began:.0f} s, {len(BLOWS)} blows: nothing was lost, and nothing done twice")


if __name__ == "__main__":
    main()
