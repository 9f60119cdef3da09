"""Lists of recommendations: a table for people; JSON, CSV and YAML for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from rich.console import Group, RenderableType
from rich.table import Column
from rich.text import Text

from autokd.cli.answer import COLOR
from autokd.cli.console import plain_table
from autokd.cli.matrix import FEW, PairCell, matrix
from autokd.config.target import remark
from autokd.core.action import Action
from autokd.core.setting import Pair, Setting
from autokd.errors import InputError
from autokd.text.escaping import invisible_spelt_out, json_text
from autokd.text.quoting import counted
from autokd.workflows.result_table import pairs_csv

if TYPE_CHECKING:
    from autokd.workflows.recommend import PairResult


class ListFormat(StrEnum):
    """Format of a list for programs."""

    JSON = "json"
    CSV = "csv"
    YAML = "yaml"


_SUFFIXES: Final = {
    ".json": ListFormat.JSON,
    ".csv": ListFormat.CSV,
    ".yaml": ListFormat.YAML,
    ".yml": ListFormat.YAML,
}


def form_of(*, json: bool, csv: bool, yaml: bool, path: Path | None) -> ListFormat | None:
    """Return the format that options or the file's ending name; None for a table in the terminal.

    Raises:
        InputError: If several options were given, or the ending names no format.
    """
    asked = [form for form, wanted in zip(ListFormat, (json, csv, yaml), strict=True) if wanted]
    if len(asked) > 1:
        raise InputError(f"--{asked[0]} and --{asked[1]}: choose one of them")
    if asked or path is None:
        return asked[0] if asked else None
    if path.suffix not in _SUFFIXES:
        raise InputError(
            f"--out {path}: name the format with --json, --csv or --yaml, or by the ending of the file"
        )
    return _SUFFIXES[path.suffix]


def written(
    entries: Sequence[Mapping[str, Any]],
    form: ListFormat,
    *,
    single: bool,
    only_ascii: bool = False,
) -> str:
    """Return a list as text; a single pair is one object in JSON and YAML.

    Args:
        entries: As `PairResult.to_json` gives them.
        only_ascii: Spell other characters out as JSON and YAML do.
    """
    if form is ListFormat.CSV:
        return pairs_csv(entries)
    content = entries[0] if single else list(entries)
    if form is ListFormat.JSON:
        return (json.dumps(content, indent=2, allow_nan=False) if only_ascii else json_text(content)) + "\n"
    return _yaml(content, only_ascii=only_ascii)


def _yaml(content: object, *, only_ascii: bool) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=not only_ascii, width=110)
    # What a terminal might act on is spelt out, and with it everything that is not ASCII.
    return text if only_ascii or invisible_spelt_out(text) == text else _yaml(content, only_ascii=True)


def table(answers: Sequence[PairResult], rows: Sequence[PairResult] | None = None) -> RenderableType:
    """Return one row per pair, for many pairs also the matrix, and a summary.

    Args:
        rows: Those that get a row, in order; by default all.
    """
    gain, words = Column("gain on test, pp", no_wrap=True), Column("what to do", overflow="fold")
    grid = plain_table(Column("pair", no_wrap=True), "decision", gain, words, "verdict", gap=1)
    for answer in answers if rows is None else rows:
        grid.add_row(answer.names.arrow(answer.pair), *_row_of(answer))
    parts: list[RenderableType] = [grid] if grid.row_count else []
    pairs = {answer.pair: answer for answer in answers if isinstance(answer.pair, Pair)}
    if len(pairs) > FEW:
        cells = {pair: PairCell.of(answer.payload) for pair, answer in pairs.items()}
        parts.append(matrix(cells, answers[0].names))
    targets = [payload.get("target", "common") for answer in answers if (payload := answer.payload)]
    if targets and (text := remark(targets[0])):
        parts.append(Text(text, style="dim"))
    return Group(*parts, Text(_summary(answers), style="dim"))


def _row_of(answer: PairResult) -> tuple[Text, ...]:
    payload = answer.payload
    if payload is None:
        return Text("none", style="dim"), Text(""), Text(answer.way_out, style="dim"), Text("")
    verdict = Text(payload["verdict"], style=COLOR[payload["verdict"]])
    if answer.stale:
        verdict.append(" (stale)", style="yellow")
    if payload.get("extending"):
        verdict.append(" (being extended)", style="yellow")
    decision = payload.get("decision")
    if decision is None:  # Of an earlier version, which told of settings only.
        use = "the model as it is"
        if payload["recommended"]["answer"] != "as-is":
            use = str(Setting.from_json(payload["setting"]))
        gain = "" if use == "the model as it is" else _interval(payload["gain"])
        return Text("–", style="dim"), Text(gain), Text(use), verdict
    action = Action(decision["action"])
    gain = "" if action in (Action.KEEP, Action.MORE_EVIDENCE) else _interval(decision["gain"])
    color = "yellow" if action is Action.MORE_EVIDENCE else "green"
    return Text(action.words, style=color), Text(gain), Text(decision["words"]), verdict


def _interval(gain: Mapping[str, float]) -> str:
    return "{mean:+.1f} [{low:+.1f}, {high:+.1f}]".format(**gain)


def _summary(answers: Sequence[PairResult]) -> str:
    verdicts = Counter("none" if answer.payload is None else answer.payload["verdict"] for answer in answers)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    older = sum(answer.held_back for answer in answers)
    hint = f"; {older} of those without have a stale one, which --stale shows" if older else ""
    return f"{counted(len(answers), 'pair')}: {counts}{hint}"
