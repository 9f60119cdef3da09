"""`autokd --server URL`: a service does the command, and what comes back is what the command prints here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from autokd.cli.app import run
from autokd.config.defaults import SERVER_VARIABLE, TOKEN_VARIABLE
from tests.client.conftest import Served
from tests.service.conftest import STUDY

COMMANDS = [
    ("recommend", "--pair", "0,1"),
    ("recommend", "0,1", "--json"),
    ("recommend", "--all", "--csv", "--top", "3"),
    ("recommend", "--student=1"),
    ("recommend", "--pair", "0,9"),
    ("status",),
    ("advise", "--all"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_is_what_the_command_prints_here(
    command: tuple[str, ...],
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    where = ["--study", str(STUDY), "--home", str(served.home)]
    monkeypatch.setattr(sys, "argv", ["autokd", *command, *where])
    here = run(), *capfd.readouterr()
    monkeypatch.setenv(TOKEN_VARIABLE, served.token)
    monkeypatch.setattr(sys, "argv", ["autokd", "--server", served.url, *command, "--study", "small"])
    assert (run(), *capfd.readouterr()) == here


def test_a_job_ends_as_its_command_does(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["tune", "--pair", "0,1", "--trials", "13"]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv(TOKEN_VARIABLE, served.token)
    monkeypatch.setattr(sys, "argv", ["autokd", "--server", served.url, *command, "--study", "small"])
    assert run() == 0
    shown, said = capfd.readouterr()
    assert re.search(r"^job \d+ of http", said)
    assert "tune: 0 done" in said
    assert "nothing was left" not in said
    # Now everything is there, so that the same command runs nothing here.
    where = ["--study", str(STUDY), "--home", str(served.home)]
    monkeypatch.setattr(sys, "argv", ["autokd", *command, *where])
    assert run() == 0
    here, said = capfd.readouterr()
    assert "nothing was left" in said
    assert re.sub(r" --(study|home) \S+", "", here).split() == shown.split()
    # The recommended student, too, is the one that this machine makes.
    files = [tmp_path / name / "student.safetensors" for name in ("there", "here")]
    said_by = []
    for file, more in zip(files, (["--server", served.url], []), strict=True):
        asked = [
            "distill",
            "--pair",
            "0,1",
            "--force",
            "--out",
            str(file),
            *(where if not more else ["--study", "small"]),
        ]
        monkeypatch.setattr(sys, "argv", ["autokd", *more, *asked])
        assert run() == 0
        said_by.append(capfd.readouterr().out.replace(str(file.parent), ""))
    assert said_by[0] == said_by[1]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].with_suffix(".md").read_text().startswith("#")


def test_a_job_that_fails_says_why(
    served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, served.token)
    command = ["explain", "--pair", "3,0", "--space", "private", "--study", "small"]
    monkeypatch.setattr(sys, "argv", ["autokd", "--server", served.url, *command])
    assert run() == 1
    assert "error: pair 3->0 has no recommendation yet" in capfd.readouterr().err


def test_a_file_is_written_here(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, served.token)
    monkeypatch.setenv(SERVER_VARIABLE, served.url)
    monkeypatch.setenv("AUTOKD_STUDY", "small")
    for command, name, start in (
        (("recommend", "--all"), "pairs.csv", "teacher,student,"),
        (("report",), "page.html", "<!doctype html>"),
    ):
        file = tmp_path / name
        monkeypatch.setattr(sys, "argv", ["autokd", *command, "--out", str(file)])
        assert run() == 0
        assert file.read_text().startswith(start)
        assert f"wrote {file}" in "".join(capfd.readouterr())


REFUSED = {
    "a command that no service does": (["--server", "http://h", "check", "mine.yaml"], "without it"),
    "no address": (["--server"], "needs an address"),
    "an empty address": (["--server=", "status"], "needs an address"),
    "no token": (["--server", "URL", "status", "--study", "small"], "AUTOKD_TOKEN"),
    "a home of this machine": (["--server", "URL", "status", "--home", "x"], "--home: is the service's"),
    "a file of this machine": (["--server", "URL", "status", "--study", "a/mine.yaml"], "unknown there"),
    "a slip": (["--server", "URL", "status", "--jsn"], "--json"),
    "figures": (["--server", "URL", "report", "--figures", "x", "--study", "small"], "--figures"),
    "nobody there": (["--server", "http://127.0.0.1:9", "status"], "does not answer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_a_line_with_a_way_out(
    case: str, served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, words = REFUSED[case]
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setattr(
        sys, "argv", ["autokd", *(served.url if word == "URL" else word for word in arguments)]
    )
    assert run() == (1 if case == "nobody there" else 2)
    shown, said = capfd.readouterr()
    assert shown == ""
    assert words in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_the_environment_does_not_take_other_commands_away(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "argv", ["autokd", "version"])
    assert run() == 0
    assert "autokd" in capfd.readouterr().out
