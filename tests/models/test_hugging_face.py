"""Models of transformers by their folder: `config.json` tells the network, the weights are a checkpoint."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation, Network
from autokd.core.import_factory import is_hf, is_timm
from autokd.core.setting import Split
from autokd.errors import PlanError
from autokd.federation.lookup import find, superseded
from autokd.federation.networks import network
from autokd.federation.preparation import prepare
from autokd.models.adapter import external_network, network_code
from autokd.models.architectures import TensorShape

SHAPE = TensorShape((8,), 2, whole=True)
CONFIG: dict[str, Any] = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
PARTS = {"own0": 16, "own1": 16, "validation": 12, "confirmation": 12, "test": 12}


def make(folder: Path, content: object = CONFIG, **options: Any) -> torch.nn.Module:
    (folder / "bert").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "bert" / "config.json").write_text(text)
    recipe = Network(name="hf:bert", options=options)
    return external_network(recipe, shape=SHAPE, code=network_code(recipe.name, folder))


def test_a_folder_is_told_from_own_code(tmp_path: Path) -> None:
    assert is_hf("hf:models/bert", tmp_path)
    assert not is_hf("networks:make", tmp_path)
    (tmp_path / "hf.py").touch()
    assert not is_hf("hf:make", tmp_path)


@pytest.mark.parametrize("name", ["hf", "timm"])
def test_a_folder_of_that_name_is_own_code_only_if_code_is_in_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "config.json").write_text("{}")
    assert is_hf("hf:hf", tmp_path)
    assert is_timm("timm:resnet18", tmp_path)
    (tmp_path / name / "__init__.py").touch()
    assert is_hf("hf:hf", tmp_path) is (name != "hf")
    assert is_timm("timm:resnet18", tmp_path) is (name != "timm")


def test_without_the_package_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(PlanError, match=r"needs the package transformers.*pip install 'autokd\[hf\]'"):
        make(tmp_path)


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"bert/config.json: cannot be read: No such file"):
        network_code("hf:bert", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json is no JSON"),
        ([], "names no model_type"),
        (
            {**CONFIG, "auto_map": {"AutoModel": "evil.Model"}},
            r"code of its own \(auto_map\), which is not run",
        ),
        ({**CONFIG, "architectures": ["BertForMaskedLM"]}, "not a classifier of transformers"),
        ({**CONFIG, "architectures": ["os"]}, "not a classifier of transformers"),
        ({**CONFIG, "model_type": "none"}, "cannot be made of config.json"),
        ({**CONFIG, "hidden_size": 7}, "cannot be made of config.json: ValueError"),
    ],
)
def test_what_is_no_classifier_is_refused(tmp_path: Path, content: object, message: str) -> None:
    pytest.importorskip("transformers", reason="transformers is an optional extra: pip install 'autokd[hf]'")
    with pytest.raises(PlanError, match=message):
        make(tmp_path, content)


def write(folder: Path) -> ExternalFederation:
    """Write two small models of transformers with their token ids, and return the recipe."""
    from transformers import BertConfig, BertForSequenceClassification

    rng = np.random.default_rng(0)
    for name, size in PARTS.items():
        labels = np.arange(size) % 2
        ids = rng.integers(1, 20, (size, 8)) + 20 * labels[:, None]
        ids[:, 6:] = 0  # What fills texts up.
        np.savez(folder / f"{name}.npz", inputs=ids, labels=labels)
    sizes: dict[str, Any] = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    config = BertConfig(vocab_size=50, max_position_embeddings=8, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for number in range(2):
            BertForSequenceClassification(config).save_pretrained(folder / f"bert{number}")
    source = {"kind": "npz", "values": "tensor"}
    content = {
        "name": "texts",
        "participants": [
            {
                "architecture": {"name": f"hf:bert{number}"},
                "checkpoint": f"bert{number}/model.safetensors",
                "data": {**source, "path": f"own{number}.npz"},
            }
            for number in range(2)
        ],
        "splits": {
            "kind": "separate",
            **{split.value: {**source, "path": f"{split.value}.npz"} for split in Split},
        },
    }
    return ExternalFederation.model_validate(content).located(folder / "mine.yaml")


def test_models_answer_as_in_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is an optional extra: pip install 'autokd[hf]'"
    )
    recipe = write(tmp_path)
    made = prepare(recipe, home=tmp_path / "home", compute=Compute())
    for number in range(2):
        loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / f"bert{number}")
        rows = made.splits[Split.TEST]
        ids = torch.from_numpy(np.array(made.data.images[rows]))
        with torch.no_grad():
            expected = loaded.eval()(input_ids=ids, attention_mask=(ids != 0).long()).logits
        np.testing.assert_allclose(made.logits[number, rows], expected, rtol=1e-4, atol=1e-5)
    # A worker has the configuration with the network, and no folder.
    sent = pickle.loads(pickle.dumps(made))
    file = tmp_path / "bert0" / "config.json"
    written = file.read_text()
    file.unlink()
    assert sum(parameter.numel() for parameter in network(sent, 0).parameters()) > 500
    # Another configuration is another network.
    file.write_text(json.dumps(json.loads(written) | {"hidden_act": "relu"}))
    assert find(tmp_path / "home", recipe) is None
    assert "config.json, of participants.0.architecture, changed since" in superseded(
        tmp_path / "home", recipe
    )
    file.write_text(written)
    federation = find(tmp_path / "home", recipe)
    assert federation is not None
    assert federation.name == made.name
