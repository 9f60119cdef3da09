"""The driver: runs Ray Tune experiments until a queue has no run left."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from time import monotonic
from types import FrameType
from typing import Final

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, Trainable, TuneConfig, Tuner
from threadpoolctl import threadpool_limits

from autokd.compute.device import Compute
from autokd.compute.ray_health import death as ray_death
from autokd.compute.ray_health import end_stuck, ray_is_dead, wake_main_thread, watched
from autokd.compute.resources import Resources
from autokd.config.study import StudyConfig
from autokd.core.atomic_write import make_folder
from autokd.core.example_weights import ExampleWeights
from autokd.core.scratch_folder import scratch_folder
from autokd.core.setting import AnyPair
from autokd.core.tensor_format import TensorFormat
from autokd.errors import WorkersLost
from autokd.execution.run_context import RunContext
from autokd.execution.run_queue import RunQueue
from autokd.execution.tune_adapters import DriverState, QueueScheduler, QueueSearcher, StopFlag
from autokd.execution.worker import DistillationTrainable
from autokd.federation.federation import Federation

_ENVIRONMENT: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # The new output prints a table even with verbose=0.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # The store has the records of the trials.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's handler would drop reports and return as if all were done.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Its experiment state is never restored.
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # The reason is in the store.
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_log = logging.getLogger(__name__)
_CLUSTER_SECONDS: Final = 2.0
"""Time for which the size of the cluster is cached; hooks need it far more often."""
_LEAST_BYTES: Final = 2**20
"""Free space below which Tune's files do not fit; hardly ever is it zero where a write has failed."""
_PENDING: Final = 64
"""More runs than are ever handed out ahead; by default Tune keeps one trial at a time pending."""


def distilling(
    config: StudyConfig,
    federation: Federation,
    compute: Compute,
    tensor_formats: Mapping[AnyPair, TensorFormat] | None = None,
    weights: Mapping[int, ExampleWeights] | None = None,
) -> type[Trainable]:
    """Return what workers run: distillations in a federation, which goes once through Ray's object store.

    All workers of a node share the federation's arrays without a copy. Ray puts what does not fit into its
    object store into its temporary folder on disk.

    Args:
        tensor_formats: Memory format and precision of each pair's runs; of others as `compute` says.
        weights: As in `RunContext`.
    """
    context = RunContext(config.distillation, config.rungs, compute, tensor_formats or {}, weights or {})
    trainable: type[Trainable] = tune.with_parameters(
        DistillationTrainable, federation=federation, context=context
    )
    # The driver itself hardly reads it again.
    federation.release_memory()
    return trainable


def drive(
    queue: RunQueue,
    trainable: type[Trainable],
    *,
    home: Path,
    workers: Resources,
    asked_to_stop: Callable[[], bool] = lambda: False,
    on_stopping: Callable[[], None] = lambda: None,
    runs_of_an_experiment: int = 2500,
) -> bool:
    """Do all runs of a queue, on a Ray that has been started.

    The first Ctrl-C ends the runs in progress at their next report and marks them as interrupted; the second
    raises KeyboardInterrupt at once. In both cases the store has all reports, and the same call continues.
    A request to stop from another terminal is like the first Ctrl-C.

    Args:
        trainable: Does a `RunSpec`.
        home: Folder in which Ray Tune's temporary folder lies during the experiment.
        asked_to_stop: Returns whether somebody has asked for this driver's end; called very often.
        on_stopping: Called at the first Ctrl-C, or when somebody has asked.
        runs_of_an_experiment: Number of runs after which a new experiment begins, since Tune keeps 36 KB of
            every trial in memory.

    Returns:
        False if it was interrupted, True if all is done.

    Raises:
        InputError: If a run reserves more than the cluster has.
        AutokdError: What went wrong in the driver's own hooks, for instance the store's errors.
    """
    os.environ.update(_ENVIRONMENT)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # Failures are in the store, with reasons.
    state = DriverState(
        queue,
        max_in_flight=_max_in_flight(workers),
        most=runs_of_an_experiment,
        asked_to_stop=asked_to_stop,
        on_stopping=on_stopping,
    )
    state.stop_if_asked()

    in_main_thread = threading.current_thread() is threading.main_thread()

    def ray_died(what: str) -> None:
        # At once: what asks a dead Ray for anything more waits for ever.
        state.lose_ray(ray_is_dead(what))
        if in_main_thread:
            wake_main_thread()

    def stuck(what: str) -> None:
        end_stuck(state.error)

    try:
        # Linear algebra on every core would slow down the workers, and the driver itself.
        with _interrupts(state), threadpool_limits(1), watched(ray_died, stuck):
            if not queue.finished:
                workers.check(ray.cluster_resources())  # type: ignore[no-untyped-call]
            while not (queue.finished or state.stopping):
                state.handed_out = 0
                _experiment(state, trainable, home, workers)
                assert state.handed_out or queue.finished or state.stopping, "an experiment did nothing"
    except BaseException:
        # Once Ray is dead, whatever else goes wrong is a consequence of it.
        if not ray_death():
            raise
    finally:
        queue.interrupt("the command was interrupted")
    if state.error is not None:
        raise state.error
    return not state.stopping


def _experiment(state: DriverState, trainable: type[Trainable], home: Path, workers: Resources) -> None:
    """Run one Tuner until the queue or the limit of runs ends it."""
    make_folder(home)
    # Tune writes files that nobody reads.
    with scratch_folder(home, "ray-tune-") as folder, _scratch_only(state, folder):
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
                storage_path=str(folder.resolve()),
                stop=StopFlag(state),
                verbose=0,
                failure_config=FailureConfig(max_failures=0),
                checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        ).fit()


@contextmanager
def _scratch_only(state: DriverState, folder: Path) -> Iterator[None]:
    """Let what becomes of Tune's own files be no error of a batch that needs them no more.

    Args:
        folder: Where Tune keeps them.

    Raises:
        WorkersLost: If its disk is full while runs are left.
    """
    try:
        yield
    except Exception as error:
        # The store has it all, or what went wrong first is what the driver raises.
        if state.stopping or state.queue.finished:
            return
        if disk_usage(folder).free < _LEAST_BYTES:
            raise WorkersLost(
                f"Ray cannot keep its files in {folder.parent}: no room is left on that disk. Results so far "
                "are stored; make room, and the same command goes on"
            ) from error
        raise


def _max_in_flight(workers: Resources) -> Callable[[], int]:
    """Return a function for how many runs the cluster holds now, looked up every few seconds."""
    looked_up, most = -math.inf, 1

    def max_in_flight() -> int:
        nonlocal looked_up, most
        # A control store that has died would never answer.
        if monotonic() - looked_up > _CLUSTER_SECONDS and not ray_death():
            looked_up, most = monotonic(), workers.max_in_flight(ray.cluster_resources())  # type: ignore[no-untyped-call]
        return most

    return max_in_flight


@contextmanager
def _interrupts(state: DriverState) -> Iterator[None]:
    """Set the stop flag at the first Ctrl-C and raise at the second; do nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if state.stopping:
            raise KeyboardInterrupt
        state.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
