"""Some statements; `make torture` has them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cutting import Cut
from tests.store.conftest import SERVERS
from tests.torture.cuts import cut_once, place, prepared, tune

SOME = (3, 57, 91, 140, 233, 377, 520)
"""Statements of opening, of taking the lease, of reading, of trials, of runs and of the judgement."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_a_connection_that_is_cut_at_any_statement_costs_nothing(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with prepared(kind) as (proxy, through, direct):
        proxy.cut_at(0, Cut.BEFORE)
        tune(place(tmp_path, through, 1))
        whole = proxy.statements
        assert whole > max(SOME)
        for number, statement in enumerate((*SOME, whole - 30), 2):
            cut = Cut.AFTER if number % 2 else Cut.BEFORE
            assert cut_once(proxy, through, direct, tmp_path, number, statement, cut) == 1
    # The driver says that it waits; what the libraries say of a connection that was cut is left out.
    assert {record.name.partition(".")[0] for record in caplog.records} <= {"autokd"}
    assert not capfd.readouterr().err
