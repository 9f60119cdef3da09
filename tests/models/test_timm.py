"""Models of timm by name, with a stand-in for the package, which is an optional extra."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from autokd.config.external import Network
from autokd.core.import_factory import is_timm
from autokd.errors import PlanError
from autokd.models.adapter import external_network, network_code
from autokd.models.architectures import Shape

SHAPE = Shape(channels=1, size=8, classes=3)


def create_model(
    name: str, *, pretrained: bool, num_classes: int, in_chans: int, width: int = 4
) -> nn.Module:
    assert (name, pretrained) == ("tiny.a1_in1k", False)
    return nn.Sequential(
        nn.Conv2d(in_chans, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)
    ).half()


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["tiny.a1_in1k"]
    package = SimpleNamespace(
        __version__="1.0", create_model=create_model, is_model=names.__contains__, list_models=lambda: names
    )
    monkeypatch.setitem(sys.modules, "timm", package)


def make(name: str = "timm:tiny.a1_in1k", **options: Any) -> nn.Module:
    return external_network(
        Network(name=name, options=options), shape=SHAPE, code=network_code(name, Path("none"))
    )


@pytest.mark.usefixtures("timm")
def test_it_has_the_images_channels_and_the_classes_unless_options_say_otherwise() -> None:
    network = make(width=6)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    assert network.state_dict()["0.weight"].shape == (6, 1, 3, 3)
    assert make(num_classes=7)(torch.zeros(2, 1, 8, 8)).shape == (2, 7)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("timm:tini.a1_in1k", {}, "timm 1.0 has no model 'tini.a1_in1k'; did you mean tiny.a1_in1k"),
        ("timm:tiny.a1_in1k", {"pretrained": True}, "pretrained is no option"),
        ("timm:tiny.a1_in1k", {"checkpoint_path": "x.pt"}, "checkpoint_path is no option"),
        ("timm:tiny.a1_in1k", {"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_what_it_does_not_have_is_told(name: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        make(name, **options)


def test_without_the_package_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(PlanError, match=r"pip install 'autokd\[timm\]'"):
        make()


def test_a_module_of_ones_own_goes_first(tmp_path: Path) -> None:
    assert is_timm("timm:resnet18", tmp_path)
    assert is_timm("timm:resnet18", None)
    assert not is_timm("timm:create_model", tmp_path)
    assert not is_timm("networks:make", tmp_path)
    (tmp_path / "timm.py").write_text("def resnet18(): ...")
    assert not is_timm("timm:resnet18", tmp_path)
    assert network_code("timm:resnet18", tmp_path) is not None
