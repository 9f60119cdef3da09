"""Data that change after a federation was made of them are noticed; data that go are not missed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autokd.compute import Compute
from autokd.federation import Federation, notices, prepare
from autokd.federation.origins import fingerprints
from tests.own.test_gathering import change, of


def told(folder: Path) -> tuple[Federation, list[str]]:
    words: list[str] = []
    found = prepare(of(folder), home=folder / "home", compute=Compute(), noticing=words.append)
    return found, words


def later(file: Path) -> None:
    """Written to a moment later: a file system may tell times by the second only."""
    about = file.stat()
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 2 * 10**9))


def an_image(folder: Path, part: str) -> Path:
    return sorted((folder / "images" / part).rglob("*.png"))[3]


def test_data_that_stay_as_they_are_are_not_spoken_of(mine: Path) -> None:
    assert told(mine)[1] == []
    assert told(mine)[1] == []


def test_data_that_changed_are_named_with_the_way_out_and_what_was_prepared_stays(mine: Path) -> None:
    before, _ = told(mine)
    later(an_image(mine, "part1"))
    found, (words,) = told(mine)
    assert found.name == before.name
    assert words.startswith(f"the files of participants.1.data have changed since {before.name} was prepared")
    assert words.endswith(f"delete {mine / 'home' / 'federations' / before.name}")
    an_image(mine, "test").unlink()
    assert "participants.1.data and 1 more have changed" in told(mine)[1][0]


@pytest.mark.parametrize("place", ["part0", "validation"])
def test_an_image_more_is_a_change(mine: Path, place: str) -> None:
    found, _ = told(mine)
    image = an_image(mine, place)
    shutil.copy(image, image.with_name("another.png"))
    assert len(notices(mine / "home", found)) == 1


def test_data_may_go(mine: Path) -> None:
    told(mine)
    shutil.rmtree(mine / "images")
    assert told(mine)[1] == []


def test_every_source_has_its_own(mine: Path) -> None:
    participants = {f"participants.{number}.data" for number in range(of(mine).size)}
    known = fingerprints(of(mine))
    assert known.keys() == participants | {"splits.validation", "splits.confirmation", "splits.test"}
    assert len(set(known.values())) == len(known)


def test_files_of_indices_count(mine: Path) -> None:
    told(mine)
    numbers = mine / "numbers.txt"
    numbers.write_text("0 1 3 4 6 7 9 10")
    source = {"kind": "folder", "path": "images/test", "indices": "numbers.txt"}
    parts = {name: {"kind": "folder", "path": f"images/{name}"} for name in ("validation", "confirmation")}
    change(mine, splits={"kind": "separate", **parts, "test": source})
    assert told(mine)[1] == []
    later(numbers)
    assert "splits.test" in told(mine)[1][0]
