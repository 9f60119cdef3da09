"""A small federation of real digits: three networks of different kinds, trained for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig
from autokd.data import builtin
from autokd.data.dataset import Dataset
from autokd.federation.federation import Federation
from autokd.federation.hashing import assemble
from autokd.federation.layout import lay_out
from autokd.federation.pretraining import pretrain
from autokd.federation.storage import federations_folder, save

SMALL: dict[str, Any] = {
    "name": "small",
    "dataset": "digits",
    "participants": 3,
    "partition": {"scheme": "dirichlet", "beta": 0.5},
    "splits": {"validation": 200, "confirmation": 350, "test": 250, "public": 697},
    "architectures": [
        {"name": "cnn", "options": {"widths": [4, 8]}},
        {"name": "mlp", "options": {"widths": [8]}},
        {"name": "cnn", "options": {"widths": [6]}},
    ],
    "pretraining": {"learning_rate": 0.01, "epochs": 2},
}


def make_recipe(**changes: Any) -> FederationConfig:
    return FederationConfig.model_validate(SMALL | changes)


def prepare_here(recipe: FederationConfig) -> Federation:
    """What `prepare` makes, without Ray and without a disk."""
    data = builtin.load(recipe.dataset)
    layout = lay_out(recipe, data)
    pretrained = [
        pretrain(recipe, data, private, participant=number, compute=Compute())
        for number, private in enumerate(layout.private)
    ]
    return assemble(recipe, data, layout, pretrained)


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return builtin.load("digits")


@pytest.fixture(scope="session")
def recipe() -> FederationConfig:
    return make_recipe()


@pytest.fixture(scope="package")  # and so made in one thread, whichever tests are chosen
def federation(recipe: FederationConfig) -> Federation:
    return prepare_here(recipe)


@pytest.fixture
def folder(home: Path, federation: Federation) -> Path:
    folder = federations_folder(home) / federation.name
    save(federation, folder)
    return folder
