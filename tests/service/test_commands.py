"""Commands for others: what they may have, and that nothing else gets in or out."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from autokd.errors import PlanError
from autokd.service import commands
from autokd.service.catalogue import KnownStudy
from autokd.service.commands import DONE, OPTIONS, CommandRequest, Commands, arguments
from autokd.service.problems import Problem
from tests.service.conftest import Api, settings


def request(command: str = "recommend", *options: tuple[str, str | None], **more: Any) -> CommandRequest:
    named = [{"name": name, "value": value} for name, value in options]
    return CommandRequest.model_validate({"command": command, "study": "small", "options": named, **more})


def test_options_become_arguments() -> None:
    asked = request("recommend", ("--pair", "0,1"), ("--json", None), ("--verdict", "tuned"))
    assert arguments(asked) == ["recommend", "--pair=0,1", "--json", "--verdict=tuned"]
    # A value that looks like an option stays a value.
    assert arguments(request("advise", ("--student", "--all"))) == ["advise", "--student=--all"]


@pytest.mark.parametrize("command", OPTIONS)
@pytest.mark.parametrize("option", ["--out", "--home", "--storage", "--study", "--space", "--log", "--debug"])
def test_no_option_names_a_file_or_a_place(command: str, option: str) -> None:
    with pytest.raises(PlanError, match=f"not {option}"):
        arguments(request(command, (option, "x")))


HOSTILE: dict[str, dict[str, Any]] = {
    "another command": {"command": "distill"},
    "a command with options": {"command": "status --home /"},
    "no command": {"command": None},
    "an unknown field": {"home": "/"},
    "a study elsewhere": {"study": "../etc/passwd"},
    "a space elsewhere": {"space": "/etc/passwd"},
    "a line end in a value": {"options": [{"name": "--pair", "value": "0,1\n--home /"}]},
    "an option with a value in its name": {"options": [{"name": "--pair=0,1"}]},
    "a short option": {"options": [{"name": "-h"}]},
    "a value where none is": {"options": [{"name": "--json", "value": "x"}]},
    "no value": {"options": [{"name": "--pair"}]},
    "a long value": {"options": [{"name": "--pair", "value": "0" * 201}]},
    "a thousand and one options": {"options": [{"name": "--json"}] * 1001},
    "no room": {"columns": 1},
    "options of another kind": {"options": ["--json"]},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_such_command_is_refused(case: str, api: Api) -> None:
    body = {"command": "recommend", "study": "small", **HOSTILE[case]}
    answer = api.request("POST", "/v1/commands", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("command", DONE)
def test_what_takes_leases_needs_the_scope_of_it(command: str, api: Api) -> None:
    answer = api.request("POST", "/v1/commands", json={"command": command, "study": "small"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:autokd:problem:scope")


def test_an_unknown_study_is_not_found(api: Api) -> None:
    answer = api.request("POST", "/v1/commands", json={"command": "status", "study": "none"})
    assert answer.status_code == 404


def test_a_command_has_the_environment_of_its_study_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOKD_TOKEN", "a secret")
    monkeypatch.setenv("AUTOKD_SPACE", "private")
    study = KnownStudy("small", "home", "/recipes/small.yaml")
    own = commands._environment(settings(tmp_path), request("status"), study)
    assert "a secret" not in own.values()
    assert own["AUTOKD_STUDY"] == "/recipes/small.yaml"
    assert "AUTOKD_SPACE" not in own
    assert (own["NO_COLOR"], "FORCE_COLOR" in own, own["PYTHONSAFEPATH"]) == ("1", False, "1")
    colored = commands._environment(settings(tmp_path), request("status", color=True, space="private"), study)
    assert (colored["FORCE_COLOR"], "NO_COLOR" in colored, colored["AUTOKD_SPACE"]) == ("1", False, "private")


def endless(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands take a minute, and write the number of their process."""
    slow = folder / "python"
    slow.write_text(f"#!/bin/sh\necho $$ > {folder}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))


def test_more_commands_than_may_wait_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless(tmp_path, monkeypatch)
    monkeypatch.setattr(commands, "_WAITING", 1)
    monkeypatch.setattr(commands, "_SECONDS", 0.3)

    async def ask() -> list[object]:
        some = Commands(settings(tmp_path))
        study = KnownStudy("small", "shipped", "small")
        asked = (some.run(request("status"), study) for _ in range(5))
        return await asyncio.gather(*asked, return_exceptions=True)

    said = [str(error) for error in asyncio.run(ask())]
    assert ["took more than" in words for words in said] == [True, True, True, False, False]
    assert said[3:] == ["too many commands are waiting"] * 2


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless(tmp_path, monkeypatch)
    monkeypatch.setattr(commands, "_SECONDS", 0.3)
    study = KnownStudy("small", "shipped", "small")
    with pytest.raises(Problem, match="took more than"):
        asyncio.run(Commands(settings(tmp_path)).run(request("status"), study))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
