"""What the pages of studies show: the facts of the report, made anew at most for a tenth of the time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any, Final

from autokd.core.pair import Pair
from autokd.service.context import Context, pair_of
from autokd.service.views import OpenStudy
from autokd.workflows.report import report_of

if TYPE_CHECKING:
    from autokd.report import ReportFacts

_SHARE: Final = 0.1
"""Share of the time in which contents are made anew while results come in: a batch needs its cores."""
_LONGEST_SECONDS: Final = 10.0
"""After so long they are made anew in any case: what took long once need not do so again."""
_MOST: Final = 64
"""Contents that are kept; the one that was asked for longest ago goes first."""
WHOLE_MATRIX: Final = 30
"""Most participants whose matrix is shown whole from the start; of more, those that have been tuned."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a page shows.

    Attributes:
        version: Tells it from contents of other results; see `Views.version`.
        values: Values of the template.
    """

    version: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A content, when it was made, and the seconds of a core that this took."""

    content: Content
    made: float
    seconds: float


class Contents:
    """Contents of pages, each kept until its results change, and for some time longer while they often do.

    Args:
        context: The parts of the service.
        clock: Seconds that only grow.
    """

    def __init__(self, context: Context, clock: Callable[[], float] = monotonic) -> None:
        self._context, self._clock = context, clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def study(self, name: str, space: str | None) -> Content:
        """Return what the page of a study shows."""
        return self._content(name, space, "study", _study)

    def pair(self, name: str, space: str | None, pair: str) -> Content:
        """Return what the page of a pair shows.

        Args:
            pair: Teacher and student, as `4-9`.
        """
        return self._content(name, space, pair, lambda study: _pair(study, pair))

    def _content(
        self, name: str, space: str | None, what: str, compute: Callable[[OpenStudy], dict[str, Any]]
    ) -> Content:
        key = name, space, what
        version = self._context.views.version(name, space)
        with self._lock:
            kept, making = self._kept.get(key), self._making.setdefault(key, Lock())
        if kept is not None and self._is_good(kept, version):
            return kept.content
        # While somebody makes it anew, others are shown what there was.
        if not making.acquire(blocking=kept is None):
            assert kept is not None, "without one, it waits"
            return kept.content
        try:
            with self._lock:
                kept = self._kept.get(key)
            if kept is not None and self._is_good(kept, version):
                return kept.content
            began = thread_time()
            content = Content(version, self._context.views.fresh(name, space, compute))
            with self._lock:
                self._kept[key] = _Kept(content, self._clock(), thread_time() - began)
                self._kept.move_to_end(key)
                while len(self._kept) > _MOST:
                    self._making.pop(self._kept.popitem(last=False)[0], None)
            return content
        except BaseException:
            with self._lock:
                # Addresses of what does not exist are endless.
                if key not in self._kept:
                    self._making.pop(key, None)
            raise
        finally:
            making.release()

    def _is_good(self, kept: _Kept, version: str) -> bool:
        young = min(kept.seconds / _SHARE, _LONGEST_SECONDS)
        return kept.content.version == version or self._clock() - kept.made < young


def _study(study: OpenStudy) -> dict[str, Any]:
    # Imported here: drawing takes a while to import, and a service may never be asked for it.
    from autokd.report.page import federation_content

    facts = _facts(study)
    size = study.workspace.config.federation.size
    content = federation_content(facts)
    if size <= WHOLE_MATRIX:
        content["matrix_of"] = range(size)
    return content | {"few": False, "space": study.results.space.name}


def _pair(study: OpenStudy, name: str) -> dict[str, Any]:
    from autokd.report.page import pair_content

    pair = pair_of(study, name)
    facts = _facts(study, pair)
    return {**pair_content(facts, facts.pairs[0]), "space": study.results.space.name}


def _facts(study: OpenStudy, pair: Pair | None = None) -> ReportFacts:
    from autokd.report import ReportFacts

    only = None if pair is None else [pair]
    data = report_of(study.workspace, study.federation, study.facts, study.results, only)
    return ReportFacts(data, pair)
