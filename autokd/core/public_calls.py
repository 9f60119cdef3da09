"""Public functions check what they are called with: what can only mean one thing is taken.

They say `@checked()`. Arguments of one name mean the same in all of them, and are checked alike.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from autokd.core.arguments import Check, flag, instance, member, mismatch, path, text, whole
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import AnyPair, Group, Pair, Position
from autokd.errors import ArgumentError, PlanError
from autokd.text.quoting import quoted

_P = ParamSpec("_P")
_T = TypeVar("_T")


def checked(**checks: Check) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Return a decorator that checks a function's arguments, by `CHECKS` or by what is given here.

    None passes where it is the default. Unknown and missing arguments are `ArgumentError`s, too.
    """

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        signature = inspect.signature(function)
        parameters = signature.parameters
        wanted = {name: {**CHECKS, **checks}.get(name) for name in parameters}

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise mismatch(function.__name__, parameters, kwargs, error) from None
            values = bound.arguments
            for name, value in values.items():
                check = wanted[name]
                if check in _BY_NAME:
                    check = functools.partial(check, names=_names(values.get("workspace")))
                if check is not None and not (value is None and parameters[name].default is None):
                    values[name] = check(name, value)
            _check_participants(values)
            return function(*bound.args, **bound.kwargs)

        return call

    return decorate


def pair(name: str, value: object, *, names: ParticipantNames = NUMBERS_ONLY) -> AnyPair:
    """Return a pair: a `Pair`, `"4,9"` or two participants, by number or name; or a `Group`.

    Raises:
        ArgumentError: If it is none.
    """
    if isinstance(value, Pair | Group):
        return value
    if isinstance(value, str):
        try:
            return names.pair(value)
        except PlanError as error:
            # Options are of the command line.
            problem = error.problem.replace("--pair 4,9", '"4,9"').partition("; for several")[0]
            raise ArgumentError(name, problem) from None
    if isinstance(value, list | tuple) and len(value) == 2:
        teacher, student = (participant(name, number, names=names) for number in value)
        if teacher == student:
            raise ArgumentError(name, f"({teacher}, {student}): a participant cannot teach itself")
        return Pair(teacher, student)
    raise ArgumentError(name, f'must be a pair such as Pair(4, 9) or "4,9", not {quoted(value)}')


def pairs(name: str, value: object, *, names: ParticipantNames = NUMBERS_ONLY) -> tuple[AnyPair, ...]:
    """Return pairs as a tuple; one pair is a list of one. Raise `ArgumentError` if something is no pair."""
    is_one = isinstance(value, Pair | Group | str) or (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(
            isinstance(member, int) or (isinstance(member, str) and names.has(member)) for member in value
        )
    )
    if is_one or not isinstance(value, Iterable):
        return (pair(name, value, names=names),)
    return tuple(pair(f"{name}[{number}]", entry, names=names) for number, entry in enumerate(value))


def participant(name: str, value: object, *, names: ParticipantNames = NUMBERS_ONLY) -> int:
    """Return the number of a participant, by number or name; raise `ArgumentError` if there is none."""
    if not isinstance(value, str):
        return whole(name, value)
    try:
        return names.number(value, option=name)
    except PlanError as error:
        raise ArgumentError(name, error.problem) from None


def _names(workspace: object) -> ParticipantNames:
    """Return the names that a workspace's federation has."""
    if not isinstance(getattr(type(workspace), "names", None), property):
        return NUMBERS_ONLY
    participant_names: ParticipantNames = workspace.names  # type: ignore[attr-defined]
    return participant_names


def only_pair(name: str, value: object, *, names: ParticipantNames = NUMBERS_ONLY) -> Pair:
    """Return a `pair` where no group may stand for one; raise `ArgumentError` if it does."""
    asked = pair(name, value, names=names)
    if isinstance(asked, Pair):
        return asked
    raise ArgumentError(name, f"must be a pair such as Pair(4, 9), not a group such as {asked}")


def only_pairs(name: str, value: object, *, names: ParticipantNames = NUMBERS_ONLY) -> tuple[Pair, ...]:
    """Return `pairs` where no group may stand for one; raise `ArgumentError` if it does."""
    asked = pairs(name, value, names=names)
    return tuple(only_pair(f"{name}[{number}]", entry) for number, entry in enumerate(asked))


_BY_NAME: Final = (pair, pairs, only_pair, only_pairs, participant)
"""Checks that also take participants by name."""


def _callable(name: str, value: object) -> object:
    if not callable(value):
        raise ArgumentError(name, f"must be a function, not {quoted(value)}")
    return value


def _recipe(name: str, value: Any) -> Any:
    """Return the name, file or content of a recipe."""
    if isinstance(value, str | os.PathLike):
        return value
    try:
        return instance("StudyConfig")(name, value)
    except ArgumentError:
        wanted = "the name of a shipped recipe, a YAML file or an autokd.StudyConfig"
        raise ArgumentError(name, f"must be {wanted}, not {quoted(value)}") from None


def _text_or_empty(name: str, value: object) -> str:
    return "" if value == "" else text(name, value)


CHECKS: Final[Mapping[str, Check]] = {
    "workspace": instance("Workspace"),
    "pair": pair,
    "pairs": pairs,
    "position": lambda name, value: member(name, value, Position),
    "compute": instance("Compute"),
    "workers": instance("Resources"),
    "callbacks": instance("Callbacks"),
    "budget": instance("BatchBudget"),
    "seed": whole,
    "seeds": functools.partial(whole, least=1),
    "student": participant,
    "trials": functools.partial(whole, least=2),
    "home": path,
    "out": path,
    "path": path,
    "study": _recipe,
    "space": _recipe,
    "storage": _text_or_empty,
    "address": text,
    "options": _text_or_empty,
    "force": flag,
    "wait": flag,
    "stale": flag,
    "with_overview": flag,
    "progress": _callable,
}
"""How arguments are checked, by their name; what is not here is checked by the function itself."""


def _check_participants(arguments: Mapping[str, Any]) -> None:
    """Refuse participants that the workspace's federation does not have."""
    workspace = arguments.get("workspace")
    if workspace is None:
        return
    size = workspace.config.federation.size
    for name, named in (("pair", [arguments.get("pair")]), ("pairs", arguments.get("pairs"))):
        last = max((number for pair in named or () if pair for number in pair.meeting), default=0)
        for pair in named or ():
            if pair and last < size:
                try:
                    workspace.names.taught(pair, option=name)
                except PlanError as error:
                    raise ArgumentError(name, error.problem) from None
        if last >= size:
            raise ArgumentError(name, f"participant {last} does not exist; they are numbered 0 to {size - 1}")
