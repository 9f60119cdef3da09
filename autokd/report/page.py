"""One HTML file about a pair; its numbers are the recommendation's, none is worked out here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from autokd.errors import PlanError
from autokd.recommendation import Interval, Recommendation
from autokd.recommendation.payload import count_by_state
from autokd.report.facts import curve_facts, landscape_facts
from autokd.report.figures import curve_figure, fragment, landscape_figure, library
from autokd.setting import Setting, Split

_LANDSCAPE = (
    "Each mark is one trial. Its colour is the validation accuracy that it reported last: blue is better "
    "than the model as it is, red is worse. A trial that was stopped early shows what it had reached by then."
)
_CURVES = (
    "The same trials over their epochs. The search runs each setting once and looks at the validation split "
    "only; the figures above come from further runs with fresh seeds, on other examples."
)
_NOTHING = "No trial has ended."

_Row = tuple[str, Interval | None, Interval | None]
"""What it is, and the figure on test and on confirmation; None where nothing is known."""


def page(found: Recommendation) -> str:
    """The page as text: it opens without a network, and the same recommendation gives the same page."""
    trials, chosen = found.searched.trials, _chosen(found)
    own = float(found.student.correct[Split.VALIDATION].mean())
    landscape = landscape_facts(trials, chosen, own=own)
    curves = curve_facts(trials, chosen, own=own)
    pair = found.pair
    return Template(files("autokd.report").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"autokd: {pair} of {found.federation}"),
        library=library(),
        verdict=escape(found.verdict.value),
        advice=escape(found.advice),
        told="\n".join(f"<p>{escape(told)}</p>" for told in _told(found)),
        gains=_gains(found),
        ways=_ways(found),
        landscape_told=_LANDSCAPE if landscape.panels else _NOTHING,
        landscape=fragment(landscape_figure(landscape), name="landscape") if landscape.panels else "",
        curves_told=_CURVES if curves.curves else _NOTHING,
        curves=fragment(curve_figure(curves), name="curves") if curves.curves else "",
        made="\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _made(found)),
    )


def write(found: Recommendation, path: Path) -> None:
    """Write `page` to `path`.

    Raises:
        PlanError: If no file can be written there.
    """
    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        problem = f"cannot write {path}: {error.strerror}; name a file in a folder that you may write to"
        raise PlanError(source="command line", field="--figure", problem=problem) from error


def _chosen(found: Recommendation) -> Setting | None:
    """What the race chose, whatever the verdict on it was."""
    winner = None if found.judgement is None else found.judgement.evidence.winner
    return None if winner is None else winner.setting


def _told(found: Recommendation) -> Iterable[str]:
    yield f"Why: {found.reason}."
    if found.what_would_decide:
        yield f"What would decide: {found.what_would_decide}."
    yield f"Position {found.position.advice.value}: {found.position.why}."


def _gains(found: Recommendation) -> str:
    if found.judgement is None:
        return ""
    test, decided, winner = found.judgement.test, found.judgement.confirmation, _chosen(found)
    rows: list[_Row] = [("the default setting", test.default_gain, decided.default_gain)]
    if winner is not None:
        rows.insert(0, (str(winner), test.winner_gain, decided.winner_gain))
        rows.append(("difference", test.improvement, decided.improvement))
    return _table(f"Gain of participant {found.pair.student}", rows)


def _ways(found: Recommendation) -> str:
    pair, test, decided = found.pair, found.position.test, found.position.confirmation
    rows: list[_Row] = [
        (f"as student: {pair}", test.as_student, decided.as_student),
        (
            f"as teacher: {pair.reverse}, adopted by {pair.student}",
            test.as_teacher,
            decided.as_teacher,
        ),
        (f"adopting model {pair.teacher} as it is", test.by_adoption, decided.by_adoption),
    ]
    return _table(f"Ways of participant {pair.student} in this meeting", rows)


def _table(caption: str, rows: Sequence[_Row]) -> str:
    heads = ("", "on test (reported)", "on confirmation (decides)")
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_pp(test)}</td><td>{_pp(decided)}</td></tr>'
        for name, test, decided in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _pp(interval: Interval | None) -> str:
    return "not tried" if interval is None else escape(str(interval))


def _made(found: Recommendation) -> Iterable[tuple[str, str]]:
    judgement, searched = found.judgement, found.searched
    counts = count_by_state(searched.trials).items()
    yield "federation", found.federation
    yield "study", searched.study
    yield "trials", ", ".join(f"{count} {state.lower()}" for state, count in counts if count) or "none"
    yield "epochs of search", str(sum(trial.epochs for trial in searched.trials))
    yield "epochs of race and confirmation", str(sum(run.epochs for run in searched.runs))
    yield "paired confirmation seeds", str(0 if judgement is None else len(judgement.evidence.seeds))
    if judgement is not None and judgement.shown.forgetting is not None:
        yield "forgetting, on test", f"{judgement.shown.forgetting:+.1f} pp with {judgement.shown.setting}"
    yield "intervals", f"{found.plan.confidence:.0%}, by crossed paired resampling of examples and seeds"
