"""The part of a picture between black bars: what is not film must not be framed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.attention import CELLS, Attention
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.subjects import Subject

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

EMPTY, FULL = 0.02, 0.4
"""Part of a line that is not black: at most, of a bar; at least, where the picture begins. Dark pictures begin gradually."""

LEAST, MOST = 0.02, 0.4
"""Of a side: how wide a bar is."""

EVEN = 0.02
"""Of a side: how much two bars that face each other differ at most."""

_BLURRED = 3  # lines over which an edge may be smeared


def active_area(rows: Floats, columns: Floats) -> Box:
    """The picture between its bars; all of it where there are none.

    Args:
        rows, columns: the most that was lit of each in any picture of a video, see `vidprod.ops.quality.lit`.
    """
    top, bottom = _between(rows)
    left, right = _between(columns)
    return left, top, right, bottom


def _between(lines: Floats) -> tuple[float, float]:
    count = len(lines)
    light = np.flatnonzero(lines > EMPTY)
    if not len(light):
        return 0.0, 1.0
    first, stop = int(light[0]), int(light[-1]) + 1
    bars = first / count, 1 - stop / count
    sharp = min(lines[first : first + _BLURRED].max(), lines[max(stop - _BLURRED, 0) : stop].max()) >= FULL
    if not sharp or min(bars) < LEAST or max(bars) > MOST or abs(bars[0] - bars[1]) > EVEN:
        return 0.0, 1.0
    # the outermost line is half bar
    return (first + 1) / count, (stop - 1) / count


def cropped(attention: Attention, area: Box) -> Attention:
    """What matters within a part of the pictures, as fractions of that part."""
    if area == WHOLE:
        return attention
    return replace(
        attention,
        across=_cropped(attention.across, area[0], area[2]),
        down=_cropped(attention.down, area[1], area[3]),
        subjects=tuple(tuple(_moved(one, area) for one in found if _meets(one, area)) for found in attention.subjects),
    )


def _cropped(rows: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    cells = (np.arange(CELLS) + 0.5) / CELLS
    made = np.array([np.interp(low + cells * (high - low), cells, row) for row in rows]).reshape(len(rows), CELLS)
    sums = made.sum(1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(made, sums, out=np.zeros_like(made), where=sums > 0).astype(np.float32)
    return scaled


def _meets(one: Subject, area: Box) -> bool:
    return one.left < area[2] and one.right > area[0] and one.top < area[3] and one.bottom > area[1]


def _moved(one: Subject, area: Box) -> Subject:
    wide, high = area[2] - area[0], area[3] - area[1]
    left, right = (min(max((x - area[0]) / wide, 0.0), 1.0) for x in (one.left, one.right))
    top, bottom = (min(max((y - area[1]) / high, 0.0), 1.0) for y in (one.top, one.bottom))
    return replace(one, left=left, top=top, right=right, bottom=bottom)


def outward(points: Sequence[PathPoint], area: Box) -> tuple[PathPoint, ...]:
    """Windows within a part of the picture as windows of the picture."""
    if area == WHOLE:
        return tuple(points)
    wide, high = area[2] - area[0], area[3] - area[1]
    return tuple(
        PathPoint(
            point.t,
            round(area[0] + point.x * wide, 6),
            round(area[1] + point.y * high, 6),
            round(point.w * wide, 6),
            round(point.h * high, 6),
        )
        for point in points
    )
