"""Every figure of a report with its name and the numbers that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from autokd.core.participant_names import ParticipantNames
from autokd.core.setting import tabulated
from autokd.recommendation.decision import Action
from autokd.report.facts.costs import AnytimeFacts
from autokd.report.facts.dimensions import BestFacts, SetForgetting
from autokd.report.facts.federation import MatrixFacts
from autokd.report.facts.means import Mean
from autokd.report.facts.pairs import CurveFacts, LandscapeFacts
from autokd.report.facts.participants import ParticipantsFacts
from autokd.report.facts.report import PairFacts, ReportFacts
from autokd.report.figures import federation, pairs, settings
from autokd.report.figures.common import Figure

Numbers = Sequence[Mapping[str, Any]]
"""Rows of a table; all have the same columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """One figure with its numbers.

    Attributes:
        name: Name of its files, without suffix.
    """

    name: str
    figure: Figure
    numbers: Numbers


def all_charts(facts: ReportFacts) -> Iterator[Chart]:
    """Yield the charts of a report; the names of a pair's charts begin with the pair."""
    if facts.pair is None:
        yield from federation_charts(facts)
        yield from matrix_charts(facts)
    for pair_facts in facts.pairs:
        pair = pair_facts.data.pair
        for chart in pair_charts(pair_facts):
            yield replace(chart, name=f"{pair.teacher}-{pair.student}-{chart.name}")


def federation_charts(facts: ReportFacts) -> Iterator[Chart]:
    """Yield the charts of the whole federation for which there is data."""
    participants = facts.participants
    if participants.participants:
        yield Chart("histograms", federation.histogram_figure(participants), _histograms(participants))
        yield Chart("accuracies", federation.accuracy_figure(participants), _accuracies(participants))
    if facts.forgotten:
        yield Chart("forgetting", settings.forgotten_figure(facts.forgotten), _forgotten(facts.forgotten))
    if facts.best.chosen:
        yield Chart("best-settings", settings.best_figure(facts.best), _best(facts.best))
    if facts.importance.dimensions:
        numbers = [asdict(dimension) for dimension in facts.importance.dimensions]
        yield Chart("importance", settings.importance_figure(facts.importance), numbers)
    if facts.anytime is not None:
        yield Chart("anytime", settings.anytime_figure(facts.anytime), _anytime(facts.anytime))


def matrix_charts(facts: ReportFacts) -> Iterator[Chart]:
    """Yield the matrices of teacher by student; a page shows them as tables instead."""
    for matrix in facts.matrices:
        if matrix.cells:
            yield Chart(matrix.name, federation.matrix_figure(matrix), _matrix(matrix))


def pair_charts(facts: PairFacts) -> Iterator[Chart]:
    """Yield the charts of one pair for which there is data."""
    if facts.landscape.panels:
        yield Chart("landscape", pairs.landscape_figure(facts.landscape), _landscape(facts.landscape))
    if facts.curves.curves:
        yield Chart("curves", pairs.curve_figure(facts.curves), _curves(facts.curves))
    if facts.classes:
        numbers = [asdict(row) for row in facts.classes]
        yield Chart("classes", pairs.classes_figure(facts.classes), numbers)


def _named(names: ParticipantNames, **participants: int) -> dict[str, str]:
    """Return names in columns of their own; none if no participant has one."""
    return {f"{role}_name": names.name(number) for role, number in participants.items() if names}


def _histograms(facts: ParticipantsFacts) -> Numbers:
    return [
        {
            "participant": participant.number,
            **_named(facts.names, participant=participant.number),
            "class": name,
            "examples": count,
        }
        for participant in facts.participants
        for name, count in zip(facts.classes, participant.histogram, strict=True)
    ]


def _accuracies(facts: ParticipantsFacts) -> Numbers:
    return [
        {
            "participant": participant.number,
            **_named(facts.names, participant=participant.number),
            "accuracy": participant.accuracy,
            "accuracy_after": participant.after,
            "action": decision and decision.action.value,
            "what_to_do": decision and decision.chosen.way.words,
            "gain": decision and decision.chosen.test.mean,
            "gain_low": decision and decision.chosen.test.low,
            "gain_high": decision and decision.chosen.test.high,
        }
        for participant in facts.participants
        for decision in [participant.decision]
    ]


def _matrix(facts: MatrixFacts) -> Numbers:
    return [
        {
            "teacher": pair.teacher,
            "student": pair.student,
            **_named(facts.names, teacher=pair.teacher, student=pair.student),
            ("action" if isinstance(cell.kind, Action) else "verdict"): cell.kind.value,
            "value": cell.value,
            "shown": " / ".join(cell.lines),
        }
        for pair, cell in sorted(facts.cells.items())
    ]


def _landscape(facts: LandscapeFacts) -> Numbers:
    shown = [(panel, trial) for panel in facts.panels for trial in panel.trials]
    settings = tabulated(trial.setting for _, trial in shown)
    return [
        {
            "trial": trial.number,
            **values,
            "state": trial.state.value,
            "epoch": trial.epochs,
            "accuracy": trial.accuracy,
            "default": trial.setting == panel.default,
            "chosen": trial.setting == panel.chosen,
        }
        for (panel, trial), values in zip(shown, settings, strict=True)
    ]


def _curves(facts: CurveFacts) -> Numbers:
    settings = tabulated(curve.trial.setting for curve in facts.curves)
    return [
        {
            "trial": curve.trial.number,
            **values,
            "state": curve.trial.state.value,
            "epoch": epoch,
            "accuracy": accuracy,
        }
        for curve, values in zip(facts.curves, settings, strict=True)
        for epoch, accuracy in zip(curve.epochs, curve.accuracies, strict=True)
    ]


def _forgotten(facts: Sequence[SetForgetting]) -> Numbers:
    names = ("least", "quarter", "half", "three_quarters", "most")
    return [
        {
            "transfer_set": forgotten.transfer_set.value,
            "trials": forgotten.trials,
            **dict(zip(names, forgotten.quantiles, strict=True)),
            **_mean("mean", forgotten.mean),
        }
        for forgotten in facts
    ]


def _best(facts: BestFacts) -> Numbers:
    pairs = sorted(facts.chosen)
    return [
        {"teacher": pair.teacher, "student": pair.student, **values}
        for pair, values in zip(pairs, tabulated(facts.chosen[pair] for pair in pairs), strict=True)
    ]


def _anytime(facts: AnytimeFacts) -> Numbers:
    return [
        {
            "share": point.share,
            **_mean("search", point.search),
            "random": point.random,
            "sweep": facts.sweep,
            "default": facts.default,
        }
        for point in facts.points
    ]


def _mean(name: str, mean: Mean) -> dict[str, Any]:
    low, high = mean.interval and mean.interval.low, mean.interval and mean.interval.high
    return {name: mean.value, f"{name}_low": low, f"{name}_high": high}
