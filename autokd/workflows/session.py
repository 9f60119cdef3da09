"""A command that has runs done: its federation, store, lease and workers, opened in turn, closed together."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic

from autokd.compute import ray_health
from autokd.compute.device import Compute
from autokd.compute.ray_cluster import check_answers
from autokd.compute.ray_cluster import session as ray_session
from autokd.compute.resources import Resources
from autokd.config.defaults import NO_RUNS_VARIABLE
from autokd.config.federation import AnyFederation
from autokd.core.finding import tell
from autokd.core.setting import AnyPair
from autokd.core.tensor_format import TensorFormat
from autokd.errors import NotTuned
from autokd.execution.run_queue import RunQueue
from autokd.federation.federation import Federation
from autokd.federation.lookup import find, notices
from autokd.federation.preparation import check, prepare
from autokd.search.study_names import preparation_name
from autokd.store import Store
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.kept_space import kept_notice
from autokd.workflows.results import StoredResults
from autokd.workflows.study_warnings import tell_warnings
from autokd.workflows.tensor_formats import tensor_formats
from autokd.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSession:
    """What a command has open while its runs are done; use `run_session`.

    Attributes:
        federation: Prepared federation.
        results: Stored results, which are judged as runs end.
        compute: How runs compute.
        workers: Resources that runs use.
        callbacks: Called with the progress.
        began: When the command began, by `time.monotonic`.
    """

    workspace: Workspace
    federation: Federation
    results: StoredResults
    compute: Compute
    workers: Resources
    callbacks: Callbacks
    began: float
    _stack: ExitStack

    def acquire(self, studies: Collection[str]) -> Store:
        """Return the store, to write to these studies.

        Raises:
            PairBusy: If another driver is at work on one of them.
        """
        store = self.results.store
        self._stack.enter_context(store.leases.acquire(studies, on_outage=self.callbacks.on_outage))
        store.put_federation(self.results.facts)
        return store

    def tensor_formats(self, pairs: Collection[AnyPair]) -> dict[AnyPair, TensorFormat]:
        """Return the tensor format of the runs of each pair, whose studies this command holds.

        Raises:
            InputError: If the user asks for another one than stored runs have.
        """
        return tensor_formats(self.results, self.federation, pairs, self.compute)

    def drive(self, queue: RunQueue, store: Store, formats: Mapping[AnyPair, TensorFormat]) -> bool:
        """Do all runs that the queue has, if any; return False if they were interrupted."""
        if queue.finished:
            return True
        _check_runs_are_wanted()
        # Imported here: Tune takes seconds to import, and often there is nothing left to run.
        from autokd.execution.driver import distilling, drive

        def stopping() -> None:
            store.leases.give_up()
            if store.leases.asked_to_stop:
                _log.warning("%s has asked this command to stop (autokd stop)", store.leases.asked_to_stop)
            self.callbacks.on_stopping()

        self._stack.enter_context(ray_session(address=self.workers.address))
        # Workers are given the weights of the examples that the driver judges by.
        weights = {participant.number: participant.weights for participant in self.results.facts.participants}
        with ray_health.raising("the batch"):
            trainable = distilling(self.workspace.config, self.federation, self.compute, formats, weights)
        home = self.workspace.home
        return drive(
            queue,
            trainable,
            home=home,
            workers=self.workers,
            asked_to_stop=lambda: bool(store.leases.asked_to_stop),
            on_stopping=stopping,
        )


@contextmanager
def run_session(
    workspace: Workspace,
    compute: Compute | None,
    workers: Resources | None,
    callbacks: Callbacks | None,
    opened: tuple[Federation, StoredResults] | None = None,
) -> Iterator[RunSession]:
    """Open a store, and the federation, which is prepared now unless it was before.

    Args:
        workers: Resources that runs use; by default all cores of this machine.
        opened: What `open_results` has opened, if the command has read something before.

    Raises:
        InputError: If the device is not there, the federation cannot be made, or cluster or storage do not
            answer; nothing was changed.
        KeyboardInterrupt: If `autokd stop` ends the preparation of the federation.
    """
    began = monotonic()
    compute, workers, callbacks = compute or Compute(), workers or Resources(), callbacks or Callbacks()
    recipe, home, address = workspace.config.federation, workspace.home, workers.address
    compute.check(elsewhere=address is not None)
    check_answers(address)
    federation, results = (find(home, recipe), None) if opened is None else opened
    if federation is None:
        _check_runs_are_wanted()
    checked = check(recipe) if federation is None else None
    for notice in () if federation is None else notices(home, federation):
        _log.warning(notice)
    tell(() if federation is None else federation.warnings, _log)
    tell_warnings(workspace.config, federation or checked, source=workspace.source, logger=_log)
    with ExitStack() as stack:
        # Called last: whoever waits in it holds no lease.
        stack.callback(callbacks.on_end)
        store = stack.enter_context(workspace.open_store(create=True)) if results is None else results.store
        if federation is None:
            with _stoppable(store, recipe) as stop_if_asked:
                stack.enter_context(ray_session(address=address))
                federation = prepare(
                    recipe,
                    home=home,
                    compute=compute,
                    address=address,
                    progress=callbacks.on_prepare,
                    while_waiting=stop_if_asked,
                    checked=checked,
                )
        results = results or StoredResults.of(workspace, federation.facts(), store)
        if notice := kept_notice(workspace, results.space):
            _log.warning(notice)
        yield RunSession(
            workspace=workspace,
            federation=federation,
            results=results,
            compute=compute,
            workers=workers,
            callbacks=callbacks,
            began=began,
            _stack=stack,
        )


def _check_runs_are_wanted() -> None:
    if os.environ.get(NO_RUNS_VARIABLE):
        raise NotTuned("this is not done yet, and no run may be started here")


@contextmanager
def _stoppable(store: Store, recipe: AnyFederation) -> Iterator[Callable[[], None]]:
    """Let `autokd stop` find the preparation of a federation, which holds no study yet.

    Yields:
        A function that raises KeyboardInterrupt if somebody has asked for the end.
    """
    lease = store.leases.acquire([preparation_name(recipe)])

    def stop_if_asked() -> None:
        if lease.asked_to_stop:
            _log.warning("%s has asked this command to stop (autokd stop)", lease.asked_to_stop)
            raise KeyboardInterrupt

    with lease:
        yield stop_if_asked
    # Releasing the lease was the last look.
    stop_if_asked()
