"""Several teachers at once: what each group came to, and the federation as a whole after one round."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.pair import AnyPair
from autokd.core.setting import Split
from autokd.recommendation import Recommendation, Verdict
from autokd.recommendation.communication import in_bytes
from autokd.recommendation.comparisons import AVERAGED_GAIN, BEYOND_SINGLE
from autokd.recommendation.whole_federation import Answer, Round, WholeFederation, whole_federation
from autokd.report.data import PairData, ReportData
from autokd.statistics.paired import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group; gains are on test, in pp of its student, and None if they are not known.

    Attributes:
        setting: The setting judged, in words; empty without one.
        beyond_single: Gain beyond the best answer that is known with one teacher.
        averaged: Gain of all models averaged at inference, priors divided out.
        sent: What is sent for a run, in words.
        missing: Why it is not judged; else empty.
    """

    group: AnyPair
    verdict: Verdict | None
    setting: str
    gain: Interval | None
    default_gain: Interval | None
    teacher_part: Interval | None
    beyond_single: Interval | None
    averaged: Interval | None
    sent: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """The federation after one round; the first one is before it.

    Attributes:
        learning: How many participants train, in words.
        sent: Bytes sent in all, in words.
    """

    words: str
    accuracy: float
    learning: str
    sent: str


def group_rows(data: ReportData) -> tuple[GroupRow, ...]:
    """Return a row for each group of which the store has something."""
    return tuple(map(_row, data.groups))


def round_rows(data: ReportData) -> tuple[RoundRow, ...]:
    """Return the federation before and after one round; empty as long as no pair and no group is judged."""
    everybody = [(entry.records.pair, entry.recommendation) for entry in (*data.pairs, *data.groups)]
    readings = [
        Answer.of_json(pair, recommendation.to_json())
        for pair, recommendation in everybody
        if recommendation is not None
    ]
    answers = [answer for answer in readings if answer is not None]
    whole = whole_federation(list(data.accuracies.values()), answers)
    return () if whole is None or not answers else _rounds(whole)


def _rounds(whole: WholeFederation) -> tuple[RoundRow, ...]:
    rounds = {"with the best pair each": whole.best_pair, "with several teachers each": whole.several}
    before = RoundRow(words="as they are", accuracy=whole.before, learning="", sent="")
    return (before, *(_after(words, after) for words, after in rounds.items() if after is not None))


def _after(words: str, after: Round) -> RoundRow:
    learning = f"{after.learning} of {after.judged} judged"
    sent = "unknown" if after.sent is None else in_bytes(after.sent)
    return RoundRow(words=words, accuracy=after.accuracy, learning=learning, sent=sent)


def _row(data: PairData) -> GroupRow:
    recommendation = data.recommendation
    judgement = None if recommendation is None else recommendation.judgement
    on_test = {} if judgement is None else judgement.test.intervals
    return GroupRow(
        group=data.records.pair,
        verdict=None if recommendation is None else recommendation.verdict,
        setting=""
        if recommendation is None or recommendation.setting is None
        else str(recommendation.setting),
        gain=None if recommendation is None else recommendation.gain,
        default_gain=None if judgement is None else judgement.test.default_gain,
        teacher_part=None if judgement is None else judgement.teacher_part(Split.TEST),
        beyond_single=on_test.get(BEYOND_SINGLE),
        averaged=on_test.get(AVERAGED_GAIN),
        sent=_sent(recommendation),
        missing=data.missing,
    )


def _sent(recommendation: Recommendation | None) -> str:
    return "" if recommendation is None or recommendation.network is None else str(recommendation.network)
