"""Recommendations as a table of plain columns: for CSV, for data frames, and sorted by what they gain."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from autokd.core.setting import ADDED
from autokd.text.escaping import csv_row

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


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of some rows, in order."""
    used: set[str] = set().union(*rows)
    later = {*ADDED, _TARGET, *_NAMES, *_DECISION, *(f"{gain}{end}" for gain in _OF_RULE_3 for end in _ENDS)}
    return [name for name in _COLUMNS if name in used or name not in later]


def gain_of(payload: Mapping[str, Any]) -> float:
    """Return what the advice gains on test, in pp: of the decision, or if there is none, of the answer."""
    answer = payload.get("decision") or payload["recommended"]
    return float(answer["gain"]["mean"])


def row_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of one pair.

    Args:
        entry: As `PairResult.to_json` gives it.
    """
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
        shown = (decision["action"], decision["words"], gain["mean"], gain["low"], gain["high"])
        row |= dict(zip(_DECISION, shown, strict=True))
    return row | {
        "answer": recommended["answer"],
        "recommended_gain": recommended["gain"]["mean"],
        "position": _position(entry),
    }


def pairs_csv(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each pair, below one with the names of the columns.

    Args:
        entries: As `PairResult.to_json` gives them.
    """
    text = io.StringIO()
    rows = [row_of(entry) for entry in entries]
    writer = csv.DictWriter(text, columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(csv_row, rows))
    return text.getvalue()


def _named(pair: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the columns that name a pair or a group; the candidates of a group are a text like `0 3 7`."""
    if "teachers" not in pair:
        return pair
    return {"teacher": " ".join(map(str, pair["teachers"])), "student": pair["student"]}


def _joined(name: object) -> str:
    """Return a name, or those of several teachers; empty where there is none."""
    return ", ".join(part or "" for part in name) if isinstance(name, list) else str(name or "")


def _position(entry: Mapping[str, Any]) -> str:
    """Return what to be in the meeting, in a word; a group has none."""
    position = entry["position"]
    return "none" if position is None else str(position["advice"])
