"""What `benchmarks.gpu` trains, on random images: a GPU machine has neither data sets nor a federation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from autokd.compute.device import Compute
from autokd.config.federation import FederationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Split
from autokd.core.tensor_format import Precision
from autokd.distillation import Run
from autokd.federation.federation import Federation
from autokd.models.building import build
from autokd.models.weights import weights_of
from benchmarks.engine_cases import CLASSES, HELD_OUT, SETTING, Case, Random, random_federation

RECIPE: Final = str(Path(__file__).parent / "frozen" / "digits.yaml")
DIGITS: Final = "digits"
"""The network that gets images of the digits' shape, 1 x 8 x 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        networks: Networks and how long they train, by name; `digits` among them.
        precisions: Of runs and bare loops.
        at_once: Numbers of runs that share the device, the largest last.
        turns: How often each is measured, after a first time that does not count.
        judged: Number of images that a student is judged on at a rung.
    """

    device: str
    networks: Mapping[str, Random]
    precisions: tuple[Precision, ...]
    at_once: tuple[int, ...]
    turns: int
    judged: int = HELD_OUT

    def compute(self, precision: Precision) -> Compute:
        """Return how runs compute."""
        return Compute(device=self.device, precision=precision, memory_format="channels_last")


def full(device: str) -> Plan:
    """Return the plan for a GPU. `digits` trains as its study does, on a usual pair's 180 examples."""
    networks = {
        DIGITS: Random(
            architecture="cnn", options={"widths": [16, 32, 64]}, images=180, batch_size=32, epochs=10
        ),
        "cnn_large": Random(
            architecture="cnn", options={"widths": [32, 64, 128]}, images=4096, batch_size=64, epochs=2
        ),
        "resnet18": Random(
            architecture="resnet18", options={"stem": "cifar"}, images=2048, batch_size=128, epochs=2
        ),
    }
    return Plan(
        device=device, networks=networks, precisions=("float32", "bfloat16"), at_once=(1, 2, 4, 8), turns=8
    )


def quick(device: str) -> Plan:
    """Return a plan that takes every path in a moment, with figures that mean nothing."""
    networks = {
        DIGITS: Random(architecture="cnn", options={"widths": [4, 8]}, images=20, batch_size=8, epochs=2),
        "cnn_large": Random(
            architecture="cnn", options={"widths": [4, 8]}, images=16, batch_size=8, epochs=1
        ),
        "resnet18": Random(
            architecture="resnet18", options={"stem": "cifar"}, images=4, batch_size=2, epochs=1
        ),
    }
    return Plan(
        device=device,
        networks=networks,
        precisions=("float32", "bfloat16"),
        at_once=(1, 2),
        turns=1,
        judged=2,
    )


def case(plan: Plan, name: str) -> Case:
    """Return one of the plan's networks, to train."""
    what, config = plan.networks[name], read_study_config(RECIPE)
    assert isinstance(config.federation, FederationConfig)
    federation = random_federation(what, config.federation)
    judged = federation.splits[Split.VALIDATION][: plan.judged]
    federation = replace(federation, splits={Split.VALIDATION: judged})
    recipe = config.distillation.model_copy(update={"batch_size": what.batch_size, "epochs": what.epochs})
    rungs = tuple(rung for rung in config.search.stopping.rungs if rung < what.epochs)
    return Case(
        federation=_like_digits(federation) if name == DIGITS else federation,
        pair=Pair(0, 1),
        recipe=recipe,
        rungs=(*rungs, what.epochs),
    )


def run_of(what: Case, compute: Compute) -> Run:
    """Return the run of a case, judged as trials of a search are."""
    return Run(
        what.federation,
        what.pair,
        SETTING,
        seed=0,
        recipe=what.recipe,
        rungs=what.rungs,
        splits=(Split.VALIDATION,),
        compute=compute,
    )


def _like_digits(federation: Federation) -> Federation:
    """Return the same with images of one channel and 8 x 8 pixels."""
    data = federation.data
    weights = weights_of(build(federation.participants[0].architecture, channels=1, size=8, classes=CLASSES))
    return replace(
        federation,
        data=replace(data, images=data.images[:, :1, :8, :8].copy(), mean=data.mean[:1], std=data.std[:1]),
        participants=tuple(replace(participant, weights=weights) for participant in federation.participants),
    )
