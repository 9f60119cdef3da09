from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.data import mapped_arrays, run_images
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import take_rows
from autokd.data.run_images import (
    Resident,
    Streamed,
    place_for_training,
    place_images,
)

SOURCE = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
EACH = 3 * 4 * 4
WHICH = np.array([3, 4, 8, 20, 21, 40, 49])
ROWS = [np.arange(5), np.array([7, 2, 2, 49, 0]), np.array([6, 5, 6]), np.array([], dtype=np.int64)]


@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_rows_are_taken_in_the_order_in_which_they_are_asked_for(tmp_path: Path, rows: np.ndarray) -> None:
    mapped_arrays.write(tmp_path / "file", {"images": SOURCE})
    for source in (SOURCE, mapped_arrays.read(tmp_path / "file")["images"]):
        taken = take_rows(source, rows)
        np.testing.assert_array_equal(taken, np.array([SOURCE[row] for row in rows]).reshape(taken.shape))
        assert taken.flags.writeable
        assert not np.shares_memory(taken, source)


def test_both_give_the_same_batches() -> None:
    resident, streamed = (place_images(SOURCE, WHICH, Compute(image_bytes=most)) for most in (10**6, 0))
    assert isinstance(resident, Resident)
    assert isinstance(streamed, Streamed)
    for chosen in (torch.tensor([0, 6, 3]), torch.arange(7), torch.tensor([5])):
        batch = streamed.batch(chosen)
        assert batch.dtype == torch.uint8
        assert torch.equal(batch, resident.batch(chosen))
        assert torch.equal(batch, torch.from_numpy(SOURCE[WHICH[chosen.numpy()]]))


def test_a_limit_decides_to_the_byte() -> None:
    assert isinstance(place_images(SOURCE, WHICH, Compute(image_bytes=7 * EACH)), Resident)
    assert isinstance(place_images(SOURCE, WHICH, Compute(image_bytes=7 * EACH - 1)), Streamed)


@pytest.mark.parametrize(("free", "kind"), [(4 * 7 * EACH, Resident), (4 * 7 * EACH - 1, Streamed)])
def test_without_a_limit_what_is_free_decides(
    monkeypatch: pytest.MonkeyPatch, free: int, kind: type[object]
) -> None:
    monkeypatch.setattr(run_images, "free_bytes", lambda device: free)
    monkeypatch.setattr(run_images, "runs_at_once", lambda device: 1)
    assert isinstance(place_images(SOURCE, WHICH, Compute()), kind)


def test_streamed_holds_no_copy() -> None:
    streamed = place_images(SOURCE, WHICH, Compute(image_bytes=0))
    assert isinstance(streamed, Streamed)
    assert streamed.source is SOURCE


def test_who_streams_says_so_and_where() -> None:
    assert place_images(SOURCE, WHICH, Compute()).notice == ""
    assert place_images(SOURCE, WHICH, Compute(image_bytes=0)).notice.startswith("memory has no room")
    assert Streamed(SOURCE, WHICH, "cuda:1").notice.startswith("cuda:1 has no room")


DATA = Dataset(
    images=SOURCE,
    labels=np.zeros(50, dtype=np.int64),
    classes=("a", "b"),
    mean=(127.5, 99.1, 3.3),
    std=(73.9, 1.1, 33.3),
)
AS_FLOATS = 4 * 7 * EACH


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_normalised_at_once_or_by_batch_have_the_same_bits_and_layout(
    memory_format: Any, channels: int
) -> None:
    data = replace(
        DATA, images=SOURCE[:, :channels].copy(), mean=DATA.mean[:channels], std=DATA.std[:channels]
    )
    chosen = torch.tensor([0, 6, 3, 3])
    batches = []
    for most, stored, is_normalised in (
        (AS_FLOATS, torch.Tensor, True),
        (7 * EACH, torch.Tensor, False),
        (0, Streamed, False),
    ):
        compute = Compute(memory_format=memory_format, image_bytes=most)
        placed = place_for_training(data, WHICH, compute)
        assert isinstance(placed.stored, stored)
        assert placed.is_normalised == is_normalised
        assert placed.notice.startswith("memory has no room") == (stored is Streamed)
        batches.append(placed.batch(chosen))
    mean, std = (np.array(moments, dtype=np.float32)[:, None, None] for moments in (data.mean, data.std))
    expected = (data.images[WHICH[chosen.numpy()]].astype(np.float32) - mean) / std
    for batch in batches:
        np.testing.assert_array_equal(batch.numpy(), expected)
        assert batch.stride() == batches[0].stride()
    assert batches[0].stride()[1] == (1 if memory_format == "channels_last" else 16)


def test_room_for_floats_decides_to_the_byte() -> None:
    normalised = [
        place_for_training(DATA, WHICH, Compute(image_bytes=most)).is_normalised
        for most in (AS_FLOATS, AS_FLOATS - 1)
    ]
    assert normalised == [True, False]


def test_normalising_leaves_the_source_alone() -> None:
    floats = replace(DATA, images=SOURCE.astype(np.float32))
    kept = floats.images.copy()
    for most in (AS_FLOATS, AS_FLOATS - 1):
        placed = place_for_training(floats, WHICH, Compute(image_bytes=most))
        first = placed.batch(torch.arange(3))
        assert torch.equal(placed.batch(torch.arange(3)), first)
    np.testing.assert_array_equal(floats.images, kept)


@pytest.mark.gpu
def test_both_give_the_same_batches_on_a_gpu() -> None:
    chosen = torch.tensor([5, 0, 6], device="cuda")
    resident, streamed = (
        place_images(SOURCE, WHICH, Compute(device="cuda", image_bytes=most)).batch(chosen)
        for most in (10**6, 0)
    )
    assert resident.device.type == streamed.device.type == "cuda"
    assert torch.equal(resident, streamed)
