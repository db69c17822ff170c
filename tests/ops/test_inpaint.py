"""The network as a spatial fill: what it may change, and how well."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import assert_same_picture, decode, noise, psnr
from vidprod.ops.inpaint import NetworkFill


@pytest.fixture(scope="module")
def fill() -> NetworkFill:
    return NetworkFill()


def lettering(height: int, width: int) -> Tensor:
    """(1, 1, height, width) bool: a line of text."""
    mask = np.zeros((height, width), np.uint8)
    cv2.putText(mask, "Erase this", (10, height - 20), cv2.FONT_HERSHEY_DUPLEX, 1.0, 255, 4, cv2.LINE_AA)
    return torch.from_numpy(mask > 0)[None, None]


def test_nothing_changes_outside_the_holes(fill: NetworkFill) -> None:
    pictures = noise(3, 64, 96)
    masks = torch.zeros(3, 1, 64, 96, dtype=torch.bool)
    masks[0, :, 20:24, 30:60] = True
    masks[2, :, 60:64, 90:96] = True  # in the corner
    filled = fill(pictures, masks)
    assert filled.dtype == torch.uint8
    outside = ~masks.expand_as(pictures)
    assert torch.equal(filled[outside], pictures[outside])
    assert torch.equal(filled[1], pictures[1])
    assert not torch.equal(filled[0], pictures[0])


def test_without_holes_everything_stays(fill: NetworkFill) -> None:
    pictures = noise(2)
    assert torch.equal(fill(pictures, torch.zeros(2, 1, 24, 32, dtype=torch.bool)), pictures)


def test_what_was_in_the_holes_does_not_matter(fill: NetworkFill) -> None:
    masks = lettering(96, 200)
    pictures = noise(1, 96, 200)
    others = torch.where(masks, 255 - pictures, pictures)
    assert torch.equal(fill(pictures, masks), fill(others, masks))


def test_batches_do_not_matter(fill: NetworkFill) -> None:
    pictures = noise(4, 96, 200)
    masks = lettering(96, 200).expand(4, -1, -1, -1)
    one_by_one = torch.cat([fill(pictures[i : i + 1], masks[i : i + 1]) for i in range(4)])
    assert_same_picture(fill(pictures, masks), one_by_one)


def test_better_than_telea_on_a_real_picture(fill: NetworkFill, bikes: Path) -> None:
    picture = decode(bikes, 1)[0]
    height, width = picture.shape[:2]
    masks = lettering(height, width)
    hole = masks[0, 0].numpy()
    data = torch.from_numpy(picture).permute(2, 0, 1)[None]
    ours = fill(data, masks)[0].permute(1, 2, 0).numpy()
    telea = cv2.inpaint(np.ascontiguousarray(picture), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    assert psnr(ours[hole], picture[hole]) > psnr(telea[hole], picture[hole]) + 0.5
