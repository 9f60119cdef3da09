"""Ctrl-C in a terminal, and the same command again."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import yaml

from autokd.core.records import Failure, TrialOrigin, TrialState
from autokd.store import Store, sqlite_url
from tests.cli.conftest import PROGRAM, Command, Tuned
from tests.cli.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.ray]


def test_ctrl_c_says_how_to_go_on_and_the_same_command_finishes(
    here: Command, tuned: Tuned, quick_study: Path, tmp_path: Path, ray_folder: Path
) -> None:
    home = tuned.copy(tmp_path / "home").home
    # A search that is never sure of anything goes on until it is interrupted.
    recipe = yaml.safe_load(quick_study.read_text())
    recipe["search"] |= {"epsilon": 0.0, "confidence": 1.0, "min_trials": 400}
    quick_study.write_text(yaml.safe_dump(recipe))
    arguments = (
        "tune",
        "--pair",
        "4,9",
        "--study",
        quick_study.name,
        "--position",
        "student",
        "--trials",
        "400",
    )
    with Terminal([PROGRAM, *arguments, "--home", home], cwd=tmp_path) as terminal:
        terminal.wait_for("starting workers")
        terminal.wait_for("complete")
        beside = here("status", "--study", quick_study.name, "--home", home)
        (driver,) = here("status", "--study", quick_study.name, "--home", home, "--json").json()["drivers"]
        terminal.interrupt()
        code = terminal.end()
    assert code == 130, terminal.shown
    assert "stopping: reported results are kept" in terminal.shown
    assert "Run the same command again" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert f"process {terminal.process.pid}, at work since" in " ".join(beside.out.split())
    assert driver["alive"]
    assert driver["runs_ended"] + driver["runs_left"] > 400, "the least number of trials"
    assert here("status", "--study", quick_study.name, "--home", home, "--json").json()["drivers"] == []
    assert "\x1b[" in terminal.shown
    assert not _at_work(ray_folder)
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        (study,) = (name for name in store.studies() if "/quick-" in name)
        before = store.trials(study)
        assert 0 < len(before) < 400
        assert {trial.state for trial in before} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
        assert {trial.failure for trial in before} <= {None, Failure.INTERRUPTED}

    recipe["search"]["min_trials"] = 2
    quick_study.write_text(yaml.safe_dump(recipe))
    again = here(*arguments[:-1], "8", "--home", home)
    assert again.code == 0, again.err
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        after = store.trials(study)
        assert after[: len(before)] == before
        assert TrialState.RUNNING not in {trial.state for trial in after}
        baselines = [trial.state for trial in after if trial.role is TrialOrigin.BASELINE]
        assert baselines.count(TrialState.COMPLETE) == 1


def _at_work(folder: Path) -> list[str]:
    """Processes of the Ray session in `folder`."""
    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if str(folder) in line]
