from __future__ import annotations

from pathlib import Path

import pytest

from autokd.core.atomic_write import write_together
from autokd.errors import InputError


def test_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "one", tmp_path / "two"
    two.write_bytes(b"old")
    write_together({one: b"1", two: b"2"}, option="--out one")
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "one", "two"]


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    one, blocked = tmp_path / "one", tmp_path / "file" / "two"
    one.write_bytes(b"old")
    blocked.parent.write_bytes(b"no folder")
    with pytest.raises(InputError, match="--out one: cannot be written"):
        write_together({one: b"1", blocked: b"2"}, option="--out one")
    assert one.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "one"]
