"""Recommendations of pairs that are kept until something changes that they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from autokd.core.setting import AnyPair, Pair
from autokd.recommendation import Recommendation
from autokd.recommendation.interim_looks import JudgedPair
from autokd.recommendation.judgement import Judgement
from autokd.workflows.readable import leaving_out


@dataclass(frozen=True, slots=True)
class Basis:
    """What a recommendation rests on.

    Attributes:
        judged: Result of the pair.
        reverse: Judgement of the reverse pair; None if it is not known, or not finished.
    """

    judged: JudgedPair
    reverse: Judgement | None

    def is_that_of(self, other: Basis) -> bool:
        """Return whether both are the very same results."""
        return self.judged is other.judged and self.reverse is other.reverse


@final
class KeptRecommendations:
    """Recommendations by pair. A pair's result also counts for its reverse pair, once both are finished."""

    def __init__(self) -> None:
        self._kept: dict[AnyPair, tuple[Recommendation, Basis]] = {}
        self._doubtful: set[AnyPair] = set()

    def __iter__(self) -> Iterator[AnyPair]:
        return iter(self._kept)

    def get(
        self,
        pair: AnyPair,
        judged: Callable[[AnyPair], JudgedPair],
        make: Callable[[Basis], Recommendation],
    ) -> Recommendation:
        """Return the recommendation of a pair; it is made anew if it was forgotten, or its basis has changed.

        Args:
            judged: Returns the result of a pair.
            make: Makes a recommendation.
        """
        if pair in self._kept and pair not in self._doubtful:
            return self._kept[pair][0]
        now = _basis(pair, judged)
        if pair not in self._kept or not now.is_that_of(self._kept[pair][1]):
            self._kept[pair] = make(now), now
        self._doubtful.discard(pair)
        return self._kept[pair][0]

    def forget(self, pair: AnyPair) -> None:
        """Forget the recommendation of a pair, if there is one."""
        self._kept.pop(pair, None)

    def doubt(self, has_changed: Callable[[AnyPair], bool]) -> None:
        """Look again at what those rest on whose reverse pair has changed."""
        self._doubtful |= {pair for pair in self if isinstance(pair, Pair) and has_changed(pair.reverse)}


def _basis(pair: AnyPair, judged: Callable[[AnyPair], JudgedPair]) -> Basis:
    """Return what the recommendation of a pair rests on now."""
    own = judged(pair)
    reverse: JudgedPair | None = None
    if isinstance(pair, Pair):
        with leaving_out(pair.reverse):
            reverse = judged(pair.reverse)
    # Whatever has been done of one that is not finished does not count.
    return Basis(own, reverse if isinstance(reverse, Judgement) else None)
