"""Marks that change with what is stored, on each database."""

from __future__ import annotations

from collections.abc import Callable

from autokd.core.records import RungReport, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT
from autokd.store import Store
from autokd.store.changes import Changes
from tests.store.samples import DISTRIBUTIONS, complete_run

REPORT = RungReport(
    epoch=1, accuracy=0.5, forgetting=0, local_accuracy=0.5, soft_loss=1, hard_loss=1, seconds=1
)


def begin(store: Store, study: str) -> None:
    store.begin_trial(study, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS)


STEPS: list[Callable[[Store, str], object]] = [
    lambda store, study: store.create_study(study, attributes={"rule": 3}),
    begin,
    lambda store, study: store.report(study, 0, REPORT),
    lambda store, study: store.end_trial(study, 0, TrialState.COMPLETE),
    lambda store, study: store.put_seconds_spent(study, "a", 1.0),
    lambda store, study: store.put_seconds_spent(study, "a", 2.0),
    lambda store, study: store.add_run(study, complete_run()),
    lambda store, study: store.put_recommendation(study, {"verdict": "tuned"}),
    lambda store, study: store.create_study(study, attributes={"rule": 3, "more": 1}),
]


def test_each_change_changes_the_mark_of_its_study_and_no_other(store: Store, study: str) -> None:
    other = f"{study[:-1]}8"
    store.create_study(other, attributes={})
    changes = Changes(store)
    of_other = changes.marks()[other]
    seen = [changes.marks().get(study)]
    for step in STEPS:
        step(store, study)
        seen.append(changes.marks()[study])
    assert len(set(seen)) == len(STEPS) + 1
    assert changes.marks()[study] == seen[-1]
    assert changes.marks()[other] == of_other


def test_another_process_is_seen_and_runs_alone_have_a_mark(address: str, store: Store, study: str) -> None:
    swept = f"{study}-swept"
    changes = Changes(store)
    assert swept not in changes.marks()
    with Store.open(address) as writer:
        writer.add_run(swept, complete_run())
    assert changes.marks()[swept]
