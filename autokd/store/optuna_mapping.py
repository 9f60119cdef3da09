"""Conversion between autokd's trial records and Optuna's trials.

The dimensions of a setting are Optuna's parameters. Role, seed, tensor format, epochs and the reason of a
failure are user attributes, which people read in the dashboard; what a rung reports beyond its accuracy is in
system attributes, which the dashboard does not show. A value outside of its distribution (the baseline of a
space that does not contain the default setting) is not a parameter but goes into the user attribute
`outside`: Optuna refuses a category that the space does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from autokd.core.records import Failure, RungReport, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Setting
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.store.db_errors import validated

OUTSIDE: Final = "outside"
SEED: Final = "seed"
ROLE: Final = "role"
EPOCHS: Final = "epochs"
FAILURE: Final = "failure"
REASON: Final = "reason"
_RUNG: Final = "rung "

Distributions = Mapping[str, BaseDistribution]
"""Distributions that a setting is drawn from, by name of the dimension."""


def running(
    setting: Setting,
    *,
    seed: int,
    role: TrialOrigin,
    distributions: Distributions,
    tensor_format: TensorFormat = FORMER_FORMAT,
) -> FrozenTrial:
    """Return a RUNNING trial of Optuna, still without a number.

    Raises:
        ValueError: If a value of the setting is of another type than its distribution.
    """
    plain = setting.to_json()
    # Where None is a category, the recipe's value is drawn like any other.
    left_open = (name for name, distribution in distributions.items() if _holds_none(distribution))
    values = {**dict.fromkeys(left_open), **setting.parameters()}
    inside = {
        name: value
        for name, value in values.items()
        if name in distributions and _holds(distributions[name], value)
    }
    outside = {name: value for name, value in values.items() if name in plain and name not in inside}
    attributes = {ROLE: role.value, SEED: seed, **tensor_format.to_json()}
    return create_trial(
        state=OptunaState.RUNNING,
        params=inside,
        distributions={name: distributions[name] for name in inside},
        user_attrs=attributes | ({OUTSIDE: outside} if outside else {}),
    )


def record(study: str, trial: FrozenTrial) -> TrialRecord:
    """Return the record of a stored trial.

    Raises:
        StoreError: If the trial was not written by autokd, or is in a state that autokd does not use.
    """
    attributes = trial.user_attrs
    with validated(f"trial {trial.number} of study {study!r}"):
        state = TrialState(trial.state.name)
        failed = state is TrialState.FAIL
        rungs = _rungs(trial)
        return TrialRecord(
            number=trial.number,
            setting=Setting.from_json({**trial.params, **attributes.get(OUTSIDE, {})}),
            seed=int(attributes[SEED]),
            role=TrialOrigin(attributes[ROLE]),
            state=state,
            curve=tuple((epoch, accuracy) for epoch, accuracy, _ in rungs),
            forgetting_curve=tuple(details["forgetting"] for _, _, details in rungs),
            failure=Failure(attributes[FAILURE]) if failed else None,
            reason=attributes.get(REASON, "") if failed else "",
            tensor_format=TensorFormat.from_json(attributes),
        )


def details(report: RungReport) -> tuple[str, dict[str, float | None]]:
    """Return name and value of the system attribute for what a rung reports beside its accuracy."""
    figures = asdict(report)
    del figures["accuracy"]
    return f"{_RUNG}{figures.pop('epoch')}", figures


def reports(trial: FrozenTrial) -> tuple[RungReport, ...]:
    """Return all rungs of a stored trial by epoch."""
    return tuple(RungReport(epoch=epoch, accuracy=value, **rest) for epoch, value, rest in _rungs(trial))


def _rungs(trial: FrozenTrial) -> Sequence[tuple[int, float, Mapping[str, Any]]]:
    """Return epoch, accuracy and `details` of each rung, by epoch.

    Optuna reads the parts of a trial one after another. A reader may therefore see a rung that a RUNNING
    trial is just reporting without its details; such a rung is left out.

    Raises:
        KeyError: If details of a finished trial are missing.
        TypeError: If an accuracy is no number: SQLite holds any value in any column.
    """
    # Older versions of autokd wrote them as user attributes.
    attributes = {**trial.user_attrs, **trial.system_attrs}
    rungs = []
    for epoch, accuracy in sorted(trial.intermediate_values.items()):
        if not isinstance(accuracy, float | int):
            raise TypeError(f"an accuracy of {accuracy!r}")
        key = f"{_RUNG}{epoch}"
        if key in attributes:
            rungs.append((epoch, accuracy, attributes[key]))
        elif trial.state.is_finished():
            raise KeyError(key)
    return rungs


def _holds_none(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, CategoricalDistribution) and None in distribution.choices


def _holds(distribution: BaseDistribution, value: float | str | None) -> bool:
    match distribution:
        case FloatDistribution() | IntDistribution() if isinstance(value, int | float):
            return distribution.low <= value <= distribution.high
        case CategoricalDistribution():
            return value in distribution.choices
        case _:
            raise ValueError(f"{value!r} cannot come from {distribution}")
