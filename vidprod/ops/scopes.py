"""What a colourist looks at, as pictures: waveform, vectorscope, and a strip of shots before and after their grade."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) R'G'B'

HEIGHT = 180
"""Rows of a strip's pictures and scopes."""

_INK = (150, 150, 150)
_GRATICULE = 70
_MARGIN = 6
# Degrees of the vectorscope at which skin of all kinds lies (the "I" line), and the primary and secondary colours.
_SKIN = 123.0
_TARGETS = {
    "R": (1, 0, 0), "Y": (1, 1, 0), "G": (0, 1, 0), "C": (0, 1, 1), "B": (0, 0, 1), "M": (1, 0, 1),
}  # fmt: skip


def waveform(picture: Picture, *, width: int = 256, height: int = HEIGHT) -> Picture:
    """Which levels occur in which columns, as three colours on top of each other: where they agree it is white.

    Args:
        picture: (H, W, 3) uint8.
        width: columns of the result.
        height: its rows; the lowest is code value 0, the highest 255. Lines mark each quarter.

    Returns:
        (height, width, 3) uint8.
    """
    small = cv2.resize(picture, (width, 256), interpolation=cv2.INTER_AREA)
    columns = np.broadcast_to(np.arange(width), (256, width))
    counts = np.zeros((3, 256, width), np.float32)
    for channel in range(3):
        np.add.at(counts[channel], (255 - small[..., channel].astype(np.intp), columns), 1)
    scope = cv2.resize(_ink(counts).transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_AREA)
    for quarter in range(5):
        row = round(quarter * (height - 1) / 4)
        scope[row] = np.maximum(scope[row], _GRATICULE)
    return np.asarray(scope, np.uint8)


def vectorscope(picture: Picture, *, size: int = HEIGHT) -> Picture:
    """Which colours occur, whatever their lightness: to the right is blue, upwards is red, grey is the middle (BT.709).

    A line marks the hue of skin, small squares the six full colours at three quarters of their strength.
    """
    small = cv2.resize(picture, (192, 192), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32) / 255
    x, y = _place(np.asarray(small, np.float32), size)
    counts = np.zeros((size, size), np.float32)
    np.add.at(counts, (y, x), 1)
    # Each place in its own hue, which is easier to read than one ink.
    centre = (size - 1) / 2
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    cb, cr = (columns - centre) / size, (centre - rows) / size
    hue = np.stack([0.6 + 1.5748 * cr, 0.6 - 0.1873 * cb - 0.4681 * cr, 0.6 + 1.8556 * cb], -1).clip(0, 1)
    scope = np.ascontiguousarray((_ink(counts[None])[0][..., None] * hue).astype(np.uint8))
    middle = (size // 2, size // 2)
    cv2.circle(scope, middle, size // 2 - 2, (_GRATICULE,) * 3, 1, cv2.LINE_AA)
    angle = np.radians(_SKIN)
    end = (round(centre + np.cos(angle) * centre * 0.9), round(centre - np.sin(angle) * centre * 0.9))
    cv2.line(scope, middle, end, (_GRATICULE + 20,) * 3, 1, cv2.LINE_AA)
    for name, colour in _TARGETS.items():
        (px,), (py,) = _place(np.array([colour], np.float32) * np.float32(0.75), size)
        cv2.rectangle(scope, (int(px) - 3, int(py) - 3), (int(px) + 3, int(py) + 3), _INK, 1)
        cv2.putText(scope, name, (int(px) + 5, int(py) + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.3, _INK, 1, cv2.LINE_AA)
    return scope


def strip(shots: Sequence[tuple[Picture, Picture, str]]) -> Picture:
    """Shots below each other: a picture before with its waveform and vectorscope, then the same after.

    Args:
        shots: (before, after, caption) of at least one shot; pictures of any size.

    Returns:
        (H, W, 3) uint8.
    """
    if not shots:
        raise ValueError("a strip needs at least one shot")
    rows = []
    for before, after, caption in shots:
        cells: list[Picture] = []
        for picture in (before, after):
            cells += [_fit(picture), waveform(picture), vectorscope(picture)]
        row = np.concatenate([_framed(cell) for cell in cells], 1)
        label = np.zeros((18, row.shape[1], 3), np.uint8)
        cv2.putText(label, caption, (_MARGIN, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
        rows.append(np.concatenate([label, row]))
    return np.concatenate(rows)


def _ink(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Counts -> 0..255 for each of the first axis, so that rare levels are still seen."""
    soft = np.stack([cv2.GaussianBlur(plane, (3, 3), 0.7) for plane in counts])
    logs = np.log1p(soft * 2)
    top = logs.max(axis=(1, 2), keepdims=True)
    return np.asarray(255 * (logs / np.maximum(top, 1e-6)) ** 1.3, np.float32)


def _place(colors: NDArray[np.float32], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    luma = colors @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    cb, cr = (colors[:, 2] - luma) / 1.8556, (colors[:, 0] - luma) / 1.5748
    centre = (size - 1) / 2
    x, y = np.round(centre + cb * size), np.round(centre - cr * size)
    return x.clip(0, size - 1).astype(np.intp), y.clip(0, size - 1).astype(np.intp)


def _fit(picture: Picture) -> Picture:
    """The picture within HEIGHT rows and 16:9, the rest black."""
    width = HEIGHT * 16 // 9
    scale = min(HEIGHT / picture.shape[0], width / picture.shape[1])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    result = np.zeros((HEIGHT, width, 3), np.uint8)
    y, x = (HEIGHT - small.shape[0]) // 2, (width - small.shape[1]) // 2
    result[y : y + small.shape[0], x : x + small.shape[1]] = small
    return result


def _framed(picture: Picture) -> Picture:
    return np.pad(picture, ((0, _MARGIN), (_MARGIN, 0), (0, 0)))
