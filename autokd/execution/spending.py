"""Keeps a batch within its budget: counts what is spent, and says what may still be begun."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.config.study import StudyConfig
from autokd.core.price import NOTHING, UNLIMITED, Load
from autokd.core.run_spec import RunSpec
from autokd.core.setting import AnyPair
from autokd.execution.pace import Pace
from autokd.search.next_work import PairSearch
from autokd.search.spending import Budget, Spent, present_look, search_may_go_on, urgency, work_left


class Spending:
    """What a batch has spent, and what its budget allows; without a budget it allows everything.

    Args:
        meetings: All meetings that are not finished; the list changes as they are.
        seconds_before: Seconds that earlier commands have worked on these pairs.

    Attributes:
        spent: Work spent so far, that of earlier commands included.
        underway: Work that runs in progress may still need.
    """

    def __init__(
        self,
        config: StudyConfig,
        budget: Budget | None,
        pace: Pace,
        meetings: Sequence[Sequence[PairSearch]],
        *,
        seconds_before: float,
    ) -> None:
        self._config, self._budget, self._pace, self._before = config, budget, pace, seconds_before
        self._meetings = meetings
        self.spent, self.underway = NOTHING, NOTHING

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        return self._budget is not None

    @property
    def seconds(self) -> float:
        """Seconds that commands have worked on these pairs, up to now."""
        return self._before + self._pace.seconds

    @property
    def left(self) -> Load:
        """Work that may still be begun."""
        if self._budget is None:
            return UNLIMITED
        spent = Spent(
            self.spent + self.underway,
            self.seconds,
            self._pace.examples_per_second,
            ending=self._pace.ending(sum(map(len, self._meetings))),
        )
        return work_left(self._budget, spent)

    def in_order(self, meetings: list[list[PairSearch]]) -> list[list[PairSearch]]:
        """Return meetings in the order in which they get workers."""
        if self._budget is None:
            return meetings
        return sorted(meetings, key=lambda meeting: urgency(self._config, meeting), reverse=True)

    def close_searches(self, searches: Sequence[PairSearch]) -> None:
        """End all searches once there is no room for a trial beside the confirmations."""
        if self._budget is None or all(search.closed for search in searches):
            return
        spent = self.spent + self.underway
        if not search_may_go_on(self._config, searches, left=self.left, spent=spent):
            for search in searches:
                search.closed = True

    def allows(self, work: RunSpec | AnyPair, study: PairSearch) -> bool:
        """Return whether a run may be begun."""
        if self._budget is None:
            return True
        if not isinstance(work, RunSpec):
            return study.costs.largest.fits(self.left)
        if work.stage is None:
            return study.costs.of(work.setting).fits(self.left)
        # Rule 1 has no verdict before all of its runs.
        return study.records.rule == 1 or present_look(self._config, study).fits(self.left)
