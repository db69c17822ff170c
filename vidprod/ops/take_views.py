"""The windows of takes: of videos around what matters, of photographs as a camera moves over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.active_area import WHOLE, Box, outward
from vidprod.ops.attention import Attention
from vidprod.ops.crop_window import MOMENTS, PLACES, Fit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.reframing import HAIR, profile_of, shot_path
from vidprod.ops.still_framing import StillView
from vidprod.ops.still_motion import path as still_path

FILLED = 0.5
"""Part of what matters that a window keeps at least most of the time where it fills the frame."""

THIN = 0.6
"""Part of the frame that a window covers, beside bars that are so narrow that they look like a mistake."""

TIGHTNESS = 0.92
"""Of a video's window elsewhere: it leaves bars, as narrow as can be."""


@dataclass(frozen=True, eq=False)
class VideoView:
    """A stretch of a video that was looked at, `start` to `end` seconds: what is seen of it lies around what matters.

    Where it has black bars, `attention` and `aspect` are those of the `area` between them.
    """

    attention: Attention
    aspect: float
    start: float
    end: float
    area: Box = WHOLE

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """See `Take.path`; a video moves by itself, whatever the motion."""
        return outward(self._path(start, end, aspect), self.area)

    def _path(self, start: float, end: float, aspect: float) -> tuple[PathPoint, ...]:
        fit = Fit.of(self.aspect, aspect)
        seconds = self.attention.seconds
        # of short stretches too it must be known what is seen just before and after
        here = np.flatnonzero((seconds >= start - 1e-6) & (seconds < end))
        usable = np.flatnonzero((seconds >= self.start - 1e-6) & (seconds < self.end))
        if len(here) < 3 and len(usable):
            apart = np.maximum(np.maximum(start - seconds[usable], seconds[usable] - end), 0)
            here = np.sort(usable[np.argsort(apart, kind="stable")[:3]])
        full = shot_path(self.attention, here, fit, 1.0, start)
        faces = self._faces(here, fit)
        if faces <= fit.least and self._kept(here, fit) >= FILLED:
            return full
        found = shot_path(self.attention, here, fit, TIGHTNESS, start)
        shown = found[0].w if fit.axis == "x" else found[0].h
        return full if faces <= fit.least and fit.least / shown > THIN else found

    def _kept(self, here: NDArray[np.intp], fit: Fit) -> float:
        """The part of what matters that a window which fills the frame can keep most of the time."""
        if not len(here):
            return 1.0
        rows = profile_of(self.attention, here, fit)
        kept = rows.kept(np.linspace(0, 1 - fit.least, PLACES), fit.least).max(1)
        return float(np.quantile(kept, 1 - MOMENTS))

    def _faces(self, here: NDArray[np.intp], fit: Fit) -> float:
        """The part of the axis that a face with its hair needs most of the time."""
        axis = 0 if fit.axis == "x" else 1
        sizes = [
            max(
                (one.box[axis + 2] - one.box[axis] for one in self.attention.subjects[at] if one.kind == "face"),
                default=0,
            )
            for at in here
        ]
        return (1 + (HAIR if axis else 0.0)) * float(np.quantile(sizes, MOMENTS)) if sizes else 0.0


@dataclass(frozen=True, eq=False)
class PhotographView:
    """A photograph that was looked at: the camera moves over it."""

    still: StillView
    area: Box = WHOLE

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """See `Take.path`."""
        return outward(still_path(self.still, start, end, aspect, motion=motion), self.area)
