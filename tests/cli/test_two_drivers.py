"""Two commands at the same pairs: the second is refused, and changes nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autokd.store import Store, sqlite_url
from tests.cli.conftest import TRIALS, Command, Tuned, dump
from tests.paths import FEW

pytestmark = [pytest.mark.slow, pytest.mark.ray]


def test_a_second_driver_is_refused_and_one_on_other_pairs_is_not(
    command: Command, here: Command, tuned: Tuned, tmp_path: Path
) -> None:
    copy = tuned.copy(tmp_path / "copy")
    arguments = ("--space", FEW, "--trials", TRIALS, "--home", copy.home)
    with Store.open(sqlite_url(copy.database)) as first:
        backward = next(name for name in first.studies() if name.endswith("/9->4"))
        before = dump(copy.database)
        with first.leases.acquire([backward]):
            began = time.monotonic()
            # 9->4 is the other position of the same meeting.
            refused = command("tune", "--pair", "4,9", *arguments)
            assert time.monotonic() - began < 30  # Most of it is importing; the store is asked at once.
            assert refused.code == 2
            assert refused.out == ""
            assert refused.err.count("\n") == 1
            assert "pair 9->4 is being tuned by" in refused.err
            assert f"process {os.getpid()}, since" in refused.err
            assert dump(copy.database) == before
            alone = here("tune", "--pair", "4,9", "--position", "student", *arguments)
            assert alone.code == 0, alone.err
        # Alone, 4->9 may have needed more trials than its part of the meeting's.
        assert here("tune", "--pair", "4,9", *arguments).code == 0
        done = dump(copy.database)
        assert here("tune", "--pair", "4,9", *arguments).code == 0
    assert dump(copy.database) == done
