"""Black bars above and below a film, seen in part of a picture: text that stands half on one must not smear the film into it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

BLACK = 28
"""Largest sample, of 255, that is black: 16 of video range shown as full range, and what a codec does to it."""

LEAST_ROWS = 4
"""Rows a bar has at least."""

_HALO = 4
"""Pixels around text that a codec has spoilt."""


def bar_rows(picture: Tensor, mask: np.ndarray) -> np.ndarray:
    """Which rows are part of a bar that begins at the upper or lower edge.

    Args:
        picture: (3, H, W) uint8.
        mask: (H, W) bool on the CPU, true for what must not count.

    Returns:
        (H,) bool.
    """
    height, width = mask.shape
    side = 2 * _HALO + 1
    clear = cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8)) == 0
    seen = clear.sum(1)
    bright = ((picture.amax(0) > BLACK).cpu().numpy() & clear).sum(1)
    black = (seen >= width / 4) & (bright <= 0.02 * seen)
    if black.all():  # a dark picture, not a bar
        return np.zeros(height, np.bool_)
    upper = np.logical_and.accumulate(black)
    lower = np.logical_and.accumulate(black[::-1])[::-1]
    none = np.zeros(height, np.bool_)
    return (upper if upper.sum() >= LEAST_ROWS else none) | (lower if lower.sum() >= LEAST_ROWS else none)


def bar_colour(picture: Tensor, rows: np.ndarray, mask: np.ndarray) -> Tensor:
    """(3,) uint8: the usual colour of those rows, of which there is at least one."""
    clear = torch.from_numpy(~mask[rows]).to(picture.device)
    return picture[:, torch.from_numpy(rows).to(picture.device)][:, clear].median(1).values
