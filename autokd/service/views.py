"""What the service keeps of each study between requests: its federation, its records, its judgements."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from time import monotonic, thread_time
from typing import Any, Final, TypeVar, cast

from autokd.core.records import FederationFacts
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.storage import federations_folder
from autokd.service.catalogue import Catalogue
from autokd.service.opened_store import SHARE, OpenedStore, Snapshot
from autokd.store import Store
from autokd.store.changes import Mark
from autokd.workflows.kept_space import kept_space
from autokd.workflows.results import StoredResults, nothing_tuned
from autokd.workflows.study_warnings import warned_facts
from autokd.workspace import Workspace

_MOST_VIEWS: Final = 16
"""Studies that are kept at once; the one that was asked for longest ago goes first."""
_MOST_ANSWERS: Final = 256
"""Answers of one study that are kept until something changes."""
_LONGEST_SECONDS: Final = 5.0
"""For so long after it was right, an answer is told at most, while it is made anew beside: from half of that
time on in any case."""
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A study whose federation and store are open.

    Attributes:
        federation: Prepared federation; None if it is not prepared, as the next one.
        facts: Its facts, with the warnings of the study.
        results: Stored records, read once and judged once.
    """

    workspace: Workspace
    federation: Federation | None
    facts: FederationFacts | None
    results: StoredResults

    def prepared(self, way_out: str) -> Federation:
        """Return the federation.

        Raises:
            NotTuned: If it is not prepared.
        """
        if self.federation is None:
            raise nothing_tuned(self.workspace, way_out)
        return self.federation


@dataclass(frozen=True, slots=True, eq=False)
class _Version:
    """All that answers rest on."""

    workspace: Workspace
    store: Store
    marks: Mapping[str, Mark]
    federations: tuple[Any, ...]

    @classmethod
    def of(cls, workspace: Workspace, now: Snapshot) -> _Version:
        """Return what answers rest on now."""
        return cls(workspace, now.store, _own_marks(workspace, now), _state_of_federations(workspace))

    def same(self, other: _Version | None) -> bool:
        """Return whether answers of the other version are those of this one."""
        return (
            other is not None
            and (self.workspace is other.workspace and self.store is other.store)
            and (self.marks, self.federations) == (other.marks, other.federations)
        )


class _View:
    """What is kept of one study in one space; one thread at a time reads more of it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.answers: tuple[_Version | None, dict[Hashable, object]] = (None, {})
        self.last: dict[Hashable, tuple[object, float]] = {}
        self.pause = -math.inf
        self.renewed: set[Hashable] = set()
        self._workspace: Workspace | None = None
        self._store: Store | None = None
        self._marks: Mapping[str, Mark] = {}
        self._state: object = None
        self._study: OpenStudy | None = None

    def told(self, key: Hashable, value: object, when: float) -> object:
        """Return an answer that was right at a time, and remember when."""
        if key not in self.last and len(self.last) >= _MOST_ANSWERS:
            self.last.clear()
        self.last[key] = value, when
        return value

    def study(self, workspace: Workspace, now: Snapshot) -> OpenStudy:
        """Return the study; what has changed since the last call is forgotten. The lock is held."""
        state = _state_of_federations(workspace)
        study = self._study
        same = (
            study is not None
            and study.federation is not None
            and workspace is self._workspace
            and now.store is self._store
            and state == self._state
            and kept_space(workspace, study.facts, now.store) == study.results.space
        )
        if study is None or not same:
            federation = find(workspace.home, workspace.config.federation)
            facts = None if federation is None else federation.facts()
            if facts is not None:
                facts = warned_facts(workspace.config, facts, source=workspace.source)
            study = OpenStudy(workspace, federation, facts, StoredResults.of(workspace, facts, now.store))
        else:
            names = self._marks.keys() | now.marks.keys()
            study.results.refresh([name for name in names if self._marks.get(name) != now.marks.get(name)])
        self._workspace, self._store, self._marks = workspace, now.store, now.marks
        self._state, self._study = state, study
        if study.federation is not None:
            study.results.only_read()
        return study


class Views:
    """Answers from the records of studies, each computed once until something changes.

    Args:
        catalogue: Study recipes.
        opened: Store.
    """

    def __init__(self, catalogue: Catalogue, opened: OpenedStore) -> None:
        self.catalogue, self.opened = catalogue, opened
        self._longest = _LONGEST_SECONDS if opened.fresh_seconds else 0.0
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answers")
        self._views: OrderedDict[tuple[str, str | None], _View] = OrderedDict()
        self._lock = Lock()

    def answer(self, name: str, space: str | None, key: Hashable, compute: Callable[[OpenStudy], T]) -> T:
        """Return what `compute` returns for a study; the same value again while nothing has changed.

        While a batch changes something all the time, what was right some seconds ago is returned, too, and
        made anew beside, for a share of the time only. Not so once somebody was told that a job is over.

        Args:
            name: Name of the study in the catalogue.
            space: Name of a shipped space in place of the study's own.
            key: What is asked; it must tell all of `compute`'s arguments.

        Raises:
            InputError: If there is no such study or space, or what `compute` raises.
        """
        workspace = self.catalogue.workspace(name, space)
        view, asked, now = self._view(name, space), monotonic(), self.opened.snapshot()
        version, answers = view.answers
        if _Version.of(workspace, now).same(version) and key in answers:
            return cast("T", view.told(key, answers[key], asked))
        last, when = view.last.get(key, (None, -math.inf))
        age = asked - when if when > now.floor else math.inf
        if age < self._longest:
            if (asked >= view.pause or age > self._longest / 2) and key not in view.renewed:
                view.renewed.add(key)
                self._beside.submit(self._renew, view, workspace, key, compute)
            return cast("T", last)
        return self._anew(view, workspace, key, compute)

    def _renew(
        self, view: _View, workspace: Workspace, key: Hashable, compute: Callable[[OpenStudy], object]
    ) -> None:
        """Make an answer anew that nobody waits for."""
        try:
            self._anew(view, workspace, key, compute)
        except Exception:
            # Whoever asks once the former answer is too old is told what is wrong.
            _log.debug("an answer could not be made anew", exc_info=True)
        finally:
            view.renewed.discard(key)

    def _anew(self, view: _View, workspace: Workspace, key: Hashable, compute: Callable[[OpenStudy], T]) -> T:
        with view.lock:
            asked, now = monotonic(), self.opened.snapshot()
            version = _Version.of(workspace, now)
            if not version.same(view.answers[0]):
                view.answers = (version, {})
            answers = view.answers[1]
            if key not in answers:
                began = thread_time()
                value = compute(view.study(workspace, now))
                if len(answers) >= _MOST_ANSWERS:
                    answers.clear()
                answers[key] = value
                view.pause = max(monotonic(), view.pause) + (thread_time() - began) / SHARE
            return cast("T", view.told(key, answers[key], asked))

    def fresh(self, name: str, space: str | None, compute: Callable[[OpenStudy], T]) -> T:
        """Return what `compute` returns for a study, computed now; see `answer`."""
        workspace = self.catalogue.workspace(name, space)
        view = self._view(name, space)
        with view.lock:
            return compute(view.study(workspace, self.opened.snapshot()))

    def version(self, name: str, space: str | None) -> str:
        """Return what tells what is stored of a study now from what was and will be."""
        workspace = self.catalogue.workspace(name, space)
        marks = _own_marks(workspace, self.opened.snapshot())
        rest = sorted(marks.items()), _state_of_federations(workspace), id(workspace)
        return hashlib.blake2b(repr(rest).encode(), digest_size=12).hexdigest()

    def close(self) -> None:
        """Make no answer anew any more."""
        self._beside.shutdown(cancel_futures=True)

    def is_prepared(self, name: str, space: str | None = None) -> bool:
        """Return whether any federation of a study's name is prepared; nothing of it is opened."""
        return bool(_state_of_federations(self.catalogue.workspace(name, space)))

    def _view(self, name: str, space: str | None) -> _View:
        with self._lock:
            view = self._views.setdefault((name, space), _View())
            self._views.move_to_end((name, space))
            while len(self._views) > _MOST_VIEWS:
                self._views.popitem(last=False)
            return view


def _own_marks(workspace: Workspace, now: Snapshot) -> dict[str, Mark]:
    """Return the marks of the studies that a recipe's answers may rest on: those of its federations."""
    start = f"{workspace.config.federation.name}-"
    return {name: mark for name, mark in now.marks.items() if name.startswith(start)}


def _state_of_federations(workspace: Workspace) -> tuple[Any, ...]:
    """Return what changes when a federation of a recipe is prepared, deleted or made anew."""
    folder = federations_folder(workspace.home)
    manifests = folder.glob(f"{workspace.config.federation.name}-*/manifest.json")
    return tuple(
        (str(manifest), manifest.stat().st_mtime_ns, manifest.stat().st_size)
        for manifest in sorted(manifests)
    )
