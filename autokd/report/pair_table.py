"""The judged pairs as a table: for a reader, for a spreadsheet, and two of them side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from autokd.core.participant_names import ParticipantNames
from autokd.report.facts.decisions import PairRow
from autokd.statistics.paired import Interval
from autokd.text.escaping import csv_row


def as_csv(rows: Sequence[PairRow], names: ParticipantNames) -> str:
    """Return a line for each pair; gains are in pp of the student on test, and empty if unknown."""
    content = [csv_row(_columns(row, names)) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(content[0]) if content else [], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(content)
    return text.getvalue()


def side_by_side(rows: Sequence[PairRow], names: ParticipantNames) -> dict[str, Any]:
    """Return what the browser compares two pairs by: for each pair its cells, one for each of `lines`."""
    cells = {f"{row.pair.teacher}-{row.pair.student}": _compared(row) for row in rows}
    return {
        "lines": list(_compared(rows[0])) if rows else [],
        "pairs": [
            {"key": key, "name": names.arrow(row.pair), "cells": list(of_pair.values())}
            for row, (key, of_pair) in zip(rows, cells.items(), strict=True)
        ],
    }


def _columns(row: PairRow, names: ParticipantNames) -> dict[str, Any]:
    pair = row.pair
    named = {"teacher_name": names.name(pair.teacher), "student_name": names.name(pair.student)}
    return {
        "teacher": pair.teacher,
        "student": pair.student,
        **(named if names else {}),
        "action": row.action.value,
        "what_to_do": row.words,
        **_ends("gain", row.gain),
        **_ends("teacher_part", row.teacher_part),
        "verdict": row.verdict.value,
        "setting": row.setting,
        **_ends("setting_gain", row.setting_gain),
        **_ends("default_gain", row.default_gain),
        **_ends("adoption_gain", row.by_adoption),
        "forgetting": row.forgetting,
        "runs": row.spent.runs,
        "epochs": row.spent.epochs,
        "more_evidence": row.wanted,
    }


def _ends(name: str, gain: Interval | None) -> dict[str, float | None]:
    ends = (None, None, None) if gain is None else (gain.mean, gain.low, gain.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _compared(row: PairRow) -> Mapping[str, str]:
    spent = row.spent
    return {
        "what to do": row.words,
        "it gains on test": str(row.gain),
        "of it the teacher's": _known(row.teacher_part),
        "what would decide": row.wanted or "–",
        "verdict": row.verdict.value,
        "setting judged": row.setting or "–",
        "gain of that setting": _known(row.setting_gain),
        "gain of the default": _known(row.default_gain),
        "gain of adopting the teacher's model": str(row.by_adoption),
        "forgetting": "–" if row.forgetting is None else f"{row.forgetting:+.1f} pp",
        "cost": f"{spent.epochs:,} epochs in {spent.runs:,} runs",
    }


def _known(gain: Interval | None) -> str:
    return "not known" if gain is None else str(gain)
