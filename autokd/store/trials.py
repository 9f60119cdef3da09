"""Studies and trials, in Optuna's tables, as autokd's records."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from autokd.core.records import (
    REASON_LENGTH,
    Failure,
    Presentation,
    RungReport,
    TrialOrigin,
    TrialRecord,
    TrialState,
)
from autokd.core.setting import Setting
from autokd.core.tensor_format import TensorFormat
from autokd.core.verdict_basis import VarianceSample, VerdictBasis
from autokd.errors import StoreError
from autokd.store import dashboard_notes, optuna_mapping
from autokd.store.optuna_mapping import Distributions
from autokd.store.tables import NAME_LENGTH
from autokd.store.trial_writer import TrialWriter

METRIC: Final = "validation accuracy"
"""Objective of a study, in [0, 1]."""
_OURS: Final = "autokd"
"""System attribute that marks our studies among others in the database; its value is a format number."""
_FORMAT: Final = 1
_FEATURES: Final = "autokd:features"
BASES: Final = "autokd:bases"
_NOISE: Final = "autokd:noise"
_SECONDS: Final = "autokd:seconds"
# NOTE: the attribute that `Study.set_metric_names` writes; that method is experimental, and warns so.
_METRIC_NAMES: Final = "study:metric_names"

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(slots=True)
class _StudyCache:
    """Cached facts of a study.

    Attributes:
        number: Optuna's id of the study.
        study: Optuna's view for reading; it fetches a trial that has ended only once.
        trials: Optuna's ids of its trials, by number.
        reached: Last epoch, and the accuracy there, of each trial that this process has begun and not ended.
            With it, a trial can be ended without reading it back: only the holder of the lease writes.
        count: Number of its trials; None if it is not known.
    """

    number: int
    study: Study
    trials: dict[int, int] = field(default_factory=dict)
    reached: dict[int, tuple[int, float | None]] = field(default_factory=dict)
    count: int | None = None


class Trials:
    """Studies and trials of one database; see `Store` for what each method promises."""

    def __init__(self, storage: RDBStorage) -> None:
        self._storage = storage
        self._writer = TrialWriter(storage.engine)
        self._studies: dict[str, _StudyCache] = {}

    def create_study(
        self, name: str, attributes: Mapping[str, Any], features: Mapping[str, float] | None
    ) -> None:
        if len(name) > NAME_LENGTH:
            raise ValueError(f"the study's name {name!r} is longer than {NAME_LENGTH} characters")
        try:
            number = self._storage.create_new_study([StudyDirection.MAXIMIZE], name)
        except DuplicatedStudyError:
            number = self._storage.get_study_id_from_name(name)
            if self._storage.get_study_directions(number) != [StudyDirection.MAXIMIZE]:
                raise StoreError(f"study {name!r} was not made by autokd: it does not maximise") from None
        # Also for an existing study: a command may have been killed before it set the attributes.
        system: dict[str, Any] = {_METRIC_NAMES: [METRIC], _OURS: _FORMAT}
        if features is not None:
            system[_FEATURES] = dict(features)
        present = self._storage.get_study_system_attrs(number)
        for key, value in system.items():
            if present.get(key) != value:
                self._storage.set_study_system_attr(number, key, value)
        self._set_attributes(name, attributes)

    def _set_attributes(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Set user attributes of a study, writing only what differs."""
        with self._existing(name) as study:
            present = self._storage.get_study_user_attrs(study.number)
            for key, value in attributes.items():
                if key not in present or present[key] != json.loads(json.dumps(value)):
                    self._storage.set_study_user_attr(study.number, key, value)

    def attributes(self, name: str) -> Mapping[str, Any]:
        with self._existing(name) as study:
            return self._storage.get_study_user_attrs(study.number)

    def features(self, name: str) -> Mapping[str, float]:
        with self._existing(name) as study:
            system = self._storage.get_study_system_attrs(study.number)
            features: Mapping[str, float] | None = system.get(_FEATURES)
            # Older versions of autokd wrote them as a user attribute.
            return self.attributes(name).get("features", {}) if features is None else features

    def put_bases(self, name: str, bases: Sequence[VerdictBasis]) -> None:
        self._set_system_attribute(name, BASES, [basis.to_json() for basis in bases])

    def bases(self, name: str) -> tuple[VerdictBasis, ...]:
        return tuple(map(VerdictBasis.from_json, self._system_attribute(name, BASES, [])))

    def put_noise(self, name: str, noise: Mapping[str, VarianceSample]) -> None:
        self._set_system_attribute(name, _NOISE, {key: list(seen) for key, seen in noise.items()})

    def noise(self, name: str) -> dict[str, VarianceSample]:
        return {
            comparison: VarianceSample(float(seeds), int(dof), float(examples))
            for comparison, (seeds, dof, examples) in self._system_attribute(name, _NOISE, {}).items()
        }

    def put_seconds_spent(self, name: str, batch: str, seconds: float) -> None:
        self._set_system_attribute(name, f"{_SECONDS}:{batch}", seconds)

    def seconds_spent(self, name: str, batch: str) -> float:
        try:
            return float(self._system_attribute(name, f"{_SECONDS}:{batch}", 0.0))
        except StoreError:  # The study does not exist yet.
            return 0.0

    def _set_system_attribute(self, name: str, key: str, value: Any) -> None:
        with self._existing(name) as study:
            self._storage.set_study_system_attr(study.number, key, value)

    def _system_attribute(self, name: str, key: str, default: Any) -> Any:
        with self._existing(name) as study:
            return self._storage.get_study_system_attrs(study.number).get(key, default)

    def publish_dashboard(self, name: str, presentation: Presentation, mark: str) -> None:
        if self.dashboard_mark(name) == mark:
            return
        self._set_attributes(name, presentation.attributes)
        with self._existing(name) as study:
            dashboard_notes.publish(self._storage, study.number, presentation, mark)

    def dashboard_mark(self, name: str) -> str | None:
        with self._existing(name) as study:
            return dashboard_notes.mark_of(self._storage, study.number)

    def studies(self) -> tuple[str, ...]:
        return self._writer.names_of_studies(_OURS)

    def trials(self, study: str) -> tuple[TrialRecord, ...]:
        return tuple(optuna_mapping.record(study, trial) for trial in self._frozen(study))

    def reports(self, study: str) -> Mapping[int, tuple[RungReport, ...]]:
        return {trial.number: optuna_mapping.reports(trial) for trial in self._frozen(study)}

    def count(self, name: str) -> int:
        """Return the number of a study's trials, if only this process has begun any since the last count."""
        with self._existing(name) as study:
            if study.count is None:
                study.count = len(study.study.get_trials(deepcopy=False))
            return study.count

    def begin(
        self,
        name: str,
        setting: Setting,
        seed: int,
        role: TrialOrigin,
        distributions: Distributions,
        tensor_format: TensorFormat,
    ) -> TrialRecord:
        template = optuna_mapping.running(
            setting, seed=seed, role=role, distributions=distributions, tensor_format=tensor_format
        )
        with self._existing(name) as study:
            study.count = None  # After a failure, it is not known.
            try:
                trial, number = self._writer.begin(study.number, template)
            except ValueError as error:
                raise StoreError(f"study {name!r} was searched in another space before: {error}") from error
            study.trials[number] = trial
            study.reached[number] = 0, None
            study.count = number + 1
        return TrialRecord(
            number=number,
            setting=setting,
            seed=seed,
            role=role,
            state=TrialState.RUNNING,
            tensor_format=tensor_format,
        )

    def report(self, name: str, number: int, report: RungReport) -> None:
        if not math.isfinite(report.accuracy):
            raise ValueError(f"accuracy={report.accuracy} must be a finite number")
        with self._existing_trial(name, number) as (study, trial):
            if self._writer.report(trial, report):
                if number in study.reached and report.epoch >= study.reached[number][0]:
                    study.reached[number] = report.epoch, report.accuracy
                return
            curve = self._storage.get_trial(trial).intermediate_values
            if curve.get(report.epoch) != report.accuracy:
                problem = f"has ended; its report of epoch {report.epoch} comes too late"
                raise StoreError(f"trial {number} of study {name!r} {problem}")

    def end(self, name: str, number: int, state: TrialState, failure: Failure | None, reason: str) -> None:
        if state is TrialState.RUNNING or (state is TrialState.FAIL) != (failure is not None):
            raise ValueError(f"failure={failure} does not fit a trial that ends as {state}")
        with self._existing_trial(name, number) as (study, trial):
            stored = None if number in study.reached else self._record(name, trial)
            epochs, accuracy = (stored.epochs, stored.accuracy) if stored else study.reached[number]
            running = stored is None or stored.state is TrialState.RUNNING
            attributes: dict[str, Any] = {optuna_mapping.EPOCHS: epochs}
            if failure is not None:
                accuracy = None
                attributes[optuna_mapping.REASON] = reason[:REASON_LENGTH]
                attributes[optuna_mapping.FAILURE] = failure.value
            elif running and accuracy is None:
                raise ValueError(f"trial {number} of study {name!r} cannot end as {state} without a report")
            if not (running and self._writer.end(trial, state, accuracy, attributes)):
                stored = self._record(name, trial)
                if (stored.state, stored.failure) != (state, failure):
                    problem = f"has ended as {stored.state} and cannot end as {state}"
                    raise StoreError(f"trial {number} of study {name!r} {problem}")
            study.reached.pop(number, None)

    def _record(self, name: str, trial: int) -> TrialRecord:
        return optuna_mapping.record(name, self._storage.get_trial(trial))

    def evict(self, name: str) -> None:
        self._studies.pop(name, None)

    def _frozen(self, name: str) -> list[FrozenTrial]:
        try:
            return self._find(name).study.get_trials(deepcopy=False)
        except KeyError:
            self.evict(name)
            return []

    def _find(self, name: str) -> _StudyCache:
        """Return a study's facts; raise KeyError if there is none of that name."""
        if name not in self._studies:
            number = self._storage.get_study_id_from_name(name)
            view = optuna.load_study(study_name=name, storage=self._storage)
            self._studies[name] = _StudyCache(number, view)
        return self._studies[name]

    @contextmanager
    def _existing(self, name: str) -> Iterator[_StudyCache]:
        """Yield a study's facts; raise StoreError if it does not exist or is deleted in the meantime."""
        try:
            yield self._find(name)
        except KeyError:
            self.evict(name)
            raise StoreError(f"there is no study {name!r}") from None

    @contextmanager
    def _existing_trial(self, name: str, number: int) -> Iterator[tuple[_StudyCache, int]]:
        """Yield a study's facts and Optuna's id of one of its trials."""
        with self._existing(name) as study:
            if number not in study.trials:
                find_id = self._storage.get_trial_id_from_study_id_trial_number
                try:
                    study.trials[number] = find_id(study.number, number)
                except KeyError:
                    raise StoreError(f"study {name!r} has no trial {number}") from None
            yield study, study.trials[number]
