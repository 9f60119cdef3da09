"""Stale recommendations: stored ones that are not what study and store say today.

A recommendation is *stale* if it was made for a federation, recipe, early stopping or space of the same names
but other content, or from fewer runs than the recipe asks for now. It is never shown as if it were of today,
and nothing is distilled by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from autokd.core.pair import AnyPair, parse_key
from autokd.search.study_names import namesakes
from autokd.workflows.results import StoredResults


@dataclass(frozen=True)
class StaleStudies:
    """The studies in a store that may hold a stale recommendation."""

    results: StoredResults

    def count(self, pairs: Iterable[AnyPair]) -> int:
        """Return how many of these pairs, which have no recommendation of today, have a stale one."""
        return sum(bool(self.of(pair)) for pair in pairs)

    def of(self, pair: AnyPair) -> tuple[str, ...]:
        """Return the studies of a pair that have a recommendation, the closest to today's first.

        Today's own study comes first, then others of the same federation, then those of the last one.
        """

        def closeness(study: str) -> tuple[bool, bool, int]:
            federation = study.partition("/")[0]
            order = self._federations.index(federation) if federation in self._federations else -1
            return self._is_todays(study, pair), self._has_todays_federation(study), order

        return tuple(sorted(self._namesakes.get(pair.key, ()), key=closeness, reverse=True))

    def reason(self, study: str) -> str:
        """Return in words what makes a study's recommendation stale."""
        pair = parse_key(study.rpartition("/")[2])
        if pair is not None and self._is_todays(study, pair):
            return "the study recipe now asks for more runs than it was made from"
        if self._has_todays_federation(study):
            was = study.rpartition("/")[0].partition("/")[2]
            return f"recipe, early stopping or space of the study were others then, {was}"
        today = self.results.facts.name if self.results.is_prepared else "not prepared"
        return f"it is of federation {study.partition('/')[0]}, today's is {today}"

    @cached_property
    def _namesakes(self) -> dict[str, tuple[str, ...]]:
        results = self.results
        return namesakes(results.store.recommended(), results.config, results.space)

    @cached_property
    def _federations(self) -> tuple[str, ...]:
        return self.results.store.federations()

    def _is_todays(self, study: str, pair: AnyPair) -> bool:
        return self.results.is_prepared and study == self.results.study(pair)

    def _has_todays_federation(self, study: str) -> bool:
        return self.results.is_prepared and study.partition("/")[0] == self.results.facts.name


def stale_hint(count: int) -> str:
    """Return how many stale recommendations there are, and how to see them."""
    some = "1 recommendation is" if count == 1 else f"{count} recommendations are"
    return f"{some} of an older federation or study recipe (stale): autokd recommend --all --stale shows them"
