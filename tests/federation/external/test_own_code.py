"""A federation knows the sources that it was made with: no other code is ever used in its name."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.errors import NotTuned, PlanError
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes
from autokd.federation.lookup import find, superseded
from autokd.federation.networks import network
from autokd.federation.own_sources import installed_notices
from autokd.federation.preparation import load_federation, prepare
from autokd.federation.storage import federations_folder, load, save
from tests.federation.external.conftest import edit, of
from tests.federation.external.samples import SIZE

NETWORKS = """
from torch import nn
from layers import act

def make(hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, hidden), act(), nn.Linear(hidden, 4))
""".replace("SIZE", str(SIZE))
LAYERS = "from torch.nn import ReLU as act\n"
DATASETS = """
import numpy as np

class make:
    classes = ["bars", "checks", "dots", "waves"]
    def __init__(self):
        with np.load("own.npz") as archive:
            self.images, self.labels = archive["images"], archive["labels"]
    def __len__(self):
        return len(self.labels)
    def __getitem__(self, n):
        return self.images[n], self.labels[n]
"""


@pytest.fixture
def own(mine: Path) -> Path:
    """`mine`, in which participant 1's network and data set are own code."""
    (mine / "networks.py").write_text(NETWORKS)
    (mine / "layers.py").write_text(LAYERS)
    (mine / "datasets.py").write_text(DATASETS)
    images = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    np.savez(mine / "own.npz", images=images, labels=np.arange(12) % 4)

    def change(recipe: dict[str, Any]) -> None:
        participant = recipe["federation"]["participants"][1]
        participant["architecture"] = {"name": "networks:make", "options": {"hidden": 8}}
        participant["data"] = {"kind": "code", "factory": "datasets:make"}

    edit(mine, change)
    return mine


def made(folder: Path) -> Federation:
    return prepare(of(folder), home=folder / "home", compute=Compute())


def answers(federation: Federation) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = network(federation, 1)(torch.ones(2, 3, SIZE, SIZE))
    return logits


def test_the_sources_are_part_of_the_federation(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the shell stands, and whatever was imported by the same names before."""
    federation = made(own)
    assert {field: set(files) for field, files in federation.code.items()} == {
        "participants.1.architecture": {"networks.py", "layers.py"},
        "participants.1.data": {"datasets.py"},
    }
    other = own.parent / "other"
    shutil.copytree(own, other)
    shutil.rmtree(other / "home")
    (other / "layers.py").write_text("from torch.nn import Tanh as act\n")
    monkeypatch.chdir(other)
    again = find(own / "home", of(own))
    assert again is not None
    assert again.name == federation.name
    assert torch.equal(answers(again), answers(federation))
    theirs = made(other)
    assert theirs.name != federation.name
    assert not torch.equal(answers(theirs), answers(federation))
    assert not np.array_equal(theirs.logits[1], federation.logits[1])


@pytest.mark.parametrize("file", ["networks.py", "layers.py", "datasets.py"])
def test_an_edit_is_told_and_prepared_anew(own: Path, caplog: pytest.LogCaptureFixture, file: str) -> None:
    before = made(own)
    caplog.clear()
    (own / file).write_text((own / file).read_text() + "# another\n")
    assert find(own / "home", of(own)) is None
    with pytest.raises(
        NotTuned, match=f"{before.name} does not count any more: {file}, of .*, changed since"
    ):
        load_federation(own / "mine.yaml", home=own / "home")
    after = made(own)
    assert after.name != before.name
    assert [
        message for message in caplog.messages if f"{before.name} does not count any more: {file}" in message
    ]
    # Nothing of the old one is lost, and the old sources mean it again.
    assert load(federations_folder(own / "home") / before.name).name == before.name
    (own / file).write_text((own / file).read_text().removesuffix("# another\n"))
    prepared = find(own / "home", of(own))
    assert prepared is not None
    assert prepared.name == before.name


def test_workers_need_no_folder(own: Path) -> None:
    federation = made(own)
    expected, sent = answers(federation), pickle.dumps(federation.participants)
    (own / "layers.py").write_text("raise RuntimeError('not this')")
    (own / "networks.py").unlink()
    there = replace(federation, participants=pickle.loads(sent))
    assert torch.equal(answers(there), expected)


def test_what_is_prepared_can_be_read_without_the_code_but_not_run(own: Path) -> None:
    federation = made(own)
    for file in ("networks.py", "layers.py", "datasets.py"):
        (own / file).unlink()
    prepared = find(own / "home", of(own))
    assert prepared is not None
    assert np.array_equal(prepared.logits, federation.logits)
    with pytest.raises(PlanError, match=r"layers\.py, which it was checked with, is not in .*; put it back"):
        network(prepared, 1)


def test_a_federation_without_a_record_of_its_code_is_prepared_anew(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As an earlier version has left it: it opens under its name, and is not mixed with new results."""
    federation = made(own)
    networks: Any = [owner.architecture for owner in federation.participants]
    name = Hashes.of(federation).name(federation.recipe, federation.data, networks)
    shutil.rmtree(own / "home")
    save(replace(federation, name=name, code={}), federations_folder(own / "home") / name)
    assert load(federations_folder(own / "home") / name).name == name
    assert f"{name} does not count any more: it was prepared without a record of" in superseded(
        own / "home", of(own)
    )
    caplog.clear()
    assert made(own).name == federation.name != name
    assert [message for message in caplog.messages if "prepared anew; earlier results stay" in message]


def test_code_that_is_not_own_is_told(mine: Path, caplog: pytest.LogCaptureFixture) -> None:
    def change(recipe: dict[str, Any]) -> None:
        participant = recipe["federation"]["participants"][1]
        participant["architecture"] = {"name": "torch.nn:Sequential"}

    edit(mine, change)
    with pytest.raises(PlanError):
        made(mine)
    assert find(mine / "home", of(mine)) is None
    (notice,) = installed_notices(of(mine)).items()
    assert notice[0] == "participants.1.architecture"
    assert "torch.nn:Sequential is code of the package torch" in notice[1]
