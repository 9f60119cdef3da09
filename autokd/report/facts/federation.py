"""The matrices of teacher by student, and the headline about all pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from autokd.core import colors
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import Pair, Split, TransferSet
from autokd.recommendation import Advice, Recommendation, Verdict
from autokd.recommendation.decision import Action
from autokd.recommendation.verdict import WITH_RIVALS
from autokd.report.data import ReportData
from autokd.report.facts.means import Mean, mean_over_pairs

_NOTHING_MOVES: Final = frozenset({TransferSet.STUDENT, TransferSet.PUBLIC, TransferSet.STUDENT_PUBLIC})
"""Transfer sets with which no private example leaves its participant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One pair in a matrix.

    Attributes:
        kind: Verdict of the pair or, in a matrix of actions, what the student's owner should do.
        value: Gain on test in pp, for the color; None if it is not known or the color shows the kind.
        lines: Text of the cell.
        text: The same in words.
    """

    kind: Verdict | Action
    value: float | None
    lines: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFacts:
    """One matrix of teacher by student.

    Attributes:
        name: Name in files and links.
        text: How to read the matrix.
        participants: Participants of the reported pairs; others have neither row nor column.
        cells: Cells of the judged pairs.
        reach: End of the color scale on both sides of 0, in pp, the same for all matrices of a report; None
            if the color shows the kind.
    """

    name: str
    title: str
    text: str
    participants: tuple[int, ...]
    cells: Mapping[Pair, MatrixCell]
    reach: float | None
    names: ParticipantNames = NUMBERS_ONLY

    @property
    def kinds(self) -> tuple[type[Verdict] | type[Action], Mapping[str, int]]:
        """What the kinds of its cells are of, and the number of cells of each."""
        counts = Counter(cell.kind.value for cell in self.cells.values())
        is_action = any(isinstance(cell.kind, Action) for cell in self.cells.values())
        return (Action if is_action else Verdict), counts


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineFacts:
    """All pairs in a few numbers.

    Attributes:
        pairs: Number of pairs in the federation.
        verdicts: Number of pairs by verdict.
        gain: Mean gain of the recommendations on test, over judged pairs; None if there is none.
        default_gain: Mean gain of the default setting on test, over judged pairs; None if there is none.
        teacher_part: Mean part of the winner's gain on test that is its teacher's, over the pairs for which
            it was measured; None if there is none.
        search: Epochs of search, as a share of the sweep's cost on the same pairs.
        confirmation: Epochs of race and confirmation, as a share of the same cost.
        private: Whether no private example leaves its participant with any setting of the search space.
    """

    pairs: int
    verdicts: Mapping[Verdict, int]
    gain: Mean | None
    default_gain: Mean | None
    search: float
    confirmation: float
    private: bool = False
    teacher_part: Mean | None = None


def headline_facts(data: ReportData) -> HeadlineFacts:
    """Return the numbers of the headline; means over pairs have intervals that resample participants."""
    recommendations = data.recommendations
    gains = {pair: judged.recommended_gain.mean for pair, judged in recommendations.items()}
    defaults = {pair: _default(judged) for pair, judged in recommendations.items()}
    known = {pair: gain for pair, gain in defaults.items() if gain is not None}
    studied = [pair.records for pair in data.pairs if pair.records.trials]
    sweep = max(data.sweep_epochs * len(studied), 1)
    return HeadlineFacts(
        pairs=data.config.federation.size * (data.config.federation.size - 1),
        verdicts=Counter(recommendation.verdict for recommendation in recommendations.values()),
        gain=mean_over_pairs(gains, data.config),
        default_gain=mean_over_pairs(known, data.config),
        search=sum(trial.epochs for records in studied for trial in records.trials) / sweep,
        confirmation=sum(run.epochs for records in studied for run in records.runs) / sweep,
        teacher_part=mean_over_pairs(_teacher_parts(recommendations), data.config),
        private=set(data.space["transfer_set"]) <= _NOTHING_MOVES,
    )


def _teacher_parts(recommendations: Mapping[Pair, Recommendation]) -> dict[Pair, float]:
    """Return what of each winner's gain is the teacher's, in pp on test, where that was measured."""
    judgements = {pair: recommendation.judgement for pair, recommendation in recommendations.items()}
    parts = {
        pair: judgement.teacher_part(Split.TEST)
        for pair, judgement in judgements.items()
        if judgement is not None and judgement.rule >= WITH_RIVALS
    }
    return {pair: part.mean for pair, part in parts.items() if part is not None}


def sentence(facts: HeadlineFacts) -> str:
    """Return the headline."""
    judged = sum(facts.verdicts.values())
    if not judged:
        return "No pair is judged yet."
    tuned, default = facts.verdicts.get(Verdict.TUNED, 0), facts.verdicts.get(Verdict.DEFAULT, 0)
    scope = f"{judged}" if judged == facts.pairs else f"{judged} judged"
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
    text = f"{'Where nothing private moves, ' if facts.private else ''}{', '.join(parts)}"
    if facts.gain is not None:
        text += f"; mean gain {facts.gain} on test"
    if facts.default_gain is not None:
        text += f", where the default gives {facts.default_gain}"
    if facts.teacher_part is not None:
        text += f"; of what the settings found gain, {facts.teacher_part} is the teacher's"
    return f"{text}; search {facts.search:.0%} and confirmation {facts.confirmation:.0%} of the sweep's cost."


def matrices(data: ReportData) -> tuple[MatrixFacts, ...]:
    """Return action and its gain, then default, recommendation, difference, verdict and position."""
    judged = data.recommendations
    of_all = (_decided, _default, _recommended, _difference)
    gains = [gain(pair) for gain in of_all for pair in judged.values()]
    reach = colors.reach(gain for gain in gains if gain is not None)
    matrix = partial(MatrixFacts, participants=data.involved, reach=reach, names=data.names)
    return (
        matrix(
            name="action",
            title="What to do",
            text="What the owner of the student should do, of all that this pair offers.",
            cells={pair: _action(recommendation) for pair, recommendation in judged.items()},
            reach=None,
        ),
        matrix(
            name="action-gain",
            title="Gain of doing it",
            text="What doing that changes on test; 0 where the model is kept.",
            cells=_cells(judged, _decided),
        ),
        matrix(
            name="default-gain",
            title="Gain of the default",
            text="What the default setting (T = 1, α = 0.5, the student's data) changes on test.",
            cells=_cells(judged, _default),
        ),
        matrix(
            name="recommended-gain",
            title="Gain of the recommendation",
            text="What following the recommendation changes on test; 0 where it is to change nothing.",
            cells=_cells(judged, _recommended),
        ),
        matrix(
            name="difference",
            title="Recommendation minus default",
            text="How much better the recommendation is than the default setting on test.",
            cells=_cells(judged, _difference),
        ),
        matrix(
            name="verdict",
            title="Verdict",
            text="What is shown of each pair, decided on the confirmation split.",
            cells={pair: _verdict(recommendation) for pair, recommendation in judged.items()},
            reach=None,
        ),
        matrix(
            name="position",
            title="Better position of the student",
            text="For the participant of the column, meeting that of the row: learn (S), teach and adopt the "
            "resulting model (T), or neither (–), with the gain on test; below it, the gain of adopting the "
            "partner's model as it is.",
            cells={pair: _position(recommendation) for pair, recommendation in judged.items()},
        ),
    )


def _cells(
    judged: Mapping[Pair, Recommendation], gain: Callable[[Recommendation], float | None]
) -> dict[Pair, MatrixCell]:
    cells = {}
    for pair, recommendation in judged.items():
        value = gain(recommendation)
        words = "no figure" if value is None else f"{value:+.1f} pp on test"
        cells[pair] = MatrixCell(
            kind=recommendation.verdict,
            value=value,
            lines=("" if value is None else f"{value:+.1f}",),
            text=f"{recommendation.names.arrow(pair)}, {recommendation.verdict}: {words}",
        )
    return cells


def _verdict(recommendation: Recommendation) -> MatrixCell:
    verdict = recommendation.verdict
    return MatrixCell(kind=verdict, value=None, lines=(verdict.value[0],), text=recommendation.advice)


def _action(recommendation: Recommendation) -> MatrixCell:
    decision = recommendation.decision
    pair, chosen = recommendation.names.arrow(recommendation.pair), decision.chosen
    return MatrixCell(
        kind=decision.action,
        value=None,
        lines=(decision.action.letter,),
        text=f"{pair}: {decision.action.words}; {chosen.way.words}, {chosen.test} on test",
    )


def _decided(recommendation: Recommendation) -> float:
    return recommendation.decision.chosen.test.mean


def _position(recommendation: Recommendation) -> MatrixCell:
    """Return the gain of the advised position; of none, 0, the gain of leaving the model as it is."""
    (pair, position), names = recommendation.of_pair, recommendation.names
    whose, other = names.arrow(pair), names.word(pair.teacher)
    letter, gain = {
        Advice.STUDENT: ("S", position.test.as_student),
        Advice.TEACHER: ("T", position.test.as_teacher),
        Advice.NONE: ("–", None),
    }[position.advice]
    return MatrixCell(
        kind=recommendation.verdict,
        value=0.0 if gain is None else gain.mean,
        lines=(
            letter if gain is None else f"{letter} {gain.mean:+.1f}",
            f"{position.test.by_adoption.mean:+.1f}",
        ),
        text=f"{whose}, position {position.advice}: {'0 pp' if gain is None else gain} on test"
        f"; adopting model {other} as it is {position.test.by_adoption}",
    )


def _default(recommendation: Recommendation) -> float | None:
    judgement = recommendation.judgement
    return None if judgement is None else judgement.test.default_gain.mean


def _recommended(recommendation: Recommendation) -> float | None:
    return None if recommendation.judgement is None else recommendation.recommended_gain.mean


def _difference(recommendation: Recommendation) -> float | None:
    recommended, default = _recommended(recommendation), _default(recommendation)
    return None if recommended is None or default is None else recommended - default
