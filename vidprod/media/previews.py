"""Two sizes of pictures in one pass over a video: tiny ones of all, larger ones of a few. For analyses."""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(frozen=True)
class Preview:
    """A run of pictures.

    Attributes:
        tiny: all of them, upright or not as decoded, their longer side `TINY` pixels.
        samples: some of them, (1, 3, h, w) each, upright, their longer side `SAMPLE` pixels.
    """

    tiny: Frames
    samples: tuple[Frames, ...]

    def __len__(self) -> int:
        return len(self.tiny)


class _Scaler:
    """Scales decoded pictures down to one size, by areas."""

    def __init__(self, reader: VideoReader, side: int) -> None:
        info = reader.info
        scale = min(1.0, side / max(info.width, info.height))
        self._size = max(2, round(scale * info.width)), max(2, round(scale * info.height))
        self._reformatter = VideoReformatter()  # keeps its swscale context

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        small = self._reformatter.reformat(frame, *self._size, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return np.asarray(small.to_ndarray(), np.uint8)


def previews(
    reader: VideoReader, *, every: Fraction, batch: int = 32, until: Fraction | None = None
) -> Iterator[Preview]:
    """All pictures tiny, and one larger one at least `every` seconds apart.

    Args:
        reader: of the whole video.
        every: seconds between samples; the first picture is one.
        batch: pictures in a preview.
        until: seconds at which to stop.
    """
    info = reader.info
    tiny, sample = _Scaler(reader, TINY), _Scaler(reader, SAMPLE)
    small: list[NDArray[np.uint8]] = []
    pts: list[int] = []
    samples: list[Frames] = []
    due: Fraction | None = None
    first = 0
    for number, frame in enumerate(reader.native()):
        assert frame.pts is not None, "the reader repairs absent pts"
        second = frame.pts * info.time_base
        if until is not None and second >= until:
            break
        small.append(tiny(frame))
        pts.append(frame.pts)
        if due is None or second >= due:
            due = (second if due is None else max(due, second - every)) + every
            samples.append(_upright(sample(frame), reader, frame.pts, number))
        if len(small) == batch:
            yield Preview(_frames(small, pts, info.time_base, first), tuple(samples))
            first, small, pts, samples = number + 1, [], [], []
    if small:
        yield Preview(_frames(small, pts, info.time_base, first), tuple(samples))


def _frames(pictures: list[NDArray[np.uint8]], pts: list[int], time_base: Fraction, index: int) -> Frames:
    return Frames(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), tuple(pts), time_base, index)


def _upright(picture: NDArray[np.uint8], reader: VideoReader, pts: int, number: int) -> Frames:
    info = reader.info
    height, width = picture.shape[:2]
    size = (width, height) if info.rotation % 180 else (height, width)
    turned = np.empty((1, *size, 3), np.uint8)
    upright(picture, info.rotation, info.mirrored, turned[0])
    return Frames(torch.from_numpy(turned).permute(0, 3, 1, 2), (pts,), info.time_base, number)
