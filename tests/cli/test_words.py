"""Help, versions, and the small words of the terminal."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import autokd
from autokd.cli.app import run
from autokd.cli.console import clock, show_notices
from autokd.cli.options import StudyOptions
from autokd.cli.progress import Lines, plain, run_list, table, watching
from autokd.cli.secrets import without_secret
from autokd.core.price import NOTHING, Load
from autokd.core.records import TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.execution.run_queue import RunQueueProgress
from autokd.search.progress import Progress, StudyProgress
from tests.cli.conftest import Command

SECRET = "postgresql://me:hunter2@there/studies"


@pytest.mark.parametrize(
    "name",
    [
        "init",
        "check",
        "prepare",
        "tune",
        "status",
        "recommend",
        "advise",
        "report",
        "distill",
        "explain",
        "observations",
        "sweep",
        "export",
        "dashboard",
        "serve",
        "list",
        "delete",
        "version",
        *("store backup", "store restore", "store check", "store release"),
        *("token create", "token list", "token revoke"),
    ],
)
def test_help_has_an_example_and_fits_the_terminal(here: Command, name: str) -> None:
    shown = here(*name.split(), "--help")
    assert shown.code == 0
    lines = [line.rstrip() for line in shown.out.splitlines()]
    assert max(map(len, lines)) <= 80
    first = next(at for at, line in enumerate(lines) if line.lstrip().startswith("Example")) + 1
    examples = lines[first : lines.index("", first)]
    assert any(f"autokd {name}" in line for line in examples)
    assert all(line.startswith("   ") for line in examples), "one example a line"


def test_without_a_command_there_is_help(here: Command) -> None:
    shown = here()
    assert shown.code == 2
    assert "autokd tune --pair 4,9" in shown.out
    assert shown.err == ""


def test_a_notice_is_shown_once_with_a_terminal_and_without() -> None:
    notice = "cuda [odd] has no room for 100% of a run's images"
    for terminal in (False, True):
        screen = StringIO()
        console = Console(file=screen, force_terminal=terminal, width=80)
        with show_notices(console), watching(console) as callbacks:
            callbacks.on_prepare(1, 2)
            logging.getLogger("autokd.federation.preparation").warning(notice)
            logging.getLogger("autokd.execution.tune_adapters").warning(notice)
        assert screen.getvalue().count(notice) == 1
        logging.getLogger("autokd").warning(notice)
        assert screen.getvalue().count(notice) == 1


def test_a_library_prints_no_notice() -> None:
    program = "import autokd, logging; logging.getLogger('autokd.execution.tune_adapters').warning('no room')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_version_for_people_and_for_programs(here: Command) -> None:
    versions = here("version", "--json").json()
    assert versions["autokd"] == autokd.__version__
    assert {"python", "torch", "ray", "optuna", "sqlalchemy"} <= set(versions)
    lines = dict(line.split() for line in here("version").out.splitlines())
    assert lines == versions


def test_version_and_help_in_their_usual_short_forms(here: Command) -> None:
    assert here("--version").out == f"autokd {autokd.__version__}\n"
    assert here("-h").out == here("--help").out
    assert here("tune", "-h").out == here("tune", "--help").out
    assert "backup" in here("store", "-h").out


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("autokd rec", {"recommend"}),
        ("autokd tune --study digits", {"digits", "digits_iid"}),
        ("autokd tune --space pr", {"private"}),
    ],
)
def test_a_shell_completes_commands_and_recipes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, completions: set[str]
) -> None:
    monkeypatch.setenv("_AUTOKD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    monkeypatch.setattr(sys, "argv", ["autokd"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    assert set(capsys.readouterr().out.split()) == completions


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (7, "0:07"), (62, "1:02"), (3599.6, "1:00:00"), (3725, "1:02:05")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_time_left_does_not_count_the_start_of_workers() -> None:
    """The first run ended after 20 s; in the ten seconds since then ten more have: one a second."""
    progress = Progress(
        studies=(),
        live=2,
        ended=11,
        left=30,
        seconds=30.0,
        waited=20.0,
        done=Load(runs=10, epochs=50, examples=100),
    )
    assert progress.seconds_left == pytest.approx(30.0)
    assert replace(progress, training=0.5, work_left=Load(examples=600)).seconds_left == pytest.approx(45.0)
    assert replace(progress, done=NOTHING, seconds=20.0).seconds_left is None


@pytest.mark.parametrize("asked", [False, True])
def test_the_share_of_a_sweep_is_told_where_it_is_the_budget(asked: bool) -> None:
    output = StringIO()
    progress = Progress(studies=(), live=2, ended=11, left=0, seconds=30.0, sweep_examples=1000)
    Lines(Console(file=output, width=200), of_sweep=asked).on_search(progress)
    assert "11 runs done" in output.getvalue()
    assert ("of a sweep" in output.getvalue()) is asked


def test_a_pair_in_one_line() -> None:
    study = StudyProgress(
        pair=Pair(4, 9),
        counts={TrialState.PRUNED: 3, TrialState.COMPLETE: 2},
        baseline=0.8,
        best=(0.835, DEFAULT),
        after=Load(1, 10, 1000),
    )
    line = plain(study)
    assert line.startswith("4->9: 2 complete, 3 pruned + 1 of race and confirmation, default 80.0%, best")


def test_running_pairs_fit_80_columns() -> None:
    best = Setting(0.125, 0.125, TransferSet.BOTH)
    counts = {TrialState.RUNNING: 2, TrialState.COMPLETE: 11, TrialState.PRUNED: 13, TrialState.FAIL: 1}
    busy = StudyProgress(pair=Pair(4, 9), counts=counts, baseline=0.8, best=(0.835, best), after=Load(16))
    begun = StudyProgress(pair=Pair(9, 4), counts={}, baseline=None, best=None)
    screen = StringIO()
    Console(file=screen, width=80).print(table([busy, begun]))
    assert [line.split() for line in screen.getvalue().splitlines()] == [
        ["pair", "running", "complete", "pruned", "fail", "after", "default", "best", "so", "far"],
        ["4->9", "2", "11", "13", "1", "16", "80.0%", "83.5%", "T=0.125", "α=0.125", "on", "both"],
        ["9->4", "–", "–", "–", "–", "–"],
    ]


def test_a_sweep_in_one_line() -> None:
    begun = RunQueueProgress(done=0, total=76, failed=0, ended=0, seconds=3.0)
    assert run_list("swept", begun) == "0 of 76 runs swept"
    under_way = RunQueueProgress(done=16, total=76, failed=2, ended=11, seconds=20.0)
    assert run_list("swept", under_way) == "16 of 76 runs swept, 2 failed, about 2:00 left"
    over = RunQueueProgress(done=76, total=76, failed=2, ended=71, seconds=140.0)
    assert run_list("swept", over) == "76 of 76 runs swept, 2 failed"


@pytest.mark.parametrize(
    ("arguments", "kept", "secret"),
    [
        (["tune", "--storage", SECRET, "--pair", "4,9"], ["tune", "--pair", "4,9"], SECRET),
        (["tune", f"--storage={SECRET}", "--json"], ["tune", "--json"], SECRET),
        (["tune", "--storage", "sqlite:///a.db"], ["tune", "--storage", "sqlite:///a.db"], None),
        (["tune", "--storage=sqlite:///a.db"], ["tune", "--storage=sqlite:///a.db"], None),
        (["tune", "--storage"], ["tune", "--storage"], None),
        (["version"], ["version"], None),
    ],
)
def test_a_secret_is_taken_out_of_the_arguments(
    arguments: list[str], kept: list[str], secret: str | None
) -> None:
    assert without_secret(arguments) == (kept, secret)


def test_what_is_usual_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("autokd-home")
    assert StudyOptions(study="digits", space=None, home=home, storage=None).repeated() == ""
    monkeypatch.setenv("AUTOKD_HOME", "/elsewhere")
    assert StudyOptions(study="digits", space=None, home=Path("/elsewhere"), storage=None).repeated() == ""
    options = StudyOptions(study="digits", space=None, home=home, storage=None)
    assert options.repeated() == " --home autokd-home"
    monkeypatch.setenv("AUTOKD_STUDY", "mine.yaml")
    monkeypatch.setenv("AUTOKD_SPACE", "private")
    assert replace(options, study="mine.yaml", space="private").repeated("study", "space") == ""
    assert replace(options, space="private").repeated("study", "space") == " --study digits"


def test_what_another_command_needs_is_repeated_but_no_password() -> None:
    options = StudyOptions(study="s.yaml", space="private", home=Path("a h"), storage="sqlite:///a.db")
    where = " --home 'a h' --storage sqlite:///a.db"
    assert options.repeated() == f" --study s.yaml --space private{where}"
    assert options.repeated("home", "storage") == where
    assert StudyOptions(study="digits", space=None, home=Path("autokd-home"), storage=SECRET).repeated() == ""
