"""Shots and the transitions between them, and a cheap detector of hard cuts; `shot_analysis.py` finds the gradual ones too.

The measure of the cheap one is that of PySceneDetect's AdaptiveDetector: a cut is a change that stands out from the changes
around it, so that fast motion, which changes every picture, does not cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
import torch.nn.functional as F

from vidprod.errors import InvalidParameter, shown
from vidprod.media.frames import Frames

Kind = Literal["cut", "dissolve", "fade"]
"""How one shot becomes the next: at once, by any gradual mixture (wipes too), or by way of black or white."""

LEAST_CHANGE = 10.0
"""Mean absolute change of the coarse picture, in levels of 255, below which nothing is called a cut."""

STANDS_OUT = 3.0
"""How many times the mean change around it a cut must be."""

AROUND = 4
"""Pictures before and after that count as "around"."""

SHORTEST = 6
"""Pictures a shot has at least; a flash is shorter, and returns to what was there before."""


@dataclass(frozen=True)
class Shot:
    """One take, in seconds from the start of the video; `first` and `stop` number its pictures (half open)."""

    start: float
    end: float
    first: int
    stop: int


@dataclass(frozen=True)
class Transition:
    """Pictures `first` to `stop` (half open) in which two shots mix; of a cut, both are the first picture of the new shot."""

    first: int
    stop: int
    kind: Kind

    @property
    def boundary(self) -> int:
        """The first picture that counts as the new shot's: the middle."""
        return (self.first + self.stop) // 2


@dataclass(frozen=True)
class ShotPlan:
    """The shots of a video and how they join.

    Attributes:
        shots: in order, without gaps, from the first picture to the last; a boundary lies in the middle of its transition.
        transitions: in order, apart from each other. One that begins with the first picture or ends with the last (a fade from
            or to black) has no boundary.
    """

    shots: tuple[Shot, ...]
    transitions: tuple[Transition, ...]

    def __post_init__(self) -> None:
        if self.shots and self.shots[0].first != 0:
            raise InvalidParameter(f"plan: the first shot begins with picture {self.shots[0].first}, must begin with 0")
        for a, b in itertools.pairwise(self.shots):
            if a.stop != b.first:
                raise InvalidParameter(f"plan: a shot stops at picture {a.stop}, the next one begins at {b.first}")
        for shot in self.shots:
            if not (shot.first < shot.stop and shot.start < shot.end):
                raise InvalidParameter(f"plan: {shot} must end after its start")
        at = 0
        for t in self.transitions:
            if t.kind not in get_args(Kind):
                raise InvalidParameter(f"plan: kind is {shown(t.kind)}, must be one of {', '.join(get_args(Kind))}")
            if not at <= t.first <= t.stop <= self.count or (t.kind == "cut") != (t.first == t.stop):
                raise InvalidParameter(
                    f"plan: {t} must lie within the video, after the one before; only cuts are empty"
                )
            at = t.stop

    @classmethod
    def joined(cls, transitions: Sequence[Transition], seconds: Sequence[float]) -> Self:
        """The plan for a video whose pictures are shown at these times, with these transitions."""
        if not seconds:
            return cls((), ())
        step = seconds[-1] - seconds[-2] if len(seconds) > 1 else 1 / 25
        times = [*seconds, seconds[-1] + step]
        count = len(seconds)
        inner = {t.boundary for t in transitions if t.first > 0 and t.stop < count} - {0, count}
        edges = [0, *sorted(inner), count]
        shots = tuple(Shot(start=times[a], end=times[b], first=a, stop=b) for a, b in itertools.pairwise(edges))
        return cls(shots, tuple(transitions))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        try:
            shots = tuple(
                Shot(float(s["start"]), float(s["end"]), int(s["first"]), int(s["stop"])) for s in data["shots"]
            )
            joins = tuple(Transition(int(t["first"]), int(t["stop"]), t["kind"]) for t in data["transitions"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidParameter(f"plan: not a plan of shots ({type(error).__name__}: {error})") from None
        return cls(shots, joins)

    @property
    def count(self) -> int:
        """Pictures of the video."""
        return self.shots[-1].stop if self.shots else 0

    @property
    def cuts(self) -> tuple[int, ...]:
        """Numbers of the first pictures of all shots but the first, as `render` wants them."""
        return tuple(shot.first for shot in self.shots[1:])

    def pure(self, shot: Shot) -> tuple[int, int]:
        """First and stop of the pictures of a shot that are in no transition; equal where there are none."""
        first, stop = shot.first, shot.stop
        for t in self.transitions:
            if t.first <= first < t.stop:
                first = min(t.stop, stop)
        for t in reversed(self.transitions):
            if t.first < stop <= t.stop:
                stop = max(t.first, first)
        return first, stop


class ShotDetection:
    """Analysis: small pictures in, shots out."""

    def __init__(self) -> None:
        self._changes: list[float] = []  # change from the picture before; the first one has none
        self._skips: list[float] = []  # change from the last but one, which tells a flash from a cut
        self._seconds: list[Fraction] = []
        self._tail = torch.empty(0)

    def update(self, frames: Frames) -> None:
        """Takes small pictures, any size, all of one video."""
        coarse = F.adaptive_avg_pool2d(frames.data.to(torch.float32), (9, 16))
        run = torch.cat([self._tail, coarse]) if len(self._tail) else coarse
        known = len(self._tail)
        for i in range(known, len(run)):
            self._changes.append(float((run[i] - run[i - 1]).abs().mean()) if i >= 1 else 0.0)
            self._skips.append(float((run[i] - run[i - 2]).abs().mean()) if i >= 2 else 0.0)
        self._tail = run[-2:]
        self._seconds.extend(frames.seconds)

    def finish(self) -> tuple[Shot, ...]:
        """All shots, in order, without gaps; empty for an empty video."""
        if not self._seconds:
            return ()
        count = len(self._seconds)
        step = self._seconds[-1] - self._seconds[-2] if count > 1 else Fraction(1, 25)
        times = [float(t) for t in self._seconds] + [float(self._seconds[-1] + step)]
        firsts = [0, *self.cuts(), count]
        return tuple(Shot(start=times[a], end=times[b], first=a, stop=b) for a, b in itertools.pairwise(firsts))

    def cuts(self) -> list[int]:
        """Numbers of the first pictures of new shots."""
        changes, count = np.asarray(self._changes), len(self._changes)
        found: list[int] = []
        for i in range(1, count):
            if changes[i] < LEAST_CHANGE:
                continue
            around = np.r_[changes[max(i - AROUND, 1) : i], changes[i + 1 : i + 1 + AROUND]]
            if len(around) and changes[i] < STANDS_OUT * around.mean():
                continue
            # A flash: the picture after is like the one before.
            if any(k < count and self._skips[k] < changes[i] / 2 for k in (i, i + 1)):
                continue
            if i - (found[-1] if found else 0) >= SHORTEST and count - i >= 2:
                found.append(i)
        return found
