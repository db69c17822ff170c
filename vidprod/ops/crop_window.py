"""How much of a picture a frame of another shape shows, and what it would lose at each place: one axis, as fractions of it.

A picture is either too wide or too high for its new frame. Along that axis a window shows the part `v` of it: `v = f` fills the
frame and crops the most, `v = 1` shows all and leaves bars. What lies where is given as profiles: importance per cell along the
axis, one row for each moment looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Axis = Literal["x", "y"]
Floats = NDArray[np.float64]

MOMENTS = 0.8
"""Part of the moments at which a window must keep enough."""

SNAP = 0.08
"""Of the way from `f` to 1: so near to one of them a window becomes it, as thin bars look like a mistake."""

STEPS = 25
"""Widths that are tried."""

PLACES = 97
"""Places of a window that are tried."""

GOOD_ENOUGH = 0.02
"""Of all importance: what a place may lose against the best one and still be as good."""

HALVING = 0.8
"""Weight of not cutting a subject in two, against the importance that is kept."""


@dataclass(frozen=True)
class Fit:
    """How a picture fits into another shape.

    Attributes:
        axis: along which it is too long; "x" where both have the same shape.
        least: the part of that axis that fills the frame, 0..1.
    """

    axis: Axis
    least: float

    @classmethod
    def of(cls, source: float, target: float) -> Fit:
        """From the aspect ratios, width / height as seen."""
        return cls("x" if target <= source else "y", min(source / target, target / source, 1.0))


@dataclass(frozen=True, eq=False)
class Profile:
    """What lies where along one axis during one shot.

    Attributes:
        mass: (T, G) importance of each cell at each moment; rows sum to 1, or to 0 where nothing is important.
        subjects: (M, 5) moment, start, end (fractions of the axis) and weight of things that had better not be cut in two, and
            the part of their extent, 0..1, that there must be room for until the window is as tight as can be.
    """

    mass: Floats
    subjects: Floats

    @classmethod
    def of(cls, mass: Floats, subjects: Floats | None = None) -> Profile:
        """With rows scaled to sum to 1."""
        sums = mass.sum(1, keepdims=True)
        scaled = np.divide(mass, sums, out=np.zeros_like(mass, np.float64), where=sums > 0)
        return cls(scaled, np.zeros((0, 5)) if subjects is None else subjects)

    def kept(self, places: Floats, width: float) -> Floats:
        """(T, K): the importance within windows that begin at `places` (K,)."""
        steps = np.concatenate([np.zeros((len(self.mass), 1)), self.mass.cumsum(1)], 1)
        cells = self.mass.shape[1]

        def until(at: Floats) -> Floats:
            at = at.clip(0, 1) * cells
            low = np.minimum(at.astype(int), cells - 1)
            part = at - low
            found: Floats = steps[:, low] * (1 - part) + steps[:, low + 1] * part
            return found

        return until(places + width) - until(places)

    def worth(self, places: Floats, width: float) -> Floats:
        """(T, K): `kept`, less for windows that cut subjects in two."""
        found = self.kept(places, width)
        if len(self.subjects):
            moment = self.subjects[:, 0].astype(int)
            start, end, weight = (self.subjects[:, i, None] for i in (1, 2, 3))
            inside = np.minimum(end, places + width) - np.maximum(start, places)
            share = (inside / np.maximum(end - start, 1e-9)).clip(0, 1)
            np.subtract.at(found, moment, HALVING * weight * 4 * share * (1 - share))
        return found


def affordable_loss(tightness: float) -> float:
    """The part of the importance, 0..1, that may be lost: rises with tightness, all at 1."""
    return 1.0 if tightness >= 1 else 0.6 * tightness**3


def visible_part(profile: Profile, fit: Fit, tightness: float) -> float:
    """The part of the axis that a window should show during a shot, `fit.least`..1: less with more tightness.

    The smallest with which most moments can keep enough of what is important, and in which those have room who need it.
    """
    if tightness <= 0 or fit.least >= 1:
        return 1.0
    need = 1 - affordable_loss(tightness)
    least = fit.least if tightness >= 1 else max(fit.least, _room(profile))
    part = 1.0
    some = profile.mass.sum(1) > 0
    for width in np.linspace(fit.least, 1, STEPS):
        if width + 1e-9 < least:
            continue
        best = profile.kept(np.linspace(0, 1 - width, PLACES // 2), width).max(1)[some]
        if not len(best) or np.quantile(best, 1 - MOMENTS) >= need - 1e-9:
            part = float(width)
            break
    room = 1 - fit.least
    if part - fit.least < SNAP * room + 1e-9:
        return fit.least
    return 1.0 if 1 - part < SNAP * room else part


def _room(profile: Profile) -> float:
    """The width, 0..1, in which the subjects of most moments have room, each by itself."""
    widest = np.zeros(len(profile.mass))
    sizes = (profile.subjects[:, 2] - profile.subjects[:, 1]) * profile.subjects[:, 4]
    np.maximum.at(widest, profile.subjects[:, 0].astype(int), sizes)
    return min(float(np.quantile(widest, MOMENTS)), 1.0) if len(widest) else 0.0


@dataclass(frozen=True, eq=False)
class Band:
    """Where a window may stand at each moment: (T,) starts of the window, as fractions of the axis.

    Attributes:
        best: the place that keeps the most.
        low, high: the places around it that are as good, nearly.
        weight: how much the place matters, 0..1: 0 where every place keeps the same.
    """

    best: Floats
    low: Floats
    high: Floats
    weight: Floats

    def __getitem__(self, part: slice) -> Band:
        """Some of the moments."""
        return Band(self.best[part], self.low[part], self.high[part], self.weight[part])


def good_enough(profile: Profile, width: float) -> Band:
    """The band of places for a window of one width."""
    count = len(profile.mass)
    if width >= 1:
        nothing = np.zeros(count)
        return Band(nothing, nothing, nothing, nothing)
    places = np.linspace(0, 1 - width, PLACES)
    worth = profile.worth(places, width)
    worth = _towards_the_middle(worth, places, width)
    best = worth.argmax(1)
    rows = np.arange(count)
    good = worth >= worth[rows, best][:, None] - GOOD_ENOUGH
    # of the good places, those that hang together with the best
    numbers = np.arange(PLACES)
    bad_below = np.where(~good & (numbers < best[:, None]), numbers, -1).max(1)
    bad_above = np.where(~good & (numbers > best[:, None]), numbers, PLACES).min(1)
    spread = worth.max(1) - worth.min(1)
    weight = spread / max(float(spread.max()), 1e-6)
    return Band(places[best], places[bad_below + 1], places[bad_above - 1], weight)


def _towards_the_middle(worth: Floats, places: Floats, width: float) -> Floats:
    """Of places that are all the same the one in the middle is the best: a nudge far below what is good enough."""
    off = np.abs(places + width / 2 - 0.5)
    return worth - 1e-4 * off
