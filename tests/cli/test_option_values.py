"""Every option of every command, with values that it cannot have: one line, exit code 2, and its name."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from inspect import signature
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import pytest
from typer.models import OptionInfo

from autokd.cli.app import app
from tests.cli.conftest import Command
from tests.fuzz.harness import FORBIDDEN


def wrong(kind: Any) -> Iterator[str]:
    """Values that an option of this type cannot have; nothing for those that take any text."""
    kinds = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    names = [str(name) for name in kinds if isinstance(name, str)]
    for option_type in kinds:
        if option_type is int:
            yield from ("", "many", "1.5", "1e3", "nan", "0x10", "9" * 5000)
        elif option_type is float:
            yield from ("", "many", "nan", "inf", "-inf", "1,5")
        elif get_origin(option_type) is Literal:
            names += map(str, get_args(option_type))
        elif isinstance(option_type, type) and issubclass(option_type, Enum):
            names += [str(member.value) for member in option_type]
    if names:
        yield from ("", "none of them", f"{names[0][:-1]}xx", f"{names[0].upper()}1")


def cases() -> Iterator[tuple[str, str, str]]:
    """Command, option and value."""
    for command in app.registered_commands:
        assert command.callback is not None
        for parameter in signature(command.callback).parameters.values():
            kind, info = get_args(parameter.annotation)
            if isinstance(info, OptionInfo):
                named = [name for name in info.param_decls or () if name.startswith("--")]
                option = named[0] if named else f"--{parameter.name.replace('_', '-')}"
                yield from ((command.callback.__name__, option, value) for value in wrong(kind))


CASES = list(cases())
NEEDED = {
    "check": ["digits"],
    "distill": ["--pair=0,1", "--out=student.safetensors"],
    "explain": ["--pair=0,1"],
}


def test_there_are_many() -> None:
    assert len(CASES) > 100
    assert len({name for name, _, _ in CASES}) > 6


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CASES}))
def test_a_value_that_no_option_has_is_one_line(here: Command, name: str) -> None:
    for _, option, value in (case for case in CASES if case[0] == name):
        outcome = here(name, f"{option}={value}", *NEEDED.get(name, ()))
        assert (outcome.code, outcome.out) == (2, ""), (option, value, outcome)
        (line,) = outcome.err.splitlines()
        assert option in line, (option, value, line)
        assert not FORBIDDEN.search(line), line
        assert len(line) < 600, line


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["tune", "--position", "studnet"], "did you mean student?"),
        (["tune", "--memory-format", "chanels_last"], "did you mean channels_last?"),
        (["distill", "--transfer-set", "bth"], "did you mean both?"),
        (["tunee"], "Did you mean 'tune'?"),
    ],
)
def test_a_slip_gets_a_hint(here: Command, arguments: list[str], hint: str) -> None:
    outcome = here(*arguments)
    assert outcome.code == 2
    assert hint in outcome.err


@pytest.mark.parametrize("arguments", [["tune", "--pair", "0,1"], ["status"], ["prepare"]])
def test_a_home_that_the_shell_left_empty_is_no_home(here: Command, arguments: list[str]) -> None:
    outcome = here(*arguments, "--home", "")
    assert outcome.code == 2
    assert "--home" in outcome.err
    assert len(outcome.err.splitlines()) == 1
