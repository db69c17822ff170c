"""Finding the part of a picture that is new, so that the rest need not be computed again.

Compressed video repeats itself exactly where nothing moves: skipped blocks decode to the very same samples. Slides, screen
recordings and still cameras gain; a moving camera does not, and then the whole picture is done as usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 32

WORTHWHILE = 0.6
"""Share of the picture's area, surroundings included, above which piecewise work costs more than it saves."""


@dataclass(frozen=True)
class Box:
    """Half-open pixel box."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, by: int, height: int, width: int) -> Box:
        """With a margin on every side, within the picture."""
        return Box(
            max(self.top - by, 0), max(self.left - by, 0), min(self.bottom + by, height), min(self.right + by, width)
        )


def changed_tiles(x: Tensor, before: Tensor) -> Tensor:
    """Which tiles differ in any of the pictures from the one before it.

    Args:
        x: (N, 3, H, W) uint8 or uint16.
        before: (3, H, W), what preceded `x[0]`.

    Returns:
        (ceil(H / TILE), ceil(W / TILE)) bool on the device of `x`.
    """
    if x.dtype == torch.uint16:  # few operations know uint16; equality does not care about the sign
        x, before = x.view(torch.int16), before.view(torch.int16)
    differs = (x[0] != before).any(0)
    if len(x) > 1:
        differs |= (x[1:] != x[:-1]).flatten(0, 1).any(0)
    return F.max_pool2d(differs[None, None].to(torch.float32), TILE, ceil_mode=True)[0, 0] > 0


def boxes_to_compute(tiles: np.ndarray, height: int, width: int, radius: int) -> list[Box] | None:
    """Boxes of output (in input pixels) that may change, or None when the whole picture is the cheaper way.

    Args:
        tiles: (h, w) bool, from `changed_tiles`.
        radius: receptive radius of the network: a changed sample changes the output that far around it, and computing
            that output needs as much input again.
    """
    if not tiles.any():
        return []
    whole = height * width
    if tiles.sum() * TILE * TILE > WORTHWHILE * whole:
        return None
    # Join what lies so close that the margins would overlap.
    reach = 2 * (2 * radius // TILE + 1) + 1
    joined = cv2.dilate(tiles.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    boxes, cost = [], 0
    for label in range(1, count):
        rows, columns = np.nonzero((labels == label) & tiles)
        box = Box(
            int(rows.min()) * TILE,
            int(columns.min()) * TILE,
            min((int(rows.max()) + 1) * TILE, height),
            min((int(columns.max()) + 1) * TILE, width),
        ).grown(radius, height, width)
        boxes.append(box)
        cost += box.grown(radius, height, width).area
    return boxes if cost < WORTHWHILE * whole else None
