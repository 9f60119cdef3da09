"""What to do: the decision of each pair and participant, what following it gains, and what it has cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autokd.core.pair_records import PairRecords
from autokd.core.setting import Pair
from autokd.recommendation import Recommendation, Verdict
from autokd.recommendation.decision import Action
from autokd.recommendation.participant import ParticipantDecision, decide_for
from autokd.report.data import PairData, ReportData
from autokd.report.facts.means import Mean, mean_over_pairs, mean_over_participants
from autokd.statistics.paired import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Work in runs and epochs.

    Attributes:
        search: Epochs of trials.
        confirmation: Epochs of race and confirmation runs.
        alternatives: Epochs of the runs of `autokd explain`.
        swept: Epochs of the runs of `autokd sweep`.
        runs: Number of all these runs.
    """

    search: int = 0
    confirmation: int = 0
    alternatives: int = 0
    swept: int = 0
    runs: int = 0

    @property
    def epochs(self) -> int:
        """Epochs of all runs."""
        return self.search + self.confirmation + self.alternatives + self.swept

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            search=self.search + other.search,
            confirmation=self.confirmation + other.confirmation,
            alternatives=self.alternatives + other.alternatives,
            swept=self.swept + other.swept,
            runs=self.runs + other.runs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One judged pair; gains are on test, in pp of its student, and None if they are not known.

    Attributes:
        words: What the owner of the student should do, in a sentence without its subject.
        gain: Gain of doing that.
        teacher_part: What of this gain is the teacher's.
        setting: The setting judged, in words; empty without one.
        setting_gain: Gain of that setting.
        default_gain: Gain of the default setting.
        by_adoption: Gain of taking the teacher's model as it is.
        forgetting: Accuracy that the setting judged loses on the student's own data, in pp.
        wanted: What would decide, if more evidence is wanted; else empty.
    """

    pair: Pair
    action: Action
    words: str
    gain: Interval
    teacher_part: Interval | None
    verdict: Verdict
    setting: str
    setting_gain: Interval | None
    default_gain: Interval | None
    by_adoption: Interval
    forgetting: float | None
    wanted: str
    spent: Spent

    @property
    def changes(self) -> bool:
        """Whether the student's model is another one afterwards."""
        return self.action not in (Action.KEEP, Action.MORE_EVIDENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """The answer in a few numbers.

    Attributes:
        pairs: Number of pairs in the federation.
        actions: Number of judged pairs by what their students' owners should do, the simplest first.
        gain: Mean gain on test of doing that, over judged pairs; None if there is none.
        participants: Number of participants by what their owners should do, over all their pairs.
        participants_gain: Mean gain on test of doing that, over these participants.
        spent: All that was run for the reported pairs and groups.
        share: The epochs of search, race and confirmation of pairs, as a share of a sweep of these pairs.
        seconds: Training time of search, race and confirmation, without evaluation.
    """

    pairs: int
    actions: Mapping[Action, int]
    gain: Mean | None
    participants: Mapping[Action, int]
    participants_gain: Mean | None
    spent: Spent
    share: float
    seconds: float

    @property
    def judged(self) -> int:
        """Number of judged pairs."""
        return sum(self.actions.values())


def pair_rows(data: ReportData) -> tuple[PairRow, ...]:
    """Return a row for each judged pair, in order."""
    return tuple(_row(pair, pair.recommendation) for pair in data.pairs if pair.recommendation is not None)


def participant_rows(data: ReportData) -> tuple[ParticipantDecision, ...]:
    """Return the decision of each participant that has a judged pair or group in which it learns."""
    learning: dict[int, list[Recommendation]] = {}
    judged = [
        entry.recommendation for entry in (*data.pairs, *data.groups) if entry.recommendation is not None
    ]
    for recommendation in judged:
        learning.setdefault(recommendation.pair.student, []).append(recommendation)
    untrained, everybody = data.config.federation.untrained, range(data.config.federation.size)
    return tuple(
        decide_for(
            student,
            learning[student],
            unknown=sorted({*everybody} - {student, *untrained, *_teachers(learning[student])}),
        )
        for student in sorted(learning)
    )


def answer_facts(
    data: ReportData, rows: tuple[PairRow, ...], participants: tuple[ParticipantDecision, ...]
) -> AnswerFacts:
    """Return the answer, of the rows of all judged pairs and participants."""
    searched = [pair.records for pair in data.pairs if pair.records.trials]
    of_pairs = sum((spent(records) for records in searched), Spent())
    decisions = [participant.decision for participant in participants]
    gains = [decision.chosen.test.mean for decision in decisions]
    return AnswerFacts(
        pairs=data.config.federation.size * (data.config.federation.size - 1),
        actions=_counted(row.action for row in rows),
        gain=mean_over_pairs({row.pair: row.gain.mean for row in rows}, data.config),
        participants=_counted(decision.action for decision in decisions),
        participants_gain=mean_over_participants(gains, data.config.confirmation.confidence),
        spent=sum((spent(entry.records) for entry in (*data.pairs, *data.groups)), Spent()),
        share=(of_pairs.search + of_pairs.confirmation) / max(data.sweep_epochs * len(searched), 1),
        seconds=sum(map(_seconds, searched)),
    )


def answer_sentence(facts: AnswerFacts) -> str:
    """Return the answer as a headline."""
    if not facts.judged:
        return "No pair is judged yet."
    scope = f"{facts.judged}" if facts.judged == facts.pairs else f"{facts.judged} judged"
    counts = ", ".join(f"{action.words} in {count}" for action, count in facts.actions.items())
    gain = "" if facts.gain is None else f"; who follows that gains {facts.gain} on test, on average"
    return f"What to do in {scope} pair{'' if facts.judged == 1 else 's'}: {counts}{gain}."


def spent(records: PairRecords) -> Spent:
    """Return all that was run for a pair or group."""
    trials, runs = records.trials, records.runs
    others, swept = records.alternative_runs, records.sweep_runs
    return Spent(
        search=sum(trial.epochs for trial in trials),
        confirmation=sum(run.epochs for run in runs),
        alternatives=sum(run.epochs for run in others),
        swept=sum(run.epochs for run in swept),
        runs=len(trials) + len(runs) + len(others) + len(swept),
    )


def _row(data: PairData, recommendation: Recommendation) -> PairRow:
    pair, position = recommendation.of_pair
    decision, judgement = recommendation.decision, recommendation.judgement
    return PairRow(
        pair=pair,
        action=decision.action,
        words=decision.chosen.way.words,
        gain=decision.chosen.test,
        teacher_part=recommendation.decisions_teacher_part,
        verdict=recommendation.verdict,
        setting="" if recommendation.setting is None else str(recommendation.setting),
        setting_gain=recommendation.gain,
        default_gain=None if judgement is None else judgement.test.default_gain,
        by_adoption=position.test.by_adoption,
        forgetting=None if judgement is None else judgement.shown.forgetting,
        wanted=decision.wanted,
        spent=spent(data.records),
    )


def _teachers(recommendations: list[Recommendation]) -> set[int]:
    return {
        recommendation.pair.teacher
        for recommendation in recommendations
        if isinstance(recommendation.pair, Pair)
    }


def _counted(actions: Iterable[Action]) -> Mapping[Action, int]:
    counts = Counter(actions)
    return {action: counts[action] for action in Action if counts[action]}


def _seconds(records: PairRecords) -> float:
    last = [reports[-1] for reports in records.reports.values() if reports]
    return sum(report.seconds for report in last) + sum(run.seconds for run in records.runs)
