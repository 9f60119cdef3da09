"""Time to verdict: the same confirmation for everybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair
from benchmarks.simulation.compare import Measured, _keep
from benchmarks.simulation.confirmed import _finalists, confirm
from benchmarks.simulation.contest import Finalist, finalists
from benchmarks.simulation.replay import Ran
from benchmarks.simulation.stages import FROZEN, share
from benchmarks.simulation.table import Table

PAIRS = (Pair(4, 9), Pair(9, 4), Pair(0, 2))
CONFIG = read_study_config(str(FROZEN))


def best(table: Table, pair: Pair) -> int:
    return int(table.gain[table.row[pair], :, 0, 0].argmax())


def test_what_the_sweep_finds_is_confirmed_in_looks_and_paid_for(table: Table) -> None:
    found = {pair: Finalist(40, best(table, pair)) for pair in PAIRS}
    first, again = (confirm(table, CONFIG, 0, found) for _ in range(2))
    assert first == again
    assert first.search == pytest.approx(40 / 760, abs=1e-5)
    # Of each pair at least one look at two seeds, and at most five seeds, of both arms.
    assert 2 * 2 / 76 <= first.confirmation <= 2 * 5 / 76
    assert first.cost == first.search + first.confirmation
    assert sum(first.verdicts.values()) == len(PAIRS)
    assert first.verdicts["tuned"] >= 1


def test_who_found_nothing_has_the_default_judged_alone(table: Table) -> None:
    found = confirm(table, CONFIG, 0, {pair: Finalist(10, None) for pair in PAIRS})
    assert "tuned" not in found.verdicts
    assert found.confirmation <= 5 / 76
    swept = {pair: table.settings[best(table, pair)] for pair in PAIRS}
    assert found.share < share(table, 0, swept)


def test_a_finalist_is_the_best_complete_run_within_the_budget_but_not_the_default(table: Table) -> None:
    pair = PAIRS[0]
    top, default = best(table, pair), table.default
    other = next(column for column in range(76) if column not in (top, default))

    def ran(column: int, epochs: int, *, whole: bool = True) -> Ran:
        return Ran(pair, table.settings[column], epochs, whole)

    mine = {pair: [ran(default, 10), ran(top, 3, whole=False), ran(other, 10), ran(top, 10)]}
    assert finalists(table, 0, mine, 1) == {pair: Finalist(10, None)}
    assert finalists(table, 0, mine, 3) == {pair: Finalist(23, other)}
    assert finalists(table, 0, mine, 4) == {pair: Finalist(33, top)}


def test_finalists_are_kept_and_read_again_and_what_was_confirmed_stays(tmp_path: Path) -> None:
    file, found = tmp_path / "kept.json", {4: {PAIRS[0]: Finalist(40, 3), PAIRS[1]: Finalist(33, None)}}
    file.write_text(json.dumps({"digits": {"newcomer": {"who": {"verdicts": {}}}}}))
    _keep(file, "digits", "newcomer", "who", Measured([[(0.05, 0.9)]], 1.0, {}, [found]))
    entry = json.loads(file.read_text())["digits"]["newcomer"]["who"]
    assert _finalists(entry["finalists_by_seed"][0]["4"]) == found[4]
    assert "verdicts" in entry
