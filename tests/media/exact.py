"""Colour arithmetic in double precision, straight from ITU-T H.273, to compare others with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def to_yuv(rgb: Array, matrix: int, full: bool, bits: int) -> tuple[Array, Array, Array]:
    """(H, W, 3) in 0..1 -> three planes of codes, neither rounded nor subsampled."""
    kr, kb = KR_KB[matrix]
    y = rgb @ np.array([kr, 1 - kr - kb, kb])
    u, v = (rgb[..., 2] - y) / (2 * (1 - kb)), (rgb[..., 0] - y) / (2 * (1 - kr))
    step, top = 1 << (bits - 8), (1 << bits) - 1
    if full:
        return y * top, u * top + 128 * step, v * top + 128 * step
    return (y * 219 + 16) * step, (u * 224 + 128) * step, (v * 224 + 128) * step


def to_rgb(y: Array, u: Array, v: Array, matrix: int, full: bool, bits: int) -> Array:
    """Three planes of codes of one size -> (H, W, 3) clipped to 0..1."""
    kr, kb = KR_KB[matrix]
    step, top = 1 << (bits - 8), (1 << bits) - 1
    if full:
        y, u, v = y / top, (u - 128 * step) / top, (v - 128 * step) / top
    else:
        y, u, v = (y / step - 16) / 219, (u / step - 128) / 224, (v / step - 128) / 224
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.stack([r, g, b], -1), 0, 1)


def halve(chroma: Array) -> Array:
    """4:4:4 -> 4:2:0 with chroma on the left column and between the rows."""
    c = (chroma[0::2] + chroma[1::2]) / 2
    wide = np.pad(c, ((0, 0), (1, 1)), "edge")
    return np.asarray((wide[:, 0:-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2]) / 4)


def double(chroma: Array, height: int, width: int) -> Array:
    """4:2:0 of that siting -> 4:4:4, bilinear."""
    rows = np.clip((np.arange(height) + 0.5) / 2 - 0.5, 0, chroma.shape[0] - 1)
    columns = np.clip(np.arange(width) / 2, 0, chroma.shape[1] - 1)
    return _lerp(_lerp(chroma, rows, 0), columns, 1)


def _lerp(a: Array, at: Array, axis: int) -> Array:
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, a.shape[axis] - 1)
    weight = np.expand_dims(at - low, 1 - axis)
    return np.asarray(a.take(low, axis) * (1 - weight) + a.take(high, axis) * weight)


def codes(planes: tuple[Array, Array, Array], bits: int) -> tuple[npt.NDArray[Any], ...]:
    """Rounded 4:2:0 planes in the type that holds them."""
    y, u, v = planes
    kind = np.uint8 if bits == 8 else np.uint16
    return tuple(np.rint(p).astype(kind) for p in (y, halve(u), halve(v)))
