"""The comparisons of a pair's arms and models, each with an interval, by name.

| name | first | second |
|---|---|---|
| `default gain` | default | the own model as it is |
| `winner gain` | winner | the own model as it is |
| `improvement` | winner | default |
| `default beyond corrected` | default | the own model with its label prior divided out |
| `winner beyond corrected` | winner | the own model with its label prior divided out |
| `beyond default budget` | winner | the default at a budget of its own |
| `teacher's part` | winner | the same examples without a teacher |
| `beyond single teacher` | winner | the best answer that is known with one teacher, for a group |
| `beyond averaged` | winner | all models of a group averaged, priors divided out |
| `default budget gain`, `no teacher gain`, `single teacher gain` | that rival | the own model as it is |
| `corrected gain` | the own model with its label prior divided out | the own model as it is |
| `averaged gain` | all models of a group averaged, priors divided out | the own model as it is |

Rules 1 and 2 have the first three.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from autokd.core.setting import Split
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER, SINGLE_TEACHER
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.evidence import AVERAGED, CORRECTED, OWN, Evidence
from autokd.recommendation.race import DEFAULT_ARM, WINNER
from autokd.statistics.paired import Interval, Weights

DEFAULT_GAIN, WINNER_GAIN, IMPROVEMENT = "default gain", "winner gain", "improvement"
BEYOND_BUDGET, TEACHER_PART = "beyond default budget", "teacher's part"
CORRECTED_GAIN = "corrected gain"
BEYOND_SINGLE, BEYOND_AVERAGED = "beyond single teacher", "beyond averaged"
AVERAGED_GAIN = "averaged gain"


class Comparison(NamedTuple):
    """How much better one arm or model is than another.

    Attributes:
        noise: Comparison whose runs show how this one varies between seeds: a model without runs does not
            vary, and the differences of two arms vary alike.
    """

    name: str
    first: str
    second: str
    noise: str


COMPARISONS: Final = {
    each.name: each
    for each in (
        Comparison(DEFAULT_GAIN, DEFAULT_ARM, OWN, DEFAULT_GAIN),
        Comparison(WINNER_GAIN, WINNER, OWN, WINNER_GAIN),
        Comparison(IMPROVEMENT, WINNER, DEFAULT_ARM, IMPROVEMENT),
        Comparison("default beyond corrected", DEFAULT_ARM, CORRECTED, DEFAULT_GAIN),
        Comparison("winner beyond corrected", WINNER, CORRECTED, WINNER_GAIN),
        Comparison(BEYOND_BUDGET, WINNER, DEFAULT_BUDGET, IMPROVEMENT),
        Comparison(TEACHER_PART, WINNER, NO_TEACHER, IMPROVEMENT),
        Comparison("default budget gain", DEFAULT_BUDGET, OWN, WINNER_GAIN),
        Comparison("no teacher gain", NO_TEACHER, OWN, WINNER_GAIN),
        Comparison(CORRECTED_GAIN, CORRECTED, OWN, ""),
        Comparison(BEYOND_SINGLE, WINNER, SINGLE_TEACHER, IMPROVEMENT),
        Comparison(BEYOND_AVERAGED, WINNER, AVERAGED, WINNER_GAIN),
        Comparison("single teacher gain", SINGLE_TEACHER, OWN, WINNER_GAIN),
        Comparison(AVERAGED_GAIN, AVERAGED, OWN, ""),
    )
}
MEASURED: Final = (DEFAULT_GAIN, WINNER_GAIN, IMPROVEMENT)
"""The comparisons whose noise is kept for other pairs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The intervals of a pair's comparisons on one split, in pp of its student, by name.

    A comparison is missing if one of its sides is not there: without a winner only the default is compared.
    """

    intervals: Mapping[str, Interval]

    @property
    def default_gain(self) -> Interval:
        """Default minus as-is."""
        return self.intervals[DEFAULT_GAIN]

    @property
    def winner_gain(self) -> Interval | None:
        """Winner minus as-is."""
        return self.intervals.get(WINNER_GAIN)

    @property
    def improvement(self) -> Interval | None:
        """Winner minus default, paired by seed."""
        return self.intervals.get(IMPROVEMENT)

    @property
    def teacher_part(self) -> Interval | None:
        """Winner minus the best setting on the same examples without a teacher, paired by seed."""
        return self.intervals.get(TEACHER_PART)

    def against(
        self, first: str, others: Collection[str], *, excluded: Collection[str] = ()
    ) -> Iterator[tuple[Comparison, Interval]]:
        """Yield the comparisons of an arm with others, without those that are excluded."""
        for name, interval in self.intervals.items():
            comparison = COMPARISONS[name]
            sides = {comparison.first, comparison.second}
            if comparison.first == first and comparison.second in others and not sides & set(excluded):
                yield comparison, interval


def compare(
    evidence: Evidence, split: Split, bootstrap: Bootstrap, *, weights: Weights | None = None
) -> Figures:
    """Return all comparisons on confirmation or test; `weights` as in `paired_interval`."""
    differences = {}
    for name, comparison in COMPARISONS.items():
        pair = evidence.paired(comparison.first, comparison.second, split)
        if pair is not None:
            noise = f"{split.value}/{comparison.noise}"
            differences[name] = bootstrap.interval(*pair, split.value, name, weights=weights, noise=noise)
    return Figures(differences)
