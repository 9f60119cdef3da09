"""Models and data in memory make the same federation as those in files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

import autokd
from autokd.compute.device import Compute
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Split
from autokd.errors import InputError, PlanError
from autokd.federation.federation import Federation
from autokd.federation.lookup import find
from autokd.federation.members import Member
from autokd.federation.preparation import prepare
from autokd.models.architectures import Cnn, Mlp, Shape
from autokd.models.checkpoint import read_checkpoint
from tests.federation.external.samples import CLASSES, SIZE

SHAPE = Shape(channels=3, size=SIZE, classes=len(CLASSES))


def members(folder: Path, **changes: Any) -> list[Member]:
    cnn, mlp = Cnn(widths=(6, 8)).build(SHAPE), Mlp(widths=(8,)).build(SHAPE)
    cnn.load_state_dict(dict(read_checkpoint(folder / "cnn.pt").found[""]))
    mlp.load_state_dict(dict(read_checkpoint(folder / "mlp.safetensors").found[""]))
    return [
        Member(
            **{
                "model": cnn,
                "data": images(folder, "part0"),
                "architecture": "cnn",
                "options": {"widths": (6, 8)},
            }
            | changes
        ),
        Member(model=mlp, data=images(folder, "part1"), architecture="mlp", options={"widths": (8,)}),
    ]


def images(folder: Path, part: str) -> datasets.ImageFolder:
    return datasets.ImageFolder(str(folder / "images" / part), transforms.ToTensor())


def make(folder: Path, made: list[Member]) -> Federation:
    parts = {split.value: images(folder, split.value) for split in Split}
    return autokd.federation_from_models("small", made, home=folder / "home", **parts)


def test_they_answer_as_they_do_from_files(mine: Path) -> None:
    federation = make(mine, members(mine, name="klinik"))
    assert federation.recipe.names.names == ("klinik", "")
    recipe = read_study_config(str(mine / "mine.yaml")).federation
    from_files = prepare(recipe, home=mine / "other", compute=Compute())
    assert np.array_equal(federation.data.images, from_files.data.images)
    assert np.array_equal(federation.logits, from_files.logits)
    assert federation.data.classes == from_files.data.classes == CLASSES


def test_they_are_kept_and_found_again_and_another_weight_is_another_federation(mine: Path) -> None:
    participants = members(mine)
    federation = make(mine, participants)
    again = find(mine / "home", federation.recipe)
    assert again is not None
    assert again.name == federation.name == make(mine, participants).name
    with torch.no_grad():
        next(participants[0].model.parameters()).add_(1e-3)
    assert make(mine, participants).name != federation.name


def test_a_recipe_in_memory_is_a_study(mine: Path) -> None:
    federation = make(mine, members(mine))
    config = autokd.StudyConfig.model_validate(
        {
            "name": "small",
            "federation": federation.recipe,
            "distillation": {"learning_rate": 0.1, "epochs": 8},
        }
    )
    here = autokd.Workspace.open(config, home=mine / "home")
    assert here.pair("0,1") == autokd.Pair(0, 1)
    setting = autokd.Setting(temperature=2.0, alpha=0.5, transfer_set=autokd.TransferSet.STUDENT)
    card = autokd.distill(
        "0,1", mine / "student.safetensors", setting=setting, study=config, home=mine / "home"
    )
    assert card.scores[Split.TEST].before == federation.correct(1, Split.TEST).mean()


class Local(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))


def test_a_module_of_its_own_is_found_by_its_class(mine: Path) -> None:
    with pytest.raises(PlanError, match="3 outputs") as caught:
        make(mine, members(mine, model=Local(), architecture=None, options={}))
    assert "small: members.0.labels: " in str(caught.value)

    class Inside(Local):
        """Where nobody can import it."""

    with pytest.raises(InputError, match=r"member 0: workers cannot import .*architecture="):
        make(mine, members(mine, model=Inside(), architecture=None, options={}))


class Powered(nn.Module):
    """Its own class alone does not say how it was made."""

    def __init__(self, power: int = 1) -> None:
        super().__init__()
        self.linear, self.power = nn.Linear(3 * SIZE**2, len(CLASSES)), power

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(images.flatten(1) ** self.power)
        return logits


def test_the_network_that_workers_build_is_the_one_that_was_given(mine: Path) -> None:
    network = Powered(power=3).train()
    with pytest.raises(
        InputError, match=r"member 0: the network that workers build, .*:Powered .* options="
    ) as _:
        make(mine, members(mine, model=network, architecture=None, options={}))
    assert network.training
    assert not (mine / "home").exists()
    made = make(mine, members(mine, model=network, architecture=None, options={"power": 3}))
    assert set(made.code["participants.0.architecture"]) >= {"tests/federation/external/test_in_memory.py"}


def test_numbers_may_be_of_numpy_or_torch(mine: Path) -> None:
    arrays = {"mean": np.float32(0.5), "std": torch.tensor(0.5), "labels": np.array(CLASSES)}
    plain = {"mean": 0.5, "std": [0.5], "labels": list(CLASSES)}
    assert make(mine, members(mine, **arrays)).name == make(mine, members(mine, **plain)).name


def test_labels_may_be_names(mine: Path) -> None:
    folder = images(mine, "part0")
    pixels = np.stack([np.asarray(image) for image, _ in folder])
    first, second = (
        make(mine, members(mine, data=(pixels, labels)))
        for labels in (np.array(CLASSES)[folder.targets], np.array(folder.targets))
    )
    assert np.array_equal(first.data.labels, second.data.labels)
    assert first.data.classes == second.data.classes == CLASSES


def test_what_has_no_examples_by_number_is_refused(mine: Path) -> None:
    loader = DataLoader(images(mine, "part0"))
    with pytest.raises(InputError, match=r"members\.0\.data: a DataLoader has no examples by number; give"):
        make(mine, members(mine, data=loader))
    with pytest.raises(InputError, match=r"members\.0\.data: makes no data set that has a length; a list"):
        make(mine, members(mine, data=iter(loader.dataset)))


def test_the_program_itself_cannot_be_imported_by_workers(mine: Path) -> None:
    with pytest.raises(PlanError, match=r"members\.0\.architecture.*__main__.* workers cannot import"):
        make(mine, members(mine, model=Powered(), architecture="__main__:Powered", options={}))


def test_what_does_not_hold_is_told_by_field_and_nothing_is_kept(mine: Path) -> None:
    other = Cnn(widths=(5,)).build(SHAPE)
    with pytest.raises(PlanError, match=r"small: members\.0\.model: memory:") as caught:
        make(mine, members(mine, model=other))
    assert "another architecture" in str(caught.value)
    with pytest.raises(PlanError, match="2 labels for 3 images"):
        make(mine, members(mine, data=(np.zeros((3, 3, SIZE, SIZE), np.uint8), np.zeros(2, int))))
    assert not (mine / "home").exists()


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        torch.optim.swa_utils.AveragedModel,
        lambda model: torch.compile(model),
        lambda model: torch.compile(nn.DataParallel(model)),
        lambda model: model.double(),
    ],
)
def test_what_training_put_around_a_model_does_not_matter(
    wrap: Callable[[nn.Module], nn.Module], mine: Path
) -> None:
    plain = make(mine, members(mine))
    participants = members(mine)
    federation = make(mine, [replace(participants[0], model=wrap(participants[0].model)), participants[1]])
    assert np.allclose(federation.logits, plain.logits, atol=1e-6)


def test_a_model_in_bfloat16_is_asked_in_float32(mine: Path) -> None:
    participants = members(mine)
    federation = make(
        mine, [replace(participants[0], model=participants[0].model.bfloat16()), participants[1]]
    )
    weights = federation.participants[0].weights
    assert {array.dtype for array in weights.values()} <= {np.dtype("float32"), np.dtype("int64")}


def held_out(folder: Path, split: str, counts: tuple[int, ...]) -> datasets.ImageFolder:
    """So many of each class, as the participants happen to have held them out."""
    part = images(folder, split)
    kept = [
        sample
        for label, count in enumerate(counts)
        for sample in [example for example in part.samples if example[1] == label][:count]
    ]
    part.samples, part.imgs, part.targets = kept, kept, [label for _, label in kept]
    return part


def test_splits_of_held_out_parts_are_judged_by_the_class_shares_that_one_aims_at(mine: Path) -> None:
    """Two participants whose held-out parts together are mostly of the first class and hardly of the last."""
    parts = {
        "validation": held_out(mine, "validation", (10, 5, 4, 2)),
        "confirmation": held_out(mine, "confirmation", (12, 6, 4, 2)),
        "test": held_out(mine, "test", (15, 8, 4, 2)),
    }
    federation = autokd.federation_from_models("uneven", members(mine), home=mine / "home", **parts)
    labels = federation.data.labels[federation.splits[Split.TEST]]
    right = federation.correct(1, Split.TEST)
    by_class = np.array([right[labels == number].mean() for number in range(len(CLASSES))])
    private = federation.label_distribution(1)
    targets: dict[str, tuple[object, float]] = {
        "even": (dict.fromkeys(CLASSES, 0.25), float(by_class.mean())),
        "last": ({CLASSES[0]: 0.1, CLASSES[3]: 0.9}, float(0.1 * by_class[0] + 0.9 * by_class[3])),
        "own": ("own", float(private @ by_class)),
        "common": ("common", float(right.mean())),
    }
    setting = autokd.Setting(temperature=2.0, alpha=0.5, transfer_set=autokd.TransferSet.STUDENT)
    afters = set()
    for name, (target, before) in targets.items():
        config = autokd.StudyConfig.model_validate(
            {
                "name": "uneven",
                "federation": federation.recipe,
                "distillation": {"learning_rate": 0.1, "epochs": 8},
                "target": target,
            }
        )
        made = autokd.distill(
            "0,1", mine / f"{name}.safetensors", setting=setting, study=config, home=mine / "home"
        )
        score = made.scores[Split.TEST]
        assert score.before == pytest.approx(before)
        assert score.targets["common"].before == right.mean()
        # The same model, judged by four distributions.
        after = [label.after for label in score.classes]
        assert [label.name for label in score.classes] == list(CLASSES)
        even, last = np.full(4, 0.25), np.array([0.1, 0, 0, 0.9])
        common = np.bincount(labels) / labels.size
        shares = {"even": even, "last": last, "own": private, "common": common}[name]
        assert score.after == pytest.approx(float(np.array(after, dtype=float) @ shares))
        afters.add(made.sha256)
    assert len(afters) == 1
