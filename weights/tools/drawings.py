"""Draws pictures that are nothing but edges: stripes, half planes, polygons, discs and lines on soft gradients.

What continues an edge behind a letter can be learnt from these in a fraction of the time that photographs take, where most
of what lies in a hole cannot be foreseen.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3)
_FINE = 2  # drawn so many times larger, then shrunk, so that edges are smooth


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Any colour; half of them grey."""
    r, g, b = (float(v) for v in (rng.uniform(0, 255, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0, 255))))
    return r, g, b


def drawing(rng: np.random.Generator, side: int) -> Picture:
    """(side, side, 3)."""
    n = side * _FINE
    at = np.linspace(-0.5, 0.5, n, dtype=np.float32)
    slope_x, slope_y = (rng.normal(0, 40, 3).astype(np.float32) for _ in range(2))
    base = np.array(_colour(rng), np.float32)
    picture = base + at[None, :, None] * slope_x + at[:, None, None] * slope_y
    if rng.random() < 0.35:
        _stripes(picture, rng)
    for _ in range(int(rng.integers(1, 6))):
        _shape(picture, rng)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    if (blur := rng.choice([0, 0, 0.6, 1.0, 1.6])) > 0:
        small = cv2.GaussianBlur(small, (0, 0), float(blur))
    noise = rng.normal(0, rng.uniform(0, 2.5), small.shape)
    return np.asarray(np.clip(np.rint(small + noise), 0, 255), np.uint8)


def _stripes(picture: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Parallel bars in two colours, of which one is what is there."""
    n = len(picture)
    angle, period = rng.uniform(0, math.pi), rng.uniform(6, 50) * _FINE
    y, x = np.mgrid[0:n, 0:n]
    bars = (x * math.cos(angle) + y * math.sin(angle)) % period < period * rng.uniform(0.2, 0.8)
    picture[bars] = _colour(rng)


def _shape(picture: NDArray[np.float32], rng: np.random.Generator) -> None:
    """One disc, thick line or polygon, which may reach beyond the picture."""
    n = len(picture)
    kind = rng.choice(["disc", "line", "polygon", "polygon"])
    points = rng.uniform(-0.4 * n, 1.4 * n, (int(rng.integers(3, 6)), 2)).astype(np.int32)
    colour = _colour(rng)
    if kind == "disc":
        axes = (int(rng.uniform(4, 0.5 * n)), int(rng.uniform(4, 0.5 * n)))
        centre = (int(points[0, 0]), int(points[0, 1]))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    elif kind == "line":
        first, last = ((int(p[0]), int(p[1])) for p in points[:2])
        cv2.line(picture, first, last, colour, int(rng.uniform(1, 20) * _FINE))
    else:
        cv2.fillPoly(picture, [points], colour)
