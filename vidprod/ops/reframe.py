"""Shows a moving part of each picture in a frame of another shape.

A window that stands still is scaled with an antialiasing filter, a batch at a time. One that moves is placed to the fraction of a
pixel where the picture is enlarged, since whole pixels would make slow pans judder; where it is made smaller, whole source pixels
are less than one of the result.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.ops.reframe_plan import FillType, ReframePlan, Windows

BLUR = 0.04
"""Sigma of the background's blur, against the result's shorter side."""

_COARSE = 4  # the background is blurred on a picture so many times smaller: nobody can tell


@dataclass(frozen=True)
class Layout:
    """Where the window lands in the result: left, top, width, height in pixels."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, aspect: float, width: int, height: int, fill: FillType) -> Layout:
        """Of a window that is `aspect` as wide as high, as seen, in the middle of a result; "stretch" always fills it."""
        if fill == "stretch":
            return cls(0, 0, width, height)
        wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
        # One pixel of background is no bar but an error of rounding.
        wide, high = (full if full - size < 2 else max(size, 1) for size, full in ((wide, width), (high, height)))
        return cls((width - wide) // 2, (height - high) // 2, wide, high)


class Reframe:
    """An `Op`: pictures of a source in the frame of a plan.

    Args:
        plan: what is to be seen.
        sample_aspect_ratio: of the source's upright pixels, width / height.
        background: (3, height, width) of the result's size, uint8 or uint16 as the pictures; None for the plan's colour.
        cover: seconds of a picture to be kept in `covered`.
    """

    halo = 0

    def __init__(
        self,
        plan: ReframePlan,
        *,
        sample_aspect_ratio: Fraction = Fraction(1),
        background: Tensor | None = None,
        cover: float | None = None,
    ) -> None:
        self._plan = plan
        self._windows = Windows(plan)
        self._pixel = float(sample_aspect_ratio)
        self._background = background
        self._cover = cover
        self._off = float("inf")  # of the kept picture from the time wanted
        self.covered: Tensor | None = None

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """(N, 3, H, W) -> (N, 3, plan.height, plan.width) of the same dtype and device."""
        core_frames = frames[core]
        seconds = [float(second) for second in core_frames.seconds]
        parts = []
        # runs of one shot; a still window does all of its pictures at once
        at = 0
        for shot, run in itertools.groupby(seconds, key=self._windows.shot):
            count = len(list(run))
            here = core_frames.data[at : at + count]
            if self._windows.still(shot):
                parts.append(self._placed(here, self._windows.at(seconds[at]), moving=False))
            else:
                for picture, second in zip(here.split(1), seconds[at : at + count], strict=True):
                    parts.append(self._placed(picture, self._windows.at(second), moving=True))
            at += count
        out = torch.cat(parts) if len(parts) > 1 else parts[0]
        self._keep(seconds, out)
        return out

    def _placed(self, pictures: Tensor, window: tuple[float, float, float, float], *, moving: bool) -> Tensor:
        """The window of pictures in a frame of the result's size."""
        height, width = pictures.shape[2:]
        x, y, w, h = window
        plan = self._plan
        layout = Layout.of(w * width * self._pixel / (h * height), plan.width, plan.height, plan.fill.type)
        box = x * width, y * height, w * width, h * height
        enlarged = layout.width > w * width and layout.height > h * height
        size = layout.height, layout.width
        seen = shifted(pictures, np.array([box]), size) if moving and enlarged else _cut(pictures, box, size)
        if (layout.width, layout.height) == (plan.width, plan.height):
            return seen
        out = self._canvas(pictures).expand(len(pictures), -1, -1, -1).clone(memory_format=torch.channels_last)
        out[:, :, layout.top : layout.top + layout.height, layout.left : layout.left + layout.width] = seen
        return out

    def _canvas(self, like: Tensor) -> Tensor:
        """(1, 3, H, W) of the background, of the dtype and on the device of the pictures."""
        if self._background is None:
            levels = 257 if like.dtype == torch.uint16 else 1
            fill = self._plan.fill
            colour = torch.tensor([fill.r, fill.g, fill.b], dtype=torch.int32) * levels
            self._background = colour.to(like.dtype)[:, None, None].expand(-1, self._plan.height, self._plan.width)
        if self._background.device != like.device:
            self._background = self._background.to(like.device)
        return self._background[None]

    def _keep(self, seconds: list[float], pictures: Tensor) -> None:
        if self._cover is None:
            return
        offs = [abs(second - self._cover) for second in seconds]
        best = min(range(len(offs)), key=offs.__getitem__)
        if offs[best] < self._off - 1e-6:
            self._off = offs[best]
            self.covered = pictures[best].clone()


def blurred_cover(picture: Tensor, width: int, height: int, pixel: float = 1.0) -> Tensor:
    """A background: a picture (3, H, W), enlarged until it covers a frame, and blurred. -> (3, height, width), same dtype.

    `pixel`: width / height of the picture's pixels.
    """
    rows, columns = picture.shape[1:]
    wide, high = columns * pixel / rows, width / height
    # the middle of the picture that has the frame's shape
    part = (columns, max(round(rows * wide / high), 1)) if wide < high else (max(round(columns * high / wide), 1), rows)
    left, top = (columns - part[0]) // 2, (rows - part[1]) // 2
    array = picture[:, top : top + part[1], left : left + part[0]].permute(1, 2, 0).cpu().contiguous().numpy()
    small = max(width // _COARSE, 1), max(height // _COARSE, 1)
    coarse = cv2.resize(array, small, interpolation=cv2.INTER_AREA if part[0] > small[0] else cv2.INTER_LINEAR)
    sigma = BLUR * min(width, height) / _COARSE
    soft = cv2.GaussianBlur(coarse.astype(np.float32), (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)
    full = np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC))
    most = 65535 if picture.dtype == torch.uint16 else 255
    levels = np.clip(np.rint(full), 0, most).astype(np.uint16 if most > 255 else np.uint8)
    return torch.from_numpy(levels).permute(2, 0, 1).to(picture.device)


def _cut(pictures: Tensor, box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """A part of whole source pixels (`box` is left, top, width, height), scaled with antialiasing."""
    height, width = pictures.shape[2:]
    wide, high = max(round(box[2]), 1), max(round(box[3]), 1)  # the same wherever the box is
    left, top = min(max(round(box[0]), 0), width - wide), min(max(round(box[1]), 0), height - high)
    return scaled(pictures[:, :, top : top + high, left : left + wide], size)


def scaled(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 3, H, W) uint8 or uint16 -> (N, 3, *size), bicubic with antialiasing; the same pictures if they have that size."""
    if pictures.shape[2:] == size:
        return pictures
    if pictures.dtype == torch.uint8 and pictures.device.type == "cpu":  # vectorised for bytes
        return F.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
    found = F.interpolate(_floats(pictures), size, mode="bicubic", antialias=True, align_corners=False)
    return _levels(found, pictures.dtype)


def shifted(pictures: Tensor, boxes: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
    """Parts at fractions of pixels, brought to another size without antialiasing: for those that are enlarged, or nearly so.

    Args:
        pictures: (N, 3, H, W) uint8 or uint16, or (1, 3, H, W) for a still.
        boxes: (N, 4) left, top, width, height in pixels, which lie between their middles and may reach out of the picture.
        size: height and width of the result.

    Returns:
        (N, 3, *size) of the same dtype and device.
    """
    height, width = pictures.shape[2:]
    high, wide = size
    if pictures.device.type == "cpu":
        dtype = np.uint8 if pictures.dtype == torch.uint8 else np.uint16
        out = np.empty((len(boxes), high, wide, 3), dtype)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        for at, (left, top, across, down) in enumerate(boxes):
            array = pictures[at if len(pictures) > 1 else 0].permute(1, 2, 0).contiguous().numpy()
            scale_x, scale_y = across / wide, down / high
            # pixel centres are at halves
            matrix = np.array([[scale_x, 0, left + scale_x / 2 - 0.5], [0, scale_y, top + scale_y / 2 - 0.5]])
            cv2.warpAffine(array, matrix, (wide, high), dst=out[at], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return torch.from_numpy(out).permute(0, 3, 1, 2)
    left, top, across, down = boxes.T[..., None]
    x = (left + across / wide * (np.arange(wide) + 0.5)) / width * 2 - 1
    y = (top + down / high * (np.arange(high) + 0.5)) / height * 2 - 1
    columns, rows = (torch.from_numpy(line.astype(np.float32)).to(pictures.device) for line in (x, y))
    grid = torch.stack(torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), -1)
    floats = _floats(pictures).float().expand(len(boxes), -1, -1, -1)
    moved = F.grid_sample(floats, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return _levels(moved, pictures.dtype)


def _floats(pictures: Tensor) -> Tensor:
    """In a type that can be interpolated: half precision holds 8 bits exactly, but not 16."""
    half = pictures.dtype == torch.uint8 and pictures.device.type == "cuda"
    return pictures.to(torch.int32).to(torch.float16 if half else torch.float32)


def _levels(values: Tensor, dtype: torch.dtype) -> Tensor:
    most = 65535 if dtype == torch.uint16 else 255
    return values.float().round().clamp(0, most).to(torch.int32).to(dtype)
