"""`autokd stop` at a command that runs in the background, where Ctrl-C would not reach it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autokd.core.records import Failure, TrialState
from autokd.errors import NotTuned
from autokd.store import DriverFacts, Store, sqlite_url
from tests.cli.conftest import PROGRAM, Command, Tuned

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@contextmanager
def in_the_background(*arguments: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """The installed program as a script starts it with `&`: it ignores Ctrl-C."""
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and standard error of a program that is about to end."""
    _, output = process.communicate(timeout=60)
    return process.returncode, output


def wait_until(home: Path, what: Callable[[Store, DriverFacts], bool]) -> None:
    """Until the one driver at work is so far."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        time.sleep(0.2)
        try:
            with Store.open(sqlite_url(home / "autokd.db"), create=False) as store:
                if any(what(store, driver) for driver in store.leases.drivers()):
                    return
        except NotTuned:
            continue
    raise AssertionError("no driver was ever so far")


def test_a_batch_is_stopped_from_another_terminal_and_the_same_command_continues(
    here: Command, tuned: Tuned, quick_study: Path, tmp_path: Path
) -> None:
    home = tuned.copy(tmp_path / "home").home
    where = ("--study", quick_study.name, "--home", home)
    with in_the_background("tune", "--all", *where, cwd=tmp_path) as batch:
        wait_until(home, lambda store, driver: bool({*store.recommended()} & {*driver.studies}))
        began = time.monotonic()
        stopped = here("stop", *where)
        assert time.monotonic() - began < 60  # Most of it is importing, and the end of Ray.
        code, output = ended(batch)
    assert code == 130, output
    assert "has asked this command to stop (autokd stop)" in output
    assert "stopping: reported results are kept" in output
    assert "interrupted; results so far are stored" in output
    assert "Traceback" not in output
    assert stopped.code == 0, stopped.err
    assert f"process {batch.pid}: " in stopped.out
    assert " of 90 pairs are done; autokd tune --all" in stopped.out
    assert f"--home {home} continues" in stopped.out
    assert "waiting until" in stopped.err
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        assert store.leases.drivers() == ()
        names = [name for name in store.studies() if "/quick-" in name]
        trials = [trial for name in names for trial in store.trials(name)]
        assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
        assert {trial.failure for trial in trials} <= {None, Failure.INTERRUPTED}
    again = here("stop", "--all", *where)
    assert (again.code, again.err) == (0, "")
    assert "nothing is running for these pairs of study quick.yaml" in again.out
    assert here("stop", *where, "--json").json() == {"drivers": [], "elsewhere": []}
    # No later command is stopped by the request.
    assert here("tune", "--pair", "4,9", *where).code == 0


def test_a_sweep_is_told_to_stop_without_waiting(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    home = tuned.copy(tmp_path / "home").home
    with in_the_background("sweep", "--pair", "4,9", "--seeds", "20", "--home", home, cwd=tmp_path) as sweep:
        wait_until(home, lambda store, driver: bool(store.runs(driver.studies[0])))
        other = here("stop", "--pair", "2,3", "--home", home)
        assert "nothing is running for these pairs" in other.out
        assert f"process {sweep.pid} is at work on digits-" in other.out
        asked = here("stop", "--pair", "4,9", "--home", home, "--no-wait")
        assert asked.code == 0
        assert f"process {sweep.pid} to stop" in asked.out
        assert "autokd sweep --pair 4,9" in asked.out
        code, output = ended(sweep)
    assert code == 130, output


def test_the_preparation_of_a_federation_is_stopped(here: Command, home: Path, tmp_path: Path) -> None:
    with in_the_background("tune", "--pair", "4,9", "--home", home, cwd=tmp_path) as batch:
        wait_until(home, lambda store, driver: "/preparation-" in driver.studies[0])
        stopped = here("stop", "--pair", "2,3", "--home", home)
        code, output = ended(batch)
    assert code == 130, output
    assert "Traceback" not in output
    assert "the federation is not prepared; the same command starts that again" in stopped.out
    assert not (home / "federations").exists() or not list((home / "federations").iterdir())
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        assert store.leases.drivers() == ()
