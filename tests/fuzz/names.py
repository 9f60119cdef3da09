"""Names of others, in every place that they are written to."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import strategies as st

from autokd.text.escaping import csv_text, json_text
from tests.fuzz.harness import Target
from tests.text.test_escaping import BIDI_AND_CONTROL, HOSTILE, SHOWN, rendered

_KEPT = {"\n", "\t"}
_names = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=8), max_size=4).map("".join)


def _show(name: str) -> None:
    for place, show in SHOWN.items():
        left = BIDI_AND_CONTROL & set(show(name))
        assert left <= _KEPT, f"{place}: {left}"
    assert "<" not in rendered(f"| a |\n| --- |\n| {SHOWN['markdown'](name)} |\n")
    assert json.loads(json_text(name)) == name
    cell = csv_text(name)
    assert cell.lstrip()[:1] not in tuple("=@＝＋－＠")
    assert cell[:1] not in ("+", "-") or float(cell) is not None
    written = io.StringIO(newline="")
    csv.writer(written).writerow([cell])
    assert next(csv.reader(io.StringIO(written.getvalue(), newline=""))) in ([cell], [])


TARGETS = (Target("names in all places", _names, _show),)
