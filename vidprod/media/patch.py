"""Changing a few pixels of a decoded picture and leaving every other sample exactly as it was decoded.

A picture that is converted to RGB and back is a slightly different picture. Where only a line of text is to go, just the
rectangle around it is converted, and of that only the masked samples are written back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from av import VideoFrame
from torch import Tensor

from vidprod.media.color import ColorTags, rgb_to_yuv420, yuv_to_rgb
from vidprod.media.probe import VideoInfo

FORMATS = {"yuv420p": 8, "yuv420p10le": 10}
"""Pixel formats that can be patched, with their bits: those that `VideoWriter.prepared` gives."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, right and bottom exclusive."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a video's pictures, on the grid of its chroma.

    Attributes:
        coded: where it lies in the decoded picture.
        box: where it lies in the upright picture; it holds the box asked for, and at odd edges one pixel more.
        rotation: degrees clockwise that the decoded picture must be turned.
        mirrored: whether it must be mirrored left to right first.
    """

    coded: Box
    box: Box
    rotation: int
    mirrored: bool

    @classmethod
    def of(cls, info: VideoInfo, box: Box) -> Region:
        """The smallest region that holds `box`, a rectangle of the upright picture.

        Raises:
            ValueError: a box that is empty, or reaches out of the picture.
        """
        left, top, right, bottom = box
        if not (0 <= left < right <= info.display_width and 0 <= top < bottom <= info.display_height):
            raise ValueError(f"box {box} does not lie in a picture of {info.display_width}x{info.display_height}")
        coded = _turned_back(box, info.width, info.height, info.rotation, info.mirrored)
        left, top, right, bottom = coded
        # an odd picture was padded by repeating its last column and row
        coded = (left // 2 * 2, top // 2 * 2, -(-right // 2) * 2, -(-bottom // 2) * 2)
        return cls(
            coded, _turned(coded, info.width, info.height, info.rotation, info.mirrored), info.rotation, info.mirrored
        )

    @property
    def height(self) -> int:
        """Of the upright rectangle, in pixels."""
        return self.box[3] - self.box[1]

    @property
    def width(self) -> int:
        """See `height`."""
        return self.box[2] - self.box[0]

    def read(self, frame: VideoFrame, tags: ColorTags) -> Tensor:
        """The upright rectangle of a picture as (3, height, width) uint8 RGB. `tags`: resolved, of the picture."""
        left, top, right, bottom = self.coded
        y, u, v = (torch.from_numpy(plane) for plane in planes_of(frame))
        y = y[top:bottom, left:right]
        u, v = (p[top // 2 : bottom // 2, left // 2 : right // 2] for p in (u, v))
        rgb = yuv_to_rgb(y[None], u[None], v[None], tags, bits=_bits(frame), out_bits=8)[0]
        if self.mirrored:
            rgb = rgb.flip(2)
        return torch.rot90(rgb, -self.rotation // 90, (1, 2))

    def write(self, frame: VideoFrame, rgb: Tensor, mask: Tensor, tags: ColorTags) -> None:
        """Puts masked pixels into a picture of `owned`.

        Luma changes where the mask is set, chroma in every block of 2x2 pixels that the mask touches.

        Args:
            frame: changed in place.
            rgb: (3, height, width) uint8, upright.
            mask: (height, width) bool.
            tags: resolved, of the picture.
        """
        left, top, right, bottom = self.coded
        rgb, mask = (torch.rot90(x, self.rotation // 90, (-2, -1)) for x in (rgb, mask))
        if self.mirrored:
            rgb, mask = rgb.flip(-1), mask.flip(-1)
        new = rgb_to_yuv420(rgb[None], tags, bits=_bits(frame))
        at = mask.numpy()
        coarse = at[0::2, 0::2] | at[1::2, 0::2] | at[0::2, 1::2] | at[1::2, 1::2]
        for plane, values, where, step in zip(planes_of(frame), new, (at, coarse, coarse), (1, 2, 2), strict=True):
            target = plane[top // step : bottom // step, left // step : right // step]
            np.copyto(target, values[0].numpy(), where=where)


def owned(frame: VideoFrame) -> VideoFrame:
    """A copy whose planes may be written, with the same time and tags; the planes of a decoded picture may not."""
    if frame.format.name not in FORMATS:
        raise ValueError(f"a picture of {frame.format.name} cannot be patched; possible: {', '.join(FORMATS)}")
    return _like(frame, tuple(plane.copy() for plane in planes_of(frame)))


def flipped(frame: VideoFrame) -> VideoFrame:
    """A copy that is mirrored left to right, with the same time and tags."""
    if frame.format.name not in FORMATS:
        raise ValueError(f"a picture of {frame.format.name} cannot be mirrored; possible: {', '.join(FORMATS)}")
    return _like(frame, tuple(np.ascontiguousarray(plane[:, ::-1]) for plane in planes_of(frame)))


def _like(frame: VideoFrame, planes: tuple[npt.NDArray[Any], ...]) -> VideoFrame:
    copy = VideoFrame.from_dlpack(planes, format=frame.format.name)
    copy.pts, copy.time_base = frame.pts, frame.time_base
    copy.color_range, copy.colorspace = frame.color_range, frame.colorspace
    copy.color_primaries, copy.color_trc = frame.color_primaries, frame.color_trc
    return copy


def _bits(frame: VideoFrame) -> int:
    return FORMATS[frame.format.name]


def planes_of(frame: VideoFrame) -> tuple[npt.NDArray[Any], ...]:
    """The planes as arrays that share the picture's memory."""
    dtype = np.dtype(np.uint8 if _bits(frame) == 8 else "<u2")
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), dtype, count=plane.line_size // dtype.itemsize * plane.height)
        found.append(rows.reshape(plane.height, -1)[:, : plane.width])
    return tuple(found)


def _turned(box: Box, width: int, height: int, rotation: int, mirrored: bool) -> Box:
    """A box of the decoded picture of `width` x `height`, in the upright one."""
    left, top, right, bottom = box
    if mirrored:
        left, right = width - right, width - left
    if rotation == 90:
        return height - bottom, left, height - top, right
    if rotation == 180:
        return width - right, height - bottom, width - left, height - top
    if rotation == 270:
        return top, width - right, bottom, width - left
    return left, top, right, bottom


def _turned_back(box: Box, width: int, height: int, rotation: int, mirrored: bool) -> Box:
    """The inverse of `_turned`."""
    left, top, right, bottom = box
    if rotation == 90:
        left, top, right, bottom = top, height - right, bottom, height - left
    elif rotation == 180:
        left, top, right, bottom = width - right, height - bottom, width - left, height - top
    elif rotation == 270:
        left, top, right, bottom = width - bottom, left, width - top, right
    if mirrored:
        left, right = width - right, width - left
    return left, top, right, bottom
