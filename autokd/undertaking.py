"""A command that has runs done: its federation, store, lease and workers, opened in turn, closed together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autokd.callbacks import Callbacks
from autokd.compute.device import Compute
from autokd.compute.ray_cluster import check_answers, session
from autokd.compute.resources import Resources
from autokd.config.study import StudyConfig
from autokd.execution.run_queue import Errands
from autokd.execution.search_queue import SearchQueue
from autokd.execution.sweeping import Sweeper
from autokd.federation import Federation, check, find, notices, prepare
from autokd.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """What a command has open while it lasts; use `undertaking`.

    Attributes:
        federation: Prepared.
        compute: How runs compute.
        workers: On what.
        callbacks: Called while it lasts.
    """

    plan: StudyConfig
    home: Path
    federation: Federation
    compute: Compute
    workers: Resources
    callbacks: Callbacks
    _opened: Store
    _stack: ExitStack

    def acquire(self, studies: Collection[str]) -> Store:
        """The store, to write to these studies.

        Raises:
            PairBusy: If another driver is at work on one of them.
        """
        self._stack.enter_context(self._opened.acquire(studies, on_outage=self.callbacks.on_outage))
        self._opened.put_federation(self.federation.facts())
        return self._opened

    def drive(self, office: SearchQueue | Sweeper | Errands, store: Store) -> bool:
        """Do all that the office has to hand out, if anything; False if it was interrupted."""
        if office.finished:
            return True
        # Imported here: Tune takes seconds to import, and often there is nothing left to run.
        from autokd.execution.driver import distilling, drive

        def stopping() -> None:
            store.give_up()
            self.callbacks.on_stopping()

        self._stack.enter_context(session(address=self.workers.address))
        trainable = distilling(self.plan, self.federation, self.compute)
        return drive(
            office,
            trainable,
            home=self.home,
            workers=self.workers,
            on_stopping=stopping,
        )


@contextmanager
def undertaking(
    plan: StudyConfig,
    *,
    home: Path,
    open_store: Callable[[], Store],
    compute: Compute,
    workers: Resources,
    callbacks: Callbacks,
) -> Iterator[Undertaking]:
    """Open a store, and the federation, which is made now unless it was before.

    Raises:
        InputError: If the device is not there, the federation cannot be made, or cluster or storage do not
            answer; nothing was changed.
    """
    compute.check(elsewhere=workers.address is not None)
    check_answers(workers.address)
    federation = find(home, plan.federation)
    checked = check(plan.federation) if federation is None else None
    for notice in () if federation is None else notices(home, federation):
        _log.warning(notice)
    with ExitStack() as stack:
        opened = stack.enter_context(open_store())
        if federation is None:
            stack.enter_context(session(address=workers.address))
            federation = prepare(
                plan.federation,
                home=home,
                compute=compute,
                address=workers.address,
                progress=callbacks.on_prepare,
                checked=checked,
            )
        yield Undertaking(
            plan=plan,
            home=home,
            federation=federation,
            compute=compute,
            workers=workers,
            callbacks=callbacks,
            _opened=opened,
            _stack=stack,
        )
