from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autokd.config.federation import FederationConfig
from autokd.core.setting import Split
from autokd.data import mapped_arrays
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes, digest

from .conftest import make_recipe, prepare_here

Change = Callable[[Federation], Federation]


def name_of(federation: Federation) -> str:
    return Hashes.of(federation).name(federation.recipe, federation.data)


def swapped(array: np.ndarray, first: int, second: int) -> np.ndarray:
    copy = array.copy()
    copy[[first, second]] = copy[[second, first]]
    return copy


def one_pixel(federation: Federation) -> Federation:
    images = federation.data.images.copy()
    images[5, 0, 3, 3] += 1
    return replace(federation, data=replace(federation.data, images=images))


def one_label(federation: Federation) -> Federation:
    return replace(federation, data=replace(federation.data, labels=swapped(federation.data.labels, 0, 1)))


def class_names(federation: Federation) -> Federation:
    return replace(federation, data=replace(federation.data, classes=tuple("9876543210")))


def normalisation(federation: Federation) -> Federation:
    return replace(federation, data=replace(federation.data, mean=(4.9,)))


def two_splits(federation: Federation) -> Federation:
    test, public = federation.splits[Split.TEST].copy(), federation.public.copy()
    test[0], public[0] = public[0], test[0]
    return replace(federation, splits={**federation.splits, Split.TEST: test}, public=public)


def one_weight(federation: Federation) -> Federation:
    first, *others = federation.participants
    value = first.weights["0.weight"].copy()
    value.flat[0] = np.nextafter(value.flat[0], np.float32(1))
    changed = replace(first, weights={**first.weights, "0.weight": value})
    return replace(federation, participants=(changed, *others))


def the_recipe(federation: Federation) -> Federation:
    return replace(federation, recipe=make_recipe(seed=1))


def test_a_federation_bears_the_name_of_its_content(federation: Federation) -> None:
    assert federation.name == name_of(federation)
    assert federation.name.startswith("small-")


def test_the_same_recipe_gives_the_same_name(federation: Federation) -> None:
    assert isinstance(federation.recipe, FederationConfig)
    assert prepare_here(federation.recipe).name == federation.name


@pytest.mark.parametrize(
    "change", [one_pixel, one_label, class_names, normalisation, two_splits, one_weight, the_recipe]
)
def test_any_change_of_content_changes_the_name(federation: Federation, change: Change) -> None:
    assert name_of(change(federation)) != federation.name


@pytest.mark.parametrize(
    "other",
    [
        {"b": np.arange(6, dtype=np.int32)},
        {"a": np.arange(6, dtype=np.int64)},
        {"a": np.arange(6, dtype=np.int32).reshape(2, 3)},
        {"a": np.arange(6, dtype=np.int32), "b": np.zeros(0)},
        {"a": np.arange(7, dtype=np.int32)[1:]},
        {},
    ],
)
def test_a_digest_tells_names_types_shapes_and_values_apart(other: dict[str, Any]) -> None:
    assert digest({"a": np.arange(6, dtype=np.int32)}) != digest(other)


def test_a_digest_does_not_see_how_an_array_lies_in_memory() -> None:
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    apart = np.zeros((2, 6), dtype="<i4")[:, ::2]
    apart[:] = array
    for same in (np.asfortranarray(array), array.astype(">i4"), apart):
        assert digest({"b": array[0], "a": array}) == digest({"a": same, "b": same[0]})


def test_all_arrays_are_read_only(federation: Federation) -> None:
    arrays: list[NDArray[Any]] = [
        federation.data.images,
        federation.data.labels,
        federation.public,
        federation.logits,
    ]
    arrays += federation.splits.values()
    for participant in federation.participants:
        arrays += [participant.private, *participant.weights.values()]
    assert not any(array.flags.writeable for array in arrays)


def test_a_federation_travels_to_other_processes(federation: Federation) -> None:
    assert name_of(pickle.loads(pickle.dumps(federation))) == federation.name


def test_the_hash_is_the_one_that_stores_have_names_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was made when everything was in memory at once."""
    monkeypatch.setattr(mapped_arrays, "PIECE_BYTES", 100)
    dice = np.random.default_rng(0)
    arrays = {
        "images": dice.integers(0, 256, (50, 3, 4, 4), dtype=np.uint8),
        "swapped": np.arange(100, dtype=">i8").reshape(10, 10).T,
        "one number": np.array(3.5),
        "none": np.zeros((0, 2), dtype=np.float32),
    }
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        whole = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        total.update(f"{name} {whole.dtype.str} {array.shape}\n".encode() + whole.tobytes())
    assert digest(arrays) == total.hexdigest()
