"""Files are written completely or not at all, and for their owner only."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autokd.core import atomic_write
from autokd.core.atomic_write import make_folder, replacing, write_together
from autokd.errors import InputError


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o177], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    nested, two = tmp_path / "a" / "one", tmp_path / "two"
    two.write_bytes(b"old")
    write_together({nested: b"1", two: b"2"}, option="--out one")
    assert (nested.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert names(tmp_path) == ["a", "a/one", "two"]


def test_they_are_moved_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_together({tmp_path / name: b"" for name in ("card", "text", "weights")}, option="--out")
    assert moved == ["card", "text", "weights"]


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    writable, blocked = tmp_path / "one", tmp_path / "file" / "two"
    writable.write_bytes(b"old")
    blocked.parent.write_bytes(b"no folder")
    for content in ({writable: b"1", blocked: b"2"}, {blocked: b"2", writable: b"1"}):
        with pytest.raises(InputError, match="--out one: cannot be written"):
            write_together(content, option="--out one")
    assert writable.read_bytes() == b"old"
    assert names(tmp_path) == ["file", "one"]


@pytest.mark.parametrize("full_at", ["first", "second"])
def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, full_at: str) -> None:
    first, two = tmp_path / "one", tmp_path / "two"
    first.write_bytes(b"old")
    sizes = {first: 9000, two: 10} if full_at == "first" else {first: 10, two: 9000}
    with files_end_at(4096), pytest.raises(InputError, match="--out one: cannot be written"):
        write_together({path: bytes(size) for path, size in sizes.items()}, option="--out one")
    assert first.read_bytes() == b"old"
    assert names(tmp_path) == ["one"]


def test_whatever_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(error: BaseException) -> None:
        with replacing(file) as draft:
            draft.write_bytes(b"half of the n")
            raise error

    for error in (KeyboardInterrupt(), MemoryError(), ValueError()):
        with pytest.raises(type(error)):
            fail(error)
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.usefixtures("umask")
def test_new_files_and_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file"
    write_together({file: b"text"}, option="--out")
    make_folder(tmp_path / "c" / "d")
    assert mode(file) == 0o600
    assert [mode(tmp_path / name) for name in ("a", "a/b", "c", "c/d")] == [0o700] * 4


def test_what_was_opened_to_others_stays_open(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "folder" / "file"
    folder.mkdir()
    folder.chmod(0o755)
    file.write_bytes(b"old")
    file.chmod(0o644)
    write_together({file: b"new"}, option="--out")
    make_folder(folder)
    assert (mode(folder), mode(file), file.read_bytes()) == (0o755, 0o644, b"new")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link, dangling = tmp_path / "real" / "file", tmp_path / "link", tmp_path / "dangling"
    real.write_bytes(b"old")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "real" / "new")
    write_together({link: b"1", dangling: b"2"}, option="--out")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (real.read_bytes(), (tmp_path / "real" / "new").read_bytes()) == (b"1", b"2")


def test_a_pipe_and_a_device_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_together({pipe: b"text"}, option="--out")
    reader.join()
    assert read == [b"text"]
    write_together({Path("/dev/null"): b"text"}, option="--out")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(InputError, match=r"--out: cannot be written .No space left on device"):
        write_together({Path("/dev/full"): b"text"}, option="--out")
    assert Path("/dev/full").is_char_device()


def test_a_pipe_that_nobody_reads_is_waited_for_with_a_word_and_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(atomic_write, "_PIPE_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"--out: cannot be written .it is a pipe that nobody reads"):
        write_together({tmp_path / "pipe": b"text"}, option="--out")
    assert "waits for somebody to read it" in caplog.text


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    file = tmp_path / ("n" * 255)
    write_together({file: b"text"}, option="--out")
    assert file.read_bytes() == b"text"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        write_together({tmp_path: b"text"}, option="--out")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o400)
    with pytest.raises(InputError, match="Permission denied"):
        write_together({file: b"new"}, option="--out")


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    code = (
        "import os, sys; from pathlib import Path; from autokd.core.atomic_write import replacing\n"
        "with replacing(Path(sys.argv[1])) as draft: draft.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old"
