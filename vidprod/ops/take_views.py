"""The windows of takes: of videos around what matters, of photographs as a camera moves over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.active_area import WHOLE, Box, outward
from vidprod.ops.attention import Attention
from vidprod.ops.camera_path import interpolated
from vidprod.ops.crop_window import MOMENTS, PLACES, Fit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.reframing import HAIR, profile_of, shot_path
from vidprod.ops.still_framing import StillView
from vidprod.ops.still_motion import path as still_path
from vidprod.ops.titles import Title, with_titles

FILLED = 0.5
"""Part of what matters that a window keeps at least most of the time where it fills the frame."""

THIN = 0.6
"""Part of the frame that a window covers, beside bars that are so narrow that they look like a mistake."""

HEADS = 0.75
"""What a head matters at a moment, of all that does, where the camera would leave it otherwise for what lies beside it."""

CUT = 0.2
"""Part of the moments at which a head may be cut off."""

TIGHTNESS = 0.92
"""Of a video's window elsewhere: it leaves bars, as narrow as can be."""

_RIM = 0.02  # of the picture: so little of a head may be cut


@dataclass(frozen=True, eq=False)
class VideoView:
    """A stretch of a video that was looked at, `start` to `end` seconds: what is seen of it lies around what matters.

    Where it has black bars, `attention`, `aspect` and `titles` are those of the `area` between them.
    """

    attention: Attention
    aspect: float
    start: float
    end: float
    area: Box = WHOLE
    titles: tuple[Title, ...] = ()

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """See `Take.path`; a video moves by itself, whatever the motion."""
        fit = Fit.of(self.aspect, aspect)
        here = self._samples(start, end)
        points = self._path(here, fit, start)
        heads = [head for head in (self._head(at, fit) for at in here) if head is not None]
        return outward(with_titles(points, self.titles, fit, start, end, heads), self.area)

    def _samples(self, start: float, end: float) -> NDArray[np.intp]:
        """Numbers of the samples of a stretch."""
        seconds = self.attention.seconds
        # of short stretches too it must be known what is seen just before and after
        here = np.flatnonzero((seconds >= start - 1e-6) & (seconds < end))
        usable = np.flatnonzero((seconds >= self.start - 1e-6) & (seconds < self.end))
        if len(here) < 3 and len(usable):
            apart = np.maximum(np.maximum(start - seconds[usable], seconds[usable] - end), 0)
            here = np.sort(usable[np.argsort(apart, kind="stable")[:3]])
        return here

    def _path(self, here: NDArray[np.intp], fit: Fit, start: float) -> tuple[PathPoint, ...]:
        full = shot_path(self.attention, here, fit, 1.0, start)
        faces = self._faces(here, fit)
        if faces <= fit.least and self._beheaded(here, fit, full) > CUT:
            # what matters besides, hands or a product, must wait
            return shot_path(self._headed(fit), here, fit, 1.0, start)
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
        heads = [self._head(at, fit) for at in here]
        sizes = [0.0 if head is None else head[1] - head[0] for head in heads]
        return float(np.quantile(sizes, MOMENTS)) if sizes else 0.0

    def _head(self, at: int, fit: Fit) -> tuple[float, float] | None:
        """From where to where along the axis the largest face with its hair goes in a sample."""
        axis = 0 if fit.axis == "x" else 1
        ends = [(one.box[axis], one.box[axis + 2]) for one in self.attention.subjects[at] if one.kind == "face"]
        if not ends:
            return None
        start, end = max(ends, key=lambda pair: pair[1] - pair[0])
        return start - (HAIR if axis else 0.0) * (end - start), end

    def _beheaded(self, here: NDArray[np.intp], fit: Fit, points: Sequence[PathPoint]) -> float:
        """The part of the samples in which a window cuts the largest face."""
        if not len(here):
            return 0.0
        times = [point.t for point in points]
        starts = [point.x if fit.axis == "x" else point.y for point in points]
        size = points[0].w if fit.axis == "x" else points[0].h
        places = interpolated(np.array(times), np.array(starts), self.attention.seconds[here])
        heads = [(place, self._head(at, fit)) for place, at in zip(places, here, strict=True)]
        cut = [head is not None and (head[0] < place - _RIM or head[1] > place + size + _RIM) for place, head in heads]
        return float(np.mean(cut))

    def _headed(self, fit: Fit) -> Attention:
        """What is known of it, but heads matter more than anything else."""
        name = "across" if fit.axis == "x" else "down"
        rows = np.array(getattr(self.attention, name), np.float64)
        edges = np.linspace(0, 1, rows.shape[1] + 1)
        for at, row in enumerate(rows):
            head = self._head(at, fit)
            if head is not None:
                inside = (np.minimum(edges[1:], head[1]) - np.maximum(edges[:-1], head[0])).clip(0)
                row[:] = (1 - HEADS) * row / max(row.sum(), 1e-9) + HEADS * inside / max(inside.sum(), 1e-9)
        changed = rows.astype(np.float32)
        return replace(self.attention, across=changed) if fit.axis == "x" else replace(self.attention, down=changed)


@dataclass(frozen=True, eq=False)
class PhotographView:
    """A photograph that was looked at: the camera moves over it."""

    still: StillView
    area: Box = WHOLE

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """See `Take.path`."""
        return outward(still_path(self.still, start, end, aspect, motion=motion), self.area)
