"""Two sizes of pictures in one pass over a video: tiny ones of all, larger ones of a few. For analyses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from vidprod.media.frames import Frames
from vidprod.media.reader import VideoReader, upright

TINY = 96
"""Longer side in pixels of the tiny pictures."""

SAMPLE = 480
"""Longer side in pixels of samples."""

JUMP = 24
"""Grey levels by which a picture differs from the one before, on average, where something else is seen from now on."""

SOONER = 3
"""Part of the usual distance that is kept from the sample before, however often the picture jumps."""


@dataclass(frozen=True)
class Preview:
    """A run of pictures.

    Attributes:
        tiny: all of them, upright or not as decoded, their longer side `TINY` pixels.
        samples: some of them, (1, 3, h, w) each, upright, with square pixels, their longer side `SAMPLE` pixels.
    """

    tiny: Frames
    samples: tuple[Frames, ...]

    def __len__(self) -> int:
        return len(self.tiny)


class _Scaler:
    """Scales decoded pictures down to one size, by areas."""

    def __init__(self, reader: VideoReader, side: int) -> None:
        info = reader.info
        # A pixel's shape is that of the upright picture.
        pixel = 1 / info.sample_aspect_ratio if info.rotation % 180 else info.sample_aspect_ratio
        width, height = float(info.width * max(pixel, Fraction(1))), float(info.height / min(pixel, Fraction(1)))
        scale = min(1.0, side / max(width, height))
        self._size = max(2, round(scale * width)), max(2, round(scale * height))
        self._reformatter = VideoReformatter()  # keeps its swscale context

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        small = self._reformatter.reformat(frame, *self._size, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return np.asarray(small.to_ndarray(), np.uint8)


class _Schedule:
    """Tells which pictures are samples: the first, one after each jump, and from there one at or after each multiple of `every`.

    Without those after jumps, nothing would be known of shots shorter than `every`, and little of the beginnings of others.
    """

    def __init__(self, every: Fraction) -> None:
        self._every = every
        self._due: Fraction | None = None
        self._last = Fraction(0)  # seconds of the sample before
        self._before: NDArray[np.uint8] | None = None
        self._change = 0.0

    def wants(self, second: Fraction, tiny: NDArray[np.uint8]) -> bool:
        """Whether the next picture is a sample."""
        change = 0.0 if self._before is None else float(np.abs(tiny.astype(np.int16) - self._before).mean())
        jump = change > JUMP and change > 2 * self._change  # a shaken camera changes all pictures alike
        self._before, self._change = tiny, change
        if self._due is None:
            self._due = second
        elif jump:
            self._due = min(self._due, max(second, self._last + self._every / SOONER))
        if second < self._due:
            return False
        self._due += self._every * ((second - self._due) // self._every + 1)
        self._last = second
        return True


def previews(
    reader: VideoReader, *, every: Fraction, batch: int = 32, until: Fraction | None = None
) -> Iterator[Preview]:
    """All pictures tiny, and some larger.

    Args:
        reader: of the whole video.
        every: seconds between samples, about; the first picture is one, and so are pictures that differ much from the one before.
        batch: pictures in a preview.
        until: seconds at which to stop.
    """
    info = reader.info
    tiny, sample = _Scaler(reader, TINY), _Scaler(reader, SAMPLE)
    small: list[NDArray[np.uint8]] = []
    pts: list[int] = []
    samples: list[Frames] = []
    schedule = _Schedule(every)
    first = 0
    for number, frame in enumerate(reader.native()):
        assert frame.pts is not None, "the reader repairs absent pts"
        second = frame.pts * info.time_base
        if until is not None and second >= until:
            break
        small.append(tiny(frame))
        pts.append(frame.pts)
        if schedule.wants(second, small[-1]):
            samples.append(_upright(sample(frame), reader, frame.pts, number))
        if len(small) == batch:
            yield Preview(_frames(small, pts, info.time_base, first), tuple(samples))
            first, small, pts, samples = number + 1, [], [], []
    if small:
        yield Preview(_frames(small, pts, info.time_base, first), tuple(samples))


def pictures_at(reader: VideoReader, times: Sequence[float], *, side: int) -> list[NDArray[np.uint8]]:
    """What is seen at some times (seconds, in any order): (h, w, 3) RGB each, upright, the longer side `side` pixels.

    Times before the first picture show that one, those after the last one that. Empty for a video without pictures.
    """
    info = reader.info
    scaler = _Scaler(reader, side)
    order = sorted(range(len(times)), key=lambda at: times[at])
    found: dict[int, NDArray[np.uint8]] = {}
    before: av.VideoFrame | None = None
    for frame in reader.native():
        assert frame.pts is not None
        second = float(frame.pts * info.time_base)
        while order and before is not None and times[order[0]] < second - 1e-6:
            found[order.pop(0)] = _turned(scaler(before), reader)
        before = frame
        if not order:
            break
    for at in order:
        if before is not None:
            found[at] = _turned(scaler(before), reader)
    return [found[at] for at in range(len(times))] if found else []


def _frames(pictures: list[NDArray[np.uint8]], pts: list[int], time_base: Fraction, index: int) -> Frames:
    return Frames(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), tuple(pts), time_base, index)


def _upright(picture: NDArray[np.uint8], reader: VideoReader, pts: int, number: int) -> Frames:
    data = torch.from_numpy(_turned(picture, reader)[None]).permute(0, 3, 1, 2)
    return Frames(data, (pts,), reader.info.time_base, number)


def _turned(picture: NDArray[np.uint8], reader: VideoReader) -> NDArray[np.uint8]:
    info = reader.info
    height, width = picture.shape[:2]
    turned = np.empty((*((width, height) if info.rotation % 180 else (height, width)), 3), np.uint8)
    upright(picture, info.rotation, info.mirrored, turned)
    return turned
