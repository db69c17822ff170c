"""Moves a virtual camera over a photograph, slowly: nearer, farther, along it.

What must not be cut is cut at no time: as a window glides evenly from one place to another, whatever lies within it at both ends
lies within it in between.
"""

from __future__ import annotations

import math

import numpy as np

from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.still_framing import (
    KEPT,
    StillView,
    Window,
    best_place,
    core_of,
    framing,
    full_size,
    kept_of,
    lies_in,
    part_in,
    strict_boxes,
    touches,
    trimmed,
)

ZOOM = 0.05
"""By how much the picture grows in a second, on average; at most half as much again in the middle, as the movement is eased."""

MOST_ZOOM = 0.18
"""By how much it grows altogether."""

PAN = 0.05
"""Of the frame's longer side: how far the picture moves in a second, on average."""

ASIDE = 0.3
"""Of the frame's width: so near to its border the middle of the subject comes at most, where the camera moves across."""

LONG = 1.25
"""How many times too long a photograph is at least for its frame, for the camera to move along it."""

CLOSE = 0.62
"""Of the usual window's sides: those of a closer view."""

ROOM = 0.08
"""Of a subject's sides: what a closer view leaves around it."""

COARSE = 330
"""Pixels along the longer side of a closer view, at least: small photographs are not looked at closely."""

VARIANTS = ("nearer", "farther", "along", "close")
"""By number of the motion; see `path`."""

MOTIONS = len(VARIANTS)
"""Motions that differ much; the same again from there on, the other way round."""

_DIGITS = 6


def path(view: StillView, start: float, end: float, aspect: float, *, motion: int = 0) -> tuple[PathPoint, ...]:
    """The windows of a photograph that is seen from `start` to `end` seconds.

    Args:
        view: the photograph.
        start, end: seconds.
        aspect: of the frame, width / height. A window of another shape leaves bars.
        motion: what the camera does: 0 nearer, 1 farther, 2 along (to and fro by turns; a photograph much longer than the frame
            begins with that), 3 a closer view, 4.. the same again the other way; -1 stands still.
    """
    seconds = max(end - start, 1e-3)
    first, view = framing(view, aspect)
    if motion < 0:
        return (_point(first, start),)
    a, b = _movement(view, first, aspect, seconds, motion)
    if a == b:
        return (_point(a, start),)
    return _point(a, start), _point(b, start + seconds)


def _movement(view: StillView, first: Window, aspect: float, seconds: float, motion: int) -> tuple[Window, Window]:
    turned = motion // len(VARIANTS) % 2 == 1
    order = list(VARIANTS)
    if not view.plain and _length(view, first, aspect) >= LONG**2:
        order = ["along", "along back", "nearer", "close"]
    for kind in (order[motion % len(order)], "nearer", "along"):
        found = _of_kind(view, first, aspect, seconds, kind)
        if found is not None:
            return found[::-1] if turned else found
    return first, first


def _of_kind(view: StillView, first: Window, aspect: float, seconds: float, kind: str) -> tuple[Window, Window] | None:
    if kind in ("nearer", "farther"):
        found = _nearer(view, first, seconds)
        return found if found is None or kind == "nearer" else found[::-1]
    if kind == "close":
        close = _close(view, first, aspect)
        if close is None:
            return None
        return _nearer(view, close, seconds) or (close, close)
    along = _along(view, first, aspect, seconds)
    return along if along is None or kind == "along" else along[::-1]


def _nearer(view: StillView, window: Window, seconds: float) -> tuple[Window, Window] | None:
    """From a window to a part of it; None where that cuts something."""
    most = min(math.expm1(ZOOM * seconds), MOST_ZOOM)
    must = [part_in(box, window) for box in strict_boxes(view) if touches(box, window)]
    held = kept_of(view, window)
    for zoom in np.linspace(1 + most, 1 + most / 4, 7):
        w, h = window.w / zoom, window.h / zoom
        spare = window.w - w, window.h - h
        low = [window.x, window.y]
        high = [window.x + spare[0], window.y + spare[1]]
        for left, top, right, bottom in must:
            low = [max(low[0], right - w), max(low[1], bottom - h)]
            high = [min(high[0], left), min(high[1], top)]
        if low[0] > high[0] + 1e-9 or low[1] > high[1] + 1e-9:
            continue
        x, y = _focus(view, window)
        near = Window(_clamped(x - w / 2, low[0], high[0]), _clamped(y - h / 2, low[1], high[1]), w, h)
        if held <= 0 or kept_of(view, near) >= KEPT * held:
            return window, near
    return None


def _along(view: StillView, window: Window, aspect: float, seconds: float) -> tuple[Window, Window] | None:
    """Along the side on which the photograph is too long for its frame; None where it is not, or something would be cut."""
    axis = 0 if view.aspect > aspect * LONG else 1 if view.aspect * LONG < aspect else -1
    room = (1 - window.w, 1 - window.h)
    if axis < 0 or room[axis] < 0.02:
        return None
    # in sides of the picture: a second's way is the same in the frame, whichever way it goes
    longer = max(window.w * view.aspect, window.h)
    way = PAN * seconds * longer / (view.aspect if axis == 0 else 1.0)
    place = (window.x, window.y)[axis]
    size = (window.w, window.h)[axis]
    low, high = 0.0, 1 - size
    for box in strict_boxes(view):
        start, end = (part_in(box, window) if touches(box, window) else box)[axis::2]
        if start >= place - 1e-9 and end <= place + size + 1e-9:
            low, high = max(low, end - size), min(high, start)
        elif end <= place + 1e-9:
            low = max(low, end)
        else:
            high = min(high, start - size)
    if axis == 0 and view.subject is not None and touches(view.subject, window):
        middle = (view.subject[0] + view.subject[2]) / 2
        low, high = max(low, min(middle - (1 - ASIDE) * size, place)), min(high, max(middle - ASIDE * size, place))
    way = min(way, high - low)
    if way < 0.01:
        return None
    # to where the most is, from where there is room; a person is shown upwards
    begin = _clamped(place - way / 2, low, high - way)
    if axis == 1:
        begin = _clamped(place, low, high - way)
    a, b = _moved(window, axis, begin), _moved(window, axis, begin + way)
    return (b, a) if axis == 1 else (a, b)


def _close(view: StillView, first: Window, aspect: float) -> Window | None:
    """A window that is nearer to the subject; it fills the frame. None where there are too few pixels for that."""
    full = full_size(view, aspect)
    scale = CLOSE
    if view.subject is not None:
        wide, high = view.subject[2] - view.subject[0], view.subject[3] - view.subject[1]
        scale = max(scale, (1 + 2 * ROOM) * wide / full[0], (1 + 2 * ROOM) * high / full[1])
    scale = max(scale, COARSE / max(full[0] * view.width, full[1] * view.height, 1e-9))
    if scale > 0.9 * max(first.w / full[0], first.h / full[1]) or scale > 1:
        return None
    size = full[0] * scale, full[1] * scale
    if view.subject is None:
        window = best_place(view, size)
        return window if _uncut(view, window) else None
    x, y = (view.subject[0] + view.subject[2]) / 2, (view.subject[1] + view.subject[3]) / 2
    window = Window(_clamped(x - size[0] / 2, 0, 1 - size[0]), _clamped(y - size[1] / 2, 0, 1 - size[1]), *size)
    return window if _uncut(view, window) else None


def _length(view: StillView, window: Window, aspect: float) -> float:
    """How many times too long the photograph is for the frame; 1 where the window shows all of it."""
    if min(window.w, window.h) > 0.98:
        return 1.0
    return max(view.aspect / aspect, aspect / view.aspect)


def _uncut(view: StillView, window: Window) -> bool:
    """Whether all that matters is either seen whole or not at all."""
    return all(lies_in(box, window) or not touches(box, window) for box in strict_boxes(view))


def _focus(view: StillView, window: Window) -> tuple[float, float]:
    """What the camera goes to: the subject, or the middle of the core within the window."""
    if view.subject is not None and lies_in(trimmed(view.subject), window):
        return (view.subject[0] + view.subject[2]) / 2, (view.subject[1] + view.subject[3]) / 2
    core = core_of(view)
    rows, columns = ((np.arange(n) + 0.5) / n for n in core.shape)
    core = core * ((rows >= window.y) & (rows <= window.y + window.h))[:, None]
    core = core * ((columns >= window.x) & (columns <= window.x + window.w))[None]
    total = float(core.sum())
    if total <= 0:
        return window.middle
    return float((core.sum(0) * columns).sum() / total), float((core.sum(1) * rows).sum() / total)


def _moved(window: Window, axis: int, place: float) -> Window:
    return Window(place, window.y, window.w, window.h) if axis == 0 else Window(window.x, place, window.w, window.h)


def _clamped(value: float, low: float, high: float) -> float:
    return min(max(value, low), max(high, low))


def _point(window: Window, second: float) -> PathPoint:
    w, h = (round(min(float(size), 1.0), _DIGITS) for size in (window.w, window.h))
    x, y = (
        max(min(round(float(place), _DIGITS), round(1 - size, _DIGITS)), 0.0)
        for place, size in ((window.x, w), (window.y, h))
    )
    return PathPoint(round(float(second), 6), x, y, w, h)
