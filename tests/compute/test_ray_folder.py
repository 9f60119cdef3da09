"""Ray's folder is nobody else's, has short paths, and is gone at the end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from autokd.compute.ray_folder import close_to_others, keep_logs, private_folder

SESSION = "session_2026-01-01_00-00-00_000000_4194304"


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with TemporaryDirectory(prefix="r-", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


def as_ray_does(folder: Path) -> Path:
    """Make a session's folders as Ray does: open to everybody."""
    session = folder / "ray" / SESSION
    for path in (session.parent, session, session / "sockets", session / "logs"):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
    (session.parent / "session_latest").symlink_to(session)
    (session / "logs" / "raylet.out").write_text("why")
    (session / "spilled").mkdir()
    (session / "spilled" / "images").write_text("private")
    return session


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_nobody_else_may_enter_it_and_nothing_is_left(base: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with private_folder() as folder:
            assert folder.parent == base
            assert folder.stat().st_mode & 0o777 == 0o700
            session = as_ray_does(folder)
            close_to_others(folder)
            assert {path.stat().st_mode & 0o777 for path in (session, session.parent)} == {0o700}
        assert list(base.iterdir()) == []
    finally:
        os.umask(before)


def test_without_a_word_it_is_where_temporary_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with private_folder():
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 30, 60, 150])
def test_sockets_fit_into_it_however_long_its_path_is(
    base: Path, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = base / ("d" * length)
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    others = set(Path("/tmp").glob("autokd-*"))
    with private_folder() as folder:
        as_ray_does(folder)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / "ray" / SESSION / "sockets" / "plasma_store"))
        (there,) = long.iterdir()
        assert there.samefile(folder)
    assert list(long.iterdir()) == []
    assert set(Path("/tmp").glob("autokd-*")) <= others


def test_logs_stay_if_they_are_asked_for(base: Path) -> None:
    with private_folder() as folder:
        as_ray_does(folder)
        keep_logs(folder)
    left = {path.name for path in base.rglob("*") if path.is_file() and not path.is_symlink()}
    assert left == {"raylet.out", "in-use", "kept"}


def test_after_any_other_error_nothing_is_left(base: Path) -> None:
    def interrupted() -> None:
        with private_folder() as folder:
            as_ray_does(folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(base.iterdir()) == []


def test_what_a_killed_command_left_is_removed_by_the_next_one(base: Path) -> None:
    code = (
        "import os; from autokd.compute.ray_folder import private_folder\n"
        "with private_folder(): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = base.iterdir()
    with private_folder():
        assert left.exists(), "it is young: perhaps its command is just about to lock it"
    old = time.time() - 3600
    os.utime(left, (old, old))
    with private_folder() as held:
        assert not left.exists()
        os.utime(held, (old, old))
        with private_folder():
            assert held.exists(), "somebody uses it"
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("where", ["/dev/null", "/proc/nowhere"])
def test_where_it_cannot_be_made_nothing_is_left(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", where)
    with pytest.raises(OSError, match=where), private_folder():
        pass


@pytest.mark.parametrize("field", ["f_bavail", "f_favail"])
def test_where_there_is_no_room_ray_is_not_started(
    field: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    sizes = os.statvfs(tmp_path)
    room = {name: getattr(sizes, name) for name in dir(sizes) if name.startswith("f_")} | {"f_files": 10**6}
    monkeypatch.setattr(os, "statvfs", lambda where: SimpleNamespace(**(room | {field: 100})))
    with pytest.raises(OSError, match="No space left on device") as raised, private_folder():
        pass
    assert raised.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
