"""More names than one statement may have parameters."""

from __future__ import annotations

import pytest

from autokd.errors import PairBusy
from autokd.store import Store

NAMES = [f"federation-1a2b3c4d/plan-5e6f7a8b/{pair // 1_000}->{pair % 1_000}" for pair in range(70_000)]


@pytest.mark.slow
def test_seventy_thousand_studies_are_leased_and_given_back(empty: str) -> None:
    with Store.open(empty) as store, Store.open(empty) as other:
        with store.leases.acquire(NAMES) as lease:
            assert len(lease.fences) == len(NAMES)
            (driver,) = store.leases.drivers(NAMES)
            assert len(driver.studies) == len(NAMES)
            with pytest.raises(PairBusy, match="69->999"):
                other.leases.acquire(NAMES[-1:])
        other.leases.acquire(NAMES).release()
