"""The networks of a federation's participants; who only reads its values needs no PyTorch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autokd.compute.device import Compute
from autokd.config.study import CONFIRMATION_SEEDS
from autokd.core.setting import Split, derive_seed
from autokd.federation.federation import INITIAL_SEEDS, Federation
from autokd.federation.initial import Initial
from autokd.models.building import build_for
from autokd.models.inference import logits_of
from autokd.models.weights import load_weights


def network(federation: Federation, participant: int, *, seed: int = 0) -> nn.Module:
    """Return a fresh copy of a participant's model on the CPU, in eval mode.

    Args:
        seed: Seed index of the run; an untrained student has initial weights of its own for each.
    """
    owner = federation.participants[participant]
    if participant in federation.recipe.untrained:
        start = initial_seed(participant, seed)
        return build_for(federation.data, owner.architecture, seed=start).eval()
    module = build_for(federation.data, owner.architecture)
    load_weights(module, owner.weights)
    return module.eval()


def initial_seed(participant: int, seed: int) -> int:
    """Return the seed of an untrained student's initial weights in runs of a seed index."""
    return derive_seed("initial weights", participant, seed)


def evaluate_initial(federation: Federation, compute: Compute) -> Initial:
    """Return what each untrained student gets right with the initial weights of the confirmation's seeds."""
    correct: dict[int, dict[Split, NDArray[np.bool_]]] = {}
    for number in sorted(federation.recipe.untrained):
        right: dict[Split, list[NDArray[np.bool_]]] = {split: [] for split in federation.splits}
        for index in range(INITIAL_SEEDS):
            # One at a time: a model may take gigabytes.
            model = compute.place(network(federation, number, seed=CONFIRMATION_SEEDS + index))
            for split, rows in federation.splits.items():
                answers = logits_of(model, federation.data, compute, rows).argmax(axis=1)
                right[split].append(answers == federation.data.labels[rows])
        correct[number] = {split: np.stack(by_seed) for split, by_seed in right.items()}
    return correct
