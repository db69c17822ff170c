"""The rendering of everything that erases: decode, change a few pixels, encode.

Pictures stay as they were decoded; of each only the rectangles that an eraser asks for are converted to RGB, and only masked
pixels are written back. An eraser may give a picture back many pictures later, so as to have seen what comes after it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import av
from torch import Tensor

from vidprod.control import Control
from vidprod.media.overlap import Background, prefetch
from vidprod.media.patch import Region, flipped, owned
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.ops.text_boxes import Box

CHUNK_BYTES = 8 * 2**20
"""Pictures go from thread to thread together, as many as fit in here, but one at least and eight at most."""


@dataclass(frozen=True, eq=False)
class Patched:
    """What an eraser has made of its rectangle of one picture.

    Attributes:
        index: the picture's number.
        picture: (3, h, w) uint8 on the CPU; None where nothing is changed.
        mask: (h, w) bool on the CPU, the pixels that are changed; None with `picture`.
        share: the part of them, 0..1, that is real: copied from other pictures, or got back from under the overlay.
    """

    index: int
    picture: Tensor | None = None
    mask: Tensor | None = None
    share: float = 0.0


Look = Callable[[Fraction, Region, Callable[[], Tensor], Tensor], None]
"""Is shown what was changed: time of the picture, which rectangle, a function that reads it, and the mask of changed pixels."""


class Eraser(Protocol):
    """Erases something within one rectangle of the pictures."""

    @property
    def box(self) -> Box:
        """The rectangle, in pixels of the upright picture."""

    def push(self, index: int, second: Fraction, read: Callable[[], Tensor]) -> list[Patched]:
        """Takes the next picture and gives those that are done, in any order; every picture comes back exactly once.

        Args:
            index: its number.
            second: its time.
            read: makes the (3, h, w) uint8 RGB rectangle, on the CPU; costs little where it is not called.
        """

    def finish(self) -> list[Patched]:
        """The rest, after the last picture."""


@dataclass(frozen=True)
class Tally:
    """What was done, in sums over all pictures.

    Attributes:
        frames: pictures written.
        changed: those of them that were changed.
        pixels: that were changed.
        real: those of them with real content; see `Patched.share`.
    """

    frames: int = 0
    changed: int = 0
    pixels: int = 0
    real: float = 0.0


@dataclass(eq=False)
class _Waiting:
    """A picture that erasers still have."""

    frame: av.VideoFrame
    second: Fraction
    missing: int
    patches: list[tuple[Region, Patched]] = field(default_factory=list)


class _Encoder:
    """A sink for whole chunks of pictures."""

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer

    def write(self, frames: list[av.VideoFrame]) -> None:
        for frame in frames:
            self._writer.write_native(frame)


def like_decoded(info: VideoInfo, source: str, preset: str) -> dict[str, Any]:
    """Arguments of a `VideoWriter` for pictures as they were decoded: size, depth and rotation of the source.

    More than eight bits go into HEVC, as hardly anything plays H.264 of that depth.
    """
    return {
        "like": info,
        "width": info.width,
        "height": info.height,
        "codec": "hevc" if info.bits > 8 else "h264",
        "preset": preset,
        "rotation": info.rotation,
        "audio_from": source,
    }


def prepared(frame: av.VideoFrame, info: VideoInfo, writer: VideoWriter) -> av.VideoFrame:
    """A decoded picture as erasers see it: as the writer wants it, and not mirrored, for which MP4 files have no flag."""
    picture = writer.prepared(frame)
    return flipped(picture) if info.mirrored else picture


def region_of(info: VideoInfo, box: Box) -> Region:
    """The region around a box of the upright picture, in `prepared` pictures."""
    return Region.of(dataclasses.replace(info, mirrored=False), (box.left, box.top, box.right, box.bottom))


def fitting(region: Region) -> Box:
    """The rectangle that a region really has: the box asked for, on the grid of the chroma."""
    return Box(*region.box)


def regions(erasers: Sequence[Eraser], info: VideoInfo) -> list[Region]:
    """Where the erasers' rectangles lie; raises ValueError for one that is not on the grid of the chroma."""
    found = []
    for eraser in erasers:
        box = eraser.box
        region = region_of(info, box)
        if fitting(region) != box:
            raise ValueError(f"{box} is not on the grid of the chroma, {fitting(region)} would be")
        found.append(region)
    return found


def erase(
    reader: VideoReader,
    erasers: Sequence[Eraser],
    writer: VideoWriter,
    *,
    control: Control | None = None,
    look: Look | None = None,
) -> Tally:
    """Runs a video through `erasers` into `writer`; three threads: decode, compute, encode.

    Args:
        reader: of the whole video.
        erasers: each for a rectangle of its own; where they overlap, the later ones see what was there before all of them.
        writer: on the CPU; its rotation must be the source's, as pictures are not turned.
        control: for progress and cancellation.
        look: is shown every finished rectangle that was changed.

    Raises:
        Cancelled: the caller asked for it.
    """
    info = reader.info
    places = regions(erasers, info)
    waiting: dict[int, _Waiting] = {}
    ready: deque[av.VideoFrame] = deque()
    first, tally = 0, _Sums()

    def take(patched: Iterable[Patched], region: Region) -> None:
        for one in patched:
            entry = waiting[one.index]
            entry.missing -= 1
            if one.picture is not None:
                entry.patches.append((region, one))

    def release() -> None:
        nonlocal first
        while (entry := waiting.get(first)) is not None and not entry.missing:
            del waiting[first]
            ready.append(_patched(entry, writer, tally, look))
            first += 1

    count = _chunk(info)
    with prefetch(_chunks(reader.native(), count)) as chunks, Background(_Encoder(writer)) as out:
        number = 0
        for chunk in (control or Control()).watch(chunks, "render", info.frame_count):
            for frame in chunk:
                picture = prepared(frame, info, writer)
                assert picture.pts is not None
                second = picture.pts * info.time_base
                waiting[number] = _Waiting(picture, second, len(erasers))
                for eraser, region in zip(erasers, places, strict=True):
                    take(eraser.push(number, second, _reading(region, picture, writer)), region)
                number += 1
                release()
            _send(ready, out, count)
        for eraser, region in zip(erasers, places, strict=True):
            take(eraser.finish(), region)
        release()
        if waiting:
            raise RuntimeError(f"{len(waiting)} pictures did not come back from the erasers, the first is {first}")
        _send(ready, out, count)
    return Tally(number, tally.changed, tally.pixels, tally.real)


@dataclass
class _Sums:
    changed: int = 0
    pixels: int = 0
    real: float = 0.0


def _patched(
    entry: _Waiting,
    writer: VideoWriter,
    sums: _Sums,
    look: Look | None,
) -> av.VideoFrame:
    """The picture with what the erasers have made of it."""
    if not entry.patches:
        return entry.frame
    frame = owned(entry.frame)
    for region, patch in entry.patches:
        assert patch.picture is not None
        assert patch.mask is not None
        region.write(frame, patch.picture, patch.mask, writer.tags)
        count = int(patch.mask.count_nonzero())
        sums.pixels += count
        sums.real += patch.share * count
    sums.changed += 1
    if look is not None:
        for region, patch in entry.patches:
            assert patch.mask is not None
            look(entry.second, region, _reading(region, frame, writer), patch.mask)
    return frame


def _reading(region: Region, frame: av.VideoFrame, writer: VideoWriter) -> Callable[[], Tensor]:
    return lambda: region.read(frame, writer.tags)


def _chunk(info: VideoInfo) -> int:
    return min(max(CHUNK_BYTES // (info.width * info.height * (3 if info.bits > 8 else 2)), 1), 8)


def _chunks(frames: Iterator[av.VideoFrame], count: int) -> Iterator[list[av.VideoFrame]]:
    while chunk := list(itertools.islice(frames, count)):
        yield chunk


def _send(ready: deque[av.VideoFrame], out: Background[list[av.VideoFrame]], count: int) -> None:
    while ready:
        out.write([ready.popleft() for _ in range(min(count, len(ready)))])
