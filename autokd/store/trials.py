"""The search's side of the store: Optuna's studies and trials in autokd's words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from autokd.errors import StoreError
from autokd.records import Failure, Role, RungReport, TrialRecord, TrialState
from autokd.setting import Setting
from autokd.store import mapping
from autokd.store.tables import REASON_LENGTH

METRIC: Final = "validation accuracy"
"""What a study maximises, in [0, 1]."""
_OURS: Final = "autokd"
"""System attribute that tells our studies from others in the same database; its value is a format number."""
_FORMAT: Final = 1
# NOTE: the attribute that `Study.set_metric_names` writes; that method is experimental, and warns so.
_METRIC_NAMES: Final = "study:metric_names"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Trials:
    """One database's studies and trials. Their numbers never change, and so are looked up once."""

    def __init__(self, storage: RDBStorage) -> None:
        self._storage = storage
        self._studies: dict[str, int] = {}
        self._trials: dict[tuple[str, int], int] = {}

    def create_study(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Make a study unless it is there, and bring its attributes up to date."""
        try:
            study = self._storage.create_new_study([StudyDirection.MAXIMIZE], name)
        except DuplicatedStudyError:
            study = self._storage.get_study_id_from_name(name)
            if self._storage.get_study_directions(study) != [StudyDirection.MAXIMIZE]:
                raise StoreError(f"study {name!r} was not made by autokd: it does not maximise") from None
        self._studies[name] = study
        # Also for a study that was there: a command may have been killed between it and its attributes.
        present = self._storage.get_study_system_attrs(study)
        if present.get(_METRIC_NAMES) != [METRIC]:
            self._storage.set_study_system_attr(study, _METRIC_NAMES, [METRIC])
        if present.get(_OURS) != _FORMAT:
            self._storage.set_study_system_attr(study, _OURS, _FORMAT)
        self.set_attributes(name, attributes)

    def set_attributes(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Set user attributes of a study, writing only what differs."""
        study = self._study(name)
        present = self._storage.get_study_user_attrs(study)
        for key, value in attributes.items():
            if key not in present or present[key] != json.loads(json.dumps(value)):
                self._storage.set_study_user_attr(study, key, value)

    def attributes(self, name: str) -> Mapping[str, Any]:
        """The user attributes of a study."""
        return self._storage.get_study_user_attrs(self._study(name))

    def studies(self) -> tuple[str, ...]:
        """Our studies by name; others in the same database are left out."""
        found = self._storage.get_all_studies()
        return tuple(sorted(study.study_name for study in found if _OURS in study.system_attrs))

    def trials(self, study: str) -> tuple[TrialRecord, ...]:
        """All trials by number; empty if the study is unknown."""
        return tuple(mapping.record(study, trial) for trial in self._frozen(study))

    def reports(self, study: str) -> Mapping[int, tuple[RungReport, ...]]:
        """All that the trials reported, by trial number."""
        return {trial.number: mapping.reports(trial) for trial in self._frozen(study)}

    def begin(
        self,
        study: str,
        setting: Setting,
        *,
        seed: int,
        role: Role,
        distributions: Mapping[str, BaseDistribution],
    ) -> TrialRecord:
        """Add a RUNNING trial, whole, in one transaction."""
        template = mapping.running(setting, seed=seed, role=role, distributions=distributions)
        try:
            trial = self._storage.create_new_trial(self._study(study), template_trial=template)
        except ValueError as error:
            raise StoreError(f"study {study!r} was searched in another space before: {error}") from error
        number = self._storage.get_trial(trial).number
        self._trials[study, number] = trial
        return TrialRecord(number=number, setting=setting, seed=seed, role=role, state=TrialState.RUNNING)

    def report(self, study: str, number: int, report: RungReport) -> None:
        """Keep one rung of a RUNNING trial."""
        if not math.isfinite(report.accuracy):
            raise ValueError(f"accuracy={report.accuracy} must be a finite number")
        trial = self._trial(study, number)
        try:
            # The details go first, so that a point of the curve is never without them.
            self._storage.set_trial_user_attr(trial, *mapping.details(report))
            self._storage.set_trial_intermediate_value(trial, report.epoch, report.accuracy)
        except UpdateFinishedTrialError:
            if self._storage.get_trial(trial).intermediate_values.get(report.epoch) != report.accuracy:
                raise StoreError(
                    f"trial {number} of study {study!r} has ended; its report of epoch {report.epoch} "
                    "comes too late"
                ) from None

    def end(self, study: str, number: int, state: TrialState, failure: Failure | None, reason: str) -> None:
        """Tell how a trial ended, with its last reported accuracy as value unless it failed."""
        if state is TrialState.RUNNING or (state is TrialState.FAIL) != (failure is not None):
            raise ValueError(f"failure={failure} does not fit a trial that ends as {state}")
        identity = self._trial(study, number)
        known = mapping.record(study, self._storage.get_trial(identity))
        if known.state is not TrialState.RUNNING:
            if (known.state, known.failure) != (state, failure):
                raise StoreError(
                    f"trial {number} of study {study!r} has ended as {known.state} and cannot end as {state}"
                )
            return
        values = None
        if failure is not None:
            self._storage.set_trial_user_attr(identity, mapping.REASON, reason[:REASON_LENGTH])
            self._storage.set_trial_user_attr(identity, mapping.FAILURE, failure.value)
        elif known.accuracy is None:
            raise ValueError(f"trial {number} of study {study!r} cannot end as {state} without a report")
        else:
            values = [known.accuracy]
        self._storage.set_trial_state_values(identity, OptunaState[state.value], values)

    def _frozen(self, study: str) -> list[FrozenTrial]:
        identity = self._find(study)
        if identity is None:
            return []
        found = self._storage.get_all_trials(identity, deepcopy=False)
        return sorted(found, key=lambda trial: trial.number)

    def _find(self, study: str) -> int | None:
        if study not in self._studies:
            try:
                self._studies[study] = self._storage.get_study_id_from_name(study)
            except KeyError:
                return None
        return self._studies[study]

    def _study(self, study: str) -> int:
        identity = self._find(study)
        if identity is None:
            raise StoreError(f"there is no study {study!r}")
        return identity

    def _trial(self, study: str, number: int) -> int:
        key = study, number
        if key not in self._trials:
            try:
                self._trials[key] = self._storage.get_trial_id_from_study_id_trial_number(
                    self._study(study), number
                )
            except KeyError:
                raise StoreError(f"study {study!r} has no trial {number}") from None
        return self._trials[key]
