"""Groups: who their candidates are, and how far the chain of their teachers reaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.config.study import StudyConfig
from autokd.core.pair import AnyPair, Group, Pair
from autokd.core.records import FederationFacts, TrialState
from autokd.core.setting import ASKING, Method, Setting, Split, plain
from autokd.distillation.targets import targets
from autokd.federation.federation import Federation
from autokd.recommendation.judgement import Judgement
from autokd.search.growth import Growth, grow, stored_growth
from autokd.search.objective import scalarise
from autokd.store import Store
from autokd.workflows.results import StoredResults


def growths(
    store: Store,
    config: StudyConfig,
    federation: Federation,
    facts: FederationFacts,
    names: Iterable[tuple[AnyPair, str]],
) -> dict[Group, Growth]:
    """Return the chain of each group: as its study holds it, or grown now.

    Args:
        facts: The same federation, whose participants have the weights of the recipe's target.
        names: Pairs and groups with the names of their studies, whether these exist or not.
    """
    groups = {group: study for group, study in names if isinstance(group, Group)}
    # Most commands have none, and the names of all studies take a while.
    existing = set(store.studies()) if groups else set()
    return {
        group: (stored_growth(store.attributes(study)) if study in existing else None)
        or growth_of(config, federation, facts, group)
        for group, study in groups.items()
    }


def growth_of(config: StudyConfig, federation: Federation, facts: FederationFacts, group: Group) -> Growth:
    """Return the chain of a group's teachers, by what their targets get right of the validation examples.

    The targets are those of the method that is right most often when all candidates teach.
    """
    right = _Right(federation, group.student)
    weights = facts.participants[group.student].weights.of(Split.VALIDATION)
    methods = [method for method in config.forbidden.methods(_TRIED) if method in ASKING]
    best = max(methods, key=lambda method: np.average(right(method, group.teachers), weights=weights))
    return grow(
        group.teachers,
        lambda teachers: right(best, teachers),
        student=group.student,
        most=config.several.most,
        weights=weights,
    )


def answers_of_pairs(results: StoredResults, group: Group) -> dict[Setting, float]:
    """Return the answers of the judged pairs of a group's student with its candidates, as settings of the
    group, with the validation values of their trials by the study's objective.
    """
    gains: dict[Setting, float] = {}
    initial = results.facts.participants[group.student].accuracy(Split.VALIDATION)
    for teacher in group.teachers:
        pair = Pair(teacher, group.student)
        records = results.searched(pair)
        judged = results.judged(pair) if records.basis is not None else None
        if not isinstance(judged, Judgement):
            continue
        for trial in records.trials:
            if trial.state is TrialState.COMPLETE and trial.setting == judged.shown.setting:
                setting = _in_the_group(trial.setting, pair)
                gains[setting] = scalarise(trial, results.config.aims, initial).accuracy or 0.0
    return gains


def _in_the_group(setting: Setting, pair: Pair) -> Setting:
    asked = (pair.teacher, pair.student) if setting.method in ASKING else (pair.teacher,)
    return plain(replace(setting, teachers=tuple(sorted(asked))))


_TRIED = (Method.SUREST, Method.BALANCED, Method.SEEN_CLASSES)


class _Right:
    """What the targets of some teachers and the student's own model get right of the validation examples."""

    def __init__(self, federation: Federation, student: int) -> None:
        self._federation, self._student = federation, student
        self._rows = federation.splits[Split.VALIDATION]
        self._labels = federation.data.labels[self._rows]

    def __call__(self, method: Method, teachers: tuple[int, ...]) -> NDArray[np.float64]:
        counted = [torch.from_numpy(self._federation.label_counts(n)) for n in (*teachers, self._student)]
        made = targets(
            method,
            teachers=[self._logits(number) for number in teachers],
            student=self._logits(self._student),
            labels=None,
            seen=counted,
        )
        right: NDArray[np.float64] = (made.logits.argmax(dim=1).numpy() == self._labels).astype(np.float64)
        return right

    def _logits(self, participant: int) -> torch.Tensor:
        return torch.from_numpy(self._federation.logits[participant, self._rows])
