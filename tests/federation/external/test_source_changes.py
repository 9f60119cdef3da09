"""Data that change after a federation was made of them are noticed; data that go are not missed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autokd.compute.device import Compute
from autokd.federation.federation import Federation
from autokd.federation.lookup import notices
from autokd.federation.preparation import prepare
from autokd.federation.source_changes import fingerprints
from tests.federation.external.conftest import change, of

Preparing = Callable[[], tuple[Federation, list[str]]]


@pytest.fixture
def prepared(mine: Path, caplog: pytest.LogCaptureFixture) -> Preparing:
    """Prepare the federation of `mine`; return it with what was logged beside warnings of its models."""

    def call() -> tuple[Federation, list[str]]:
        caplog.clear()
        federation = prepare(of(mine), home=mine / "home", compute=Compute())
        return federation, [words for words in caplog.messages if "guessing gets" not in words]

    return call


def later(file: Path) -> None:
    """Written to a moment later: a file system may tell times by the second only."""
    about = file.stat()
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 2 * 10**9))


def an_image(folder: Path, part: str) -> Path:
    return sorted((folder / "images" / part).rglob("*.png"))[3]


def test_data_that_stay_as_they_are_are_not_spoken_of(mine: Path, prepared: Preparing) -> None:
    assert prepared()[1] == []
    assert prepared()[1] == []


def test_data_that_changed_are_named_with_the_way_out_and_what_was_prepared_stays(
    mine: Path, prepared: Preparing
) -> None:
    before, _ = prepared()
    later(an_image(mine, "part1"))
    federation, (words,) = prepared()
    assert federation.name == before.name
    assert words.startswith(f"the files of participants.1.data have changed since {before.name} was prepared")
    assert words.endswith(f"delete {mine / 'home' / 'federations' / before.name}")
    an_image(mine, "test").unlink()
    assert "participants.1.data and 1 more have changed" in prepared()[1][0]


@pytest.mark.parametrize("place", ["part0", "validation"])
def test_an_image_more_is_a_change(mine: Path, prepared: Preparing, place: str) -> None:
    federation, _ = prepared()
    image = an_image(mine, place)
    shutil.copy(image, image.with_name("another.png"))
    assert len(notices(mine / "home", federation)) == 1


def test_data_may_go(mine: Path, prepared: Preparing) -> None:
    prepared()
    shutil.rmtree(mine / "images")
    assert prepared()[1] == []


def test_every_source_has_its_own(mine: Path) -> None:
    participants = {f"participants.{number}.data" for number in range(of(mine).size)}
    known = fingerprints(of(mine))
    assert known.keys() == participants | {"splits.validation", "splits.confirmation", "splits.test"}
    assert len(set(known.values())) == len(known)


def test_files_of_indices_count(mine: Path, prepared: Preparing) -> None:
    prepared()
    numbers = mine / "numbers.txt"
    numbers.write_text("0 1 3 4 6 7 9 10")
    source = {"kind": "folder", "path": "images/test", "indices": "numbers.txt"}
    parts = {name: {"kind": "folder", "path": f"images/{name}"} for name in ("validation", "confirmation")}
    change(mine, splits={"kind": "separate", **parts, "test": source})
    assert prepared()[1] == []
    later(numbers)
    assert "splits.test" in prepared()[1][0]


def test_names_in_latin_1_are_names_of_files_like_others(mine: Path) -> None:
    before = fingerprints(of(mine))
    try:
        shutil.copy(an_image(mine, "part0"), an_image(mine, "part0").with_name(os.fsdecode(b"K\xe4fer.png")))
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    changed = fingerprints(of(mine))
    assert [field for field in before if changed[field] != before[field]] == ["participants.0.data"]
