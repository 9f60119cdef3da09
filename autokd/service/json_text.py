"""JSON as it is sent."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json


def json_text(content: Any) -> str:
    """Return plain values as JSON; what is no number there, as in a run that diverged, is null."""
    return to_json(content, inf_nan_mode="null").decode()
