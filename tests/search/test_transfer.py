from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import pytest

from autokd.config.search import StoppingConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, FederationFacts, TrialOrigin, TrialState
from autokd.core.setting import Pair, Setting, TransferSet
from autokd.core.tensor_format import TensorFormat
from autokd.federation.federation import Federation
from autokd.recommendation.verdict import RULE
from autokd.search import transfer
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import Task
from autokd.search.pair_features import PairFeatures
from autokd.search.study_names import study_name, sweep_name
from autokd.search.transfer import register_study, warm_started_sampler
from autokd.store import Store, sqlite_url
from tests.search.worlds import (
    BACKWARD,
    FORWARD,
    OWN,
    SIZES,
    facts,
    features,
    first,
    open_space,
    tiny_plan,
)
from tests.store.samples import DISTRIBUTIONS, rung

PLAN, SPACE = tiny_plan(), open_space()
ELSEWHERE = "elsewhere-11111111"
OTHER = Pair(2, 3)
TRIED = Setting(4.0, 0.3, TransferSet.BOTH)


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Says what a search asks it; nothing can be trained."""
    with patch.object(transfer, "pair_features", lambda federation, pair: features(pair)):
        yield cast(Federation, SimpleNamespace(name=facts().name))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(sqlite_url(tmp_path / "store.db")) as opened:
        opened.put_federation(facts())
        opened.put_federation(better())
        yield opened


def better() -> FederationFacts:
    """Another federation, each participant of which has another accuracy."""
    usual = facts()
    participants = tuple(
        replace(
            participant,
            correct={split: first(0.6 + participant.number / 10, size) for split, size in SIZES.items()},
        )
        for participant in usual.participants
    )
    return replace(usual, name=ELSEWHERE, participants=participants)


def name(federation: str, pair: Pair) -> str:
    return study_name(federation, PLAN, SPACE, pair)


def described(pair: Pair) -> dict[str, Any]:
    """What a study says of its pair, as `Store.create_study` takes it."""
    return {"attributes": whose(pair), "features": asdict(features(pair))}


def whose(pair: Pair) -> dict[str, int]:
    return {"teacher": pair.teacher, "student": pair.student}


def tune(
    store: Store,
    study: str,
    said: Mapping[str, Any],
    *,
    accuracy: float = 0.8,
    state: TrialState = TrialState.COMPLETE,
) -> None:
    """Put a study there with one trial."""
    store.create_study(study, **said)
    begun = store.begin_trial(study, TRIED, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    store.report(study, begun.number, rung(10, accuracy))
    if state is not TrialState.RUNNING:
        failure = Failure.DIVERGED if state is TrialState.FAIL else None
        store.end_trial(study, begun.number, state, failure=failure)


def made(store: Store, federation: Federation) -> GpSampler:
    names = {pair: name(federation.name, pair) for pair in (FORWARD, BACKWARD)}
    for study in names.values():
        store.create_study(study, attributes={})
    return warm_started_sampler(
        store, config=PLAN, space=SPACE, federation=federation, facts=facts(), names=names
    )


def knows(learner: GpSampler) -> np.ndarray:
    """Of both searched pairs, what gain is expected of which setting."""
    return np.array([learner.posterior(name(facts().name, pair), []).mean for pair in (FORWARD, BACKWARD)])


def taught(store: Store, *studies: tuple[str, str, Pair, float]) -> GpSampler:
    """A learner that was shown these studies: name, federation, pair, and its student's accuracy as it is."""
    searched = [(name(facts().name, pair), facts().name, pair, OWN) for pair in (FORWARD, BACKWARD)]
    learner = GpSampler(
        SPACE,
        tasks={
            study: Task(federation, pair, features(pair))
            for study, federation, pair, _ in [*searched, *studies]
        },
        initial_accuracy={study: own for study, _, _, own in [*searched, *studies]},
        startup_trials=3,
        recipe=PLAN.distillation,
    )
    for study, _, _, _ in studies:
        for trial in store.trials(study):
            learner.learn(study, trial)
    return learner


def test_an_empty_store_tells_nothing(store: Store, federation: Federation) -> None:
    assert not knows(made(store, federation)).any()


def test_a_pair_that_is_not_searched_now_is_learned_from(store: Store, federation: Federation) -> None:
    study = name(federation.name, OTHER)
    register_study(store, PairRecords(pair=OTHER, study=study), federation)
    tune(store, study, {"attributes": {}}, accuracy=0.7)
    learner = made(store, federation)
    assert learner.runs == 1
    assert (knows(learner) > 0).any()
    np.testing.assert_array_equal(knows(learner), knows(taught(store, (study, federation.name, OTHER, OWN))))


def test_one_of_another_federation_by_the_accuracy_of_its_own_student(
    store: Store, federation: Federation
) -> None:
    """Its participant 1 is right in 70 of 100 cases, so that a student with 65 has lost."""
    study = name(ELSEWHERE, FORWARD)
    tune(store, study, described(FORWARD), accuracy=0.65)
    learner = made(store, federation)
    assert (knows(learner) < 0).any()
    np.testing.assert_allclose(knows(learner), knows(taught(store, (study, ELSEWHERE, FORWARD, 0.7))))


def test_of_both_together(store: Store, federation: Federation) -> None:
    studies = [(name(federation.name, OTHER), federation.name, OTHER, OWN)]
    studies += [
        (name(ELSEWHERE, pair), ELSEWHERE, pair, 0.6 + pair.student / 10) for pair in (OTHER, BACKWARD)
    ]
    for place, (study, _, pair, _) in enumerate(studies):
        tune(store, study, described(pair), accuracy=0.6 + place / 10)
    learner = made(store, federation)
    assert (learner.runs, learner.pairs) == (3, 3)
    np.testing.assert_allclose(knows(learner), knows(taught(store, *studies)))


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.RUNNING])
def test_only_trials_that_ended_with_a_gain_are(
    store: Store, federation: Federation, state: TrialState
) -> None:
    tune(store, name(ELSEWHERE, OTHER), described(OTHER), state=state)
    assert not knows(made(store, federation)).any()


@pytest.mark.parametrize(
    "study",
    [
        study_name(ELSEWHERE, tiny_plan(stopping=StoppingConfig(rungs=(3,))), SPACE, OTHER),
        study_name(ELSEWHERE, PLAN, open_space(alpha=[0.5]), OTHER),
        sweep_name(ELSEWHERE, PLAN, OTHER),
    ],
    ids=["early stopping", "space", "sweep"],
)
def test_studies_that_search_otherwise_are_not(store: Store, federation: Federation, study: str) -> None:
    tune(store, study, described(OTHER))
    assert not knows(made(store, federation)).any()


def test_whatever_the_plan_and_the_space_are_called_it_is_the_same_search(
    store: Store, federation: Federation
) -> None:
    named = study_name(
        ELSEWHERE, PLAN.model_copy(update={"name": "a-plan"}), open_space(name="a-space"), OTHER
    )
    tune(store, named, described(OTHER))
    assert made(store, federation).runs == 1


def test_a_study_that_says_nothing_of_its_pair_is_not(store: Store, federation: Federation) -> None:
    tune(store, name(ELSEWHERE, OTHER), {"attributes": whose(OTHER)})
    assert not knows(made(store, federation)).any()


def test_one_from_when_features_stood_among_the_attributes_is(store: Store, federation: Federation) -> None:
    old = {**whose(OTHER), "features": asdict(features(OTHER))}
    tune(store, name(ELSEWHERE, OTHER), {"attributes": old})
    assert made(store, federation).runs == 1


def test_nor_one_whose_federation_the_store_does_not_know(store: Store, federation: Federation) -> None:
    tune(store, name("unknown-22222222", OTHER), described(OTHER))
    assert not knows(made(store, federation)).any()


def test_those_that_are_searched_now_it_is_shown_by_the_dispatcher(
    store: Store, federation: Federation
) -> None:
    tune(store, name(federation.name, FORWARD), described(FORWARD))
    assert made(store, federation).runs == 0


def test_a_searched_pairs_gain_is_over_its_own_students_accuracy(
    store: Store, federation: Federation
) -> None:
    study = name(federation.name, FORWARD)
    tune(store, study, described(FORWARD), accuracy=OWN)
    learner = made(store, federation)
    for trial in store.trials(study):
        learner.learn(study, trial)
    assert learner.runs == 1
    np.testing.assert_allclose(knows(learner), 0.0, atol=1e-9)


def test_what_a_study_says_of_its_pair_can_be_read_back(store: Store, federation: Federation) -> None:
    odd = PairFeatures(**{field.name: 1 / (3 + place) for place, field in enumerate(fields(PairFeatures))})
    with patch.object(transfer, "pair_features", return_value=odd):
        half = TensorFormat("channels_last", "bfloat16")
        records = PairRecords(pair=OTHER, study="s", rule=RULE, tensor_format=half)
        register_study(store, records, federation)
    fixed = {
        "verdict": None,
        "gain": None,
        "rule": RULE,
        "memory_format": "channels_last",
        "precision": "bfloat16",
    }
    assert store.attributes("s") == {**whose(OTHER), **fixed}
    assert PairFeatures(**store.features("s")) == odd
