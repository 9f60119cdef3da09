"""The driver: one Ray Tune experiment that does whatever the store says is still to be done."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, Trainable, TuneConfig, Tuner
from threadpoolctl import threadpool_limits

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.config.study import StudyConfig
from autokd.execution.run_context import RunContext
from autokd.execution.run_queue import RunQueue
from autokd.execution.tune_adapters import DriverState, QueueScheduler, QueueSearcher, StopFlag
from autokd.execution.worker import DistillationTrainable
from autokd.federation.federation import Federation

_ENVIRONMENT: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # The new output prints a table even when it is asked to be silent.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # The store records; files per trial would only cost.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's own would drop reports and return as if all were done.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Its experiment state is never restored.
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # The reason is in the store.
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_CLUSTER_SECONDS: Final = 2.0
"""How long the size of the cluster is taken as known; a hook would ask many times as often."""
_RUNS_OF_AN_EXPERIMENT: Final = 2500
"""Tune keeps every trial in memory, 36 KB each; then a fresh experiment follows, for the few seconds that its
workers take to start."""
_PENDING: Final = 64
"""More than we ever hand out ahead; Tune would otherwise keep one trial at a time pending."""


def distilling(plan: StudyConfig, federation: Federation, compute: Compute) -> type[Trainable]:
    """What workers run: distillations in a federation, which travels once through Ray's object store.

    Args:
        plan: What the runs have in common.
        federation: Read-only NumPy, which all workers of a node share without a copy. What the object store
            has no memory for lies in Ray's temporary folder on disk.
        compute: How runs compute.
    """
    trainable: type[Trainable] = tune.with_parameters(
        DistillationTrainable, federation=federation, job=RunContext.of(plan, compute)
    )
    # The driver itself hardly looks at it again.
    federation.release_memory()
    return trainable


def drive(
    queue: RunQueue,
    trainable: type[Trainable],
    *,
    home: Path,
    workers: Resources,
    on_stopping: Callable[[], None] = lambda: None,
    runs_of_an_experiment: int = _RUNS_OF_AN_EXPERIMENT,
) -> bool:
    """Do all that the queue has to hand out.

    Ctrl-C once ends the runs under way at their next report and marks them as interrupted; twice raises
    KeyboardInterrupt at once. Either way the store holds all that was reported, and the same call goes on.

    Ray must have been started.

    Args:
        queue: Knows the studies, and records.
        trainable: What a worker does with an `RunSpec`.
        home: Ray Tune's scratch is kept below it while the experiment lasts.
        workers: What runs get to run on.
        on_stopping: Told of the first Ctrl-C.
        runs_of_an_experiment: After so many another experiment follows.

    Returns:
        False if it was interrupted, True if all is done.

    Raises:
        InputError: If a run reserves more than the cluster has.
        AutokdError: What went wrong in the driver's own hooks, for instance the store's errors.
    """
    if not queue.finished:
        workers.check(ray.cluster_resources())  # type: ignore[no-untyped-call]
    os.environ.update(_ENVIRONMENT)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # What dies is in the store, with its reason.
    state = DriverState(queue, max_in_flight=_most_live(workers), most=runs_of_an_experiment)
    try:
        # The driver's own algebra on every core would only slow down the workers, and itself.
        with _interrupts(state, on_stopping), threadpool_limits(1):
            while not (queue.finished or state.stopping):
                state.handed_out = 0
                _experiment(state, trainable, home, workers)
                assert state.handed_out or queue.finished or state.stopping, "an experiment did nothing"
    finally:
        queue.interrupt("the command was interrupted")
    if state.error is not None:
        raise state.error
    return not state.stopping


def _experiment(state: DriverState, trainable: type[Trainable], home: Path, workers: Resources) -> None:
    """One Tuner, until the state has nothing more for it."""
    with _scratch(home) as scratch:
        Tuner(
            tune.with_resources(trainable, {"CPU": workers.cpus_per_run, "GPU": workers.gpus_per_run}),
            tune_config=TuneConfig(
                search_alg=QueueSearcher(state),
                scheduler=QueueScheduler(state),
                num_samples=-1,
                max_concurrent_trials=_PENDING,
                reuse_actors=True,
            ),
            run_config=RunConfig(
                name="experiment",
                storage_path=str(scratch),
                stop=StopFlag(state),
                verbose=0,
                failure_config=FailureConfig(max_failures=0),
                checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        ).fit()


def _most_live(workers: Resources) -> Callable[[], int]:
    """How many runs may be live on the cluster as it is now, looked up every few seconds."""
    known = (-math.inf, 1)

    def ask() -> int:
        nonlocal known
        if monotonic() - known[0] > _CLUSTER_SECONDS:
            known = (monotonic(), workers.max_in_flight(ray.cluster_resources()))  # type: ignore[no-untyped-call]
        return known[1]

    return ask


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """A folder that Tune may fill and nobody reads."""
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ray-tune-", dir=home)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interrupts(state: DriverState, on_stopping: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C sets the flag, a second one raises; nothing of it outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if state.stopping:
            raise KeyboardInterrupt
        state.stopping = True
        on_stopping()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
