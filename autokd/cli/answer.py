"""Prints a recommendation as text; its numbers are those of the recommendation, none is computed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table
from rich.text import Text

from autokd.cli.console import debugging, err, out, plain_table
from autokd.config.target import remark
from autokd.core.pair import Pair
from autokd.text.quoting import counted

if TYPE_CHECKING:
    from autokd.cli.options import StudyOptions
    from autokd.config.target import ClassShares, TargetName
    from autokd.recommendation import Recommendation
    from autokd.recommendation.decision import Decision
    from autokd.recommendation.partners import Ranking
    from autokd.search.prediction import Prediction
    from autokd.statistics.paired import Interval

COLOR = {
    "tuned": "green",
    "default": "green",
    "skip": "yellow",
    "undecided": "yellow",
    "failed": "red",
}


def show(recommendation: Recommendation) -> None:
    """Print the decision, the verdict with its figures, and the position advice."""
    verdict, pair, names = recommendation.verdict.value, recommendation.pair, recommendation.names
    part = recommendation.decisions_teacher_part
    for decided in decision_lines(recommendation.decision, names.word(pair.student), part):
        out.print(decided)
    if recommendation.extending:
        out.print(f"being extended: {recommendation.extending}", style="yellow")
    out.print(Text.assemble((verdict, f"bold {COLOR[verdict]}"), "  ", (recommendation.advice, "bold")))
    if recommendation.judgement is not None:
        out.print(_gains(f"gain of participant {names.word(pair.student)}", recommendation.compared))
        confidence = f"{recommendation.confirmation.confidence:.0%}"
        gain = f"expected of a single run ({confidence} interval): {recommendation.single_run} on test"
        out.print(gain, style="dim")
        if recommendation.network is not None:
            out.print(f"sent over the network for a run: {recommendation.network}", style="dim")
    if recommendation.what_would_decide:
        out.print(f"what would decide: {recommendation.what_would_decide}")
    position = recommendation.position
    if position is not None:
        out.print(Text.assemble(("position ", "bold"), (position.advice.value, "bold"), f": {position.why}"))
    out.print(weighed_table(recommendation.decision, names.word(pair.student)))
    for line in _asked(recommendation):
        out.print(line)
    _print_remark(recommendation.target)
    if recommendation.records.basis is not None:
        out.print(recommendation.records.basis.ended, style="dim")
    out.print(_cost(recommendation), style="dim")
    _show_tracebacks(recommendation)


def decision_lines(decision: Decision, student: str, teacher_part: Interval | None = None) -> Iterator[Text]:
    """Yield what the owner should do, and what that gains; what of it is the teacher's, if it is known."""
    chosen = decision.chosen
    words = f"participant {student}: {chosen.way.words}{' for now' if decision.wanted else ''}"
    color = "yellow" if decision.wanted else "green"
    yield Text.assemble((decision.action.words, f"bold {color}"), "  ", (words, "bold"))
    if chosen.way.action.value != "keep":
        part = "" if teacher_part is None else f", {teacher_part} of it the teacher's"
        yield Text(f"it gains {chosen.test} on test{part}")


def weighed_table(decision: Decision, student: str) -> Table:
    """Return all that was weighed for a decision, within 80 characters."""
    columns = ((f"participant {student}", 27), ("gain on test", 23), ("best minus it (decides)", 25))
    grid = plain_table(*(Column(title, min_width=width) for title, width in columns))
    for way in decision.weighed:
        behind = "the best" if way is decision.best else str(way.behind)
        name = f"{way.way.name} *" if way is decision.chosen else way.way.name
        grid.add_row(name, "" if way.way.action.value == "keep" else str(way.test), behind)
    return grid


def _show_tracebacks(recommendation: Recommendation) -> None:
    """Print where failed runs went wrong, each place once, if `--debug` asks for it; else how to see it."""
    from autokd.text.reasons import traceback_in

    records = recommendation.records
    reasons = [*(trial.reason for trial in records.trials), *(run.reason for run in records.runs)]
    traces = dict.fromkeys(filter(None, map(traceback_in, reasons)))
    if debugging():
        for trace in traces:
            err.print(Text(trace))
    elif traces and recommendation.judgement is None:
        again = f"autokd recommend {recommendation.pair.options} --debug"
        out.print(f"where it went wrong: {again}", style="dim")


def _print_remark(target: TargetName | ClassShares) -> None:
    if text := remark(target):
        out.print(text, style="dim")


def _asked(recommendation: Recommendation) -> Iterator[str]:
    """Yield a line for each trial that the user asked for."""
    from autokd.core.records import TrialOrigin
    from autokd.recommendation.payload import rank
    from autokd.text.reasons import in_a_line

    trials = recommendation.records.trials
    for trial in trials:
        if trial.role is TrialOrigin.ASKED:
            what, place = f"asked for {trial.setting}", rank(trial, trials)
            if place is None or trial.accuracy is None:
                yield f"{what}: {in_a_line(trial.reason) or trial.state.value.lower()}"
            else:
                yield f"{what}: {trial.accuracy:.1%} on validation, place {place} of all complete trials"


def show_prediction(prediction: Prediction) -> None:
    """Print a predicted gain, and say that it was not measured."""
    pair, setting, names = prediction.pair, prediction.setting, prediction.names
    advice = "leave the model as it is" if setting is None else f"try {setting}"
    out.print(Text.assemble(("predicted", "bold yellow"), "  ", (advice, "bold")))
    if setting is not None:
        gain = f"{prediction.gain:+.1f} pp [{prediction.low:+.1f}, {prediction.high:+.1f}]"
        of = f"gain of participant {names.word(pair.student)} in a single run"
        out.print(f"{of}: {gain} on validation (95% interval)")
    runs, pairs = counted(prediction.runs, "run"), counted(prediction.pairs, "other pair")
    source = f"predicted from {runs} of {pairs}, not measured"
    out.print(f"{source}; to measure it: autokd tune --pair {pair.teacher},{pair.student}", style="dim")


def show_partners(ranking: Ranking) -> None:
    """Print the advice, and a line for each partner."""
    out.print(
        Text.assemble(
            (f"participant {ranking.names.word(ranking.student)}  ", "bold"), (ranking.advice, "bold")
        )
    )
    grid = plain_table("teacher", "verdict", "gain on test", "corrected", "setting judged")
    for partner in ranking.partners:
        verdict = partner.recommendation.verdict.value
        mark = "=" if partner.as_good else ""
        setting, corrected = str(partner.recommendation.setting), f"{partner.corrected:+.1f} pp"
        teacher = ranking.names.word(partner.teacher)
        grid.add_row(f"{teacher} {mark}", verdict, str(partner.test), corrected, setting)
    out.print(grid)
    _print_remark(ranking.target)
    count = len(ranking.partners)
    notes = [
        f"intervals: {ranking.confidence:.0%} for all {count} together",
        f"corrected: on confirmation, for choosing the best of {count}",
        "=: not shown to be worse than the first",
    ]
    if ranking.unknown:
        notes.append(f"no recommendation yet from {', '.join(map(ranking.names.word, ranking.unknown))}")
    out.print("; ".join(notes), style="dim")


def _gains(header: str, rows: Iterable[tuple[str, Interval | None, Interval | None]]) -> Table:
    """Return gains on test beside those on confirmation, within 80 characters; no headers if one is empty."""
    columns = ((header, 27), ("on test", 23), ("on confirmation (decides)", 25))
    grid = plain_table(
        *(Column(title, min_width=width) for title, width in columns), show_header=bool(header)
    )
    for name, *gains in rows:
        grid.add_row(name, *("not tried" if gain is None else str(gain) for gain in gains))
    return grid


def further(recommendation: Recommendation, study: StudyOptions) -> str:
    """Return the commands that show more of a pair."""
    pair = recommendation.pair
    other = {}
    if isinstance(pair, Pair) and not recommendation.student.is_untrained:
        other = {
            f"recommend {pair.reverse.options}{study.repeated()}": "the same meeting from the other side"
        }
    commands = {
        **other,
        f"recommend {pair.options}{study.repeated()} --json": "all the numbers",
        f"dashboard{study.repeated('home', 'storage')}": "every trial, in the browser",
    }
    width = max(map(len, commands))
    lines = (f"  autokd {command:<{width}}   {meaning}" for command, meaning in commands.items())
    return "\n".join(("look further:", *lines))


def _cost(recommendation: Recommendation) -> str:
    content: dict[str, Any] = recommendation.to_json()
    counts = ", ".join(f"{count} {state.lower()}" for state, count in content["trials"].items() if count)
    epochs = content["epochs_spent"]
    return (
        f"trials: {counts}; epochs: {epochs['search']} of search, {epochs['confirmation']} of race and "
        f"confirmation; {content['seeds']} paired seeds"
        + ("" if recommendation.cost is None else f"\ncost: {recommendation.cost}")
    )
