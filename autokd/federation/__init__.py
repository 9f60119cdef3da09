"""Federations: participants, common splits, preparation, and storage on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autokd.models.building import build as build
else:

    def __getattr__(name: str) -> object:
        if name != "build":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Scripts on cards of earlier releases import it from here; nobody else needs PyTorch for it.
        from autokd.models.building import build

        return build
