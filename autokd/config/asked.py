"""Settings that the user asks to try, as texts (`T=4,alpha=0.9,transfer_set=both`) or mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import PlainSerializer, PlainValidator

from autokd.config.numbers import MOST
from autokd.core.setting import SEARCHABLE, BatchNorm, LabelPrior, Method, Schedule, Setting, TransferSet
from autokd.text.quoting import did_you_mean, one_of, quoted

_SHORT: Final = {"T": "temperature"}
"""Other names of dimensions; messages use them."""
_NAMES: Final = (
    *("T", "alpha", "transfer_set", "method"),
    *("learning_rate", "epochs", "batch_norm", "label_prior", "schedule", "teachers"),
)
_EXAMPLE: Final = "T=4,alpha=0.9,transfer_set=both"
_Enum = TypeVar("_Enum", bound=StrEnum)


def asked_setting(asked: object) -> Setting:
    """Read a setting: a text such as `T=4,alpha=0.9,transfer_set=both`, a mapping, or a `Setting`.

    T, alpha (except on `public`) and the transfer set must be there; what else is missing is the recipe's.

    Raises:
        ValueError: If a value is not valid; the message names it and says what to write.
    """
    values = _values(asked)
    unknown = [name for name in values if name not in (*_NAMES, *_SHORT.values())]
    if unknown:
        hint = did_you_mean(unknown[0], _NAMES)
        raise ValueError(f"{unknown[0][:80]} is unknown; write {one_of(_NAMES)}{hint}")
    for short, name in _SHORT.items():
        if short in values and name in values:
            raise ValueError(f"{short} and {name} are the same; write one of them")
    plain = {_SHORT.get(name, name): value for name, value in values.items() if value is not None}
    if "transfer_set" not in plain:
        raise ValueError(f"transfer_set is missing; write e.g. {_EXAMPLE}")
    transfer_set = _one_of("transfer_set", plain["transfer_set"], SEARCHABLE)
    if transfer_set is TransferSet.PUBLIC and "alpha" in plain:
        raise ValueError(
            "alpha has no meaning on public, which has no labels; write e.g. T=4,transfer_set=public"
        )
    label_prior = (
        _one_of("label_prior", plain["label_prior"], LabelPrior)
        if "label_prior" in plain
        else LabelPrior.NONE
    )
    if transfer_set is TransferSet.PUBLIC and label_prior is not LabelPrior.NONE:
        raise ValueError(
            "label_prior has no meaning on public, which has no labels; write e.g. T=4,transfer_set=public"
        )
    for name in ("temperature", *(() if transfer_set is TransferSet.PUBLIC else ("alpha",))):
        if name not in plain:
            short = "T" if name == "temperature" else name
            raise ValueError(f"{short} is missing; write e.g. {_EXAMPLE}")
    return Setting(
        temperature=_positive("T", plain["temperature"], "T=4"),
        alpha=_weight(plain["alpha"]) if "alpha" in plain else None,
        transfer_set=transfer_set,
        method=_one_of("method", plain["method"], Method) if "method" in plain else Method.PLAIN,
        learning_rate=(
            _positive("learning_rate", plain["learning_rate"], "learning_rate=0.01")
            if "learning_rate" in plain
            else None
        ),
        epochs=_epochs(plain["epochs"]) if "epochs" in plain else None,
        batch_norm=_one_of("batch_norm", plain["batch_norm"], BatchNorm) if "batch_norm" in plain else None,
        label_prior=label_prior,
        schedule=_one_of("schedule", plain["schedule"], Schedule) if "schedule" in plain else None,
        teachers=_teachers(plain["teachers"]) if "teachers" in plain else None,
    )


def as_text(setting: Setting) -> str:
    """Return the text that `asked_setting` reads as this setting."""
    values = {"T" if name == "temperature" else name: value for name, value in setting.to_json().items()}
    if setting.teachers is not None:
        # Without a space, so that a shell takes it as one word.
        values["teachers"] = "+".join(map(str, setting.teachers))
    return ",".join(f"{name}={value}" for name, value in values.items() if value is not None)


AskedSetting = Annotated[Setting, PlainValidator(asked_setting), PlainSerializer(Setting.to_json)]
"""A setting in a recipe's `search.try`."""


def _values(asked: object) -> Mapping[str, Any]:
    """Return the values that are given, by name."""
    if isinstance(asked, Setting):
        return asked.values()
    if isinstance(asked, Mapping):
        return {name if isinstance(name, str) else quoted(name): value for name, value in asked.items()}
    if not isinstance(asked, str):
        raise ValueError(f"{quoted(asked)} is no setting; write e.g. {_EXAMPLE}")
    values: dict[str, str] = {}
    for part in asked.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value) or "=" in value:
            raise ValueError(f"{quoted(part.strip())} is not one NAME=VALUE; write e.g. {_EXAMPLE}")
        if name in values:
            raise ValueError(f"{name[:80]} stands there twice; write it once")
        values[name] = value
    return values


def _shown(value: object) -> str:
    return value[:80] if isinstance(value, str) else quoted(value)


def _number(name: str, value: object) -> float | None:
    """Return a value as a number; None if it is none."""
    try:
        # A truth value would pass for 0 or 1.
        return None if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _positive(name: str, value: object, example: str) -> float:
    number = _number(name, value)
    if number is None or not 0 < number < float("inf"):
        raise ValueError(f"{name}={_shown(value)} is not a positive number; write e.g. {example}")
    return number


def _weight(value: object) -> float:
    number = _number("alpha", value)
    if number is None or not 0 <= number <= 1:
        raise ValueError(f"alpha={_shown(value)} is not a number in [0, 1]; write e.g. alpha=0.9")
    return number


def _epochs(value: object) -> int:
    number = _number("epochs", value)
    if number is None or not (1 <= number <= MOST and number.is_integer()):
        raise ValueError(f"epochs={_shown(value)} is not a whole number from 1; write e.g. epochs=20")
    return int(number)


def _teachers(value: object) -> tuple[int, ...]:
    """Return participants in increasing order; in a text they stand with + or a space between."""
    numbers = value.replace("+", " ").split() if isinstance(value, str) else [quoted(value)]
    if not numbers or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise ValueError(f"teachers={_shown(value)} names no participants; write e.g. teachers=0+3+7")
    return tuple(sorted({int(number[:9]) for number in numbers}))


def _one_of(name: str, value: object, allowed: Iterable[_Enum]) -> _Enum:
    members = {member.value: member for member in allowed}
    if not isinstance(value, str) or value not in members:
        hint = did_you_mean(value, members)
        raise ValueError(f"{name}={_shown(value)} is unknown; write {one_of(members)}{hint}")
    return members[value]
