"""A small federation of random images and random networks: nothing is pre-trained, runs take milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig
from autokd.config.training import DistillationConfig
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.data.dataset import Dataset
from autokd.distillation import Run
from autokd.federation.federation import Federation, Participant
from autokd.federation.networks import network
from autokd.models.building import build
from autokd.models.weights import weights_of

CLASSES = 4
PAIR = Pair(teacher=0, student=1)
RECIPE = DistillationConfig(learning_rate=0.1, batch_size=16, epochs=6)

MakeRun = Callable[..., Run]


def make_federation(architecture: str = "cnn", **options: tuple[int, ...] | str | bool) -> Federation:
    """Two participants with 33 and 30 private images, 40 + 60 + 50 held out, 20 public; all read-only."""
    recipe = FederationConfig.model_validate(
        {
            "name": "random",
            "dataset": "digits",
            "participants": 2,
            "partition": {"scheme": "iid"},
            "splits": {"validation": 40, "confirmation": 60, "test": 50, "public": 20},
            "architectures": [{"name": architecture, "options": options or {"widths": (8, 16)}}],
            "pretraining": {"learning_rate": 0.01, "epochs": 1},
        }
    )
    random = np.random.default_rng(7)
    labels = random.permutation(np.arange(233) % CLASSES).astype(np.int64)
    # Each class has its own mean image, so that there is something to learn.
    prototypes = random.integers(0, 17, size=(CLASSES, 1, 8, 8))
    noise = random.integers(-4, 5, size=(len(labels), 1, 8, 8))
    images = np.clip(prototypes[labels] + noise, 0, 16).astype(np.uint8)
    data = Dataset(
        images=images,
        labels=labels,
        classes=tuple("abcd"),
        mean=(float(images.mean()),),
        std=(float(images.std()),),
    )
    validation, confirmation, test, public, first, second = np.split(
        np.arange(233), np.cumsum([40, 60, 50, 20, 33])
    )
    privates = (first, second)
    weights = [
        weights_of(build(recipe.architecture(number), channels=1, size=8, classes=CLASSES, seed=number))
        for number in range(2)
    ]
    federation = Federation(
        name="random-00000000",
        recipe=recipe,
        data=data,
        splits={Split.VALIDATION: validation, Split.CONFIRMATION: confirmation, Split.TEST: test},
        public=public,
        participants=tuple(
            Participant(
                number=number,
                architecture=recipe.architecture(number),
                weights=weights[number],
                private=privates[number],
            )
            for number in range(2)
        ),
        logits=np.zeros((2, len(labels), CLASSES), dtype=np.float32),
    )
    logits = np.stack([logits_of(federation, number) for number in range(2)])
    for array in (images, labels, logits, *privates, public, *federation.splits.values()):
        array.setflags(write=False)
    return replace(federation, logits=logits)


def logits_of(federation: Federation, participant: int) -> np.ndarray:
    """Written out by hand, so that the code under test is not its own witness."""
    data = federation.data
    pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
    with torch.no_grad():
        logits: np.ndarray = network(federation, participant)(pixels).numpy()
    return logits


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker: networks this small are only slowed by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def federation() -> Federation:
    return make_federation()


@pytest.fixture
def make_run(federation: Federation) -> MakeRun:
    """A run of the default setting, unless told otherwise; `rungs` end with the recipe's epochs."""

    def make(**changes) -> Run:
        recipe = changes.get("recipe", RECIPE)
        arguments = {
            "federation": federation,
            "pair": PAIR,
            "setting": DEFAULT,
            "seed": 0,
            "recipe": recipe,
            "rungs": (recipe.epochs,),
            "splits": (Split.VALIDATION,),
            "compute": Compute(),
        }
        return Run(**(arguments | changes))

    return make
