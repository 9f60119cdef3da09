"""A password in `--storage` stays with the driver."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from autokd.store import Store
from tests.cli.conftest import PROGRAM, Tuned
from tests.store.conftest import empty_database

pytestmark = [pytest.mark.slow, pytest.mark.ray]
SECRET = "hunter2-is-my-password"


def test_a_password_reaches_no_output_no_process_list_and_no_file(
    tuned: Tuned, quick_study: Path, tmp_path: Path, ray_folder: Path
) -> None:
    home = tuned.copy(tmp_path / "home").home
    where = ("--home", str(home), "--study", str(quick_study))
    seen: set[str] = set()
    scratch: dict[Path, bytes] = {}
    session: dict[Path, bytes] = {}
    with empty_database("postgresql", tmp_path) as url:
        # A server that trusts its machine takes any password.
        address = make_url(url).set(password=SECRET).render_as_string(hide_password=False)
        with subprocess.Popen(
            [str(PROGRAM), "tune", "--pair", "4,9", "--position", "student", *where, "--storage", address],
            cwd=tmp_path,
            env=_of_somebody_new(tmp_path / "somebody"),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            _until_it_has_replaced_itself(process)
            while process.poll() is None:
                seen |= _command_lines()
                scratch |= _contents(home, "ray-tune-*/**/*")
                # Ray's own folder is gone at the end, too.
                session |= _contents(ray_folder, "**/*")
                time.sleep(0.2)
            out, err = process.communicate()
        assert process.returncode == 0, err
        with Store.open(url) as store:
            (study,) = store.studies()
            assert store.recommendation(study) is not None
    assert SECRET not in out + err
    assert len(seen) > 1
    assert not [line for line in seen if SECRET in line]
    written = session | _contents(home, "**/*")
    assert any("session_" in str(file) for file in written)
    assert scratch
    assert not [file for file, content in (written | scratch).items() if SECRET.encode() in content]
    # Nor does Ray leave a token of its own on disk.
    assert not list((tmp_path / "somebody").rglob("auth_token"))


def _of_somebody_new(home: Path) -> dict[str, str]:
    """An environment without what Ray has told the processes of other tests."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("RAY_AUTH_")}
    return {**environment, "HOME": str(home)}


def _until_it_has_replaced_itself(process: subprocess.Popen[str]) -> None:
    """Until then its first image has the arguments as typed, for the moment that it takes to read them.

    Right after its start it may have none yet, or still this program's: so wait for the new image's own.
    """
    image = psutil.Process(process.pid)
    until = time.monotonic() + 60
    while image.cmdline()[1:3] != ["-m", "autokd"]:
        assert time.monotonic() < until
        time.sleep(0.05)


def _command_lines() -> set[str]:
    """Of this test's program and all that it started, with environments of those that it started."""
    lines = set()
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            lines.add(" ".join(child.cmdline()))
            if "ray" in child.name() or "IDLE" in child.name():
                lines.add(repr(child.environ()))
        except psutil.Error:
            continue
    return lines


def _contents(folder: Path, pattern: str) -> dict[Path, bytes]:
    contents = {}
    for file in folder.glob(pattern):
        try:
            if file.is_file():
                contents[file] = file.read_bytes()
        except OSError:
            continue
    return contents
