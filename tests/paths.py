"""Where the files of this repository lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
FEW = str(ROOT / "search_spaces" / "former" / "default_1.yaml")
"""A space of three dimensions in which runs take the recipe's epochs: for tests that need any real runs."""
