"""Lets the API reference show the examples of docstrings as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^[ \t]*>>> (?:.*\n?)(?:^[ \t]*\S.*\n?)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts fences around what a Python prompt would show."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(
                lambda match: f"```python\n{match[0].rstrip()}\n```\n", obj.docstring.value
            )
