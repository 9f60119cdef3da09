"""What verdicts rest on, and what pairs have shown about noise: the same on all three databases."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autokd.core.setting import Setting, TransferSet
from autokd.core.verdict_basis import Belief, SearchBounds, VariancePrior, VarianceSample, VerdictBasis
from autokd.errors import LeaseLost, StoreError
from autokd.store import Store
from tests.store.drivers import expire
from tests.store.samples import FURTHER, ODD, PUBLIC

FIRST = VerdictBasis(
    trials=5,
    search=SearchBounds(12, 1 / 3, 0.8),
    ended="search ended after 5 settings: α → 老",
    winner=ODD,
    looks=(3, 5),
    confidence=0.1 + 0.2 + 2 / 3,
    seed_share=math.inf,
)
SECOND = VerdictBasis(
    trials=9,
    search=SearchBounds(24, 0.5, 0.9),
    ended="search ended after 9 settings",
    winner=None,
    race=Belief(
        settings=(FURTHER, PUBLIC), mean=(1 / 3, 2 / 3), covariance=((0.1, 0.2), (0.2, 1 / 7)), noise=1 / 9
    ),
    looks=(2, 3, 5),
    confidence=0.99,
    seed_share=1 / 7,
    priors={
        "confirmation/improvement": VariancePrior(1 / 3, 15.99),
        "test/default gain": VariancePrior(0, 4),
    },
    extension=1,
)
NOISE = {
    "confirmation/improvement": VarianceSample(1 / 3, 4, 2 / 3),
    "test/default gain": VarianceSample(0.0, 1, 0.0),
}


def test_nothing_is_known_before_it_was_stored(store: Store, study: str) -> None:
    assert store.bases(study) == ()
    assert store.noise(study) == {}


def test_what_was_stored_is_there_to_the_last_bit_for_another_driver(
    store: Store, study: str, address: str
) -> None:
    store.put_bases(study, [FIRST])
    store.put_noise(study, NOISE)
    with Store.open(address) as other:
        assert other.bases(study) == (FIRST,)
        assert other.noise(study) == NOISE
    store.put_bases(study, [FIRST, SECOND])
    assert store.bases(study) == (FIRST, SECOND)


def test_what_is_stored_again_takes_the_place_of_what_was(store: Store, study: str) -> None:
    store.put_noise(study, NOISE)
    later = {"confirmation/improvement": VarianceSample(9.0, 2, 1.0)}
    store.put_noise(study, later)
    store.put_noise(study, later)
    assert store.noise(study) == later
    assert store.bases(study) == ()


def test_studies_keep_to_themselves(store: Store, study: str) -> None:
    other = f"{study}-other"
    store.create_study(other, attributes={"teacher": 4})
    store.put_bases(study, [FIRST])
    assert store.bases(other) == ()
    # And it is no attribute that a user sees, or that another version might overwrite.
    store.create_study(study, attributes={"teacher": 4})
    assert store.bases(study) == (FIRST,)
    assert set(store.attributes(study)) == {"teacher"}


def test_a_pair_may_be_extended_many_times(store: Store, study: str) -> None:
    """Texts of MariaDB hold 64 kB: these are 20 verdicts, each after a race of five."""
    settings = tuple(Setting(1 + step / 7, 1 / 3, TransferSet.BOTH) for step in range(5))
    row = tuple(1 / (3 + place) for place in range(5))
    belief = Belief(settings=settings, mean=row, covariance=(row,) * 5, noise=1.0)
    large = replace(SECOND, race=belief)
    store.put_bases(study, [large] * 20)
    assert store.bases(study) == (large,) * 20


def test_a_study_that_does_not_exist_has_none(store: Store) -> None:
    for call in (
        lambda: store.put_bases("nobody/plan/0->1", [FIRST]),
        lambda: store.put_noise("nobody/plan/0->1", NOISE),
        lambda: store.bases("nobody/plan/0->1"),
        lambda: store.noise("nobody/plan/0->1"),
    ):
        with pytest.raises(StoreError, match="there is no study"):
            call()


def test_a_driver_that_lost_its_lease_fixes_nothing(address: str, study: str) -> None:
    """It was suspended, and another driver has taken over: what that one fixed must stand."""
    with Store.open(address) as late, Store.open(address) as now:
        lease = late.leases.acquire([study], seconds=1000)
        late.put_bases(study, [FIRST])
        expire(address)
        with now.leases.acquire([study], seconds=1000):
            now.put_bases(study, [SECOND])
            now.put_noise(study, NOISE)
            with pytest.raises(LeaseLost):
                late.put_bases(study, [FIRST])
            with pytest.raises(LeaseLost):
                late.put_noise(study, {})
            assert now.bases(study) == late.bases(study) == (SECOND,)
            assert now.noise(study) == NOISE
        lease.release()
