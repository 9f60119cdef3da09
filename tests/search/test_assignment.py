from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.compute import Compute
from autokd.records import Stage
from autokd.search.assignment import Assignment, Job
from autokd.setting import DEFAULT, Setting, Split, TransferSet
from tests.search.worlds import FORWARD, tiny_plan

labelled = st.sampled_from([TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH])
settings = st.one_of(
    st.builds(Setting, st.floats(0.01, 100), st.floats(0, 1), labelled),
    st.builds(Setting, st.floats(0.01, 100), st.none(), st.just(TransferSet.PUBLIC)),
)


@given(settings, st.integers(0, 10**6), st.sampled_from([None, *Stage]))
def test_nothing_is_lost_on_the_way_to_a_worker(setting: Setting, seed: int, stage: Stage | None) -> None:
    given_out = Assignment(FORWARD, setting, seed, stage)
    config = json.loads(json.dumps(given_out.to_config()))
    assert Assignment.from_config(config) == given_out


@pytest.mark.parametrize(
    ("stage", "rungs", "splits"),
    [
        (None, (3, 6, 10), (Split.VALIDATION,)),
        (Stage.RACE, (10,), (Split.VALIDATION,)),
        (Stage.CONFIRMATION, (10,), (Split.CONFIRMATION, Split.TEST)),
    ],
)
def test_who_may_look_where(stage: Stage | None, rungs: tuple[int, ...], splits: tuple[Split, ...]) -> None:
    """Choose on validation, decide on confirmation, report on test (rule 10 of the design)."""
    job = Job.of(tiny_plan(), Compute())
    given_out = Assignment(FORWARD, DEFAULT, 0, stage)
    assert job.rungs_for(given_out) == rungs
    assert job.splits_for(given_out) == splits
