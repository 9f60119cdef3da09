"""A judged pair in Optuna Dashboard: a note in Markdown, a few attributes, and small figures.

The figures are those of the page. The dashboard always reads a whole study, with the figures stored in it, so
each figure is kept below `MOST_BYTES`; if need be, it shows fewer trials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from autokd.core.records import Presentation, TrialOrigin
from autokd.recommendation import Recommendation
from autokd.report.data import PairData
from autokd.report.facts.pairs import chosen_setting
from autokd.report.facts.report import PairFacts
from autokd.report.figures.common import Figure, as_json
from autokd.report.figures.pairs import curve_figure, landscape_figure
from autokd.statistics.paired import Interval

MOST_BYTES: Final = 50_000
"""Largest size of a figure's JSON."""
_DIGITS: Final = 5
"""Significant digits in a figure; no screen shows more."""

_Row = tuple[str, Interval | None, Interval | None]
_Draw = Callable[[PairFacts], Figure]
_FIGURES: Final[Mapping[str, _Draw]] = {
    "landscape": lambda facts: landscape_figure(facts.landscape, low=True),
    "curves": lambda facts: curve_figure(facts.curves),
}


def presentation(recommendation: Recommendation, *, reproduce: str) -> Presentation:
    """Return all that the dashboard shows of a pair.

    Args:
        recommendation: The judged pair.
        reproduce: Command that gives the same result.
    """
    reported = [trial for trial in recommendation.records.trials if trial.curve]
    data = PairData(records=recommendation.records, found=recommendation)
    facts = PairFacts(data).with_trials(reported)
    fitting = {name: fitted(facts, draw) for name, draw in _FIGURES.items()} if reported else {}
    missing = [(name, len(reported) - shown) for name, (_, shown) in fitting.items() if shown < len(reported)]
    return Presentation(
        note=note(recommendation, reproduce=reproduce, missing=missing),
        attributes=attributes(recommendation),
        figures={name: text for name, (text, _) in fitting.items()},
    )


def attributes(recommendation: Recommendation) -> Mapping[str, str | float | None]:
    """Return what a list of studies shows and sorts by; gains are the student's on test, in pp."""
    judgement, setting = recommendation.judgement, recommendation.setting
    return {
        "verdict": recommendation.verdict.value,
        "gain": _rounded(recommendation.gain),
        "default_gain": None if judgement is None else _rounded(judgement.test.default_gain),
        "setting": None if setting is None else str(setting),
        "position": recommendation.position.advice.value,
    }


def note(recommendation: Recommendation, *, reproduce: str, missing: Iterable[tuple[str, int]] = ()) -> str:
    """Return a note in Markdown; every number is the recommendation's.

    Args:
        recommendation: The judged pair.
        reproduce: Command that gives the same result.
        missing: Name of each figure that leaves out trials, and how many.
    """
    pair = recommendation.pair
    parts = [
        f"## {pair}: {recommendation.verdict.value}",
        f"**{_escaped(recommendation.advice.removeprefix(f'{pair}: '))}**",
        *_gains(recommendation),
        f"Why: {_escaped(recommendation.reason)}.",
    ]
    if recommendation.what_would_decide:
        parts.append(f"What would decide: {_escaped(recommendation.what_would_decide)}.")
    position = recommendation.position
    test, decided = position.test, position.confirmation
    parts += [
        f"### Position: {position.advice.value}",
        f"{_escaped(position.why)}.",
        _table(
            (f"as student, {pair}", test.as_student, decided.as_student),
            (f"as teacher, {pair.reverse} (adopted)", test.as_teacher, decided.as_teacher),
            (f"with model {pair.teacher} as it is", test.by_adoption, decided.by_adoption),
        ),
        "### How to reproduce",
        f"    {reproduce}\n    autokd recommend --pair {pair.teacher},{pair.student} --json",
        f"Study `{recommendation.records.study}`: the hashes in its name cover all that determines a run.",
    ]
    parts += [
        f"The figure *{name}* leaves out {count} trials to keep the dashboard fast; "
        "the table of trials has them all."
        for name, count in missing
    ]
    return "\n\n".join(parts)


def fitted(facts: PairFacts, draw: _Draw, *, most: int = MOST_BYTES) -> tuple[str, int]:
    """Return a figure's JSON within `most` bytes, and how many trials it shows.

    The default and the setting that the race chose are left out last, before them the best trials.

    Args:
        facts: Facts of trials that have reported.
        draw: Draws the figure.
        most: Largest size of the JSON, in bytes.
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
    return as_json(_short({**figure, "layout": layout}))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_short(part) for part in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _gains(recommendation: Recommendation) -> Iterator[str]:
    judgement, winner = recommendation.judgement, chosen_setting(recommendation)
    if judgement is None:
        return
    test, decided = judgement.test, judgement.confirmation
    rows: list[_Row] = [("the default setting", test.default_gain, decided.default_gain)]
    if winner is not None:
        rows.insert(0, (str(winner), test.winner_gain, decided.winner_gain))
        rows.append(("difference", test.improvement, decided.improvement))
    yield f"Gain of participant {recommendation.pair.student}:"
    yield _table(*rows)


def _table(*rows: _Row) -> str:
    lines = ["| | on test | on confirmation (decides) |", "|---|---|---|"]
    lines += [f"| {_escaped(name)} | {_pp(test)} | {_pp(decided)} |" for name, test, decided in rows]
    return "\n".join(lines)


def _pp(interval: Interval | None) -> str:
    return "not tried" if interval is None else _escaped(str(interval))


def _rounded(interval: Interval | None) -> float | None:
    return None if interval is None else round(interval.mean, 2)


def _escaped(text: str) -> str:
    """Escape a text for Markdown; else the dashboard would interpret HTML and formulas in it."""
    return re.sub(r"([\\`*_{}\[\]<>#$|~])", r"\\\1", text)
