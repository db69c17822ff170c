"""Cutting decoded pictures down to another shape, without turning them into RGB."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from torch import Tensor

from vidprod.media.color import ColorTags
from vidprod.media.patch import Region, planes_of


@dataclass(frozen=True)
class Cut:
    """The middle of pictures that has another shape.

    Attributes:
        box: left, top, right, bottom in pixels of the decoded picture, all even.
        size: width and height of decoded pictures, even.
        format: FFmpeg's name of what comes out: 4:2:0.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]
    format: str

    @classmethod
    def to_shape(cls, width: int, height: int, shape: Fraction, *, deep: bool) -> Cut | None:
        """For pictures of a size; `shape` is width / height in their pixels. None where (nearly) nothing is to be cut off."""
        even = width // 2 * 2, height // 2 * 2
        wide, high = min(even[0], round(even[1] * shape)), min(even[1], round(even[0] / shape))
        if even[0] - wide < 4 and even[1] - high < 4:
            return None
        wide, high = max(wide // 2 * 2, 2), max(high // 2 * 2, 2)
        left, top = (even[0] - wide) // 4 * 2, (even[1] - high) // 4 * 2
        return cls((left, top, left + wide, top + high), even, "yuv420p10le" if deep else "yuv420p")

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The part, a picture of its own with the same time and tags."""
        frame = VideoReformatter().reformat(frame, frame.width, frame.height, self.format)
        left, top, right, bottom = self.box
        parts = []
        for plane, step in zip(planes_of(frame), (1, 2, 2), strict=True):
            part: Any = plane[top // step : bottom // step, left // step : right // step]
            parts.append(np.ascontiguousarray(part))
        made = av.VideoFrame.from_dlpack(tuple(parts), format=self.format)
        made.pts, made.time_base = frame.pts, frame.time_base
        made.color_range, made.colorspace = frame.color_range, frame.colorspace
        made.color_primaries, made.color_trc = frame.color_primaries, frame.color_trc
        return made


def whole(frame: av.VideoFrame, rotation: int, tags: ColorTags) -> Tensor:
    """A `VideoWriter.prepared` picture as (3, H, W) uint8 RGB, turned clockwise by `rotation` degrees."""
    size = (0, 0, frame.width, frame.height)
    return Region(size, size, rotation, False).read(frame, tags)
