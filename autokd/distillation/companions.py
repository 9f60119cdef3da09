"""Public examples beside a student's own ones."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor


@final
class Companions:
    """Gives each own example of an epoch a public one, so that half of every part of a batch is public.

    The public examples take turns: each comes once before any comes again, however many epochs that takes.

    Args:
        own: Number of the run's own examples, which have the indices from 0.
        total: Number of all its examples; the public ones have the indices from `own`.
        seed: Seed of the order of the public examples.
    """

    def __init__(self, own: int, total: int, *, seed: int) -> None:
        self._own, self._total = own, total
        self._order = torch.Generator().manual_seed(seed)
        self._waiting = torch.empty(0, dtype=torch.int64)
        self._companions = self._waiting

    def draw(self, device: torch.device | str) -> None:
        """Draw the companions of an epoch."""
        while len(self._waiting) < self._own:
            turn = torch.randperm(self._total - self._own, generator=self._order) + self._own
            self._waiting = torch.cat([self._waiting, turn])
        drawn, self._waiting = self._waiting[: self._own], self._waiting[self._own :]
        self._companions = drawn.to(device)

    def beside(self, own: Tensor) -> Tensor:
        """Return own examples and after them their companions, shape (2 · own,)."""
        return torch.cat([own, self._companions[own]])
