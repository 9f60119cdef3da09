"""Odd values, documents with something odd in them, and damaged bytes."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

ODD_NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**30,
    0.0,
    -0.0,
    0.5,
    1e-320,
    1e308,
    float("inf"),
    float("nan"),
)

scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from(ODD_NUMBERS)
    | st.integers(-5, 5)
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.sampled_from(["", "true", "1", "nan", "4->9", "../..", "a" * 600, "\x00", "é\n", "{}", "${HOME}"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


_ALIKE = {
    bool: st.booleans(),
    int: st.integers(0, 12) | st.sampled_from([32, 64, 250, 1000]),
    float: st.floats(0, 2) | st.floats(0, 100),
    str: st.sampled_from(
        ["cnn", "mlp", "resnet18", "cifar", "adam", "iid", "digits", "student", "both", "mine"]
    ),
}
"""What often holds where something of that type stood."""


@st.composite
def edited(draw: st.DrawFn, document: Any, replacements: st.SearchStrategy[Any] = values) -> Any:
    """A JSON-like document in which up to three things were replaced, removed, renamed, added or doubled."""
    result = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        result = _edit(draw, result, replacements)
    return result


def _edit(draw: st.DrawFn, node: Any, replacements: st.SearchStrategy[Any]) -> Any:
    here = not isinstance(node, dict | list) or not node or draw(st.integers(0, 5)) == 0
    if here:
        alike = _ALIKE.get(type(node))
        return draw(alike if alike is not None and draw(st.booleans()) else replacements)
    key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
    match draw(st.sampled_from(["into", "into", "into", "remove", "rename", "add"])):
        case "remove":
            del node[key]
        case "rename" if isinstance(node, dict):
            node[draw(st.text(max_size=8))] = node.pop(key)
        case "add" if isinstance(node, dict):
            node[draw(st.text(max_size=8))] = draw(replacements)
        case "add":
            node.append(draw(replacements) if draw(st.booleans()) else copy.deepcopy(node[key]))
        case _:
            node[key] = _edit(draw, node[key], replacements)
    return node


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which some were changed, cut off, put in or repeated, more of them near the beginning."""
    result = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        end = len(result) if draw(st.booleans()) else min(len(result), 400)
        where = draw(st.integers(0, end))
        match draw(st.sampled_from(["change", "cut", "put in", "repeat"])):
            case "change":
                result[where : where + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del result[where : where + draw(st.sampled_from([1, 8, 10**9]))]
            case "put in":
                result[where:where] = draw(st.binary(max_size=9))
            case "repeat":
                result[where:where] = result[where : where + 20]
    return bytes(result)
