"""Folders that are gone at the end of a command, whichever way it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autokd.core.scratch_folder import scratch_folder

PREFIX = "draft-"


def make_old(folder: Path) -> None:
    old = time.time() - 3600
    os.utime(folder, (old, old))


def test_it_is_its_owners_and_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, PREFIX) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path, PREFIX):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from autokd.core.scratch_folder import scratch_folder\n"
        "with scratch_folder(pathlib.Path(sys.argv[1]), sys.argv[2]): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path, PREFIX], check=False)
    (left,) = tmp_path.iterdir()
    with scratch_folder(tmp_path, PREFIX):
        assert left.exists(), "it is young: perhaps its command is just about to lock it"
    make_old(left)
    with scratch_folder(tmp_path, "other-"):
        assert left.exists(), "it has another name"
    with scratch_folder(tmp_path, PREFIX) as held:
        assert not left.exists()
        make_old(held)
        with scratch_folder(tmp_path, PREFIX):
            assert held.exists(), "somebody uses it"


def test_a_folder_of_the_user_stays(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}mine").mkdir()
    make_old(tmp_path / f"{PREFIX}mine")
    with scratch_folder(tmp_path, PREFIX):
        assert (tmp_path / f"{PREFIX}mine").exists(), "it has no lock, so it is no command's"
