"""What the driver of a job tells: figures as the use case reports them, written by another thread."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, final

from autokd.errors import AutokdError
from autokd.execution.run_queue import RunQueueProgress
from autokd.search.progress import Progress
from autokd.store import Store
from autokd.store.job_queue import ClaimedJob
from autokd.store.process import Process
from autokd.workflows.callbacks import Callbacks, JudgedTrials


@final
class Told:
    """What was reported and is not written yet; of the progress only the last is worth writing.

    Args:
        verdicts: Events that drivers before this one have told: what they have judged is judged again.
    """

    def __init__(self, verdicts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lock, self._writing = Lock(), Lock()
        self._judged = {event["words"]: _text(event) for event in verdicts}
        self._progress: tuple[Mapping[str, Any], bool] | None = None
        self._verdicts: list[Mapping[str, Any]] = []
        self._waits: str | None = None
        self._runs = self._said = False

    def progress(self, figures: Mapping[str, Any], *, fruitful: bool, runs: bool = True) -> None:
        """Note the progress.

        Args:
            fruitful: Whether a run has ended.
            runs: Whether runs are being done; else the federation is being prepared.
        """
        with self._lock:
            self._progress, self._runs = (figures, fruitful), self._runs or runs

    def verdict(self, event: Mapping[str, Any]) -> None:
        """Note that a pair was judged, unless the last event of that pair says the same."""
        with self._lock:
            if self._judged.get(event["words"]) != (text := _text(event)):
                self._judged[event["words"]] = text
                self._verdicts.append(event)

    def wait(self, reason: str) -> None:
        """Note why nothing is done."""
        with self._lock:
            self._waits = reason

    def write(self, claimed: ClaimedJob) -> None:
        """Write what was noted since the last time; if that fails, it is written the next time.

        Raises:
            StoreError: If the database does not answer, or another driver has taken over.
        """
        with self._writing:
            with self._lock:
                waits, runs, progress = self._waits, self._runs, self._progress
                verdicts = tuple(self._verdicts)
            if waits is not None:
                claimed.wait(waits)
            if runs and not self._said:
                claimed.run()
                self._said = True
            if verdicts:
                claimed.tell("verdict", verdicts)
            if progress is not None:
                claimed.progress(progress[0], fruitful=progress[1])
            with self._lock:
                self._waits = None if self._waits == waits else self._waits
                self._progress = None if self._progress is progress else self._progress
                del self._verdicts[: len(verdicts)]


@final
class JobCallbacks(Callbacks):
    """Notes what a use case reports, as figures that `GET /v1/jobs/{id}` shows.

    Attributes:
        stopped: Whether it was `autokd stop` that ended the runs.
    """

    def __init__(self, notes: Told, store: Store) -> None:
        self._told, self._store, self.stopped = notes, store, False

    def on_prepare(self, done: int, total: int) -> None:
        self._told.progress(_figures("prepare", done, total - done), fruitful=done > 0, runs=False)

    def on_search(self, progress: Progress) -> None:
        judged = sum(study.conclusion is not None for study in progress.studies)
        figures = _figures("tune", progress.ended, progress.left, progress.seconds_left)
        figures |= {
            "runs_per_second": progress.per_second,
            "in_progress": progress.live,
            "pairs": len(progress.studies),
            "judged": judged,
            "share_of_sweep": progress.share_of_sweep,
        }
        self._told.progress(figures, fruitful=progress.ended > 0)

    def on_sweep(self, progress: RunQueueProgress) -> None:
        self._list("sweep", progress)

    def on_explain(self, progress: RunQueueProgress) -> None:
        self._list("explain", progress)

    def on_distill(self, done: int, total: int) -> None:
        self._told.progress(_figures("distill", done, total - done), fruitful=done > 0)

    def on_stopping(self) -> None:
        owner = str(Process.current())
        with suppress(AutokdError):
            self.stopped = any(
                driver.asked_to_stop for driver in self._store.leases.drivers() if driver.owner == owner
            )

    def on_verdict(self, judged: JudgedTrials) -> None:
        answer = judged.recommendation
        gain = answer.get("gain")
        self._told.verdict(
            {
                "pair": answer.get("pair"),
                "words": judged.pair,
                "study": judged.study,
                "verdict": answer.get("verdict"),
                "gain": None if gain is None else gain.get("mean"),
            }
        )

    def _list(self, stage: str, progress: RunQueueProgress) -> None:
        left = progress.total - progress.done
        figures = _figures(stage, progress.done, left, progress.seconds_left)
        self._told.progress(figures | {"failed": progress.failed}, fruitful=progress.ended > 0)


def _text(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


def _figures(stage: str, done: int, left: int, seconds_left: float | None = None) -> dict[str, Any]:
    return {"stage": stage, "done": done, "left": max(0, left), "seconds_left": seconds_left}
