from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.helpers import noise
from vidprod.ops.reuse import TILE, boxes_to_compute, changed_tiles


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_a_changed_sample_marks_its_tile_only(dtype: torch.dtype, device: torch.device) -> None:
    x = noise(3, 70, 100).to(torch.int32).to(dtype).to(device)[:1].expand(3, -1, -1, -1).clone()
    x[1, 2, 40, 99] = x[1, 2, 40, 99].to(torch.int32) ^ 1
    tiles = changed_tiles(x, x[0])
    assert tiles.shape == (3, 4)
    assert tiles.nonzero().tolist() == [[1, 3]]


def test_a_repetition_marks_nothing() -> None:
    x = noise(1).expand(4, -1, -1, -1)
    assert not changed_tiles(x, x[0]).any()
    assert boxes_to_compute(np.zeros((3, 4), bool), 96, 128, 21) == []


def test_a_change_everywhere_is_done_whole() -> None:
    assert boxes_to_compute(np.ones((10, 10), bool), 320, 320, 21) is None


@given(
    tiles=arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    radius=st.integers(0, 40),
    cut=st.integers(0, 31),
)
def test_boxes_cover_everything_that_can_change(tiles: np.ndarray, radius: int, cut: int) -> None:
    height, width = tiles.shape[0] * TILE - cut, tiles.shape[1] * TILE - cut
    boxes = boxes_to_compute(tiles, height, width, radius)
    if boxes is None:
        return
    covered = np.zeros((height, width), bool)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    for row, column in np.argwhere(tiles):
        top, left = max(row * TILE - radius, 0), max(column * TILE - radius, 0)
        assert covered[top : (row + 1) * TILE + radius, left : (column + 1) * TILE + radius].all()
