"""Participants that were trained elsewhere: splits of every kind, label sets, what is warned of."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from autokd.compute.device import Compute
from autokd.config.federation import ExternalArchitecture
from autokd.config.training import DistillationConfig
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.data import temporary_arrays
from autokd.distillation import Run
from autokd.errors import FederationError
from autokd.federation.external import load_external
from autokd.federation.federation import Federation
from autokd.federation.findings import Findings
from autokd.federation.hashing import Hashes
from autokd.federation.lookup import find
from autokd.federation.preparation import prepare
from autokd.federation.storage import save
from autokd.models.architectures import Cnn, Shape
from autokd.workspace import Workspace
from tests.cli.conftest import Command
from tests.federation.external.conftest import change, edit, of
from tests.federation.external.samples import CLASSES, SIZE, folder_source


def made(folder: Path) -> Federation:
    return prepare(of(folder), home=folder / "home", compute=Compute())


def keys(federation: Federation, where: NDArray[np.int64]) -> set[bytes]:
    return {federation.data.images[row].tobytes() for row in where}


def parts(federation: Federation) -> list[NDArray[np.int64]]:
    private = [participant.private for participant in federation.participants]
    return [*federation.splits.values(), federation.public, *private]


def test_parts_are_disjoint_and_cover_all_that_was_given(mine: Path) -> None:
    federation = made(mine)
    together = np.concatenate(parts(federation))
    assert sorted(together) == list(range(len(federation.data.images))) == list(range(48 + 36))
    assert len(federation.public) == 0
    assert federation.data.classes == CLASSES
    assert all(
        isinstance(participant.architecture, ExternalArchitecture) for participant in federation.participants
    )


def test_a_shared_benchmark_is_divided_with_the_class_shares_of_the_whole(mine: Path) -> None:
    data = folder_source("test")
    change(mine, splits={"kind": "shared", "data": data, "validation": 4, "confirmation": 4, "test": 4})
    federation = made(mine)
    for where in federation.splits.values():
        assert sorted(federation.data.labels[where]) == [0, 1, 2, 3]
    change(mine, seed=1)
    other = made(mine)
    assert keys(other, other.splits[Split.TEST]) != keys(federation, federation.splits[Split.TEST])
    assert other.name != federation.name


def test_what_each_holds_out_is_divided_in_the_same_proportions(mine: Path) -> None:
    shares = {"validation": 1, "confirmation": 1, "test": 1, "public": 1}
    change(mine, splits={"kind": "held_out"} | shares)

    def hold_out(recipe: dict[str, Any]) -> None:
        for participant, name in zip(
            recipe["federation"]["participants"], ("validation", "test"), strict=True
        ):
            participant["held_out"] = folder_source(name)

    with pytest.raises(Exception, match="needs held_out"):
        of(mine)
    edit(mine, hold_out)
    federation = made(mine)
    first, second = (
        keys(federation, np.concatenate([*federation.splits.values(), federation.public])) & known
        for known in (_files(mine / "images" / "validation"), _files(mine / "images" / "test"))
    )
    assert (len(first), len(second)) == (12, 12)
    for where in (*federation.splits.values(), federation.public):
        assert len(where) == 6


def _files(folder: Path) -> set[bytes]:
    from PIL import Image

    return {np.asarray(Image.open(file)).transpose(2, 0, 1).tobytes() for file in folder.rglob("*.png")}


@pytest.fixture
def disjoint(mine: Path) -> Path:
    """Participant 1 knows two of the four classes, in an order of its own."""
    weights = load_file(mine / "mlp.safetensors")
    weights["3.weight"], weights["3.bias"] = weights["3.weight"][:2].clone(), weights["3.bias"][:2].clone()
    save_file(weights, mine / "mlp.safetensors")
    for name in ("bars", "checks"):
        for file in (mine / "images" / "part1" / name).iterdir():
            file.unlink()
        (mine / "images" / "part1" / name).rmdir()

    def edited(recipe: dict[str, Any]) -> None:
        recipe["federation"]["participants"][1]["labels"] = ["waves", "dots"]

    edit(mine, edited)
    return mine


def test_without_public_examples_they_are_no_transfer_set(mine: Path) -> None:
    here = Workspace.open(mine / "mine.yaml", home=mine / "home")
    assert TransferSet.PUBLIC not in here.space.transfer_set
    edit(mine, lambda recipe: recipe["federation"]["splits"].update(public=folder_source("test")))
    assert TransferSet.PUBLIC in Workspace.open(mine / "mine.yaml", home=mine / "home").space.transfer_set


def test_label_sets_may_be_partly_disjoint(disjoint: Path) -> None:
    federation = made(disjoint)
    first, second = (participant.architecture for participant in federation.participants)
    assert isinstance(first, ExternalArchitecture)
    assert isinstance(second, ExternalArchitecture)
    assert (first.labels, second.labels) == ((0, 1, 2, 3), (-1, -1, 1, 0))
    answers = federation.logits[1].argmax(axis=1)
    assert set(answers) <= {2, 3}
    assert federation.label_counts(1).tolist() == [0, 0, 6, 6]


def test_and_the_student_can_learn_the_classes_that_it_did_not_know(disjoint: Path) -> None:
    recipe = DistillationConfig(learning_rate=0.01, epochs=60, optimizer="adam", batch_size=8)
    run = Run(
        made(disjoint),
        Pair(0, 1),
        Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.BOTH),
        seed=0,
        recipe=recipe,
        rungs=(60,),
        splits=(Split.TEST,),
        compute=Compute(),
    )
    (last,) = run
    # Guessing costs log(4) = 1.39 nats; a third of the examples are of classes that it had no output for.
    assert last.hard_loss is not None
    assert last.hard_loss < 0.5
    assert last.evaluations[Split.TEST].per_class[:2].max() > 0.5


def test_floats_and_bytes_together_are_floats(mine: Path) -> None:
    plain = made(mine)
    images = np.stack([plain.data.images[row] for row in plain.participants[1].private])
    floats = torch.from_numpy(images).float().div(255).numpy() + np.float32(0.05)
    labels = plain.data.labels[plain.participants[1].private]
    np.savez(mine / "own.npz", images=floats, labels=labels, classes=np.array(CLASSES))
    data = {"kind": "npz", "path": "own.npz"}
    edit(mine, lambda recipe: recipe["federation"]["participants"][1].update(data=data))
    federation = made(mine)
    assert federation.data.images.dtype == np.float32
    assert federation.data.std == (1.0,) * 3
    # Participant 0 is asked the very same as before.
    where, before = federation.participants[0].private, plain.participants[0].private
    assert np.array_equal(federation.logits[0, where], plain.logits[0, before])
    assert np.allclose(federation.data.images[federation.participants[1].private], floats)


def test_a_model_that_seems_to_have_its_labels_swapped_is_warned_of(mine: Path) -> None:
    def swapped(recipe: dict[str, Any]) -> None:
        participant = recipe["federation"]["participants"][0]
        participant["labels"] = ["waves", "checks", "dots", "bars"]
        del participant["claimed_accuracy"]

    edit(mine, swapped)
    findings = Findings("mine.yaml")
    assert load_external(of(mine), Compute(), findings) is not None
    assert any(
        "only 50.0%" in warning.problem and "another order" in warning.problem
        for warning in findings.warnings
    )


def test_a_class_that_a_split_lacks_is_warned_of(mine: Path) -> None:
    for file in (mine / "images" / "test" / "dots").iterdir():
        file.unlink()
    (mine / "images" / "test" / "dots").rmdir()
    findings = Findings("mine.yaml")
    assert load_external(of(mine), Compute(), findings) is not None
    assert any("test has no example of dots" in warning.problem for warning in findings.warnings)


def test_a_folder_cannot_name_code_that_the_recipe_does_not(mine: Path) -> None:
    """Somebody who knows how names come about has put a network of their own into a prepared federation."""
    federation = made(mine)
    participant = federation.participants[1]
    assert isinstance(participant.architecture, ExternalArchitecture)
    evil = participant.architecture.model_copy(update={"name": "evil:make"})
    forged = replace(
        federation, participants=(federation.participants[0], replace(participant, architecture=evil))
    )
    architectures = [
        who.architecture for who in forged.participants if isinstance(who.architecture, ExternalArchitecture)
    ]
    name = Hashes.of(forged).name(forged.recipe, forged.data, architectures)
    save(replace(forged, name=name), mine / "home" / "federations" / name)
    shutil.rmtree(mine / "home" / "federations" / federation.name)
    with pytest.raises(FederationError, match=r"architectures\.1 is not the one that the recipe names"):
        made(mine)


def test_what_memory_has_no_room_for_is_the_same_federation(
    mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = made(mine)
    sizes: list[int] = []
    monkeypatch.setattr(temporary_arrays, "fits_in_memory", lambda wanted, free: sizes.append(wanted))
    shutil.rmtree(mine / "home")
    assert made(mine).name == expected.name
    assert max(sizes) == expected.data.images.nbytes


def test_what_distill_wrote_is_a_checkpoint_again_and_the_owner_loads_it(mine: Path, here: Command) -> None:
    here("prepare", "--study", mine / "mine.yaml", "--home", mine / "home")
    arguments = ("--temperature", 2, "--alpha", 0.5, "--transfer-set", "both")
    made = here(
        *("distill", "--study", mine / "mine.yaml", "--home", mine / "home", "--pair", "1,0", *arguments),
        *("--out", mine / "student.safetensors", "--json"),
    ).json()
    network = Cnn(widths=(6, 8)).build(Shape(channels=3, size=SIZE, classes=len(CLASSES)))
    network.load_state_dict(load_file(mine / "student.safetensors"))
    edit(
        mine, lambda recipe: recipe["federation"]["participants"][0].update(checkpoint="student.safetensors")
    )
    again = here("prepare", "--study", mine / "mine.yaml", "--home", mine / "home", "--json").json()
    assert again["test_accuracy"]["0"] == pytest.approx(made["scores"]["test"]["accuracy"])


def test_a_name_is_no_content(mine: Path, here: Command) -> None:
    before = made(mine)

    def name(recipe: dict[str, Any]) -> None:
        for number, called in enumerate(("klinik süd", "<b>")):
            recipe["federation"]["participants"][number]["name"] = called

    edit(mine, name)
    after = find(mine / "home", of(mine))
    assert after is not None
    assert (after.name, after.recipe.names.names) == (before.name, ("klinik süd", "<b>"))
    report = here("check", mine / "mine.yaml", "--json").json()
    assert [participant["name"] for participant in report["participants"]] == ["klinik süd", "<b>"]
    arguments = ("--study", mine / "mine.yaml", "--home", mine / "home", "--json")
    assert here("prepare", *arguments).json()["names"] == {"0": "klinik süd", "1": "<b>"}
    edit(mine, lambda recipe: recipe["federation"]["participants"][1].update(name="KLINIK SÜD"))
    failed = here("check", mine / "mine.yaml")
    assert failed.code == 2
    assert "participants.0 and participants.1 are both called" in failed.err
    edit(mine, lambda recipe: recipe["federation"]["participants"][1].update(name=1))
    assert "federation.participants.1.name" in here("check", mine / "mine.yaml").err
