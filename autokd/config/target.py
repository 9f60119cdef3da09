"""The target distribution: the class shares of the examples that a model is for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from autokd.core.class_names import class_name
from autokd.core.text_files import expanded, read_text
from autokd.errors import PlanError
from autokd.text.escaping import one_line
from autokd.text.quoting import did_you_mean, quoted

_ROUNDING: Final = 1e-3
"""How far class shares that were rounded may be from adding up to 1."""

TargetName = Literal["common", "own", "balanced"]
ClassShares = Mapping[str, float]
"""Class shares in [0, 1] by class name; they add up to 1 but for rounding."""

NAMES: Final[tuple[TargetName, ...]] = ("common", "own")
"""`common`: the class shares of the common splits. `own`: those of the student's own private data."""
BALANCED: Final = "balanced"
"""All classes have equal shares: the target of the objective `balanced`, which names it."""


def target(value: object) -> TargetName | ClassShares:
    """Return a target distribution from its plain value: `common`, `own`, or class shares by class name.

    `balanced` passes, too; whether it may be said is for the study recipe to check.

    Raises:
        ValueError: If it is neither, or the shares are not valid.
    """
    if isinstance(value, str):
        for name in (*NAMES, BALANCED):
            if value == name:
                return name
    if not isinstance(value, Mapping):
        raise ValueError("must be common, own, or class shares by class name, e.g. {cat: 0.2, dog: 0.8}")
    shares: dict[str, float] = {}
    for written, share in value.items():
        label = class_name(written)
        if label in shares:
            raise ValueError(f"class {label}: stands there twice")
        shares[label] = _share(label, share)
    total = math.fsum(shares.values())
    if abs(total - 1) > _ROUNDING:
        raise ValueError(f"the class shares add up to {total:.6g}; they must add up to 1")
    return shares


def _share(name: str, share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError(f"class {name}: {quoted(share)} is no share; a share is a number from 0 to 1")
    return float(share)


def in_order(shares: ClassShares, classes: Sequence[str], *, source: str, field: str = "") -> list[float]:
    """Return class shares in the order of a federation's classes, adding up to 1.

    A class that is not named has the share 0: shares add up to 1, so none is left out by mistake.

    Raises:
        PlanError: If a class is unknown; it names source and field.
    """
    unknown = [name for name in shares if name not in classes]
    if unknown:
        problem = f"the federation has no class {', '.join(unknown)}; its classes: {', '.join(classes)}"
        raise PlanError(source=source, field=field, problem=problem)
    total = math.fsum(shares.values())
    return [shares.get(name, 0.0) / total for name in classes]


def remark(target: TargetName | ClassShares) -> str:
    """Return in one sentence which distribution accuracies are on; empty for `common`."""
    if target == "common":
        return ""
    if target == BALANCED:
        return "accuracies are balanced: means over the classes, each of which counts the same"
    if target == "own":
        shares = "the student's own class shares; so forgetting is a gain with its sign turned"
    else:
        shares = ", ".join(f"{name} {share:g}" for name, share in target.items() if share > 0)
    return one_line(f"accuracies are on the target distribution: {shares}")


def target_json(target: TargetName | ClassShares) -> dict[str, object]:
    """Return the entry `target` of JSON that has accuracies or gains; nothing for `common`."""
    if target == "common":
        return {}
    return {"target": target if isinstance(target, str) else dict(target)}


def read_target(named: str | Path | Mapping[str, float], *, option: str) -> TargetName | ClassShares:
    """Return a target distribution as an option names it: `common`, `own`, a JSON file, or its content.

    Raises:
        PlanError: If the file cannot be read, or its content is not valid; it names file and class.
    """
    source = option
    content: Any = named
    if isinstance(named, Path) or (isinstance(named, str) and named not in NAMES):
        text = str(named)
        if not text.lstrip().startswith("{"):
            source = text
            text = _text(Path(named), option)
        content = _parsed(text, source)
    try:
        target_read = target(content)
        if target_read == BALANCED:
            raise ValueError("must be common, own, or class shares by class name")
        return target_read
    except ValueError as error:
        raise PlanError(source=source, problem=str(error)) from None


def _text(file: Path, option: str) -> str:
    try:
        return read_text(expanded(str(file)))
    except ValueError as error:
        hint = did_you_mean(str(file), NAMES)
        problem = f"{error}{hint}; {option} takes common, own, or a JSON file of class shares"
        raise PlanError(source=str(file), problem=problem) from None


def _parsed(text: str, source: str) -> object:
    def unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in items:
            if name in seen:
                raise PlanError(source=source, field=name, problem="stands there twice")
            seen[name] = value
        return seen

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        line, why = f"line {error.lineno}, column {error.colno}", "nothing of JSON is found here"
    except RecursionError:
        line, why = "", "it is nested too deeply"
    except ValueError:
        line, why = "", "a number has too many digits"
    problem = f'is not valid JSON: {why}; write {{"class name": share, ...}}'
    raise PlanError(source=source, field=line, problem=problem)
