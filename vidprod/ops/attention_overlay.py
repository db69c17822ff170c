"""Draws on a video what was seen in it, and the window that was chosen: to find out why a result looks as it does."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.ops.attention import Attention
from vidprod.ops.reframe_plan import Windows
from vidprod.ops.subjects import group_of

Picture = NDArray[np.uint8]

COLOURS = {
    "face": (255, 90, 90),
    "person": (90, 220, 90),
    "animal": (255, 170, 60),
    "vehicle": (90, 170, 255),
    "object": (190, 190, 190),
}
"""RGB of the boxes of each group."""

WINDOW = (255, 230, 0)
"""RGB of the window's frame."""

DIM = 0.45
"""Brightness of what lies outside the window."""

HEAT = 0.55
"""Part of the picture that red replaces where viewers look most."""


class AttentionOverlay:
    """An `Op`: saliency in red, a box around each subject, and all that lies outside the window darkened.

    Args:
        attention: with its maps.
        windows: None to draw none.
    """

    halo = 0

    def __init__(self, attention: Attention, windows: Windows | None = None) -> None:
        if len(attention.maps) != len(attention.seconds):
            raise ValueError(f"{len(attention.maps)} maps but {len(attention.seconds)} samples: ask for the maps")
        self._attention = attention
        self._windows = windows
        self._starts = np.array([shot.start for shot in attention.shots.shots])

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """(N, 3, H, W) uint8 -> the same."""
        here = frames[core]
        if here.data.dtype != torch.uint8:
            raise TypeError(f"pictures are {here.data.dtype}, must be uint8")
        drawn = []
        for picture, second in zip(here.data, here.seconds, strict=True):
            canvas = picture.permute(1, 2, 0).cpu().contiguous().numpy().copy()
            drawn.append(torch.from_numpy(self._draw(canvas, float(second))).permute(2, 0, 1))
        return torch.stack(drawn).to(here.data.device)

    def _sample(self, second: float) -> int | None:
        """Number of the nearest sample of the same shot; None where there is none."""
        seconds = self._attention.seconds
        shot = max(int(np.searchsorted(self._starts, second + 1e-4, side="right")) - 1, 0)
        start = self._starts[shot] if len(self._starts) else 0.0
        end = self._starts[shot + 1] if shot + 1 < len(self._starts) else np.inf
        own = self._attention.within(float(start), float(end))
        if own.stop <= own.start:
            return None
        nearest: int = own.start + int(np.abs(seconds[own] - second).argmin())
        return nearest

    def _draw(self, canvas: Picture, second: float) -> Picture:
        height, width = canvas.shape[:2]
        thick = max(round(min(height, width) / 240), 1)
        at = self._sample(second)
        if at is not None:
            canvas = _heated(canvas, self._attention.maps[at])
        if self._windows is not None:
            x, y, w, h = self._windows.at(second)
            left, top, right, bottom = (
                round(x * width),
                round(y * height),
                round((x + w) * width),
                round((y + h) * height),
            )
            dim = (canvas * DIM).astype(np.uint8)
            dim[top:bottom, left:right] = canvas[top:bottom, left:right]
            canvas = dim
            cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), WINDOW, 2 * thick)
        if at is not None:
            for one in self._attention.subjects[at]:
                left, top, right, bottom = (
                    round(part * side) for part, side in zip(one.box, (width, height) * 2, strict=True)
                )
                colour = COLOURS[group_of(one.kind)]
                cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, thick)
                text = f"{one.kind} {one.track} {one.score:.2f}"
                place = left + 2 * thick, min(top + 12 * thick, height - 2)
                cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, colour, thick, cv2.LINE_AA)
        return canvas


def _heated(canvas: Picture, saliency: Picture) -> Picture:
    """The picture with red over what viewers look at; `saliency` is of any size, 0..255."""
    height, width = canvas.shape[:2]
    heat = cv2.resize(saliency.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    red = np.array([255, 0, 0], np.float32)
    mixed: Picture = (canvas + HEAT * heat * (red - canvas)).round().astype(np.uint8)
    return mixed
