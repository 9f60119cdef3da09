"""Teacher by student: what each pair of a federation came to, and the one sentence about all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from autokd.core import colors
from autokd.core.setting import Pair, TransferSet
from autokd.recommendation import Advice, Recommendation, Verdict
from autokd.report.facts.means import Mean, mean_over_pairs
from autokd.report.material import Material

LETTERS: Final = {
    Verdict.TUNED: "t",
    Verdict.DEFAULT: "d",
    Verdict.SKIP: "s",
    Verdict.UNDECIDED: "u",
    Verdict.FAILED: "f",
}
"""As `autokd status` has them."""
_NOTHING_MOVES: Final = frozenset({TransferSet.STUDENT, TransferSet.PUBLIC})
"""Transfer sets for which no private example leaves its participant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One pair in a matrix.

    Attributes:
        value: In pp on test, for the colour; None where nothing is known, and where colour tells the verdict.
        lines: What stands in the cell, short.
        told: The same in words.
    """

    verdict: Verdict
    value: float | None
    lines: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFacts:
    """Teacher by student.

    Attributes:
        name: For files and links.
        told: How to read it.
        cells: Of the pairs that are judged.
        reach: In pp: where the colour scale ends on both sides of 0; the same for all matrices of a report.
            None where colour tells the verdict.
    """

    name: str
    title: str
    told: str
    participants: int
    cells: Mapping[Pair, Cell]
    reach: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineFacts:
    """All pairs in a few numbers.

    Attributes:
        pairs: How many the federation has.
        verdicts: How many pairs there are of each.
        gain: Mean over the judged pairs of what is recommended, on test; None if no pair has figures.
        default_gain: Likewise of the default setting.
        search: Epochs of search as a share of what the frozen grid costs on the same pairs.
        confirmation: Likewise of race and confirmation.
        private: No setting that was searched lets a private example move.
    """

    pairs: int
    verdicts: Mapping[Verdict, int]
    gain: Mean | None
    default_gain: Mean | None
    search: float
    confirmation: float
    private: bool = False

    @property
    def judged(self) -> int:
        return sum(self.verdicts.values())


def headline_facts(material: Material) -> HeadlineFacts:
    """The numbers of the headline; means over pairs have intervals that resample participants."""
    found = material.found
    defaults = {
        pair: one.judgement.test.default_gain.mean for pair, one in found.items() if one.judgement is not None
    }
    studied = [one for one in material.pairs if one.records.trials]
    sweep = max(material.sweep_epochs * len(studied), 1)
    return HeadlineFacts(
        pairs=material.participants * (material.participants - 1),
        verdicts=Counter(one.verdict for one in found.values()),
        gain=mean_over_pairs({pair: one.recommended_gain.mean for pair, one in found.items()}, material.plan),
        default_gain=mean_over_pairs(defaults, material.plan),
        search=sum(trial.epochs for one in studied for trial in one.records.trials) / sweep,
        confirmation=sum(run.epochs for one in studied for run in one.records.runs) / sweep,
        private=set(material.space["transfer_set"]) <= _NOTHING_MOVES,
    )


def sentence(facts: HeadlineFacts) -> str:
    """The headline."""
    if not facts.judged:
        return "No pair is judged yet."
    tuned, default = facts.verdicts.get(Verdict.TUNED, 0), facts.verdicts.get(Verdict.DEFAULT, 0)
    scope = f"{facts.judged}" if facts.judged == facts.pairs else f"{facts.judged} judged"
    parts = [f"{tuned} of {scope} pairs should distill with tuned settings, {default} with the default"]
    parts += [
        f"{count} {words}"
        for verdict, words in (
            (Verdict.SKIP, "should not distill at all"),
            (Verdict.UNDECIDED, "should not for now (undecided)"),
            (Verdict.FAILED, "failed"),
        )
        if (count := facts.verdicts.get(verdict, 0))
    ]
    told = f"{'Where nothing private moves, ' if facts.private else ''}{', '.join(parts)}"
    if facts.gain is not None:
        told += f"; mean gain {facts.gain} on test"
    if facts.default_gain is not None:
        told += f", where the default gives {facts.default_gain}"
    return f"{told}; search {facts.search:.0%} and confirmation {facts.confirmation:.0%} of the sweep's cost."


def matrices(material: Material) -> tuple[MatrixFacts, ...]:
    """Default, recommendation, difference, verdict and position, in this order."""
    found = material.found
    figures = [figure(one) for figure in (_default, _recommended, _difference) for one in found.values()]
    reach = colors.reach(value for value in figures if value is not None)
    everybody = material.participants
    return (
        MatrixFacts(
            name="default-gain",
            title="Gain of the default",
            told="What the default setting (T = 1, α = 0.5, the student's data) changes on test.",
            cells=_cells(found, _default),
            reach=reach,
            participants=everybody,
        ),
        MatrixFacts(
            name="recommended-gain",
            title="Gain of the recommendation",
            told="What following the recommendation changes on test; 0 where that is to change nothing.",
            cells=_cells(found, _recommended),
            reach=reach,
            participants=everybody,
        ),
        MatrixFacts(
            name="difference",
            title="Recommendation minus default",
            told="How much better the recommendation is than the default setting on test.",
            cells=_cells(found, _difference),
            reach=reach,
            participants=everybody,
        ),
        MatrixFacts(
            name="verdict",
            title="Verdict",
            told="What can be shown of each pair, decided on confirmation.",
            cells={pair: _verdict(one) for pair, one in found.items()},
            reach=None,
            participants=everybody,
        ),
        MatrixFacts(
            name="position",
            title="Better position of the student",
            told=(
                "For the participant of the column in its meeting with that of the row: whether to learn "
                "(S), to teach and adopt the model that results (T), or neither (–), and what that gains on "
                "test; below it, what adopting the partner's model as it is would gain."
            ),
            cells={pair: _position(one) for pair, one in found.items()},
            reach=reach,
            participants=everybody,
        ),
    )


def _cells(
    found: Mapping[Pair, Recommendation], figure: Callable[[Recommendation], float | None]
) -> dict[Pair, Cell]:
    cells = {}
    for pair, one in found.items():
        value = figure(one)
        cells[pair] = Cell(
            verdict=one.verdict,
            value=value,
            lines=("" if value is None else f"{value:+.1f}",),
            told=f"{pair}, {one.verdict}: " + ("no figure" if value is None else f"{value:+.1f} pp on test"),
        )
    return cells


def _verdict(one: Recommendation) -> Cell:
    return Cell(verdict=one.verdict, value=None, lines=(LETTERS[one.verdict],), told=one.advice)


def _position(one: Recommendation) -> Cell:
    """The gain is that of the advised position; of none, that of leaving the model as it is: 0."""
    position = one.position
    gain = {
        Advice.STUDENT: position.gain_as_student,
        Advice.TEACHER: position.gain_as_teacher,
        Advice.NONE: None,
    }[position.advice]
    adoption = position.gain_by_adoption.mean
    short = {Advice.STUDENT: "S", Advice.TEACHER: "T", Advice.NONE: "–"}[position.advice]
    return Cell(
        verdict=one.verdict,
        value=0.0 if gain is None else gain.mean,
        lines=(short if gain is None else f"{short} {gain.mean:+.1f}", f"{adoption:+.1f}"),
        told=(
            f"{one.pair}, position {position.advice}: {'0 pp' if gain is None else gain} on test; "
            f"adopting model {one.pair.teacher} as it is {position.gain_by_adoption}"
        ),
    )


def _default(one: Recommendation) -> float | None:
    return None if one.judgement is None else one.judgement.test.default_gain.mean


def _recommended(one: Recommendation) -> float | None:
    return None if one.judgement is None else one.recommended_gain.mean


def _difference(one: Recommendation) -> float | None:
    if one.judgement is None:
        return None
    return one.recommended_gain.mean - one.judgement.test.default_gain.mean
