"""Where one shot ends and the next begins: hard cuts, from small pictures.

The measure is the one of PySceneDetect's AdaptiveDetector: a cut is a change that stands out from the changes around it, so
that fast motion, which changes every picture, does not cut.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from vidprod.media.frames import Frames

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
