"""Several teachers on the command line: what contradicts itself is refused before anything is opened."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("tune --teachers 0,3", "--student: say who learns"),
        ("tune --teachers 0,3 --student 9 --all-students", "--student: say who learns"),
        ("tune --all-students", "--teachers: is missing"),
        ("tune --pair 4,9 --teachers 0,3", "--teachers: goes with --student 9"),
        ("tune --all --teachers all", "--teachers: goes with --student 9"),
        ("tune --student 9 --teachers 3,9", "--teachers: participant 9 cannot teach itself"),
        ("tune --student 9 --teachers 3,10", "--teachers: participant 10 does not exist"),
        ("tune --student 10 --teachers 3", "--student: participant 10 does not exist"),
        ("recommend --student 9 --teachers 0;3", "--teachers: there is no participant '0;3'"),
        ("distill --out a.safetensors", "--pair: say who learns"),
        ("distill --out a.safetensors --student 9", "--teachers: is missing"),
        ("distill --out a.safetensors --pair 4,9 --student 9 --teachers 0", "--pair: say who learns"),
        ("explain --teachers 0,3", "--student: say who learns"),
    ],
)
def test_options_that_contradict_themselves_are_refused(here: Command, arguments: str, message: str) -> None:
    outcome = here(*arguments.split())
    assert outcome.code == 2
    assert message in outcome.err


def test_a_group_that_was_not_tuned_says_how(here: Command) -> None:
    outcome = here("recommend", "--student", 9, "--teachers", "0,3")
    assert outcome.code != 0
    assert "autokd tune --student 9 --teachers 0,3" in outcome.err
