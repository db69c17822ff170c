"""How a photograph is cropped for a frame of another shape: so that nothing that matters is cut; else more is shown, with bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture."""


CORE = 0.4
"""Of a map's peak: saliency above is the core of the picture."""

KEPT = 0.8
"""Part of the core that a window holds at least, and part of what it held before that it still holds when it is nearer."""

COMPACT = 0.12
"""Part of the picture that the core has at most where it is one thing."""

COVERED, COVERED_PLAIN = 0.38, 0.2
"""Part of the frame that a photograph with bars beside it covers at least, else it would be a strip; the second where the bars are
not seen, as they have the colour of its background."""

THIN = 0.62
"""Part of the frame that a photograph covers at least beside bars that are too narrow: they look like mistakes."""

RIM = 0.08
"""Of the sides of a head or a product: what may be cut to spare such bars."""

SNAP = 0.06
"""Of the way from filling the frame to showing all: so near to one of them a window becomes it, as thin bars look like mistakes."""


FREE = 0.012
"""Of the picture: what is nearer to its border goes on beyond it, and is cut already."""

MARGIN = 0.02
"""Of the picture's sides: what is left free beside what must not be cut."""

TRIMMED = 0.05
"""Of its side: what may be cut there of such a thing."""

CUTTING = 0.8
"""Weight of not cutting things in two, against the saliency that is kept."""

SEEN = 0.5
"""Weight of seeing things at all."""

AS_GOOD = 0.02
"""Of all saliency: what a place may lose against the best one and still be as good; of those the one nearest the middle wins."""


_PLACES = 41
_WIDTHS = 21


@dataclass(frozen=True)
class Keep:
    """Something that had better not be cut in two: its box, and how much that matters, 0..1; see `STRICT` and `NEVER`."""

    box: Box
    weight: float


STRICT, NEVER = 0.5, 0.7
"""Weights from which on something must not be cut where that can be avoided, and from which on it never must."""


@dataclass(frozen=True, eq=False)
class StillView:
    """What is known of a photograph.

    Attributes:
        width, height: pixels of the file.
        mass: (R, C) saliency, any scale.
        keep: what had better stay whole.
        subject: the box that a closer view is of, in the first place: a face, a product; None for the densest part.
        plain: whether all around is of one colour: bars of that colour are not seen.
    """

    width: int
    height: int
    mass: Floats
    keep: tuple[Keep, ...] = ()
    subject: Box | None = None
    plain: bool = False

    @property
    def aspect(self) -> float:
        """Width / height."""
        return self.width / self.height


@dataclass(frozen=True)
class Window:
    """A part of the picture, as fractions of it."""

    x: float
    y: float
    w: float
    h: float

    @property
    def middle(self) -> tuple[float, float]:
        """Across and down."""
        return self.x + self.w / 2, self.y + self.h / 2


def framing(view: StillView, aspect: float) -> tuple[Window, StillView]:
    """The window that shows a photograph best in a frame `aspect` as wide as high, and the photograph with what stays whole.

    It fills the frame where nothing that matters is cut by that; of things and texts that have no room beside each other, the
    most important one counts. Else it is the smallest window that cuts nothing, or, where that would be a strip, fills the frame.
    """
    fill = full_size(view, aspect)
    axis = 0 if fill[0] < 1 else 1
    least = fill[axis]
    most = min(least / (COVERED_PLAIN if view.plain else COVERED), 1.0)
    needed = _needed(view)
    for one in (view, needed):
        window = best_place(one, fill)
        if _all_inside(one, window) and (not _compact(one) or kept_of(one, window) >= KEPT):
            return window, one
    filled = best_place(needed, fill)
    for part in np.linspace(least, most, _WIDTHS)[1:]:
        part = float(part) if 1 - part > SNAP * (1 - least) else 1.0
        window = best_place(needed, (part, 1.0) if axis == 0 else (1.0, part))
        if _all_inside(needed, window) and (not _compact(needed) or kept_of(needed, window) >= KEPT):
            thin = least / part > THIN and not view.plain
            return (filled if thin and _nearly_inside(needed, filled) else window), needed
    # what cannot be seen whole must not be kept away from either
    return best_place(replace(view, keep=()), fill), needed


def _needed(view: StillView) -> StillView:
    """With heads and products; where there are none, with the one of all other things that matters most."""
    rest = sorted(
        (one for one in view.keep if STRICT <= one.weight < NEVER),
        key=lambda one: one.weight * math.sqrt(area_of(one.box)),
        reverse=True,
    )
    hard = [one for one in view.keep if one.weight >= NEVER]
    soft = [one for one in view.keep if one.weight < STRICT]
    inside = [one for one in rest[1:] if not hard and lies_in(one.box, Window(*_sides(rest[0].box)))]
    return replace(view, keep=(*(hard or rest[:1]), *inside, *soft))


def full_size(view: StillView, aspect: float) -> tuple[float, float]:
    """Width and height of the largest window that has the frame's shape."""
    ratio = aspect / view.aspect
    return (ratio, 1.0) if ratio <= 1 else (1.0, 1 / ratio)


def strict_boxes(view: StillView) -> list[Box]:
    """Of all that must not be cut, with a margin."""
    return [trimmed(one.box, MARGIN) for one in view.keep if one.weight >= STRICT]


def trimmed(box: Box, margin: float = 0.0) -> Box:
    """A box with a margin; where the picture's border cuts it already, a little more may be cut."""
    left, top, right, bottom = box
    wide, high = TRIMMED * (right - left), TRIMMED * (bottom - top)
    return (
        left + wide if left < FREE else max(left - margin, 0.0),
        top + high if top < FREE else max(top - margin, 0.0),
        right - wide if right > 1 - FREE else min(right + margin, 1.0),
        bottom - high if bottom > 1 - FREE else min(bottom + margin, 1.0),
    )


def lies_in(box: Box, window: Window) -> bool:
    """Whether all of a box lies in a window."""
    return (
        box[0] >= window.x - 1e-6
        and box[1] >= window.y - 1e-6
        and box[2] <= window.x + window.w + 1e-6
        and box[3] <= window.y + window.h + 1e-6
    )


def part_in(box: Box, window: Window) -> Box:
    """The part of a box that lies in a window; that must not become less."""
    return (
        max(box[0], window.x),
        max(box[1], window.y),
        min(box[2], window.x + window.w),
        min(box[3], window.y + window.h),
    )


def touches(box: Box, window: Window) -> bool:
    """Whether any of it does."""
    return (
        box[2] > window.x + 1e-6
        and box[3] > window.y + 1e-6
        and box[0] < window.x + window.w - 1e-6
        and box[1] < window.y + window.h - 1e-6
    )


def best_place(view: StillView, size: tuple[float, float]) -> Window:
    """The best place for a window of a size."""
    xs = np.linspace(0, 1 - size[0], _PLACES if size[0] < 1 else 1)
    ys = np.linspace(0, 1 - size[1], _PLACES if size[1] < 1 else 1)
    worth = _sums(view.mass, xs, ys, size)  # (Y, X)
    for one in view.keep:
        left, top, right, bottom = trimmed(one.box, MARGIN if one.weight >= STRICT else 0.0)
        across = _share(left, right, xs, size[0])
        down = _share(top, bottom, ys, size[1])
        share = down[:, None] * across[None]
        worth = worth - CUTTING * one.weight * 4 * share * (1 - share) + SEEN * one.weight * share
    off = np.abs(ys[:, None] + size[1] / 2 - 0.5) + np.abs(xs[None] + size[0] / 2 - 0.5)
    good = worth >= worth.max() - AS_GOOD
    at = int(np.where(good, off - 0.5 * worth, np.inf).argmin())
    y, x = divmod(at, len(xs))
    return Window(float(xs[x]), float(ys[y]), *size)


def _all_inside(view: StillView, window: Window) -> bool:
    return all(lies_in(box, window) for box in strict_boxes(view))


def _sides(box: Box) -> Box:
    """Left, top, width, height."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def _nearly_inside(view: StillView, window: Window) -> bool:
    """Whether of heads and products, which never must be cut, nothing but the rim is cut."""
    for one in view.keep:
        left, top, right, bottom = trimmed(one.box)
        x, y = RIM * (right - left), RIM * (bottom - top)
        if one.weight >= NEVER and not lies_in((left + x, top + y, right - x, bottom - y), window):
            return False
    return True


def area_of(box: Box) -> float:
    """Of the picture, 0..1."""
    return (box[2] - box[0]) * (box[3] - box[1])


def _share(start: float, end: float, places: Floats, size: float) -> Floats:
    inside = np.minimum(end, places + size) - np.maximum(start, places)
    found: Floats = (inside / max(end - start, 1e-9)).clip(0, 1)
    return found


def _sums(mass: Floats, xs: Floats, ys: Floats, size: tuple[float, float]) -> Floats:
    """(Y, X) what windows of a size hold of a map, which sums to 1 here, at places."""
    total = float(mass.sum())
    table = np.zeros((mass.shape[0] + 1, mass.shape[1] + 1))
    if total > 0:
        table[1:, 1:] = mass.cumsum(0).cumsum(1) / total

    def at(y: Floats, x: Floats) -> Floats:
        rows, columns = (np.arange(n) / (n - 1) for n in table.shape)
        fine = np.stack([np.interp(x, columns, row) for row in table])
        found: Floats = np.stack([np.interp(y, rows, column) for column in fine.T], 1)
        return found

    return at(ys + size[1], xs + size[0]) - at(ys, xs + size[0]) - at(ys + size[1], xs) + at(ys, xs)


def core_of(view: StillView) -> Floats:
    """(R, C) its saliency where that is high."""
    peak = float(view.mass.max()) if view.mass.size else 0.0
    return np.where(view.mass >= CORE * peak, view.mass, 0.0)


def _compact(view: StillView) -> bool:
    """Whether viewers look at one part of it; else there is nothing that a window must hold."""
    return 0 < float((core_of(view) > 0).mean()) <= COMPACT


def kept_of(view: StillView, window: Window) -> float:
    """Part of the core within a window; 1 where there is none."""
    core = core_of(view)
    if core.sum() <= 0:
        return 1.0
    return float(_sums(core, np.array([window.x]), np.array([window.y]), (window.w, window.h))[0, 0])


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
