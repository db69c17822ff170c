"""Puts stretches of a video one after the other, on an even grid of pictures, without converting any of them.

The grid has the result's frame rate; of the source the picture is taken that is seen at each point of the grid. For a source of
even rate those are its pictures, one by one; one whose rate varies becomes even, which keeps the length exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av

from vidprod.control import Control
from vidprod.errors import InvalidParameter
from vidprod.media.overlap import Background, prefetch
from vidprod.media.patch import flipped
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

CHUNK = 8
"""Pictures that go from thread to thread together."""

BEHIND = 2
"""Seconds for which the last picture may be held."""

Stretches = Sequence[tuple[int, int]]


def grid_size(times: Sequence[float], step: float, rate: Fraction) -> int:
    """Pictures of a grid that covers a video: `times` of its pictures, the last of which lasts `step` seconds."""
    return max(round((times[-1] + step - times[0]) * float(rate)), 1) if times else 0


def on_grid(reader: VideoReader, stretches: Stretches, rate: Fraction) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded pictures for the points of the grid that lie in `stretches`, in their order: (number of the point, picture).

    The grid begins with the first picture; what is seen at a point is the picture whose time is nearest before it, half a step of
    tolerance included. Stretches may overlap, repeat or go back; each step back decodes the video from its beginning again.

    Raises:
        InvalidParameter: a stretch lies more than `BEHIND` seconds after the last picture.
    """
    run: list[tuple[int, int]] = []
    for one in stretches:
        if run and one[0] < run[-1][1]:
            yield from _forwards(reader, run, rate)
            run = []
        run.append(one)
    yield from _forwards(reader, run, rate)


def _forwards(reader: VideoReader, stretches: Stretches, rate: Fraction) -> Iterator[tuple[int, av.VideoFrame]]:
    """`on_grid` for stretches that are rising and disjoint."""
    wanted = (point for first, stop in stretches for point in range(first, stop))
    point = next(wanted, None)
    before: av.VideoFrame | None = None
    origin: Fraction | None = None
    second = Fraction(0)
    for frame in reader.native():
        if point is None:
            return
        assert frame.pts is not None
        second = frame.pts * reader.info.time_base
        origin = second if origin is None else origin
        # points that are over before this picture comes show the one before
        while point is not None and before is not None and Fraction(2 * point + 1, 2) / rate <= second - origin:
            yield point, before
            point = next(wanted, None)
        before = frame
    length = second - (origin or 0)
    while point is not None and before is not None:
        if point / rate > length + BEHIND:
            raise InvalidParameter(
                f"a segment reaches to {float(point / rate):.2f} s, the last picture is at {float(length):.2f} s"
            )
        yield point, before
        point = next(wanted, None)


class _Encoder:
    """A sink for chunks of pictures with their numbers in the result."""

    def __init__(self, writer: VideoWriter, rate: Fraction) -> None:
        self._writer = writer
        self._step = 1 / rate

    def write(self, pictures: list[tuple[int, av.VideoFrame]]) -> None:
        for number, frame in pictures:
            frame.pts, frame.time_base = number, self._step
            self._writer.write_native(frame)


def assemble(
    reader: VideoReader,
    stretches: Stretches,
    rate: Fraction,
    writer: VideoWriter,
    *,
    cut: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
    control: Control | None = None,
    show: tuple[int, Callable[[av.VideoFrame], None]] | None = None,
) -> int:
    """Writes the stretches; returns how many pictures.

    Args:
        reader: of the whole video.
        stretches: (first, stop) points of the grid, in the order in which they are shown.
        rate: points per second.
        cut: what is done to decoded pictures first.
        writer: with `time_base` 1 / rate, and the source's rotation as its own.
        show: a point of the grid, and what is called with the picture, as it is written.
    """
    total = sum(stop - first for first, stop in stretches)
    written = 0

    def chunks() -> Iterator[list[tuple[int, av.VideoFrame]]]:
        chunk: list[tuple[int, av.VideoFrame]] = []
        for number, (point, frame) in enumerate(on_grid(reader, stretches, rate)):
            picture = writer.prepared(frame if cut is None else cut(frame))
            if reader.info.mirrored:
                picture = flipped(picture)
            if show is not None and point == show[0]:
                show[1](picture)
            chunk.append((number, picture))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    with prefetch(chunks()) as stream, Background(_Encoder(writer, rate)) as out:
        for chunk in (control or Control()).watch(stream, "render", total):
            out.write(chunk)
            written += len(chunk)
    return written
