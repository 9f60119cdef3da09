"""The contract of `Store`, the same on every database."""

from __future__ import annotations

import pickle
import threading
from dataclasses import fields, replace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from autokd.core.records import Failure, Logits, RunRecord, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, LabelPrior, Method, Schedule, Setting, Split, TransferSet
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.errors import DuplicateRun, StoreError
from autokd.store import Store
from autokd.store.own_tables import OwnTables
from tests.store.samples import (
    DISTRIBUTIONS,
    FURTHER,
    ODD,
    PUBLIC,
    bits,
    complete_run,
    facts,
    failed_run,
    rung,
    swept_run,
)


def begin(
    store: Store, study: str, setting: Setting = DEFAULT, role: TrialOrigin = TrialOrigin.SEARCH
) -> TrialRecord:
    return store.begin_trial(study, setting, seed=0, role=role, distributions=DISTRIBUTIONS)


class TestStudies:
    def test_making_a_study_twice_makes_one_and_updates_its_attributes(
        self, store: Store, study: str
    ) -> None:
        store.create_study(study, attributes={"pair": [4, 9], "note": "α"})
        store.create_study(study, attributes={"note": "T"})
        assert store.studies().count(study) == 1
        assert store.attributes(study) == {"pair": [4, 9], "note": "T"}

    def test_new_attributes_leave_the_others(self, store: Store, study: str) -> None:
        store.create_study(study, attributes={"verdict": "tuned", "gain": 1.5})
        store.create_study(study, attributes={"verdict": None})
        assert store.attributes(study) == {"verdict": None, "gain": 1.5}

    def test_features_are_kept_beside_the_attributes(self, store: Store, study: str) -> None:
        assert store.features(study) == {}
        store.create_study(study, attributes={"teacher": 4}, features={"overlap": 1 / 3})
        store.create_study(study, attributes={})
        assert store.features(study) == {"overlap": 1 / 3}
        assert store.attributes(study) == {"teacher": 4}

    def test_an_unknown_study_reads_as_empty(self, store: Store) -> None:
        assert store.trials("nobody") == ()
        assert store.reports("nobody") == {}
        assert store.runs("nobody") == ()
        assert store.recommendation("nobody") is None

    def test_an_unknown_study_cannot_be_written_to(self, store: Store) -> None:
        with pytest.raises(StoreError, match="no study 'nobody'"):
            begin(store, "nobody")
        with pytest.raises(StoreError, match="no study 'nobody'"):
            store.report("nobody", 0, rung(3))

    def test_a_name_that_no_column_can_hold_is_refused(self, store: Store) -> None:
        with pytest.raises(ValueError, match="512"):
            store.create_study("n" * 513, attributes={})


class TestTrials:
    @pytest.mark.parametrize("setting", [DEFAULT, ODD, PUBLIC, FURTHER], ids=str)
    def test_a_setting_comes_back_exactly(self, store: Store, study: str, setting: Setting) -> None:
        begun = begin(store, study, setting)
        assert store.trials(study) == (begun,)
        assert begun.setting == setting
        assert begun.state is TrialState.RUNNING

    def test_numbers_count_from_zero_within_a_study(self, store: Store, study: str) -> None:
        assert [begin(store, study).number for _ in range(3)] == [0, 1, 2]

    def test_role_and_seed_come_back(self, store: Store, study: str) -> None:
        store.begin_trial(study, DEFAULT, seed=7, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS)
        (trial,) = store.trials(study)
        assert (trial.role, trial.seed) == (TrialOrigin.BASELINE, 7)

    def test_a_baseline_outside_of_the_space_is_kept_beside_trials_inside(
        self, store: Store, study: str
    ) -> None:
        narrow = {
            "temperature": FloatDistribution(2, 4, log=True),
            "alpha": FloatDistribution(0.6, 1),
            "transfer_set": CategoricalDistribution(["teacher", "both"]),
        }
        inside = Setting(3.0, 0.7, TransferSet.BOTH)
        store.begin_trial(study, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=narrow)
        store.begin_trial(study, inside, seed=0, role=TrialOrigin.SEARCH, distributions=narrow)
        assert [trial.setting for trial in store.trials(study)] == [DEFAULT, inside]

    @pytest.mark.parametrize("asked", [ODD, PUBLIC, FURTHER], ids=str)
    def test_what_the_user_asked_for_may_lie_outside_of_the_space(
        self, store: Store, study: str, asked: Setting
    ) -> None:
        narrow = {
            "temperature": FloatDistribution(4, 8, log=True),
            "alpha": FloatDistribution(0.6, 1),
            "transfer_set": CategoricalDistribution(["teacher"]),
            "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
            "epochs": CategoricalDistribution([5, 10]),
        }
        inside = Setting(5.0, 0.7, TransferSet.TEACHER, learning_rate=1e-3, epochs=5)
        for setting, role in ((asked, TrialOrigin.ASKED), (inside, TrialOrigin.SEARCH)):
            trial = store.begin_trial(study, setting, seed=0, role=role, distributions=narrow)
            store.report(study, trial.number, rung(5))
            store.end_trial(study, trial.number, TrialState.COMPLETE)
        store.evict(study)
        stored = [(trial.setting, trial.role) for trial in store.trials(study)]
        assert stored == [(asked, TrialOrigin.ASKED), (inside, TrialOrigin.SEARCH)]

    def test_another_space_in_the_same_study_is_refused(self, store: Store, study: str) -> None:
        begin(store, study)
        other = DISTRIBUTIONS | {"transfer_set": CategoricalDistribution(["student"])}
        with pytest.raises(StoreError, match="another space"):
            store.begin_trial(study, DEFAULT, seed=0, role=TrialOrigin.SEARCH, distributions=other)
        assert len(store.trials(study)) == 1

    def test_reports_make_the_curve_in_order_of_epochs(self, store: Store, study: str) -> None:
        number = begin(store, study).number
        for epoch, accuracy in ((6, 1 / 3), (3, 0.25), (10, 0.1 + 0.2)):
            store.report(study, number, rung(epoch, accuracy))
        assert store.trials(study)[0].curve == ((3, 0.25), (6, 1 / 3), (10, 0.1 + 0.2))
        assert store.reports(study)[number] == (rung(3, 0.25), rung(6, 1 / 3), rung(10, 0.1 + 0.2))

    def test_a_report_said_twice_counts_once_even_after_the_end(self, store: Store, study: str) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        store.report(study, number, rung(3))
        store.end_trial(study, number, TrialState.PRUNED)
        store.report(study, number, rung(3))
        assert store.trials(study)[0].curve == ((3, 0.5),)

    @pytest.mark.parametrize("late", [rung(6), rung(3, 0.75)])
    def test_a_new_report_after_the_end_is_refused(self, store: Store, study: str, late) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        store.end_trial(study, number, TrialState.COMPLETE)
        with pytest.raises(StoreError, match="too late"):
            store.report(study, number, late)
        assert store.trials(study)[0].curve == ((3, 0.5),)

    @pytest.mark.parametrize("accuracy", [float("nan"), float("inf")])
    def test_a_report_that_is_no_number_is_refused(self, store: Store, study: str, accuracy: float) -> None:
        number = begin(store, study).number
        with pytest.raises(ValueError, match="finite"):
            store.report(study, number, rung(3, accuracy))
        assert store.reports(study) == {number: ()}

    @pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
    def test_an_end_is_kept_and_may_be_told_again(self, store: Store, study: str, state: TrialState) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        store.end_trial(study, number, state)
        first = store.trials(study)
        store.end_trial(study, number, state)
        assert store.trials(study) == first
        assert first[0].state is state

    @pytest.mark.parametrize("failure", list(Failure))
    def test_a_failure_comes_back_with_its_reason(self, store: Store, study: str, failure: Failure) -> None:
        number = begin(store, study).number
        for _ in range(2):
            store.end_trial(study, number, TrialState.FAIL, failure=failure, reason="T² → ∞")
        (trial,) = store.trials(study)
        assert (trial.state, trial.failure, trial.reason) == (TrialState.FAIL, failure, "T² → ∞")

    def test_a_failure_keeps_its_curve(self, store: Store, study: str) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        store.end_trial(study, number, TrialState.FAIL, failure=Failure.DIVERGED, reason="x" * 100_000)
        (trial,) = store.trials(study)
        assert trial.curve == ((3, 0.5),)
        assert set(trial.reason) == {"x"}

    @pytest.mark.parametrize(
        ("state", "failure"),
        [
            (TrialState.COMPLETE, None),
            (TrialState.FAIL, Failure.ERROR),
        ],
    )
    def test_a_trial_cannot_end_in_two_ways(
        self, store: Store, study: str, state: TrialState, failure: Failure | None
    ) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        store.end_trial(study, number, TrialState.PRUNED)
        with pytest.raises(StoreError, match="has ended as PRUNED"):
            store.end_trial(study, number, state, failure=failure)
        assert store.trials(study)[0].state is TrialState.PRUNED

    def test_ends_that_make_no_sense_are_refused(self, store: Store, study: str) -> None:
        number = begin(store, study).number
        with pytest.raises(ValueError, match="without a report"):
            store.end_trial(study, number, TrialState.COMPLETE)
        for state, failure in (
            (TrialState.RUNNING, None),
            (TrialState.FAIL, None),
            (TrialState.PRUNED, Failure.ERROR),
        ):
            with pytest.raises(ValueError, match="does not fit"):
                store.end_trial(study, number, state, failure=failure)
        assert store.trials(study)[0].state is TrialState.RUNNING

    def test_an_unknown_trial_cannot_be_written_to(self, store: Store, study: str) -> None:
        with pytest.raises(StoreError, match="no trial 5"):
            store.report(study, 5, rung(3))
        with pytest.raises(StoreError, match="no trial 5"):
            store.end_trial(study, 5, TrialState.COMPLETE)

    def test_another_process_sees_each_step_and_may_go_on(
        self, address: str, store: Store, study: str
    ) -> None:
        number = begin(store, study).number
        with Store.open(address, create=False) as other:
            assert other.trials(study) == store.trials(study)
            store.report(study, number, rung(3))
            assert other.trials(study)[0].curve == ((3, 0.5),)
            other.end_trial(study, number, TrialState.COMPLETE)
        assert store.trials(study)[0].state is TrialState.COMPLETE

    def test_threads_may_share_a_store(self, store: Store, study: str) -> None:
        numbers = [begin(store, study).number for _ in range(4)]

        def work(number: int) -> None:
            for epoch in (1, 2, 3):
                store.report(study, number, rung(epoch, number / 10))
            store.end_trial(study, number, TrialState.COMPLETE)

        threads = [threading.Thread(target=work, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = store.trials(study)
        assert [trial.state for trial in ended] == [TrialState.COMPLETE] * 4
        assert [trial.curve for trial in ended] == [
            tuple((epoch, number / 10) for epoch in (1, 2, 3)) for number in numbers
        ]

    def test_what_is_evicted_is_read_again_and_goes_on(self, store: Store, study: str) -> None:
        number = begin(store, study).number
        store.report(study, number, rung(3))
        before = store.trials(study)
        store.evict(study)
        assert store.trials(study) == before
        store.evict(study)
        store.end_trial(study, number, TrialState.COMPLETE)
        assert store.trials(study)[0].state is TrialState.COMPLETE
        assert begin(store, study).number == number + 1

    def test_an_unknown_study_may_be_evicted(self, store: Store) -> None:
        store.evict("nobody")
        assert store.trials("nobody") == ()


def some_logits(examples: int, classes: int) -> np.ndarray:
    below = np.random.default_rng(classes).exponential(9, size=(examples, classes))
    return -below.astype(np.float16)


def assert_same(left: RunRecord, right: RunRecord) -> None:
    def plain(run: RunRecord) -> object:
        correct = {split: each.tolist() for split, each in sorted(run.correct.items())}
        rest = [getattr(run, field.name) for field in fields(run) if field.name != "correct"]
        return correct, rest

    assert plain(left) == plain(right)


class TestRuns:
    @pytest.mark.parametrize("setting", [DEFAULT, ODD, PUBLIC, FURTHER], ids=str)
    def test_a_run_comes_back_exactly(self, store: Store, study: str, setting: Setting) -> None:
        run = complete_run(setting=setting)
        store.add_run(study, run)
        (run_read,) = store.runs(study)
        assert_same(run_read, run)

    @pytest.mark.parametrize("tensor_format", [FORMER_FORMAT, TensorFormat("channels_last", "bfloat16")])
    def test_the_tensor_format_of_trials_and_runs_comes_back(
        self, store: Store, study: str, tensor_format: TensorFormat
    ) -> None:
        assert store.tensor_format_of_runs(study) is None
        begun = store.begin_trial(
            study,
            DEFAULT,
            seed=0,
            role=TrialOrigin.SEARCH,
            distributions=DISTRIBUTIONS,
            tensor_format=tensor_format,
        )
        store.evict(study)
        assert store.trials(study) == (begun,)
        assert begun.tensor_format == tensor_format
        for run in (complete_run(), failed_run()):
            store.add_run(study, replace(run, tensor_format=tensor_format))
        assert [run.tensor_format for run in store.runs(study)] == [tensor_format] * 2
        assert store.tensor_format_of_runs(study) == tensor_format

    def test_logits_of_a_confirmation_come_back_when_they_are_looked_at(
        self, store: Store, study: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # More than one part, and more than a plain BLOB of MySQL holds.
        kept = {Split.CONFIRMATION: some_logits(30_000, 100), Split.TEST: some_logits(253, 3)}
        store.add_run(study, replace(complete_run(), logits=kept))
        store.add_run(study, replace(complete_run(seed=2001), logits={Split.TEST: some_logits(5, 2)}))
        looked: list[Split] = []
        whole = OwnTables.logits

        def watching(own: OwnTables, run: int, split: Split) -> Logits | None:
            looked.append(split)
            return whole(own, run, split)

        monkeypatch.setattr(OwnTables, "logits", watching)
        run, other = store.runs(study)
        assert looked == [], "a judgement does not need them"
        assert list(run.logits) == [Split.CONFIRMATION, Split.TEST]
        for split, expected in kept.items():
            np.testing.assert_array_equal(run.logits[split], expected)
        assert other.logits[Split.TEST].shape == (5, 2)
        assert list(other.logits) == [Split.TEST]
        with pytest.raises(DuplicateRun):
            store.add_run(study, replace(complete_run(), logits=kept))

    def test_logits_that_were_not_kept_are_not_available(self, store: Store, study: str) -> None:
        for run in (complete_run(), complete_run(stage=Stage.RACE), failed_run()):
            store.add_run(study, run)
        runs = store.runs(study)
        assert [len(run.logits) for run in runs] == [0, 0, 0]
        with pytest.raises(KeyError, match="logits on test are not available"):
            runs[0].logits[Split.TEST]

    def test_a_swept_run_comes_back_with_its_curve_beside_runs_that_have_none(
        self, store: Store, study: str
    ) -> None:
        kept = [swept_run(), complete_run(), failed_run(), replace(swept_run(), seed=1)]
        for run in kept:
            store.add_run(study, run)
        for stored, run in zip(store.runs(study), kept, strict=True):
            assert_same(stored, run)

    def test_a_long_curve_fits(self, store: Store, study: str) -> None:
        store.add_run(study, swept_run(rungs=1000))
        assert_same(store.runs(study)[0], swept_run(rungs=1000))

    def test_a_second_result_of_a_swept_run_leaves_the_curve_of_the_first(
        self, store: Store, study: str
    ) -> None:
        store.add_run(study, swept_run())
        with pytest.raises(DuplicateRun, match="COMPLETE sweep run"):
            store.add_run(study, swept_run(rungs=9))
        (run,) = store.runs(study)
        assert_same(run, swept_run())

    def test_runs_come_back_in_order_and_apart_by_study(self, store: Store, study: str) -> None:
        for seed in (2001, 1999, 2000):
            store.add_run(study, complete_run(seed=seed))
        store.add_run(study + "'", complete_run(seed=5))
        assert [run.seed for run in store.runs(study)] == [2001, 1999, 2000]

    @pytest.mark.parametrize("setting", [ODD, PUBLIC, FURTHER], ids=str)
    def test_a_second_result_of_the_same_run_is_refused(
        self, store: Store, study: str, setting: Setting
    ) -> None:
        store.add_run(study, complete_run(setting=setting))
        with pytest.raises(DuplicateRun, match="seed 2000"):
            store.add_run(study, complete_run(setting=setting))
        assert len(store.runs(study)) == 1

    def test_runs_that_differ_in_anything_are_all_kept(self, store: Store, study: str) -> None:
        almost = Setting(np.nextafter(ODD.temperature, 9), ODD.alpha, ODD.transfer_set)
        kept = [
            complete_run(),
            complete_run(seed=2001),
            complete_run(stage=Stage.RACE),
            complete_run(setting=ODD),
            complete_run(setting=almost),
            complete_run(setting=FURTHER),
            complete_run(setting=replace(FURTHER, epochs=None)),
            complete_run(setting=replace(FURTHER, method=Method.PLAIN)),
            complete_run(setting=replace(FURTHER, label_prior=LabelPrior.NONE)),
            complete_run(setting=replace(FURTHER, schedule=Schedule.CONSTANT)),
            complete_run(setting=replace(FURTHER, schedule=None)),
        ]
        for run in kept:
            store.add_run(study, run)
        assert [run.setting for run in store.runs(study)] == [run.setting for run in kept]

    def test_failures_may_repeat_and_a_result_may_follow(self, store: Store, study: str) -> None:
        for run in (failed_run(), failed_run(), complete_run()):
            store.add_run(study, run)
        runs = store.runs(study)
        assert_same(runs[0], failed_run())
        assert_same(runs[2], complete_run())

    def test_correctness_of_a_large_split_fits(self, store: Store, study: str) -> None:
        large = bits(600_000)
        correct = dict.fromkeys((Split.CONFIRMATION, Split.TEST), large)
        store.add_run(study, replace(complete_run(), correct=correct))
        np.testing.assert_array_equal(store.runs(study)[0].correct[Split.TEST], large)


class TestRecommendations:
    def test_the_last_judgement_is_what_is_kept(self, store: Store, study: str) -> None:
        store.put_recommendation(study, {"verdict": "undecided"})
        store.put_recommendation(study, {"verdict": "tuned", "gain": {"mean": 1 / 3}, "alpha": None})
        assert store.recommendation(study) == {"verdict": "tuned", "gain": {"mean": 1 / 3}, "alpha": None}

    def test_a_long_one_fits(self, store: Store, study: str) -> None:
        payload = {"why": "→" * 70_000}
        store.put_recommendation(study, payload)
        assert store.recommendation(study) == payload

    def test_what_is_not_json_is_refused(self, store: Store, study: str) -> None:
        with pytest.raises(ValueError, match="JSON"):
            store.put_recommendation(study, {"gain": float("nan")})
        assert store.recommendation(study) is None


class TestFederations:
    def test_a_federation_comes_back_exactly(self, store: Store) -> None:
        put = facts("digits-00000001")
        store.put_federation(put)
        federation = store.federation(put.name)
        assert federation is not None
        assert (federation.name, federation.classes) == (put.name, put.classes)
        for split in Split:
            assert federation.labels[split].dtype == np.int64
            np.testing.assert_array_equal(federation.labels[split], put.labels[split])
        assert [each.number for each in federation.participants] == list(range(11))
        for left, right in zip(federation.participants, put.participants, strict=True):
            assert (left.architecture, left.histogram) == (right.architecture, right.histogram)
            for split in Split:
                np.testing.assert_array_equal(left.correct[split], right.correct[split])

    def test_putting_it_twice_keeps_one(self, store: Store) -> None:
        for _ in range(2):
            store.put_federation(facts("digits-00000002"))
        assert store.federations().count("digits-00000002") == 1

    def test_an_unknown_one_is_none(self, store: Store) -> None:
        assert store.federation("nobody") is None


class TestTheStoreItself:
    def test_never_travels(self, store: Store) -> None:
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(store)

    def test_opening_again_finds_everything(self, address: str, store: Store, study: str) -> None:
        begin(store, study)
        store.add_run(study, complete_run())
        with Store.open(address) as again:
            assert again.studies() == store.studies()
            assert again.trials(study) == store.trials(study)
            assert len(again.runs(study)) == 1
