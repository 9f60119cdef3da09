from __future__ import annotations

import torch
from torch.nn import functional as F

from autokd.data.augmentation import crop_and_flip

IMAGES = torch.arange(1, 1 + 200 * 2 * 6 * 6, dtype=torch.float32).view(200, 2, 6, 6)


def drawn(padding: int = 4) -> torch.Tensor:
    return crop_and_flip(IMAGES, torch.Generator().manual_seed(0), padding=padding)


def test_each_image_is_a_crop_of_itself_padded_mirrored_or_not() -> None:
    seen = set()
    for before, after in zip(F.pad(IMAGES, (4,) * 4), drawn(), strict=True):
        places = {
            (down, right, mirrored)
            for down in range(9)
            for right in range(9)
            for mirrored in (False, True)
            if torch.equal(_crop(before, down, right, mirrored), after)
        }
        assert places
        seen |= places
    # 200 draws of 162 possibilities: that as few as 90 come up has odds of less than one in a million.
    assert len(seen) > 90
    assert {0, 8} <= {down for down, _, _ in seen}
    assert {0, 8} <= {right for _, right, _ in seen}


def _crop(padded: torch.Tensor, down: int, right: int, mirrored: bool) -> torch.Tensor:
    piece = padded[:, down : down + 6, right : right + 6]
    return piece.flip(-1) if mirrored else piece


def test_half_are_mirrored_and_bytes_stay_bytes() -> None:
    images = IMAGES.to(torch.uint8)
    generator = torch.Generator().manual_seed(0)
    flipped = crop_and_flip(images, generator, padding=0)
    assert flipped.dtype == torch.uint8
    mirrored = sum(torch.equal(image, other.flip(-1)) for image, other in zip(flipped, images, strict=True))
    # Within five standard deviations of half of 200.
    assert 65 <= mirrored <= 135


def test_the_same_generator_gives_the_same_images() -> None:
    assert torch.equal(drawn(), drawn())
