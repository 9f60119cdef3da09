"""autokd's trials in Optuna's words, and back: pure functions between values.

The dimensions of its setting are Optuna's parameters of a trial. Role, seed, epochs and why it
failed are its user attributes, which people read in the dashboard; what a rung says beyond its accuracy
is for programs, and stands in system attributes, which are not shown. A value outside of the
distribution that it should come from (the baseline of a space that does not hold the default setting) is
no parameter but goes into the user attribute `outside`: Optuna would refuse a category that the space
does not have, and a sampler cannot learn from where it may not go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from autokd.core.records import Failure, RungReport, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Setting
from autokd.errors import StoreError

OUTSIDE: Final = "outside"
SEED: Final = "seed"
ROLE: Final = "role"
EPOCHS: Final = "epochs"
FAILURE: Final = "failure"
REASON: Final = "reason"
_RUNG: Final = "rung "


def running(
    setting: Setting, *, seed: int, role: TrialOrigin, distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """A RUNNING trial as Optuna has it, yet without a number.

    Raises:
        ValueError: If a distribution is of a kind that the setting's values do not fit.
    """
    plain = setting.to_json()
    values = {name: value for name, value in setting.values().items() if value is not None}
    inside = {
        name: value
        for name, value in values.items()
        if name in distributions and _holds(distributions[name], value)
    }
    outside = {name: value for name, value in values.items() if name in plain and name not in inside}
    return create_trial(
        state=OptunaState.RUNNING,
        params=inside,
        distributions={name: distributions[name] for name in inside},
        user_attrs={ROLE: role.value, SEED: seed} | ({OUTSIDE: outside} if outside else {}),
    )


def record(study: str, trial: FrozenTrial) -> TrialRecord:
    """The inverse: what a stored trial says.

    Raises:
        StoreError: If the trial was not begun by autokd, or is in a state that autokd never leaves it in.
    """
    attributes = trial.user_attrs
    try:
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
            forgetting_curve=tuple(told["forgetting"] for _, _, told in rungs),
            failure=Failure(attributes[FAILURE]) if failed else None,
            reason=attributes.get(REASON, "") if failed else "",
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(
            f"trial {trial.number} of study {study!r} was not written by autokd ({error!r}); "
            "delete that study in the dashboard and tune the pair again"
        ) from error


def details(report: RungReport) -> tuple[str, dict[str, float | None]]:
    """Name and value of the system attribute that keeps what a rung says beside its accuracy."""
    return f"{_RUNG}{report.epoch}", {
        "forgetting": report.forgetting,
        "local_accuracy": report.local_accuracy,
        "soft_loss": report.soft_loss,
        "hard_loss": report.hard_loss,
        "seconds": report.seconds,
    }


def reports(trial: FrozenTrial) -> tuple[RungReport, ...]:
    """All rungs of a stored trial by epoch."""
    return tuple(
        RungReport(epoch=epoch, accuracy=accuracy, **told) for epoch, accuracy, told in _rungs(trial)
    )


def _rungs(trial: FrozenTrial) -> Sequence[tuple[int, float, Mapping[str, Any]]]:
    """Epoch, accuracy and what `details` has kept of each rung, by epoch.

    Optuna reads the parts of a trial one after another, and somebody may be writing: of a rung that a RUNNING
    trial is just reporting, a reader beside its driver may see the accuracy alone. It is left out.

    Raises:
        KeyError: If details are missing that must be there.
    """
    found = []
    # They once were user attributes.
    kept = {**trial.user_attrs, **trial.system_attrs}
    for epoch, accuracy in sorted(trial.intermediate_values.items()):
        key = f"{_RUNG}{epoch}"
        if key in kept:
            found.append((epoch, accuracy, kept[key]))
        elif trial.state.is_finished():
            raise KeyError(key)
    return found


def _holds(distribution: BaseDistribution, value: float | str) -> bool:
    match distribution:
        case FloatDistribution() | IntDistribution() if not isinstance(value, str):
            return distribution.low <= value <= distribution.high
        case CategoricalDistribution():
            return value in distribution.choices
        case _:
            raise ValueError(f"{value!r} cannot come from {distribution}")
