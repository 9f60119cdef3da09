"""A judged pair in Optuna Dashboard: a note in Markdown, a few attributes, and small figures.

The figures are those of the page. The dashboard always reads a whole study, with the figures stored in it, so
each figure is kept below `MOST_BYTES`; if need be, it shows fewer trials.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from autokd.config.target import remark
from autokd.core.pair import Pair
from autokd.core.records import Presentation, TrialOrigin
from autokd.recommendation import Recommendation
from autokd.recommendation.decision import Action
from autokd.report.data import PairData
from autokd.report.facts.dimensions import ImportanceFacts
from autokd.report.facts.report import PairFacts
from autokd.report.figures.common import Figure, as_json
from autokd.report.figures.pairs import curve_figure, landscape_figure
from autokd.statistics.paired import Interval
from autokd.text.escaping import markdown, markdown_code, one_line

MOST_BYTES: Final = 50_000
"""Largest size of a figure's JSON."""
TITLE: Final = "title"
"""Attribute with the pair and its decision, which tells a study from others at a glance."""
_DIGITS: Final = 5
"""Significant digits in a figure; no screen shows more."""

_Draw = Callable[[PairFacts], Figure]
_FIGURES: Final[Mapping[str, _Draw]] = {
    "landscape": lambda facts: landscape_figure(facts.landscape, low=True),
    "curves": lambda facts: curve_figure(facts.curves),
}


def presentation(recommendation: Recommendation, *, reproduce: str) -> Presentation:
    """Return all that the dashboard shows of a pair; the command `reproduce` gives the same result."""
    reported = [trial for trial in recommendation.records.trials if trial.curve]
    data = PairData(records=recommendation.records, recommendation=recommendation)
    facts = PairFacts(data).with_trials(reported)
    fitting = {name: fitted(facts, draw) for name, draw in _FIGURES.items()} if reported else {}
    missing = [(name, len(reported) - shown) for name, (_, shown) in fitting.items() if shown < len(reported)]
    return Presentation(
        note=note(recommendation, reproduce=reproduce, missing=missing, importance=facts.importance),
        attributes=attributes(recommendation),
        figures={name: text for name, (text, _) in fitting.items()},
    )


def attributes(recommendation: Recommendation) -> Mapping[str, str | float | None]:
    """Return what a list of studies shows and sorts by; gains are the student's on test, in pp."""
    judgement, setting = recommendation.judgement, recommendation.setting
    pair, names = recommendation.pair, recommendation.names
    roles = {"student": pair.student} if names else {}
    if names and isinstance(pair, Pair):
        roles = {"teacher": pair.teacher, **roles}
    decision = recommendation.decision
    return {
        TITLE: title(recommendation),
        **{role: names.word(number) for role, number in roles.items()},
        "decision": decision.action.value,
        "what_to_do": decision.chosen.way.words,
        "decision_gain": _rounded(decision.chosen.test),
        "verdict": recommendation.verdict.value,
        "gain": _rounded(recommendation.gain),
        "default_gain": None if judgement is None else _rounded(judgement.test.default_gain),
        "setting": None if setting is None else str(setting),
        "position": None if recommendation.position is None else recommendation.position.advice.value,
    }


def title(recommendation: Recommendation) -> str:
    """Return pair and decision in a few words."""
    decision = recommendation.decision
    gain = "" if decision.chosen.way.action is Action.KEEP else f" {decision.chosen.test.mean:+.1f} pp"
    return f"{recommendation.names.arrow(recommendation.pair)}: {decision.action.words}{gain}"


def note(
    recommendation: Recommendation,
    *,
    reproduce: str,
    missing: Iterable[tuple[str, int]] = (),
    importance: ImportanceFacts | None = None,
) -> str:
    """Return a note in Markdown, which begins with the decision.

    Args:
        missing: Each figure that leaves out trials, and how many.
        importance: What matters in the trials.
    """
    values = {
        "recommendation": recommendation,
        "names": recommendation.names,
        "reproduce": reproduce,
        "missing": missing,
        "title": title(recommendation),
        "importance": importance if importance is not None and importance.dimensions else None,
        "target": remark(recommendation.target),
    }
    return _environment().get_template("note.md").render(values).rstrip()


def fitted(facts: PairFacts, draw: _Draw, *, most: int = MOST_BYTES) -> tuple[str, int]:
    """Return a figure's JSON within `most` bytes, and how many trials it shows.

    The trials of `facts` have all reported. Default and chosen setting are left out last.
    """
    ranked = sorted(
        facts.data.records.trials,
        key=lambda trial: (
            trial.role is not TrialOrigin.BASELINE and trial.setting != facts.chosen,
            -(trial.accuracy or 0.0),
            trial.number,
        ),
    )
    shown = len(ranked)
    while len(text := slim(draw(facts))) > most and shown > 1:
        shown //= 2
        facts = facts.with_trials(ranked[:shown])
    return text, shown


def slim(figure: Figure) -> str:
    """Return a figure as short JSON: without its height, so that it fills its frame, and with few digits."""
    layout = {name: value for name, value in figure["layout"].items() if name != "height"}
    text = as_json({**figure, "layout": layout})
    return as_json(json.loads(text, parse_float=lambda number: float(f"{float(number):.{_DIGITS}g}")))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autokd.report"),
        autoescape=False,  # It is Markdown, not HTML.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"escaped": _escaped, "code": markdown_code, "line": one_line}
    return environment


def _rounded(interval: Interval | None) -> float | None:
    return None if interval is None else round(interval.mean, 2)


def _escaped(text: object) -> str:
    return "not tried" if text is None else markdown(text)
