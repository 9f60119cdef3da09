from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.compute.device import Compute
from autokd.core.records import Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.execution.run_context import RunContext, swept_rungs
from tests.search.worlds import BACKWARD, FORWARD, tiny_plan

labelled = st.sampled_from([TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH])
settings = st.one_of(
    st.builds(Setting, st.floats(0.01, 100), st.floats(0, 1), labelled),
    st.builds(Setting, st.floats(0.01, 100), st.none(), st.just(TransferSet.PUBLIC)),
)


@given(settings, st.integers(0, 10**6), st.sampled_from([None, *Stage]))
def test_nothing_is_lost_on_the_way_to_a_worker(setting: Setting, seed: int, stage: Stage | None) -> None:
    given_out = RunSpec(FORWARD, setting, seed, stage)
    config = json.loads(json.dumps(given_out.to_config()))
    assert RunSpec.from_config(config) == given_out


@pytest.mark.parametrize(
    ("stage", "rungs", "splits"),
    [
        (None, (3, 6, 10), (Split.VALIDATION,)),
        (Stage.RACE, (10,), (Split.VALIDATION,)),
        (Stage.CONFIRMATION, (10,), (Split.CONFIRMATION, Split.TEST)),
        (Stage.SWEEP, (1, 2, 3, 4, 5, 6, 8, 10), (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)),
    ],
)
def test_who_may_look_where(stage: Stage | None, rungs: tuple[int, ...], splits: tuple[Split, ...]) -> None:
    """Choose on validation, decide on confirmation, report on test (rule 10 of the design).

    A swept run decides nothing.
    """
    job = RunContext(tiny_plan().distillation, tiny_plan().rungs, Compute())
    given_out = RunSpec(FORWARD, DEFAULT, 0, stage)
    assert job.rungs_for(given_out) == rungs
    assert job.splits_for(given_out) == splits


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [(2, (2,)), (5, (3, 5)), (20, (3, 6, 10, 20)), (35, (3, 6, 10, 20, 35)), (40, (3, 6, 10, 20, 40))],
)
def test_a_longer_trial_reports_where_shorter_ones_do_and_at_doubled_epochs(
    epochs: int, rungs: tuple[int, ...]
) -> None:
    job = RunContext(tiny_plan().distillation, tiny_plan().rungs, Compute())
    setting = replace(DEFAULT, epochs=epochs)
    assert job.rungs_for(RunSpec(FORWARD, setting, 0, None)) == rungs
    assert job.rungs_for(RunSpec(FORWARD, setting, 0, Stage.CONFIRMATION)) == (epochs,)


def test_each_run_of_a_batch_has_the_tensor_format_of_its_pair() -> None:
    compute, half = Compute(threads=2), TensorFormat("channels_last", "bfloat16")
    job = RunContext(tiny_plan().distillation, (10,), compute, {FORWARD: half, BACKWARD: FORMER_FORMAT})
    formats = [job.compute_for(RunSpec(pair, DEFAULT, 0, None)) for pair in (FORWARD, BACKWARD, Pair(2, 3))]
    assert formats == [
        Compute(memory_format="channels_last", precision="bfloat16", threads=2),
        Compute(memory_format="contiguous", precision="float32", threads=2),
        compute,
    ]


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [
        (1, (1,)),
        (2, (1, 2)),
        (4, (1, 2, 3, 4)),
        (20, (2, 4, 6, 8, 10, 12, 16, 20)),
        (100, (10, 20, 30, 40, 50, 60, 80, 100)),
    ],
)
def test_a_swept_run_is_looked_at_densely_at_first(epochs: int, rungs: tuple[int, ...]) -> None:
    assert swept_rungs(epochs) == rungs


@given(st.integers(1, 1000))
def test_swept_rungs_increase_from_the_first_epochs_to_the_last(epochs: int) -> None:
    rungs = swept_rungs(epochs)
    assert list(rungs) == sorted(set(rungs))
    assert abs(rungs[0] - max(1, epochs / 10)) <= 0.5
    assert rungs[-1] == epochs
