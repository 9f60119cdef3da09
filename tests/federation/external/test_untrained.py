"""A student that nobody has trained yet: `checkpoint: none`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autokd.compute.device import Compute
from autokd.config.study import CONFIRMATION_SEEDS
from autokd.config.training import DistillationConfig
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.distillation import Run
from autokd.errors import ArgumentError, FederationError
from autokd.federation.federation import INITIAL_SEEDS, Federation
from autokd.federation.networks import network
from autokd.federation.preparation import prepare
from autokd.federation.storage import federations_folder, load
from autokd.models.inference import logits_of
from autokd.models.weights import weights_of
from autokd.workflows.tune import tune
from autokd.workspace import Workspace
from tests.cli.conftest import Command
from tests.federation.external.conftest import edit, of

PAIR = Pair(0, 1)


@pytest.fixture
def fresh(mine: Path) -> Path:
    """The second of two participants is untrained."""
    edit(mine, lambda recipe: recipe["federation"]["participants"][1].update(checkpoint="none"))
    return mine


@pytest.fixture
def federation(fresh: Path) -> Federation:
    return prepare(of(fresh), home=fresh / "home", compute=Compute())


def student(federation: Federation, seed: int) -> dict[str, np.ndarray]:
    run = Run(
        federation,
        PAIR,
        DEFAULT,
        seed=seed,
        recipe=DistillationConfig(learning_rate=1e-6, epochs=1),
        rungs=(1,),
        splits=[],
        compute=Compute(),
    )
    list(run)
    return dict(weights_of(run.student))


def test_each_seed_has_initial_weights_of_its_own_and_they_are_those_of_the_network(
    federation: Federation,
) -> None:
    first, again, other = (weights_of(network(federation, 1, seed=seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    stored = federation.participants[1].weights
    assert all(np.array_equal(first[name], stored[name]) for name in stored)
    trained = [weights_of(network(federation, 0, seed=seed)) for seed in (0, 1)]
    assert all(np.array_equal(trained[0][name], trained[1][name]) for name in trained[0])


def test_a_run_starts_from_those_of_its_seed(federation: Federation) -> None:
    """With a tiny learning rate a student stays where it started."""
    for seed in (0, 7):
        before, after = weights_of(network(federation, 1, seed=seed)), student(federation, seed)
        assert all(np.allclose(after[name], value, atol=1e-3) for name, value in before.items())
    assert any(
        not np.allclose(value, student(federation, 7)[name], atol=1e-2)
        for name, value in student(federation, 0).items()
    )


def test_what_it_gets_right_is_known_for_the_seeds_of_confirmations(federation: Federation) -> None:
    for split, rows in federation.splits.items():
        right = federation.initial[1][split]
        assert right.shape == (INITIAL_SEEDS, len(rows))
        for index in (0, INITIAL_SEEDS - 1):
            model = network(federation, 1, seed=CONFIRMATION_SEEDS + index)
            answers = logits_of(model, federation.data, Compute(), rows).argmax(axis=1)
            assert np.array_equal(right[index], answers == federation.data.labels[rows])
    facts = federation.facts()
    assert [participant.is_untrained for participant in facts.participants] == [False, True]
    assert facts.participants[1].corrected == {}


def test_it_is_found_again_and_damage_is_noticed(federation: Federation, fresh: Path) -> None:
    folder = federations_folder(fresh / "home") / federation.name
    (fresh / "none").write_text("a file of this name is no checkpoint")
    assert prepare(of(fresh), home=fresh / "home", compute=Compute()).name == federation.name
    again = load(folder)
    assert np.array_equal(again.initial[1][Split.TEST], federation.initial[1][Split.TEST])
    content = bytearray((folder / "initial.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "initial.safetensors").write_bytes(content)
    with pytest.raises(FederationError, match="is not what was written there"):
        load(folder)
    (folder / "initial.safetensors").unlink()
    with pytest.raises(FederationError, match="cannot be read"):
        load(folder)


def test_it_learns_and_teaches_nobody(fresh: Path, here: Command) -> None:
    workspace = Workspace.open(fresh / "mine.yaml", home=fresh / "home")
    assert workspace.pairs == [PAIR]
    with pytest.raises(ArgumentError, match="participant 1 is not trained"):
        workspace.pair("1,0")
    with pytest.raises(ArgumentError, match="is not trained"):
        tune(workspace, Pair(1, 0))
    for options in (("--pair", "1,0"), ("--teacher", "1")):
        output = here("recommend", *options, "--study", fresh / "mine.yaml", "--home", fresh / "home")
        assert output.code == 2
        assert "it can be the student" in output.err


@pytest.mark.parametrize("seed", ["torch.manual_seed(0)", "pass"])
def test_one_that_begins_alike_for_every_seed_is_told(fresh: Path, here: Command, seed: str) -> None:
    text = (
        "import torch\nfrom torch import nn\ndef make():\n"
        f"    {seed}\n    return nn.Sequential(nn.Flatten(), nn.Linear(768, 4))\n"
    )
    (fresh / "networks.py").write_text(text)
    network = {"architecture": "networks:make", "checkpoint": "None"}
    edit(fresh, lambda recipe: recipe["federation"]["participants"][1].update(network))
    warnings = [entry["problem"] for entry in here("check", fresh / "mine.yaml", "--json").json()["warnings"]]
    is_warned = any("begins with the same weights for every seed" in warning for warning in warnings)
    assert is_warned == (seed != "pass")


@pytest.mark.parametrize(
    ("number", "fields", "problem"),
    [
        (1, {"checkpoint": None}, "names no file; say none for a student that is not trained yet"),
        (1, {"claimed_accuracy": 0.5}, "there is no claimed_accuracy"),
        (1, {"weights": "ema"}, "there is no weights"),
        (0, {"checkpoint": "none", "claimed_accuracy": None}, "nobody can teach"),
    ],
)
def test_what_cannot_be_is_refused(
    fresh: Path, here: Command, number: int, fields: dict[str, object], problem: str
) -> None:
    edit(fresh, lambda recipe: recipe["federation"]["participants"][number].update(fields))
    output = here("check", fresh / "mine.yaml")
    assert output.code == 2
    assert problem in output.err
