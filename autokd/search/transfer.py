"""Starts a search from stored runs of other pairs, of this federation or another."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Any, final

from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.config.target import ClassShares, TargetName
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair, Split
from autokd.errors import PlanError
from autokd.federation.federation import Federation
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import Task
from autokd.search.objective import scalarise
from autokd.search.pair_features import PairFeatures, pair_features
from autokd.search.study_names import same_search
from autokd.statistics.moderation import VariancePool
from autokd.statistics.target_weights import aimed
from autokd.store import Store

_FEATURES = {field.name for field in fields(PairFeatures)}


def register_study(store: Store, records: PairRecords, federation: Federation) -> None:
    """Create a pair's study if it does not exist; set its attributes: the pair, its features, and what is
    fixed with its first trial: the rule and the tensor format.
    """
    pair = records.pair
    attributes: dict[str, int | str | None] = {"teacher": pair.teacher, "student": pair.student}
    if not records.trials:
        # Optuna Dashboard shows the first five attributes that were set; what people look for is among them.
        attributes |= {"verdict": None, "gain": None}
        attributes |= {"rule": records.rule, **records.tensor_format.to_json()}
    store.create_study(records.study, attributes=attributes, features=asdict(pair_features(federation, pair)))


def warm_started_sampler(
    store: Store,
    *,
    config: StudyConfig,
    space: Space,
    federation: Federation,
    facts: FederationFacts,
    names: Mapping[Pair, str],
) -> GpSampler:
    """Return a sampler that has learned from the stored trials of pairs that are not searched now.

    Args:
        facts: The same federation, whose participants have the weights of the recipe's target.
        names: Studies that are searched now, whether they exist or not; the search queue passes on their
            trials.
    """
    initial_of = cache(lambda student: facts.participants[student].accuracy(Split.VALIDATION))
    others = list(_other_studies(store, set(names.values()), config.target))
    initial = {study: initial_of(pair.student) for pair, study in names.items()}
    initial |= {study: accuracy for study, _, accuracy in others}
    tasks = _Tasks(federation, names, {study: task for study, task, _ in others})
    sampler = GpSampler(
        space,
        tasks=tasks,
        initial_accuracy=initial,
        startup_trials=config.search.startup_trials,
        recipe=config.distillation,
    )
    for study, _, accuracy in others:
        for trial in store.trials(study):
            sampler.learn(study, scalarise(trial, config.aims, accuracy))
    return sampler


@final
class _Tasks(Mapping[str, Task]):
    """The tasks of studies that are searched now, made when they are asked for, and of others."""

    def __init__(self, federation: Federation, names: Mapping[Pair, str], others: dict[str, Task]) -> None:
        self._federation, self._made = federation, others
        self._pairs = {study: pair for pair, study in names.items()}

    def __getitem__(self, study: str) -> Task:
        if study not in self._made:
            pair = self._pairs[study]
            features = pair_features(self._federation, pair)
            self._made[study] = Task(self._federation.name, pair, features)
        return self._made[study]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._pairs.keys() | self._made.keys())


def known_noise(store: Store, names: Collection[str]) -> VariancePool:
    """Return what the finished pairs of the same search and federation have shown about noise.

    Args:
        names: Studies that are searched now, whether they exist or not.
    """
    pool, example = VariancePool(), next(iter(names))
    federation = example.partition("/")[0]
    for study in store.studies():
        alike = study.partition("/")[0] == federation and same_search(study, example)
        if alike and (noise := store.noise(study)):
            pool.add(study, noise)
    return pool


def _other_studies(
    store: Store, searched: Collection[str], target: TargetName | ClassShares
) -> Iterator[tuple[str, Task, float]]:
    """Yield other studies of the same search, their tasks, and their students' initial accuracy.

    Studies of the same search have the same target, so their trials' accuracies are on it, too.
    """

    @cache
    def read_federation(name: str) -> FederationFacts | None:
        facts = store.federation(name)
        try:
            return None if facts is None else aimed(facts, target, source=name)
        except PlanError:  # Its splits are others now, and no longer fit the target.
            return None

    example = next(iter(searched))
    for study in store.studies():
        if study in searched or not same_search(study, example):
            continue
        federation = study.partition("/")[0]
        facts = read_federation(federation)
        pair = _stored_pair(store.attributes(study), store.features(study))
        if facts is None or pair is None or pair[0].student >= len(facts.participants):
            continue
        accuracy = facts.participants[pair[0].student].accuracy(Split.VALIDATION)
        yield study, Task(federation, *pair), accuracy


def _stored_pair(attributes: Mapping[str, Any], features: object) -> tuple[Pair, PairFeatures] | None:
    """Return a study's pair and features; None if another version of autokd or somebody else made it."""
    if not isinstance(features, dict) or features.keys() != _FEATURES:
        return None
    try:
        pair = Pair(int(attributes["teacher"]), int(attributes["student"]))
        numbers = {name: float(value) for name, value in features.items()}
    except (LookupError, OverflowError, TypeError, ValueError):
        return None
    return (pair, PairFeatures(**numbers)) if all(map(math.isfinite, numbers.values())) else None
