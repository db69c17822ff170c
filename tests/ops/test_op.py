from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers import noise, stream
from vidprod.media.frames import Frames
from vidprod.ops.op import windowed


@given(
    count=st.integers(1, 40),
    batches=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    halo=st.integers(0, 5),
    cuts=st.sets(st.integers(1, 39)),
    first=st.integers(0, 3),
)
def test_every_picture_comes_once_with_all_neighbours_of_its_shot(
    count: int, batches: list[int], halo: int, cuts: set[int], first: int
) -> None:
    edges = sorted(cuts)
    data = torch.zeros(count, 3, 1, 1, dtype=torch.uint8)
    expected = first
    for window, core in windowed(stream(data, batches, first=first), halo, cuts=edges):
        assert core.start < core.stop
        for i in range(core.start, core.stop):
            number = window.index + i
            assert number == expected
            expected += 1
            shot_start = max([c for c in edges if c <= number], default=0)
            shot_end = min([c for c in edges if c > number], default=first + count)
            left, right = max(number - halo, shot_start, first), min(number + halo + 1, shot_end, first + count)
            assert window.index <= left
            assert right <= window.index + len(window)
            assert window.index >= shot_start
            assert window.index + len(window) <= shot_end
    assert expected == first + count


def test_no_batches_give_no_windows() -> None:
    assert list(windowed(iter(()), 2)) == []


def test_negative_halo_is_refused() -> None:
    with pytest.raises(ValueError, match="halo"):
        next(windowed(stream(noise(2), [1]), -1))


class Blur:
    """A temporal mean: what it makes shows exactly which neighbours it saw."""

    def __init__(self, halo: int) -> None:
        self.halo = halo

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        out = []
        for i in range(core.start, core.stop):
            near = frames.data[max(i - self.halo, 0) : i + self.halo + 1]
            out.append(near.to(torch.float32).mean(0).round().to(torch.uint8))
        return torch.stack(out)


def test_memory_is_bounded_by_the_window() -> None:
    longest = max(len(window) for window, _ in windowed(stream(noise(300), [4]), 2))
    assert longest <= 4 + 2 * 2
