"""Lists of recommendations: a table for people; JSON, CSV and YAML for programs."""

from __future__ import annotations

import csv
import io
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
from autokd.core.setting import ADDED, Pair, Setting
from autokd.errors import InputError
from autokd.text.escaping import csv_row, invisible_spelt_out, json_text
from autokd.text.quoting import counted

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
_TARGET: Final = "target"
_SETTING: Final = (
    *("temperature", "alpha", "transfer_set", "method", "learning_rate", "epochs", "batch_norm"),
    *ADDED,
)
_NAMES: Final = ("teacher_name", "student_name")
_DECISION: Final = ("decision", "what_to_do", "decision_gain", "decision_gain_low", "decision_gain_high")
"""What recommendations of earlier versions do not have."""
_GAINS: Final = ("gain", "default_gain", "improvement", "single_run")
_ENDS: Final = ("", "_low", "_high")
_OF_RULE_3: Final = ("teacher_part", "corrected_gain")
"""Gains that only pairs judged by rule 3 have."""
_COLUMNS: Final = (
    *("teacher", "student", *_NAMES, *_DECISION, "verdict", "answer"),
    *_SETTING,
    *(f"{gain}{end}" for gain in (*_GAINS, *_OF_RULE_3) for end in _ENDS),
    *("recommended_gain", "forgetting", "seeds", "position", "federation", "study"),
    *("stale", "why_stale", "reason", "way_out"),
    _TARGET,
)
"""Columns of the CSV; gains are in pp of the student on test, empty if unknown.

Names are left out if no participant has one, `ADDED` dimensions if no setting has them, gains of rule 3 if no
pair has them, and the target if it is `common`.
"""


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
        return _csv(entries)
    content = entries[0] if single else list(entries)
    if form is ListFormat.JSON:
        return (json.dumps(content, indent=2, allow_nan=False) if only_ascii else json_text(content)) + "\n"
    return _yaml(content, only_ascii=only_ascii)


def _yaml(content: object, *, only_ascii: bool) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=not only_ascii, width=110)
    # What a terminal might act on is spelt out, and with it everything that is not ASCII.
    return text if only_ascii or invisible_spelt_out(text) == text else _yaml(content, only_ascii=True)


def table(answers: Sequence[PairResult]) -> RenderableType:
    """Return one row per pair, for many pairs also the matrix, and a summary."""
    gain, words = Column("gain on test, pp", no_wrap=True), Column("what to do", overflow="fold")
    grid = plain_table(Column("pair", no_wrap=True), "decision", gain, words, "verdict", gap=1)
    for answer in answers:
        grid.add_row(answer.names.arrow(answer.pair), *_row_of(answer))
    parts: list[RenderableType] = [grid]
    pairs = {answer.pair: answer for answer in answers if isinstance(answer.pair, Pair)}
    if len(pairs) > FEW:
        cells = {pair: PairCell.of(answer.payload) for pair, answer in pairs.items()}
        parts.append(matrix(cells, answers[0].names))
    targets = [payload.get(_TARGET, "common") for answer in answers if (payload := answer.payload)]
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


def _csv(entries: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    rows = [_row(entry) for entry in entries]
    used = set().union(*rows)
    later = {*ADDED, _TARGET, *_NAMES, *_DECISION, *(f"{gain}{end}" for gain in _OF_RULE_3 for end in _ENDS)}
    columns = [name for name in _COLUMNS if name in used or name not in later]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(csv_row, rows))
    return text.getvalue()


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: entry[name] for name in _COLUMNS if name in entry and not isinstance(entry[name], dict)}
    row |= _named(entry["pair"])
    roles = {"teachers": "teacher"}
    row |= {f"{roles.get(role, role)}_name": _joined(name) for role, name in entry.get("names", {}).items()}
    row["stale"] = str(entry["stale"]).lower()
    if entry["verdict"] is None:
        return row
    if isinstance(entry.get(_TARGET), dict):
        row[_TARGET] = json.dumps(entry[_TARGET], ensure_ascii=False)
    row |= entry["setting"] or {}
    for name in (*_GAINS, *(name for name in _OF_RULE_3 if name in entry)):
        # A stale recommendation may be from a version that had fewer of them.
        gain = entry.get(name) or {"mean": None, "low": None, "high": None}
        row |= {name: gain["mean"], f"{name}_low": gain["low"], f"{name}_high": gain["high"]}
    recommended = entry["recommended"]
    if (decision := entry.get("decision")) is not None:
        gain = decision["gain"]
        told = (decision["action"], decision["words"], gain["mean"], gain["low"], gain["high"])
        row |= dict(zip(_DECISION, told, strict=True))
    return row | {
        "answer": recommended["answer"],
        "recommended_gain": recommended["gain"]["mean"],
        "position": _position(entry),
    }


def _named(pair: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the columns that name a pair or a group; the candidates of a group are a text like `0 3 7`."""
    if "teachers" not in pair:
        return pair
    return {"teacher": " ".join(map(str, pair["teachers"])), "student": pair["student"]}


def _joined(name: object) -> str:
    """Return a name, or those of several teachers; empty where there is none."""
    return ", ".join(one or "" for one in name) if isinstance(name, list) else str(name or "")


def _position(entry: Mapping[str, Any]) -> str:
    """Return what to be in the meeting, in a word; a group has none."""
    position = entry["position"]
    return "none" if position is None else str(position["advice"])
