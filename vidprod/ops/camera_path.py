"""The way a virtual camera takes through one shot: still where that is good enough, else an even pan, else it follows.

All three come out of one problem: the sum of absolute speeds, accelerations and jerks, and of the distances to where the window
had better be, is as small as possible. As absolute values are summed, most of each are exactly nothing.

Grundmann, Kwatra, Essa: Auto-directed video stabilization with robust L1 optimal camera paths, CVPR 2011; with a band of places
that are good enough in the place of a path that is to be smoothed.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.crop_window import Band

Floats = NDArray[np.float64]

SPEED, ACCELERATION, JERK = 4.0, 10.0, 50.0
"""Costs, per width of the picture and per step of `STEP` seconds, its square and its cube."""

STEP = 0.2
"""Seconds for which the costs hold; other distances of moments are scaled to it."""

OUTSIDE, AWAY = 30.0, 0.3
"""Costs of being outside the band, and of not being at the best place, per width of the picture and moment."""

STILL = 0.02
"""Of the picture: a path that goes no farther than that stays where it is."""

CENTRE = 0.08
"""Of the picture: a still camera so near to the middle stands in it, if that loses next to nothing."""

LONGEST = 300
"""Moments that are solved together; the time grows faster than their number."""

OVERLAP = 25
"""Moments that two such pieces share, over which the one goes over into the other."""


@dataclass(frozen=True, eq=False)
class Path:
    """Starts of the window (N,), as fractions of the axis, at times (N,) in seconds; one of each where it stands still."""

    seconds: Floats
    places: Floats

    @property
    def still(self) -> bool:
        """Whether the window stays where it is."""
        return len(self.places) == 1

    def at(self, seconds: Floats) -> Floats:
        """Its starts at any times."""
        return interpolated(self.seconds, self.places, seconds)


def camera_path(band: Band, width: float, seconds: Floats) -> Path:
    """The path of a window of one width through a shot.

    Args:
        band: where it may stand, at some moments.
        width: of the window, 0..1 of the axis.
        seconds: of these moments, rising; how far apart they are does not matter.
    """
    room = 1 - width
    if room <= 0 or not len(seconds):
        return Path(np.zeros(1), np.zeros(1))
    # The path is laid at even steps that are short against what a viewer notices, however rarely it was looked.
    length = float(seconds[-1] - seconds[0])
    grid = np.linspace(seconds[0], seconds[-1], max(math.ceil(length / STEP - 1e-6), 1) + 1 if length > 0 else 1)
    step = float(grid[1] - grid[0]) if len(grid) > 1 else STEP
    fine = Band(*(np.interp(grid, seconds, part) for part in (band.best, band.low, band.high, band.weight)))
    places = _pieces(fine, room, step)
    if float(np.ptp(places)) >= STILL:
        return Path(grid, places)
    place = float(np.median(places))
    middle = room / 2
    if abs(place - middle) < CENTRE and np.mean((middle >= band.low) & (middle <= band.high)) > 0.9:
        place = middle
    return Path(grid[:1], np.array([place]))


def _pieces(band: Band, room: float, step: float) -> Floats:
    """Solved in pieces that overlap; where they do, the later one takes over evenly."""
    count = len(band.best)
    found = np.zeros(count)
    for first in range(0, max(count - OVERLAP, 1), LONGEST - OVERLAP):
        last = min(first + LONGEST, count)
        part = _solved(band[first:last], room, step)
        if first:
            share = (np.arange(OVERLAP) + 1) / (OVERLAP + 1)
            share = share**2 * (3 - 2 * share)
            part[:OVERLAP] = found[first : first + OVERLAP] * (1 - share) + part[:OVERLAP] * share
        found[first:last] = part
    return found


def _solved(band: Band, room: float, step: float) -> Floats:
    """The linear programme. Its unknowns: places, distances to the band, distances to the best, absolute differences."""
    from scipy import sparse  # slow to import
    from scipy.optimize import linprog

    best, low, high, weight = band.best, band.low, band.high, band.weight
    count = len(best)
    if count == 1:
        return best.clip(0, room)
    identity = sparse.eye_array(count, format="csr")
    difference = identity
    differences, costs = [], []
    for order, cost in zip(range(1, 4), (SPEED, ACCELERATION, JERK), strict=True):
        rows = count - order
        if rows < 1:
            break
        one = sparse.diags_array([-np.ones(rows), np.ones(rows)], offsets=[0, 1], shape=(rows, rows + 1))
        difference = one @ difference
        differences.append(difference)
        # a difference of order n over a step that is k times as long is k to the n times as large; and there are fewer of them
        costs.append(np.full(rows, cost * (STEP / step) ** (order - 1)))
    share = step / STEP  # a moment speaks for the time until the next
    cost_of = np.concatenate([np.zeros(count), OUTSIDE * share * weight, AWAY * share * weight, *costs])
    blocks: list[list[sparse.sparray | None]] = []
    limits: list[Floats] = []
    width = 3 + len(differences)

    def row(parts: dict[int, sparse.sparray], limit: Floats) -> None:
        blocks.append([parts.get(column) for column in range(width)])
        limits.append(limit)

    row({0: identity, 1: -identity}, high)
    row({0: -identity, 1: -identity}, -low)
    row({0: identity, 2: -identity}, best)
    row({0: -identity, 2: -identity}, -best)
    for at, matrix in enumerate(differences):
        one = sparse.eye_array(matrix.shape[0])
        nothing = np.zeros(matrix.shape[0])
        row({0: matrix, 3 + at: -one}, nothing)
        row({0: -matrix, 3 + at: -one}, nothing)
    bounds = [(0.0, room)] * count + [(0.0, None)] * (len(cost_of) - count)
    solved = linprog(
        cost_of, sparse.block_array(blocks, format="csr"), np.concatenate(limits), bounds=bounds, method="highs"
    )
    if solved.x is None:
        raise RuntimeError(f"no camera path was found: {solved.message}")
    return np.asarray(solved.x[:count], np.float64).clip(0, room)


def interpolated(times: Floats, places: Floats, at: Floats) -> Floats:
    """Places at other times: a smooth curve that does not overshoot (PCHIP), constant before the first and after the last.

    Fritsch, Carlson: Monotone piecewise cubic interpolation, SIAM J. Numer. Anal. 17, 1980; with the weighted harmonic mean of
    Fritsch and Butland.
    """
    if len(times) == 1:
        return np.full(len(at), places[0])
    steps = np.diff(times)
    slopes = np.diff(places) / steps
    tangents = np.zeros(len(times))
    if len(times) > 2:
        left, right = slopes[:-1], slopes[1:]
        one, two = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
        same = left * right > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (one + two) / (one / left + two / right)
        tangents[1:-1] = np.where(same, mean, 0.0)
    part = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    x = ((at - times[part]) / steps[part]).clip(0, 1)
    h = steps[part]
    found: Floats = (
        (1 + 2 * x) * (1 - x) ** 2 * places[part]
        + x * (1 - x) ** 2 * h * tangents[part]
        + x**2 * (3 - 2 * x) * places[part + 1]
        + x**2 * (x - 1) * h * tangents[part + 1]
    )
    return found


def jerk(places: Floats, step: float) -> float:
    """Root mean square of the third derivative, in widths per second cubed."""
    if len(places) < 4:
        return 0.0
    return float(np.sqrt(np.mean((np.diff(places, 3) / step**3) ** 2)))


def still_share(places: Floats, least: float = 1e-3) -> float:
    """The part of the steps, 0..1, in which the camera does not move."""
    moves = [abs(b - a) for a, b in itertools.pairwise(places)]
    return float(np.mean([move < least for move in moves])) if moves else 1.0
