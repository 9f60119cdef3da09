"""Many recommendations at once: a table for people; JSON, CSV and YAML for programs."""

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
from rich.table import Table
from rich.text import Text

from autokd.cli.answer import COLOUR
from autokd.cli.matrix import FEW, Cell, Matrix
from autokd.core.setting import Setting
from autokd.errors import InputError

if TYPE_CHECKING:
    from autokd.workflows.recommend import PairResult


class Form(StrEnum):
    """How a list is written for programs."""

    JSON = "json"
    CSV = "csv"
    YAML = "yaml"


_SUFFIXES: Final = {".json": Form.JSON, ".csv": Form.CSV, ".yaml": Form.YAML, ".yml": Form.YAML}
_SETTING: Final = ("temperature", "alpha", "transfer_set", "method", "learning_rate", "epochs", "batch_norm")
_GAINS: Final = ("gain", "default_gain", "improvement", "single_run")
_COLUMNS: Final = (
    "teacher",
    "student",
    "verdict",
    "answer",
    *_SETTING,
    *(f"{gain}{end}" for gain in _GAINS for end in ("", "_low", "_high")),
    "recommended_gain",
    "forgetting",
    "seeds",
    "position",
    "federation",
    "study",
    "stale",
    "why_stale",
    "reason",
    "way_out",
)
"""Of the CSV; gains in pp of the student on test, empty where there is nothing to say."""


def form_of(*, json: bool, csv: bool, yaml: bool, path: Path | None) -> Form | None:
    """What was asked for; None is a table in the terminal.

    Raises:
        InputError: If several were, or a file's form cannot be told.
    """
    asked = [form for form, wanted in zip(Form, (json, csv, yaml), strict=True) if wanted]
    if len(asked) > 1:
        raise InputError(f"--{asked[0]} and --{asked[1]}: choose one of them")
    if asked or path is None:
        return asked[0] if asked else None
    if path.suffix not in _SUFFIXES:
        raise InputError(
            f"--out {path}: say in which form, --json, --csv or --yaml, or let the name end in it"
        )
    return _SUFFIXES[path.suffix]


def written(entries: Sequence[Mapping[str, Any]], form: Form, *, single: bool) -> str:
    """The text of a list; of a single pair, JSON and YAML are one object instead.

    Args:
        entries: As `PairResult.to_json` gives them.
    """
    if form is Form.CSV:
        return _csv(entries)
    content = entries[0] if single else list(entries)
    if form is Form.JSON:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return text


def table(answers: Sequence[PairResult]) -> RenderableType:
    """One row a pair; of many pairs also the matrix; and what the rows come to."""
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("pair", header_style="dim", no_wrap=True)
    grid.add_column("verdict", header_style="dim")
    grid.add_column("use", header_style="dim", overflow="fold")
    grid.add_column("gain on test, pp", header_style="dim", no_wrap=True)
    grid.add_column("default's", header_style="dim", justify="right")
    grid.add_column("position", header_style="dim")
    for one in answers:
        grid.add_row(str(one.pair), *_cells(one))
    parts: list[RenderableType] = [grid]
    if len(answers) > FEW:
        parts.append(_matrix(answers))
    return Group(*parts, Text(_summary(answers), style="dim"))


def _matrix(answers: Sequence[PairResult]) -> Matrix:
    cells = {one.pair: _cell(one.payload) for one in answers}
    return Matrix(1 + max(max(pair.meeting) for pair in cells), cells)


def _cell(found: Mapping[str, Any] | None) -> Cell:
    if found is None:
        return Cell(None)
    gain = found["gain"]
    return Cell(found["verdict"], None if gain is None else gain["mean"])


def _cells(one: PairResult) -> tuple[Text, ...]:
    found = one.payload
    if found is None:
        return Text("none", style="dim"), Text(one.way_out, style="dim")
    verdict: str = found["verdict"]
    told = Text(verdict, style=COLOUR[verdict])
    if one.stale:
        told.append(" (stale)", style="yellow")
    default = found["default_gain"]
    return (
        told,
        Text(_use(found)),
        Text(_interval(found["gain"]) if found["recommended"]["answer"] != "as-is" else ""),
        Text("" if default is None else f"{default['mean']:+.1f}"),
        Text(found["position"]["advice"]),
    )


def _use(found: Mapping[str, Any]) -> str:
    answer: str = found["recommended"]["answer"]
    if answer == "as-is":
        return "the model as it is"
    return str(Setting.from_json(found["setting"]))


def _interval(gain: Mapping[str, float]) -> str:
    return f"{gain['mean']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]"


def _summary(answers: Sequence[PairResult]) -> str:
    counts = Counter("none" if one.payload is None else one.payload["verdict"] for one in answers)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    older = sum(one.held_back for one in answers)
    hint = f"; {older} of those without have a stale one, --stale shows it" if older else ""
    return f"{len(answers)} pairs: {told}{hint}"


def _csv(entries: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_row, entries))
    return text.getvalue()


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: entry[name] for name in _COLUMNS if name in entry and not isinstance(entry[name], dict)}
    row |= entry["pair"]
    row["stale"] = str(entry["stale"]).lower()
    if entry["verdict"] is None:
        return row
    row |= entry["setting"] or {}
    for name in _GAINS:
        # A stale one may have been made before all of them were.
        gain = entry.get(name) or {"mean": None, "low": None, "high": None}
        row |= {name: gain["mean"], f"{name}_low": gain["low"], f"{name}_high": gain["high"]}
    recommended = entry["recommended"]
    return row | {
        "answer": recommended["answer"],
        "recommended_gain": recommended["gain"]["mean"],
        "position": entry["position"]["advice"],
    }
