"""A network that a recipe could name: half of what it sees is dropped at random while it trains."""

from __future__ import annotations

from torch import nn


def dropping() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 4))
