"""Time to verdict: the same confirmation for everybody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autokd.config.yaml_files import read_study_config
from autokd.core.records import Stage
from autokd.core.setting import DEFAULT, Pair
from benchmarks.simulation.compare import Measured, _has, _keep
from benchmarks.simulation.confirmed import _confirmed, _finalists, _searched, confirm
from benchmarks.simulation.contest import Finalist, finalists
from benchmarks.simulation.policies import learner
from benchmarks.simulation.replay import Ran
from benchmarks.simulation.scenarios import _names
from benchmarks.simulation.stages import FROZEN, Judge, share, tune
from benchmarks.simulation.table import Table

PAIRS = (Pair(4, 9), Pair(9, 4), Pair(0, 2))
CONFIG = read_study_config(str(FROZEN))


def best(table: Table, pair: Pair) -> int:
    return int(table.gain[table.row[pair], :, 0, 0].argmax())


def test_what_the_sweep_finds_is_confirmed_in_looks_and_paid_for(table: Table) -> None:
    finalists = {pair: Finalist(40, best(table, pair)) for pair in PAIRS}
    first, again = (confirm(table, CONFIG, 0, finalists) for _ in range(2))
    assert first == again
    assert first.search == pytest.approx(40 / 760, abs=1e-5)
    # Of each pair at least one look at two seeds, and at most five seeds, of all three arms.
    assert 3 * 2 / 76 <= first.confirmation <= 3 * 5 / 76
    assert first.cost == first.search + first.confirmation
    assert sum(first.verdicts.values()) == len(PAIRS)
    assert first.verdicts["tuned"] >= 1


def test_everybody_is_confirmed_beside_the_same_arms_as_autokd(table: Table) -> None:
    """Winner, default, and the winner's data without a teacher."""
    judge, pair = Judge.of(table, CONFIG, 0), PAIRS[0]
    finalist = Finalist(40, best(table, pair))
    records = _confirmed(judge, _searched(table, 0, pair, finalist))
    theirs = {run.setting for run in records.runs}
    winner = table.settings[best(table, pair)]
    assert len(theirs) == 3
    assert {winner, DEFAULT} < theirs
    (rival,) = theirs - {winner, DEFAULT}
    assert (rival.alpha, rival.transfer_set) == (0, winner.transfer_set)
    own, names = Judge.of(table, CONFIG, 0), _names([pair], 0)
    tune(table, own, 0, [(pair,)], names, learner(table, names, 0))
    ours = {run.setting for run in own.records[pair].runs if run.stage is Stage.CONFIRMATION}
    assert {comparison.alpha for comparison in ours} >= {0}
    assert len(ours) == 3


def test_who_found_nothing_has_the_default_judged_alone(table: Table) -> None:
    confirmed = confirm(table, CONFIG, 0, {pair: Finalist(10, None) for pair in PAIRS})
    assert "tuned" not in confirmed.verdicts
    assert confirmed.confirmation <= 5 / 76
    swept = {pair: table.settings[best(table, pair)] for pair in PAIRS}
    assert confirmed.share < share(table, 0, swept)


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


def kept(file: Path, finalist: Finalist, shares: Sequence[float] = (0.9,)) -> dict[str, Any]:
    """Keep what a contestant found, and return what the file then has of it."""
    finalists = [{4: {PAIRS[0]: finalist, PAIRS[1]: Finalist(33, None)}} for _ in shares]
    _keep(
        file, "digits", "newcomer", "who", Measured([[(0.05, share)] for share in shares], 1.0, {}, finalists)
    )
    entry: dict[str, Any] = json.loads(file.read_text())["digits"]["newcomer"]["who"]
    return entry


def test_finalists_are_kept_and_read_again(tmp_path: Path) -> None:
    (finalists,) = kept(tmp_path / "kept.json", Finalist(40, 3))["finalists_by_seed"]
    assert _finalists(finalists["4"]) == {PAIRS[0]: Finalist(40, 3), PAIRS[1]: Finalist(33, None)}


def test_what_was_confirmed_stays_as_long_as_the_same_was_found(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    entry = kept(file, Finalist(40, 3))
    file.write_text(json.dumps({"digits": {"newcomer": {"who": {**entry, "verdicts": {}}}}}))
    assert "verdicts" in kept(file, Finalist(40, 3))
    assert "verdicts" not in kept(file, Finalist(40, 4))


def test_a_record_of_more_seeds_stays_where_the_first_come_out_the_same(tmp_path: Path) -> None:
    file, finalist = tmp_path / "kept.json", Finalist(40, 3)
    assert not _has(file, "digits", "newcomer", "who", 1)
    kept(file, finalist, shares=(0.9, 0.8))
    again = kept(file, finalist, shares=(0.9,))
    assert [shares for ((_, shares),) in again["cost_and_share_by_seed"]] == [0.9, 0.8]
    assert [_has(file, "digits", "newcomer", "who", seeds) for seeds in (2, 3)] == [True, False]
    other = kept(file, finalist, shares=(0.7,))
    assert [shares for ((_, shares),) in other["cost_and_share_by_seed"]] == [0.7]
