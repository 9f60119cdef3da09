"""Every figure of a report with its name and the numbers that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autokd.core.setting import Setting, Split
from autokd.report import figures
from autokd.report.facts.costs import AnytimeFacts, anytime_facts
from autokd.report.facts.dimensions import BestFacts, Forgotten, best_facts, forgotten, importance
from autokd.report.facts.federation import MatrixFacts, matrices
from autokd.report.facts.means import Mean
from autokd.report.facts.pairs import CurveFacts, LandscapeFacts, curve_facts, landscape_facts
from autokd.report.facts.participants import ParticipantsFacts, participants_facts
from autokd.report.facts.trials import class_rows
from autokd.report.figures.common import Figure
from autokd.report.material import Material, PairMaterial

Numbers = Sequence[Mapping[str, Any]]
"""Rows of a table; all have the same columns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """One figure.

    Attributes:
        name: Without a suffix, as its file is called.
        numbers: What it shows.
    """

    name: str
    figure: Figure
    numbers: Numbers


def federation_drawings(material: Material) -> Iterator[Drawing]:
    """The figures of the whole federation for which something is known."""
    participants = participants_facts(material)
    if participants.participants:
        yield Drawing(
            name="histograms",
            figure=figures.histogram_figure(participants),
            numbers=_histograms(participants),
        )
        yield Drawing(
            name="accuracies", figure=figures.accuracy_figure(participants), numbers=_accuracies(participants)
        )
    lost = forgotten(material)
    if lost:
        yield Drawing(name="forgetting", figure=figures.forgotten_figure(lost), numbers=_forgotten(lost))
    best = best_facts(material)
    if best.chosen:
        yield Drawing(name="best-settings", figure=figures.best_figure(best), numbers=_best(best))
    matter = importance(material)
    if matter.dimensions:
        yield Drawing(
            name="importance",
            figure=figures.importance_figure(matter),
            numbers=[asdict(one) for one in matter.dimensions],
        )
    anytime = anytime_facts(material)
    if anytime is not None:
        yield Drawing(name="anytime", figure=figures.anytime_figure(anytime), numbers=_anytime(anytime))


def matrix_drawings(material: Material) -> Iterator[Drawing]:
    """Teacher by student; a page has them as tables."""
    for matrix in matrices(material):
        if matrix.cells:
            yield Drawing(name=matrix.name, figure=figures.matrix_figure(matrix), numbers=_matrix(matrix))


def pair_drawings(material: Material, one: PairMaterial) -> Iterator[Drawing]:
    """The figures of one pair for which something is known."""
    chosen, own = chosen_by_race(one), own_accuracy(material, one)
    landscape = landscape_facts(one.records.trials, chosen, own=own)
    if landscape.panels:
        yield Drawing(
            name="landscape", figure=figures.landscape_figure(landscape), numbers=_landscape(landscape)
        )
    curves = curve_facts(one.records.trials, chosen, own=own)
    if curves.curves:
        yield Drawing(name="curves", figure=figures.curve_figure(curves), numbers=_curves(curves))
    classes = class_rows(one.found, material.federation)
    if classes:
        yield Drawing(
            name="classes",
            figure=figures.classes_figure(classes),
            numbers=[asdict(row) for row in classes],
        )


def chosen_by_race(one: PairMaterial) -> Setting | None:
    """Whatever the verdict on it was; None if the default stands alone, or nothing is judged."""
    judgement = None if one.found is None else one.found.judgement
    winner = None if judgement is None else judgement.evidence.winner
    return None if winner is None else winner.setting


def own_accuracy(material: Material, one: PairMaterial) -> float | None:
    """Of the student's model as it is on validation, in [0, 1]; None if nothing was prepared."""
    if material.federation is None:
        return None
    student = material.federation.participants[one.pair.student]
    return float(student.correct[Split.VALIDATION].mean())


def _histograms(facts: ParticipantsFacts) -> Numbers:
    return [
        {"participant": one.number, "class": name, "examples": count}
        for one in facts.participants
        for name, count in zip(facts.classes, one.histogram, strict=True)
    ]


def _accuracies(facts: ParticipantsFacts) -> Numbers:
    return [
        {
            "participant": one.number,
            "accuracy": one.accuracy,
            "accuracy_after": one.after,
            "partner": None if one.best is None else one.best.partner,
            "position": None if one.best is None else one.best.position.value,
            "gain": None if one.best is None else one.best.gain.mean,
            "gain_low": None if one.best is None else one.best.gain.low,
            "gain_high": None if one.best is None else one.best.gain.high,
        }
        for one in facts.participants
    ]


def _matrix(facts: MatrixFacts) -> Numbers:
    return [
        {
            "teacher": pair.teacher,
            "student": pair.student,
            "verdict": cell.verdict.value,
            "value": cell.value,
            "shown": " / ".join(cell.lines),
        }
        for pair, cell in sorted(facts.cells.items())
    ]


def _landscape(facts: LandscapeFacts) -> Numbers:
    return [
        {
            "trial": point.number,
            **point.setting.values(),
            "state": point.state.value,
            "epoch": point.epoch,
            "accuracy": point.accuracy,
            "default": point.setting == panel.default,
            "chosen": point.setting == panel.chosen,
        }
        for panel in facts.panels
        for point in panel.points
    ]


def _curves(facts: CurveFacts) -> Numbers:
    return [
        {
            "trial": curve.number,
            **curve.setting.values(),
            "state": curve.state.value,
            "epoch": epoch,
            "accuracy": accuracy,
        }
        for curve in facts.curves
        for epoch, accuracy in zip(curve.epochs, curve.accuracies, strict=True)
    ]


def _forgotten(facts: Sequence[Forgotten]) -> Numbers:
    names = ("least", "quarter", "half", "three_quarters", "most")
    return [
        {
            "transfer_set": one.transfer_set.value,
            "trials": one.trials,
            **dict(zip(names, one.quantiles, strict=True)),
            **_mean("mean", one.mean),
        }
        for one in facts
    ]


def _best(facts: BestFacts) -> Numbers:
    return [
        {"teacher": pair.teacher, "student": pair.student, **setting.values()}
        for pair, setting in sorted(facts.chosen.items())
    ]


def _anytime(facts: AnytimeFacts) -> Numbers:
    return [
        {
            "share": one.share,
            **_mean("search", one.search),
            "random": one.random,
            "sweep": facts.sweep,
            "default": facts.default,
        }
        for one in facts.points
    ]


def _mean(name: str, mean: Mean) -> dict[str, float | None]:
    interval = mean.interval
    return {
        name: mean.value,
        f"{name}_low": None if interval is None else interval.low,
        f"{name}_high": None if interval is None else interval.high,
    }
