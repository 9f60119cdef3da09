"""A judged pair in Optuna Dashboard: a note in Markdown, small attributes, and figures small enough to keep.

The figures are those of the page, on the same facts. The dashboard reads all of a study at once, and keeps a
figure beside it in the database: so each is held below `MOST_BYTES`, with fewer trials if need be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from autokd.core.records import Presentation, Role, TrialRecord
from autokd.core.setting import Setting, Split
from autokd.recommendation import Recommendation
from autokd.report.facts import curve_facts, landscape_facts
from autokd.report.figures import curve_figure, landscape_figure
from autokd.report.figures.common import Figure, as_json
from autokd.statistics.paired import Interval

MOST_BYTES: Final = 50_000
"""Of a figure's JSON."""
_DIGITS: Final = 5
"""Significant ones in a figure; no screen shows more."""

_Row = tuple[str, Interval | None, Interval | None]
_Draw = Callable[[Sequence[TrialRecord]], Figure]


def presentation(found: Recommendation, *, reproduce: str) -> Presentation:
    """All that the dashboard shows of a pair.

    Args:
        found: The judged pair.
        reproduce: The command that comes to the same.
    """
    own = float(found.student.correct[Split.VALIDATION].mean())
    chosen = _chosen(found)
    drawn: Mapping[str, _Draw] = {
        "landscape": lambda trials: landscape_figure(landscape_facts(trials, chosen, own=own), low=True),
        "curves": lambda trials: curve_figure(curve_facts(trials, chosen, own=own)),
    }
    reported = [trial for trial in found.records.trials if trial.curve]
    fitting = {name: fitted(reported, draw, chosen) for name, draw in drawn.items()} if reported else {}
    missing = [(name, len(reported) - shown) for name, (_, shown) in fitting.items() if shown < len(reported)]
    return Presentation(
        note=note(found, reproduce=reproduce, missing=missing),
        attributes=attributes(found),
        figures={name: figure for name, (figure, _) in fitting.items()},
    )


def attributes(found: Recommendation) -> Mapping[str, str | float | None]:
    """What a list of studies can be read and sorted by; gains in pp of the student, on test."""
    judgement, setting = found.judgement, found.setting
    return {
        "verdict": found.verdict.value,
        "gain": _rounded(found.gain),
        "default_gain": None if judgement is None else _rounded(judgement.test.default_gain),
        "setting": None if setting is None else str(setting),
        "position": found.position.advice.value,
    }


def note(found: Recommendation, *, reproduce: str, missing: Iterable[tuple[str, int]] = ()) -> str:
    """Markdown in which every number is the recommendation's.

    Args:
        found: The judged pair.
        reproduce: The command that comes to the same.
        missing: How many trials a figure leaves out, by name.
    """
    pair = found.pair
    parts = [
        f"## {pair}: {found.verdict.value}",
        f"**{_escaped(found.advice.removeprefix(f'{pair}: '))}**",
        *_gains(found),
        f"Why: {_escaped(found.reason)}.",
    ]
    if found.what_would_decide:
        parts.append(f"What would decide: {_escaped(found.what_would_decide)}.")
    position = found.position
    parts += [
        f"### Position: {position.advice.value}",
        f"{_escaped(position.why)}.",
        _table(
            (f"as student, {pair}", position.test.as_student, position.confirmation.as_student),
            (
                f"as teacher, {pair.reverse} (adopted)",
                position.test.as_teacher,
                position.confirmation.as_teacher,
            ),
            (
                f"with model {pair.teacher} as it is",
                position.test.by_adoption,
                position.confirmation.by_adoption,
            ),
        ),
        "### How to reproduce",
        "\n".join(f"    {line}" for line in (reproduce, _again(found))),
        f"Study `{found.records.study}`: the names hold hashes of all that decides a run.",
    ]
    parts += [
        f"The figure *{name}* leaves out {count} trials, so that the dashboard stays quick; "
        "the table of trials has them all."
        for name, count in missing
    ]
    return "\n\n".join(parts)


def fitted(
    trials: Sequence[TrialRecord],
    draw: _Draw,
    chosen: Setting | None,
    *,
    most: int = MOST_BYTES,
) -> tuple[str, int]:
    """A figure's JSON within `most` bytes, and how many trials it shows: baseline, chosen, then the best.

    Args:
        trials: That have reported, by number.
        draw: The figure of some of them.
        chosen: By the race.
        most: Of the JSON.
    """
    ranked = sorted(trials, key=lambda one: (not _told_of(one, chosen), -(one.accuracy or 0.0), one.number))
    shown = len(trials)
    while len(text := slim(draw(sorted(ranked[:shown], key=lambda one: one.number)))) > most and shown > 1:
        shown //= 2
    return text, shown


def slim(figure: Figure) -> str:
    """Return a figure as short JSON: without its height, so that it fills its frame, and with few digits."""
    layout = {name: value for name, value in figure["layout"].items() if name != "height"}
    return as_json(_short({**figure, "layout": layout}))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_short(one) for one in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _told_of(trial: TrialRecord, chosen: Setting | None) -> bool:
    return trial.role is Role.BASELINE or trial.setting == chosen


def _chosen(found: Recommendation) -> Setting | None:
    winner = None if found.judgement is None else found.judgement.evidence.winner
    return None if winner is None else winner.setting


def _gains(found: Recommendation) -> Iterator[str]:
    if found.judgement is None:
        return
    test, decided, winner = found.judgement.test, found.judgement.confirmation, _chosen(found)
    rows: list[_Row] = [("the default setting", test.default_gain, decided.default_gain)]
    if winner is not None:
        rows.insert(0, (str(winner), test.winner_gain, decided.winner_gain))
        rows.append(("difference", test.improvement, decided.improvement))
    yield f"Gain of participant {found.pair.student}:"
    yield _table(*rows)


def _table(*rows: _Row) -> str:
    lines = ["| | on test | on confirmation (decides) |", "|---|---|---|"]
    lines += [f"| {_escaped(name)} | {_pp(test)} | {_pp(decided)} |" for name, test, decided in rows]
    return "\n".join(lines)


def _pp(interval: Interval | None) -> str:
    return "not tried" if interval is None else _escaped(str(interval))


def _again(found: Recommendation) -> str:
    return f"autokd recommend --pair {found.pair.teacher},{found.pair.student} --json"


def _rounded(interval: Interval | None) -> float | None:
    return None if interval is None else round(interval.mean, 2)


def _escaped(text: str) -> str:
    """Markdown that shows a text as it is: the dashboard would carry out HTML and formulas in it."""
    return re.sub(r"([\\`*_{}\[\]<>#$|~])", r"\\\1", text)
