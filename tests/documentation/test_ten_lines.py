"""Somebody with README and the site gets from five `.pt` files to a decision with ten lines typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tests.cli.conftest import Command
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "your-own-models.md").read_text().partition("\n## ")[0]
(RECIPE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SIZES = {"lab": 250, "phone": 200, "sensor": 170, "tablet": 150, "watch": 130, "common": 890}


def test_readme_and_the_site_lead_to_the_page() -> None:
    assert "](docs/your-own-models.md)" in (ROOT / "README.md").read_text()
    assert len(RECIPE.splitlines()) + len(COMMANDS.splitlines()) <= 10


def write_models(folder: Path) -> None:
    """What somebody has who has never heard of autokd: five trained models, and their images and labels."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = (digits.images[order] * 15).astype(np.uint8), digits.target[order]
    ends = dict(zip(SIZES, np.cumsum(list(SIZES.values())), strict=True))
    for name, size in SIZES.items():
        part = slice(ends[name] - size, ends[name])
        np.savez(folder / f"{name}.npz", images=images[part], labels=labels[part])
        if name == "common":
            continue
        width = 16 if name in ("lab", "phone") else 8
        network = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
        )
        x, y = torch.tensor(images[part]).float() / 255, torch.tensor(labels[part])
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(30):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
        torch.save(network.state_dict(), folder / f"{name}.pt")


@pytest.mark.timeout(900)
@pytest.mark.ray
@pytest.mark.slow
def test_ten_lines_lead_to_a_decision(here: Command, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        write_models(tmp_path)
    (tmp_path / "five.yaml").write_text(RECIPE)
    check, tune = (here(*shlex.split(command)[1:]) for command in COMMANDS.splitlines())
    assert check.code == tune.code == 0, check.err + tune.err
    assert check.out.count("of them correct") == 5
    assert re.search(r"participant (0|2): (let|learn|train|correct|adopt|leave|keep)", tune.out), tune.out
