from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vidprod.errors import InvalidParameter
from vidprod.ops.bitmask import BitMask


@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.integers(0, 9), st.integers(0, 9))
def test_what_is_packed_comes_back(mask: np.ndarray, left: int, top: int) -> None:
    onto = np.zeros((40, 40), bool)
    BitMask.pack(mask, left, top).paint(onto)
    expected = np.zeros((40, 40), bool)
    expected[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    assert np.array_equal(onto, expected)


def test_only_the_part_with_pixels_is_kept() -> None:
    mask = np.zeros((30, 40), bool)
    mask[10:12, 5:9] = True
    packed = BitMask.pack(mask, 100, 200)
    assert (packed.left, packed.top, packed.width, packed.height) == (105, 210, 4, 2)
    assert packed.unpack().all()


def test_what_lies_outside_is_not_painted() -> None:
    onto = np.zeros((5, 5), bool)
    BitMask.pack(np.ones((4, 4), bool), 3, 3).paint(onto)
    BitMask.pack(np.ones((4, 4), bool), 30, 3).paint(onto)
    BitMask.pack(np.ones((2, 2), bool), 10, 20).paint(onto, (10, 20))
    assert onto.sum() == 4 + 4
    assert onto[3:, 3:].all()
    assert onto[:2, :2].all()


def test_a_subtitle_takes_little_room() -> None:
    rng = np.random.default_rng(0)
    mask = np.kron(rng.random((6, 80)) < 0.5, np.ones((4, 4))).astype(bool)
    assert len(BitMask.pack(mask).data) < 600


def test_masks_without_pixels() -> None:
    packed = BitMask.pack(np.zeros((4, 7), bool), 2, 3)
    assert packed.unpack().size == 0
    onto = np.zeros((9, 9), bool)
    packed.paint(onto)
    assert not onto.any()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (BitMask(0, 0, 8, 2, "?"), "cannot be read"),
        (BitMask(0, 0, 8, 2, base64.b64encode(b"junk").decode()), "cannot be read"),
        (BitMask(0, 0, 8, 2, base64.b64encode(zlib.compress(b"abc")).decode()), "must be 2 bytes"),
        (BitMask(0, 0, 8, 2, base64.b64encode(zlib.compress(bytes(10**7))).decode()), "must be 2 bytes"),
        (BitMask(0, 0, 8, 9, base64.b64encode(zlib.compress(b"abc")).decode()), "must be 9 bytes"),
        (BitMask(0, 0, -8, 2, ""), "makes no sense"),
    ],
)
def test_damaged_masks_are_refused(mask: BitMask, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        mask.unpack()
