"""Many studies read at once are what each is by itself; one that autokd did not write is left out."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from autokd.core.records import Failure, RunRecord, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, Setting, Split
from autokd.errors import StoreError
from autokd.store import Store
from autokd.store.many_studies import AT_ONCE
from tests.store.samples import DISTRIBUTIONS, FURTHER, ODD, PUBLIC, complete_run, rung
from tests.store.test_bases import FIRST, SECOND

FIGURES = {"gain": {"mean": 1.5}, "verdict": "tuned"}


def fill(store: Store, study: str) -> None:
    """A study with trials of each state, runs and a recommendation."""
    store.create_study(study, attributes={"teacher": 4, "rule": 3})

    def begin(setting: Setting, role: TrialOrigin = TrialOrigin.SEARCH) -> int:
        return store.begin_trial(study, setting, seed=0, role=role, distributions=DISTRIBUTIONS).number

    for setting, role in ((DEFAULT, TrialOrigin.BASELINE), (ODD, TrialOrigin.SEARCH)):
        trial = begin(setting, role)
        for epoch in (3, 6):
            store.report(study, trial, rung(epoch, 0.25 + epoch / 100))
        store.end_trial(study, trial, TrialState.COMPLETE if setting is DEFAULT else TrialState.PRUNED)
    store.end_trial(study, begin(FURTHER), TrialState.FAIL, failure=Failure.DIVERGED, reason="NaN")
    store.report(study, begin(PUBLIC), rung(3))
    for seed in (2000, 2001):
        store.add_run(study, complete_run(setting=ODD, seed=seed))
    store.put_bases(study, [FIRST, SECOND])
    store.put_recommendation(study, FIGURES)


def same(first: RunRecord, second: RunRecord) -> bool:
    return all(
        np.array_equal(first.correct[split], second.correct[split])
        for split in Split
        if split in first.correct
    )


def test_they_are_what_each_is_by_itself(store: Store, study: str) -> None:
    others = [f"{study}-{number}" for number in range(3)]
    for name in (study, *others[:2]):
        fill(store, name)
    store.create_study(others[2], attributes={})
    missing = f"{study}-missing"
    records_by_study = dict(
        store.many.read([study, *others, missing, *(f"{missing}{n}" for n in range(AT_ONCE))])
    )
    assert records_by_study.keys() == {study, *others}
    for name, records in records_by_study.items():
        assert records.trials == store.trials(name)
        assert records.attributes == store.attributes(name)
        assert records.bases == store.bases(name)
        assert records.recommendation == store.recommendation(name)
        alone = store.runs(name)
        assert [run.seed for run in records.runs] == [run.seed for run in alone]
        assert all(map(same, records.runs, alone))
    assert len(records_by_study[study].trials) == 4
    assert records_by_study[others[2]].recommendation is None


FORGED = {
    "trials": "UPDATE trial_user_attributes SET value_json = '\"x\"' WHERE value_json = '\"baseline\"' "
    "AND trial_id IN (SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name = :study)",
    "runs": "UPDATE autokd_run_correct SET examples = -1 WHERE run_id IN "
    "(SELECT id FROM autokd_run WHERE study = :study)",
    "recommendation": "UPDATE autokd_recommendation SET payload = '[1]' WHERE study = :study",
}
"""By the method of the store that then says so."""


@pytest.mark.parametrize("method", FORGED)
def test_one_that_autokd_did_not_write_is_left_out(store: Store, study: str, method: str) -> None:
    other = f"{study}-other"
    for name in (study, other):
        fill(store, name)
    with store.optuna_storage.engine.begin() as connection:
        connection.execute(text(FORGED[method]), {"study": study})
    store.evict(study)
    assert dict(store.many.read([study, other])).keys() == {other}
    with pytest.raises(StoreError, match="was not written by autokd"):
        getattr(store, method)(study)
