"""Makes the plan of ChangeVideoSize: one window for each shot, and the way it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.attention import Attention, trust
from vidprod.ops.camera_path import camera_path
from vidprod.ops.crop_window import Fit, Profile, good_enough, visible_part
from vidprod.ops.reframe_plan import PathPoint, ShotTimes
from vidprod.ops.shots import ShotPlan
from vidprod.ops.subjects import Subject

Floats = NDArray[np.float64]

WHOLE = 0.5
"""Weight from which on a subject had better not be cut in two: faces, persons, animals, vehicles; not things."""

ROOM = {"face": 1.0, "person": 0.6}
"""Part of a subject's extent that there must be room for: all of a face, most of a person. Others do not widen the window; a large
vehicle that passes by would."""

HAIR = 0.35
"""Of a face's height: how far the head goes on above it."""

HEAD = 0.35
"""Of a person's height: head and shoulders. A picture may end at the hips, but not at the neck."""

MARGIN = 0.1
"""Of a subject's extent: what is left free on either side of it."""

_DIGITS = 5


def still(fit: Fit, part: float, start: float) -> PathPoint:
    """A window that shows a part of one axis, in the middle, and all of the other."""
    return window(fit, start, (1 - part) / 2, part)


def path(attention: Attention, fit: Fit, tightness: float, shots: ShotPlan | None = None) -> tuple[PathPoint, ...]:
    """The windows of all shots, around what matters.

    Args:
        attention: what matters.
        fit: how the picture fits into the new shape.
        tightness: 0 shows all, 1 fills the frame.
        shots: other ones than the analysis has found.
    """
    points: list[PathPoint] = []
    plan = shots or attention.shots
    mixed = [(t.first, t.stop) for t in plan.transitions if t.stop > t.first]
    for shot in plan.shots:
        here = np.arange(len(attention.seconds))[attention.within(shot.start, shot.end)]
        seconds = attention.seconds[here]
        # in a dissolve something of another shot is seen
        rate = (shot.stop - shot.first) / max(shot.end - shot.start, 1e-9)
        numbers = shot.first + (seconds - shot.start) * rate
        clear = np.array([not any(a <= n < b for a, b in mixed) for n in numbers], bool)
        if clear.any():
            here = here[clear]
        points += shot_path(attention, here, fit, tightness, shot.start)
    return tuple(points)


def shot_path(
    attention: Attention, here: NDArray[np.intp], fit: Fit, tightness: float, start: float
) -> tuple[PathPoint, ...]:
    """The window of one shot that begins at `start` seconds, by the samples of these numbers; the middle where there are none."""
    if not len(here):
        return (still(fit, visible_part(_nothing(), fit, tightness), start),)
    profile = profile_of(attention, here, fit)
    part = visible_part(profile, fit, tightness)
    way = camera_path(good_enough(profile, part), part, attention.seconds[here])
    times = [start] if way.still else way.seconds
    return tuple(window(fit, t, place, part) for t, place in zip(times, way.places, strict=True))


def cover_time(attention: Attention) -> float:
    """Seconds of the picture that shows best what the video is about: in its longest shot, the one with the most focus."""
    shots = attention.shots.shots
    if not shots or not len(attention.seconds):
        return 0.0
    longest = max(shots, key=lambda shot: shot.end - shot.start)
    # not where the shot before may still be seen
    margin = min((longest.end - longest.start) / 4, 0.5)
    inner = attention.within(longest.start + margin, longest.end - margin)
    if inner.stop <= inner.start:
        inner = attention.within(longest.start, longest.end)
    if inner.stop <= inner.start:
        return (longest.start + longest.end) / 2
    worth = [
        float(attention.focus[at]) + sum(one.weight * _area(one) ** 0.5 for one in attention.subjects[at])
        for at in range(inner.start, inner.stop)
    ]
    return float(attention.seconds[inner.start + int(np.argmax(worth))])


def times_of(shots: ShotPlan) -> tuple[ShotTimes, ...]:
    """What a plan tells of the shots."""
    return tuple(ShotTimes(round(shot.start, 6), round(shot.end, 6)) for shot in shots.shots)


def profile_of(attention: Attention, here: NDArray[np.intp], fit: Fit) -> Profile:
    """What lies where along the axis that is cropped, at the samples of these numbers."""
    rows = (attention.across if fit.axis == "x" else attention.down)[here].astype(np.float64)
    return Profile.of(rows, _extents([attention.subjects[at] for at in here], fit))


def _extents(samples: Sequence[Sequence[Subject]], fit: Fit) -> Floats:
    axis = 0 if fit.axis == "x" else 1
    rows = []
    for moment, subjects in enumerate(samples):
        for one in subjects:
            if one.weight >= WHOLE:
                start, end = one.box[axis], one.box[axis + 2]
                if axis == 1 and one.kind == "face":
                    start = max(start - HAIR * (end - start), 0.0)
                elif axis == 1 and one.kind == "person":
                    end = start + HEAD * (end - start)
                # Half a face is worse than half of a body of the same size.
                margin = MARGIN * (end - start)
                start, end = max(start - margin, 0.0), min(end + margin, 1.0)
                weight = one.weight * trust(one) * _area(one) ** (0.25 if one.kind == "face" else 0.5)
                rows.append((moment, start, end, weight, ROOM.get(one.kind, 0.0)))
    return np.array(rows, np.float64).reshape(-1, 5)


def _nothing() -> Profile:
    return Profile.of(np.zeros((1, 8)))


def _area(subject: Subject) -> float:
    return (subject.right - subject.left) * (subject.bottom - subject.top)


def window(fit: Fit, second: float, place: float, part: float) -> PathPoint:
    """A window that begins at `place` of the axis that is cropped, shows a `part` of it, and all of the other."""
    low, size = round(place, _DIGITS), round(part, _DIGITS)
    low = max(min(low, round(1 - size, _DIGITS)), 0.0)
    second = round(float(second), 6)
    return PathPoint(second, low, 0.0, size, 1.0) if fit.axis == "x" else PathPoint(second, 0.0, low, 1.0, size)
