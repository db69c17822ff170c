from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers import assert_same_picture, noise, stream
from tests.ops.test_op import Blur
from vidprod.control import Control, Progress
from vidprod.errors import BusyError, Cancelled
from vidprod.media.frames import Frames
from vidprod.ops.op import Op
from vidprod.ops.render import analyse, preroll, render


class Collect:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.parts: list[Frames] = []

    def write(self, frames: Frames) -> None:
        self.parts.append(frames)

    @property
    def data(self) -> Tensor:
        return torch.cat([part.data for part in self.parts])

    @property
    def pts(self) -> list[int]:
        return [t for part in self.parts for t in part.pts]


def rendered(data: Tensor, batches: Sequence[int], ops: Sequence[Op], cuts: Sequence[int] = ()) -> Collect:
    sink = Collect()
    assert render(stream(data, batches), ops, sink, cuts=cuts) == len(data)
    return sink


@settings(max_examples=30)
@given(batches=st.lists(st.integers(1, 23), min_size=1, max_size=4), cuts=st.sets(st.integers(1, 22)))
def test_the_picture_does_not_depend_on_the_batches(batches: list[int], cuts: set[int]) -> None:
    data, ops = noise(23, 4, 6), [Blur(0), Blur(2), Blur(1)]
    whole = rendered(data, [23], ops, sorted(cuts))
    pieces = rendered(data, batches, ops, sorted(cuts))
    assert torch.equal(whole.data, pieces.data)
    assert pieces.pts == list(range(23))


@settings(max_examples=30)
@given(start=st.integers(0, 22), length=st.integers(1, 23), batch=st.integers(1, 9))
def test_a_part_rendered_alone_equals_the_same_part_of_the_whole(start: int, length: int, batch: int) -> None:
    data, ops, stop = noise(23, 4, 6), [Blur(2), Blur(1)], min(start + length, 23)
    whole = rendered(data, [23], ops).data
    first, last = max(start - preroll(ops), 0), min(stop + preroll(ops), 23)
    sink = Collect()
    assert render(stream(data[first:last], [batch], first=first), ops, sink, start=start, stop=stop) == stop - start
    assert_same_picture(sink.data, whole[start:stop], levels=0)
    assert sink.pts == list(range(start, stop))


class Hungry(Blur):
    """Runs out of memory with more than `most` pictures at a time."""

    def __init__(self, halo: int, most: int) -> None:
        super().__init__(halo)
        self.most, self.failures = most, 0

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        if core.stop - core.start > self.most:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(frames, core)


def test_out_of_memory_halves_the_batch_and_remembers() -> None:
    data, hungry = noise(40), Hungry(1, most=2)
    assert torch.equal(rendered(data, [8], [hungry]).data, rendered(data, [8], [Blur(1)]).data)
    assert hungry.failures <= 3


class Shrinking(Blur):
    """Fits only after being asked twice to make do with less."""

    def __init__(self) -> None:
        super().__init__(0)
        self.size = 3

    def shrink(self) -> bool:
        self.size -= 1
        return self.size > 0

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        if self.size > 1 or core.stop - core.start > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(frames, core)


def test_out_of_memory_with_one_picture_shrinks_the_op() -> None:
    data = noise(4)
    assert torch.equal(rendered(data, [4], [Shrinking()]).data, data)


def test_out_of_memory_beyond_help_is_busy() -> None:
    with pytest.raises(BusyError, match="one 32x24 picture"):
        rendered(noise(4), [4], [Hungry(0, most=0)])


class Broken(Blur):
    def __call__(self, frames: Frames, core: slice) -> Tensor:
        raise RuntimeError("broken op")


def test_errors_of_an_op_come_through_and_no_thread_stays() -> None:
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken op"):
        rendered(noise(64), [2], [Broken(0)])
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_progress_counts_written_pictures_and_ends_at_the_total() -> None:
    seen: list[Progress] = []
    control = Control(seen.append)
    render(stream(noise(10), [4]), [], Collect(), control=control, total=10)
    assert [p.done for p in seen] == [4, 8, 10]
    assert all(p.stage == "render" and p.total == 10 for p in seen)
    assert seen[-1].eta == 0


def test_cancelling_stops_between_batches() -> None:
    sink = Collect()
    control = Control(cancelled=lambda: len(sink.parts) >= 2)
    with pytest.raises(Cancelled):
        render(stream(noise(1000, 4, 4), [2]), [], sink, control=control)
    assert len(sink.parts) < 20


class Count:
    def __init__(self) -> None:
        self.count = 0

    def update(self, frames: Frames) -> None:
        self.count += len(frames)

    def finish(self) -> int:
        return self.count


def test_analyse_folds_the_whole_stream() -> None:
    assert analyse(stream(noise(11), [4]), Count()) == 11
