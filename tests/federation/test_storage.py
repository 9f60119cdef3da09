from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from autokd.data import mapped_arrays
from autokd.errors import FederationError
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes
from autokd.federation.storage import federations_folder, load, save

from .conftest import make_recipe, prepare_here

Damage = Callable[[Path], object]


def test_what_is_loaded_is_what_was_saved(folder: Path, federation: Federation) -> None:
    loaded = load(folder)
    assert Hashes.of(loaded) == Hashes.of(federation)
    assert (loaded.name, loaded.recipe) == (federation.name, federation.recipe)
    assert loaded.data.classes == federation.data.classes
    assert not loaded.logits.flags.writeable
    for before, after in zip(federation.participants, loaded.participants, strict=True):
        assert after.architecture == before.architecture
        assert {name: value.shape for name, value in after.weights.items()} == {
            name: value.shape for name, value in before.weights.items()
        }


def test_a_federation_without_public_examples_can_be_kept(home: Path) -> None:
    splits = {"validation": 200, "confirmation": 350, "test": 250, "public": 0}
    federation = prepare_here(make_recipe(splits=splits))
    folder = federations_folder(home) / federation.name
    save(federation, folder)
    assert load(folder).public.shape == (0,)


def test_the_manifest_names_what_made_it(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["recipe"]["pretraining"]["epochs"] == 2
    assert not {"architectures", "checkpoints"} & manifest.keys()  # fields of models from elsewhere
    assert set(manifest["versions"]) == {"autokd", "python", "torch", "numpy"}
    assert {len(text) for text in (manifest["sha256"]["data"], *manifest["sha256"]["weights"])} == {64}


def test_saving_again_keeps_what_is_there(folder: Path, federation: Federation) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    save(federation, folder)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_cannot_be_written_is_one_clear_line(home: Path, federation: Federation) -> None:
    federations_folder(home).write_text("a file where the folder should be")
    with pytest.raises(FederationError, match=r"small-[0-9a-f]{8}: cannot be written: "):
        save(federation, federations_folder(home) / federation.name)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rewrite(file: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    arrays = {name: value.copy() for name, value in safetensors.numpy.load_file(file).items()}
    change(arrays)
    safetensors.numpy.save_file(arrays, file)


def one_logit(arrays: dict[str, np.ndarray]) -> None:
    arrays["logits"][0, 0, 0] += 1


def one_pixel(arrays: dict[str, np.ndarray]) -> None:
    arrays["images"][0, 0, 0, 0] += 1


def one_weight(arrays: dict[str, np.ndarray]) -> None:
    arrays["0.weight"].flat[0] += 1


def one_index(arrays: dict[str, np.ndarray]) -> None:
    arrays["private.1"][0] = 0


class Bomb:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


DAMAGES: dict[str, tuple[str, Damage]] = {
    "a file is gone": ("logits.safetensors", lambda folder: (folder / "logits.safetensors").unlink()),
    "no manifest": ("manifest.json", lambda folder: (folder / "manifest.json").unlink()),
    "cut short": ("data.safetensors", lambda folder: os.truncate(folder / "data.safetensors", 1000)),
    "empty": ("layout.safetensors", lambda folder: os.truncate(folder / "layout.safetensors", 0)),
    "no JSON": ("manifest.json", lambda folder: (folder / "manifest.json").write_text("{")),
    "not text": ("manifest.json", lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe")),
    "JSON of something else": ("manifest.json", lambda folder: (folder / "manifest.json").write_text("[]")),
    "a pickle": (
        "participants/1.safetensors",
        lambda folder: (folder / "participants/1.safetensors").write_bytes(pickle.dumps(Bomb())),
    ),
    "another pixel": ("data.safetensors", lambda folder: rewrite(folder / "data.safetensors", one_pixel)),
    "another logit": ("logits.safetensors", lambda folder: rewrite(folder / "logits.safetensors", one_logit)),
    "another index": ("layout.safetensors", lambda folder: rewrite(folder / "layout.safetensors", one_index)),
    "another weight": (
        "participants/2.safetensors",
        lambda folder: rewrite(folder / "participants/2.safetensors", one_weight),
    ),
    "an array is gone": (
        "small-",
        lambda folder: rewrite(folder / "layout.safetensors", lambda arrays: arrays.pop("public")),
    ),
    "another recipe": (
        "manifest.json",
        lambda folder: edit(folder, lambda manifest: manifest["recipe"].update(seed=5)),
    ),
    "another mean": (
        "manifest.json",
        lambda folder: edit(folder, lambda manifest: manifest["meaning"].update(mean=[1.0])),
    ),
    "an unknown field": (
        "manifest.json",
        lambda folder: edit(folder, lambda manifest: manifest.update(run="x")),
    ),
    "another hash": (
        "data.safetensors",
        lambda folder: edit(folder, lambda manifest: manifest["sha256"].update(data="0" * 64)),
    ),
    "too few hashes": (
        "manifest.json",
        lambda folder: edit(folder, lambda manifest: manifest["sha256"]["weights"].pop()),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_with_file_and_way_out(
    folder: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, inflict = DAMAGES[damage]
    inflict(folder)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(FederationError) as caught:
        load(folder)
    assert file in str(caught.value)
    assert "delete that folder, then run `autokd prepare`" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    "reads", ["autokd.federation.manifest.regular_size", "autokd.data.mapped_arrays.read"]
)
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_what_the_system_does_not_let_be_read_is_not_to_be_deleted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reads: str, number: int
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reads, fail)
    with pytest.raises(FederationError, match="may be sound") as caught:
        load(folder)
    assert os.strerror(number) in str(caught.value)
    assert "delete" not in str(caught.value)


def test_another_format_is_told_apart_from_damage(folder: Path) -> None:
    edit(folder, lambda manifest: manifest.update(format=3))
    with pytest.raises(
        FederationError, match=r"written by another version of autokd \(format 3.*install that"
    ):
        load(folder)


def test_a_renamed_folder_is_refused(folder: Path) -> None:
    other = folder.rename(folder.parent / "small-00000000")
    with pytest.raises(FederationError, match=r"its content has the name small-"):
        load(other)


def test_a_draft_that_dies_leaves_no_federation(
    home: Path, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mapped_arrays, "write", die)
    with pytest.raises(KeyboardInterrupt):
        save(federation, federations_folder(home) / federation.name)
    assert list(federations_folder(home).iterdir()) == []


def test_another_name_than_the_contents_cannot_be_loaded_back(home: Path, federation: Federation) -> None:
    save(replace(federation, name="small-22222222"), federations_folder(home) / "small-22222222")
    with pytest.raises(FederationError, match="its content has the name"):
        load(federations_folder(home) / "small-22222222")


@pytest.mark.parametrize("name", ["manifest.json", "data.safetensors", "participants/0.safetensors"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda file: file.symlink_to("/dev/zero")], ids=["pipe", "zero"])
def test_a_pipe_or_a_device_in_the_place_of_a_file_is_not_waited_for(
    folder: Path, name: str, put: Callable[[Path], None]
) -> None:
    (folder / name).unlink()
    put(folder / name)
    with pytest.raises(FederationError, match=f"{Path(name).name}: .*it is a pipe or a device"):
        load(folder)


def test_a_manifest_that_is_nested_too_deeply_is_no_json(folder: Path) -> None:
    (folder / "manifest.json").write_text(100_000 * "[")
    with pytest.raises(FederationError, match="is no JSON"):
        load(folder)
