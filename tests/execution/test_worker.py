"""What a worker sends of one run, without Ray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from autokd.compute.device import Compute
from autokd.core.records import RunRecord, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Split
from autokd.distillation import Run
from autokd.execution.run_context import ANSWER, LOGITS, RunContext
from autokd.execution.worker import DistillationTrainable
from autokd.models.inference import logits_of
from tests.distillation.conftest import PAIR, RECIPE, make_federation

FEDERATION = make_federation()


def sent(stage: Stage | None) -> dict[str, Any]:
    worker = object.__new__(DistillationTrainable)
    worker._federation = FEDERATION
    worker._context = RunContext(recipe=RECIPE, rungs=(RECIPE.epochs,), compute=Compute())
    worker.reset_config(RunSpec(PAIR, DEFAULT, 3, stage).to_config())
    return worker.step()


@pytest.mark.parametrize("stage", [None, Stage.RACE, Stage.SWEEP, Stage.RIVAL])
def test_only_a_confirmation_sends_logits(stage: Stage | None) -> None:
    assert LOGITS not in sent(stage)


def test_the_logits_of_a_confirmation_are_those_of_its_student() -> None:
    last = sent(Stage.CONFIRMATION)
    record, logits = last[ANSWER], last[LOGITS].take()
    assert isinstance(record, RunRecord)
    assert record.logits == {}, "they travel beside the record"
    assert list(logits) == [Split.CONFIRMATION, Split.TEST]
    run = Run(
        FEDERATION,
        PAIR,
        DEFAULT,
        seed=3,
        recipe=RECIPE,
        rungs=(RECIPE.epochs,),
        splits=[Split.TEST],
        compute=Compute(),
    )
    list(run)
    for split, scores in logits.items():
        rows = FEDERATION.splits[split]
        exact = logits_of(run.student, FEDERATION.data, Compute(), rows)
        assert scores.dtype == np.float16
        assert scores.argmax(axis=1).tolist() == exact.argmax(axis=1).tolist()
        right = scores.argmax(axis=1) == FEDERATION.data.labels[rows]
        assert right.tolist() == record.correct[split].tolist()
        np.testing.assert_allclose(softmax(scores.astype(float), axis=1), softmax(exact, axis=1), atol=2e-3)
