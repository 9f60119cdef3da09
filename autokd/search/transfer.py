"""Starts a search from stored runs of other pairs, of this federation or another."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Any, Final, final

from autokd.config.space import Space, group_space
from autokd.config.study import StudyConfig
from autokd.config.target import ClassShares, TargetName
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import AnyPair, Group, Pair, Split
from autokd.errors import PlanError
from autokd.federation.federation import Federation
from autokd.search.gp_sampler import GpSampler
from autokd.search.group_sampler import GroupSampler
from autokd.search.growth import Growth, ranks_of, stored_growth
from autokd.search.kernel import Task
from autokd.search.objective import scalarise
from autokd.search.pair_features import PairFeatures, pair_features
from autokd.search.study_names import same_search
from autokd.statistics.moderation import VariancePool
from autokd.statistics.target_weights import aimed
from autokd.store import Store

_FEATURES: Final = {field.name for field in fields(PairFeatures)}


def register_study(
    store: Store, records: PairRecords, federation: Federation, growth: Growth | None = None
) -> None:
    """Create a study if it does not exist; set its attributes: the pair, its features, and what is fixed with
    its first trial: the rule and the tensor format. A group has its chain in place of a teacher.
    """
    pair = records.pair
    attributes: dict[str, int | str | None] = {"student": pair.student}
    if isinstance(pair, Pair):
        attributes = {"teacher": pair.teacher, **attributes}
    if growth is not None:
        attributes |= growth.attributes
    if not records.trials:
        # Optuna Dashboard shows the first five attributes that were set; what people look for is among them.
        attributes |= {"verdict": None, "gain": None}
        attributes |= {"rule": records.rule, **records.tensor_format.to_json()}
    features = pair_features(federation, _first(pair, growth))
    store.create_study(records.study, attributes=attributes, features=asdict(features))


def _first(pair: AnyPair, growth: Growth | None) -> Pair:
    """Return the pair whose features a study has: a group's are those of the first teacher of its chain."""
    return (
        pair
        if isinstance(pair, Pair)
        else Pair(pair.teachers[0] if growth is None else growth.chain[0], pair.student)
    )


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
    tasks = {study: (pair, pair) for pair, study in names.items()}
    return _warm_started(store, config, space, federation, facts, tasks, {})


def sampler_of_groups(
    store: Store,
    *,
    config: StudyConfig,
    space: Space,
    federation: Federation,
    facts: FederationFacts,
    names: Mapping[Group, str],
    growths: Mapping[Group, Growth],
) -> GroupSampler:
    """Return a sampler that has learned from the stored trials of groups that are not searched now.

    Args:
        facts, names: As in `warm_started_sampler`.
        growths: The chains of the same groups.
    """
    most = max(min(config.several.most, len(growth.chain)) for growth in growths.values())
    ranked = group_space(space, config, ranks_of(most))
    tasks = {study: (group, _first(group, growths[group])) for group, study in names.items()}
    chains = {study: growths[group] for group, study in names.items()}
    return GroupSampler(_warm_started(store, config, ranked, federation, facts, tasks, chains), chains)


def _warm_started(
    store: Store,
    config: StudyConfig,
    space: Space,
    federation: Federation,
    facts: FederationFacts,
    searched: Mapping[str, tuple[AnyPair, Pair]],
    growths: dict[str, Growth],
) -> GpSampler:
    """Return a sampler of studies of one kind that has learned from the others of that kind.

    Args:
        searched: By study what it is of, and the pair whose features it has.
        growths: Chains of groups by study; those of others are added.
    """
    initial_of = cache(lambda student: facts.participants[student].accuracy(Split.VALIDATION))
    others = list(_other_studies(store, set(searched), config.target, growths))
    initial = {study: initial_of(pair.student) for study, (pair, _) in searched.items()}
    initial |= {study: accuracy for study, _, accuracy in others}
    tasks = _Tasks(federation, searched, {study: task for study, task, _ in others})
    sampler = GpSampler(
        space,
        tasks=tasks,
        initial_accuracy=initial,
        startup_trials=config.search.startup_trials,
        recipe=config.distillation,
        permits=lambda study, setting: study not in growths or growths[study].permits(setting),
    )
    for study, _, accuracy in others:
        for trial in store.trials(study):
            ranked = growths[study].ranked_trial(trial) if study in growths else trial
            sampler.learn(study, scalarise(ranked, config.aims, accuracy))
    return sampler


@final
class _Tasks(Mapping[str, Task]):
    """The tasks of studies that are searched now, made when they are asked for, and of others."""

    def __init__(
        self, federation: Federation, pairs: Mapping[str, tuple[AnyPair, Pair]], others: dict[str, Task]
    ) -> None:
        self._federation, self._made, self._pairs = federation, others, pairs

    def __getitem__(self, study: str) -> Task:
        if study not in self._made:
            pair, first = self._pairs[study]
            features = pair_features(self._federation, first)
            self._made[study] = Task(self._federation.name, pair, features)
        return self._made[study]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._pairs.keys() | self._made.keys())


def known_noise(store: Store, names: Collection[str]) -> VariancePool:
    """Return what the finished pairs and groups of the same search and federation have shown about noise.

    Args:
        names: Studies that are searched now, whether they exist or not.
    """
    # Pairs and groups of one command have different searches.
    pool, examples = VariancePool(), {study.rpartition("/")[0]: study for study in names}
    for study in store.studies():
        alike = any(
            study.partition("/")[0] == example.partition("/")[0] and same_search(study, example)
            for example in examples.values()
        )
        if alike and (noise := store.noise(study)):
            pool.add(study, noise)
    return pool


def _other_studies(
    store: Store,
    searched: Collection[str],
    target: TargetName | ClassShares,
    growths: dict[str, Growth],
) -> Iterator[tuple[str, Task, float]]:
    """Yield other studies of the same search, their tasks, and their students' initial accuracy.

    The chains of groups are added to `growths`. Studies of the same search have the same target, so their
    trials' accuracies are on it, too.
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
        attributes = store.attributes(study)
        pair = _stored_pair(attributes, store.features(study))
        if pair is not None and isinstance(pair[0], Group) and (growth := stored_growth(attributes)):
            growths[study] = growth
        if facts is None or pair is None or pair[0].student >= len(facts.participants):
            continue
        accuracy = facts.participants[pair[0].student].accuracy(Split.VALIDATION)
        yield study, Task(federation, *pair), accuracy


def _stored_pair(attributes: Mapping[str, Any], features: object) -> tuple[AnyPair, PairFeatures] | None:
    """Return a study's pair and features; None if another version of autokd or somebody else made it."""
    if not isinstance(features, dict) or features.keys() != _FEATURES:
        return None
    try:
        growth = stored_growth(attributes)
        pair = (
            Pair(int(attributes["teacher"]), int(attributes["student"]))
            if growth is None
            else Group.of(growth.chain, growth.student)
        )
        numbers = {name: float(value) for name, value in features.items()}
    except (LookupError, OverflowError, TypeError, ValueError):
        return None
    return (pair, PairFeatures(**numbers)) if all(map(math.isfinite, numbers.values())) else None
