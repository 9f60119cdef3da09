from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import Method, Setting, TransferSet
from autokd.core.verdict_basis import Belief, SearchBounds, VariancePrior, VerdictBasis

finite = st.floats(-1e6, 1e6)
positive = st.floats(0, 1e6)
settings_ = st.sampled_from(
    [
        Setting(4.0, 0.1, TransferSet.BOTH),
        Setting(1 / 3, 2 / 3, TransferSet.TEACHER, method=Method.DATA_PARTITIONING, epochs=20),
        Setting(2.0, None, TransferSet.PUBLIC, learning_rate=0.1),
    ]
)
bounds = st.builds(SearchBounds, st.integers(2, 64), positive, st.floats(0.51, 1))
priors = st.dictionaries(
    st.sampled_from(["confirmation/improvement", "test/default gain"]),
    st.builds(VariancePrior, positive, positive),
)


@st.composite
def beliefs(draw: st.DrawFn) -> Belief:
    chosen = tuple(draw(st.lists(settings_, min_size=1, unique=True)))
    size = len(chosen)
    row = st.lists(finite, min_size=size, max_size=size).map(tuple)
    covariance = tuple(draw(st.lists(row, min_size=size, max_size=size)))
    prices = draw(st.just(()) | st.lists(st.integers(1), min_size=size, max_size=size).map(tuple))
    return Belief(settings=chosen, mean=draw(row), covariance=covariance, noise=draw(positive), prices=prices)


bases = st.builds(
    VerdictBasis,
    trials=st.integers(1, 99),
    search=bounds,
    ended=st.text(),
    winner=st.none() | settings_,
    race=st.none() | beliefs(),
    looks=st.lists(st.integers(2, 50), min_size=1, unique=True).map(lambda looks: tuple(sorted(looks))),
    confidence=st.floats(0.5, 1),
    seed_share=positive | st.just(math.inf),
    priors=priors,
    extension=st.integers(0, 9),
    rivals=st.dictionaries(st.sampled_from(["default_budget", "no_teacher/both"]), settings_),
    alternatives=st.dictionaries(st.sampled_from(["adjusted_on_both", "default_on_public"]), settings_),
    paused=st.text(),
)


def test_a_basis_without_rivals_is_written_as_earlier_versions_wrote_it() -> None:
    plain = VerdictBasis(
        trials=3,
        search=SearchBounds(12, 2.0, 0.8),
        ended="it ended",
        winner=None,
        looks=(2,),
        confidence=0.95,
        seed_share=1.0,
    ).to_json()
    assert not {"rivals", "alternatives"} & plain.keys()


@given(bases)
def test_what_was_written_is_read_to_the_last_digit(basis: VerdictBasis) -> None:
    # JSON of the databases knows no infinity.
    text = json.dumps(basis.to_json(), allow_nan=False)
    assert VerdictBasis.from_json(json.loads(text)) == basis


@given(beliefs())
def test_a_belief_too(belief: Belief) -> None:
    assert Belief.from_json(json.loads(json.dumps(belief.to_json()))) == belief


@given(bases, st.sampled_from(["trials", "search", "looks", "priors", "winner", "extension"]))
def test_something_else_is_refused(basis: VerdictBasis, missing: str) -> None:
    plain = basis.to_json()
    del plain[missing]
    with pytest.raises(LookupError):
        VerdictBasis.from_json(plain)


@pytest.mark.parametrize(
    ("asked", "beyond"),
    [
        (SearchBounds(16, 1.5, 0.8), False),
        (SearchBounds(17, 1.5, 0.8), True),
        (SearchBounds(16, 1.4, 0.8), True),
        (SearchBounds(16, 1.5, 0.9), True),
        (SearchBounds(8, 2.0, 0.7), False),
        # Fewer trials, but surer: the search would go on where it ended by itself.
        (SearchBounds(8, 1.5, 0.9), True),
    ],
)
def test_bounds_ask_for_more_by_any_of_the_three(asked: SearchBounds, beyond: bool) -> None:
    assert asked.beyond(SearchBounds(16, 1.5, 0.8)) is beyond


@given(bounds, bounds)
def test_the_same_bounds_ask_for_nothing_more(some: SearchBounds, other: SearchBounds) -> None:
    assert not some.beyond(some)
    # What asks for no more than another is exceeded by it, or the same.
    assert some.beyond(other) or other.beyond(some) or some == other
