"""What the training engine is measured on: students that train for a moment, built in or on random images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig, FederationConfig
from autokd.config.training import DistillationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.data.dataset import Dataset
from autokd.federation.federation import Federation, Participant
from autokd.federation.preparation import prepare
from autokd.models.building import build
from autokd.models.weights import weights_of

STUDY: Final = "digits"
SETTING: Final = Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.BOTH)
CLASSES: Final = 10
HELD_OUT: Final = 200
"""Images that a run on random ones is judged on at a rung, as many as `digits` has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """A student on random images of CIFAR-10's shape.

    Attributes:
        images: Of the transfer set, half of them the student's.
    """

    architecture: str
    options: Mapping[str, Any]
    images: int
    batch_size: int
    epochs: int


RANDOM: Final[Mapping[str, Random]] = {
    "cnn": Random(architecture="cnn", options={"widths": [16, 32, 64]}, images=512, batch_size=64, epochs=3),
    "cnn_large": Random(
        architecture="cnn", options={"widths": [32, 64, 128]}, images=512, batch_size=64, epochs=2
    ),
    "resnet18": Random(
        architecture="resnet18", options={"stem": "cifar"}, images=64, batch_size=32, epochs=1
    ),
}
CASES: Final = (STUDY, *RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What both sides do."""

    federation: Federation
    pair: Pair
    recipe: DistillationConfig
    rungs: Sequence[int]


def case(name: str, home: Path) -> Case:
    """Return one of `CASES`.

    Args:
        home: Where the built-in federation lies, or is put.
    """
    config = read_study_config(STUDY)
    if name == STUDY:
        federation = prepare(config.federation, home=home, compute=Compute())
        return Case(federation=federation, pair=Pair(4, 9), recipe=config.distillation, rungs=config.rungs)
    what = RANDOM[name]
    assert isinstance(config.federation, FederationConfig)
    recipe = config.distillation.model_copy(update={"batch_size": what.batch_size, "epochs": what.epochs})
    return Case(
        federation=random_federation(what, config.federation),
        pair=Pair(0, 1),
        recipe=recipe,
        rungs=(what.epochs,),
    )


def random_federation(what: Random, usual: FederationConfig) -> Federation:
    """Return two untrained participants on random images, with random logits.

    Args:
        usual: A recipe to begin with; nothing is made from it.
    """
    dice = np.random.default_rng(0)
    count = what.images + HELD_OUT
    architecture = ArchitectureConfig(name=what.architecture, options=dict(what.options))
    weights = weights_of(build(architecture, channels=3, size=32, classes=CLASSES))
    halves = np.array_split(np.arange(what.images), 2)
    return Federation(
        name=f"random-{what.architecture}",
        recipe=usual.model_copy(update={"participants": 2, "architectures": (architecture,)}),
        data=Dataset(
            images=dice.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8),
            labels=dice.integers(0, CLASSES, count),
            classes=tuple(map(str, range(CLASSES))),
            mean=(127.5,) * 3,
            std=(73.9,) * 3,
        ),
        splits={Split.VALIDATION: np.arange(what.images, count)},
        public=np.arange(0),
        participants=tuple(
            Participant(number=number, architecture=architecture, weights=weights, private=half)
            for number, half in enumerate(halves)
        ),
        logits=dice.standard_normal((2, count, CLASSES), dtype=np.float32),
    )
