"""Starts a search from stored runs of other pairs, of this federation or another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.setting import Pair, Split
from autokd.federation.federation import Federation
from autokd.recommendation.verdict import RULE
from autokd.search.gaussian_process import Task
from autokd.search.gp_sampler import GpSampler
from autokd.search.objective import scalarise
from autokd.search.pair_features import PairFeatures, pair_features
from autokd.search.study_names import same_search
from autokd.store import Store

_KNOWN = {one.name for one in fields(PairFeatures)}


def register_study(store: Store, name: str, federation: Federation, pair: Pair) -> None:
    """Make a pair's study, unless it is there, and set its attributes: the pair, its features, the rule.

    Args:
        name: Name of the study.
    """
    attributes = {"teacher": pair.teacher, "student": pair.student}
    if not store.trials(name):
        attributes["rule"] = RULE
    store.create_study(
        name,
        attributes=attributes,
        features=pair_features(federation, pair).to_json(),
    )


def warm_started_sampler(
    store: Store,
    *,
    plan: StudyConfig,
    space: Space,
    federation: Federation,
    names: Mapping[Pair, str],
) -> GpSampler:
    """Return a sampler that has learned from the stored trials of pairs that are not searched now.

    Args:
        names: Studies that are searched now, which exist; the search queue passes on their trials.
    """
    subjects = {
        name: Task(federation.name, pair, pair_features(federation, pair)) for pair, name in names.items()
    }
    own = {name: _own(federation, pair.student) for pair, name in names.items()}
    others = dict(_others(store, names))
    for study, (subject, accuracy) in others.items():
        subjects[study], own[study] = subject, accuracy
    learner = GpSampler(
        space,
        tasks=subjects,
        initial_accuracy=own,
        startup_trials=plan.search.startup_trials,
        recipe=plan.distillation,
    )
    for study in others:
        for trial in store.trials(study):
            learner.learn(study, scalarise(trial, plan.aims, own[study]))
    return learner


def _others(store: Store, names: Mapping[Pair, str]) -> Iterator[tuple[str, tuple[Task, float]]]:
    """Yield other studies of the same search, their tasks, and their students' initial accuracy."""
    example = next(iter(names.values()))
    searched = set(names.values())
    accuracies: dict[str, tuple[float, ...]] = {}
    for study in store.studies():
        if study in searched or not same_search(study, example):
            continue
        told, features = store.attributes(study), store.features(study)
        federation = study.partition("/")[0]
        if federation not in accuracies:
            facts = store.federation(federation)
            participants = () if facts is None else facts.participants
            accuracies[federation] = tuple(
                float(one.correct[Split.VALIDATION].mean()) for one in participants
            )
        known = _told_pair(told, features)
        if known is not None and known[0].student < len(accuracies[federation]):
            subject = Task(federation, *known)
            yield study, (subject, accuracies[federation][known[0].student])


def _told_pair(told: Mapping[str, Any], features: object) -> tuple[Pair, PairFeatures] | None:
    """Return a study's pair and features; None if another version of autokd or somebody else made it."""
    if not isinstance(features, dict) or features.keys() != _KNOWN:
        return None
    try:
        pair = Pair(int(told["teacher"]), int(told["student"]))
        numbers = {name: float(value) for name, value in features.items()}
    except (LookupError, OverflowError, TypeError, ValueError):
        return None
    return (pair, PairFeatures(**numbers)) if all(map(math.isfinite, numbers.values())) else None


def _own(federation: Federation, participant: int) -> float:
    return float(federation.correct(participant, Split.VALIDATION).mean())
