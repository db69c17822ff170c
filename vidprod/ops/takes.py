"""What may be shown of videos and photographs: their usable stretches, with a score that means the same for all of them.

Scores are those of `vidprod.ops.take_scores`; what is left out is what summaries leave out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.loudness import Loudness
from vidprod.media.previews import SAMPLE
from vidprod.ops.active_area import WHOLE, active_area, cropped
from vidprod.ops.attention import Attention
from vidprod.ops.quality import Quality, lit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.shot_size import Size, shot_size, usual_size
from vidprod.ops.still_eyes import StillEyes
from vidprod.ops.summary import BAD, LAST_RESORT, Scored, faults, ranges
from vidprod.ops.take_scores import absolute, contributions, fineness, praise
from vidprod.ops.take_views import PhotographView, VideoView
from vidprod.ops.talk import talk_between
from vidprod.ops.titles import Title, titles_within

__all__ = ["StillEyes", "Take", "takes_of_still", "takes_of_video"]

Floats = NDArray[np.float64]

RATE = Fraction(10)
"""Points a second at which a video is judged."""

SHORTEST = 0.7
"""Seconds of a take; shorter ones are used only where there is nothing else."""

LONGEST, PART = 11.0, 7.0
"""Seconds from which on a take is made into several, and how long these are, about."""

EDGE = 0.08
"""Seconds left out beside a cut: codecs and detectors are a picture off there."""

NOTHING = (0.0,) * 6
"""Light of which nothing is known."""


class View(Protocol):
    """What the windows of a take are made from."""

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """See `Take.path`."""


@dataclass(frozen=True, eq=False)
class Take:
    """One stretch of a source that may be shown.

    Attributes:
        source: its number.
        number: of the take in its source.
        start, end: seconds of the source that are usable; of a photograph 0 and infinity.
        score: what it is worth showing, 0..1, comparable across sources.
        embedding: (256,) of length 1: takes of like content have a product near 1.
        size: how much of a person is seen; "none" where there is none.
        still: whether it is a photograph.
        aspect: width / height of the upright picture as seen.
        talk: how much is spoken in it, 0..1; 0 of photographs and silent videos.
        reason: what speaks for it, or what is wrong with it.
        light: mean red, green and blue, the standard deviation of luma, the part of the border that is a studio background
            (all 0..1), and 1 if they are known.
        calm: 1 where hardly anything moves, 0..1; 1 of photographs.
        view: what its windows are made from; None shows the middle.
        line: times (N,) and scores (N,) of moments in it.
    """

    source: int
    number: int
    start: float
    end: float
    score: float
    embedding: Floats
    size: Size
    still: bool
    aspect: float
    talk: float
    reason: str
    light: tuple[float, ...] = NOTHING
    calm: float = 0.5
    view: View | None = None
    line: tuple[Floats, Floats] = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start

    def best(self, length: float) -> float:
        """The second at which its best window of `length` seconds starts; its start where it is not longer."""
        spare = self.length - length
        times, scores = self.line
        if self.still or spare <= 1e-9 or not len(times):
            return self.start
        starts = self.start + np.linspace(0, spare, max(math.ceil(spare * float(RATE)), 1) + 1)
        inside = starts[:, None] + (np.arange(24) + 0.5) / 24 * length
        worth = np.interp(inside, times, scores).mean(1)
        # of those that are as good, the one nearest to the middle: not right beside a cut
        off = np.abs(starts + length / 2 - (self.start + self.end) / 2)
        return float(starts[np.argmax(worth - 1e-3 * off)])

    def path(self, start: float, end: float, aspect: float, *, motion: int = 0) -> tuple[PathPoint, ...]:
        """The visible window from `start` to `end` seconds of the source, for a frame `aspect` as wide as high.

        Where a window has another shape than the frame, bars remain: only where too much would be cut without.

        Args:
            start, end: of a photograph, 0 and how long it is seen.
            aspect: of the frame.
            motion: of a photograph, what the camera does: see `vidprod.ops.still_motion.path`; -1 for nothing.
        """
        if self.view is not None:
            return self.view.path(start, end, aspect, motion)
        w, h = min(aspect / self.aspect, 1.0), min(self.aspect / aspect, 1.0)
        return (PathPoint(round(start, 6), round((1 - w) / 2, 6), round((1 - h) / 2, 6), round(w, 6), round(h, 6)),)


def takes_of_video(
    source: int,
    attention: Attention,
    quality: Quality,
    sound: Loudness | None,
    aspect: float,
    *,
    until: float = math.inf,
    size: tuple[int, int] | None = None,
    titles: Sequence[Title] = (),
) -> tuple[Take, ...]:
    """The usable stretches of a video, in order: without what is black, blurred, shaken, frozen or in a transition.

    Where that leaves nothing, the least bad ones.

    Args:
        source: number of the video.
        attention, quality: of it, from one pass.
        sound: from its first picture on; None for a silent video.
        aspect: width / height of its upright picture as seen.
        until: seconds after which it is not used.
        size: pixels, width and height, where they are known: coarse pictures are worth less.
        titles: writing that is burned in.
    """
    if not len(quality.seconds):
        return ()
    first = float(quality.seconds[0])
    step = float(np.median(np.diff(quality.seconds))) if len(quality.seconds) > 1 else 1 / 25
    last = min(float(quality.seconds[-1]) + step, until)
    count = max(int((last - first) * RATE), 1)
    grid = first + np.arange(count) / float(RATE)
    area = active_area(*quality.lit) if len(quality.lit[0]) else WHOLE
    inner = aspect * (area[2] - area[0]) / (area[3] - area[1])
    view = VideoView(cropped(attention, area), inner, first, last, area, titles_within(titles, area))
    parts = absolute(attention, quality, sound)
    if size is not None:
        parts = {name: part * fineness(*size) for name, part in parts.items()}
    at = attention.seconds
    line = np.interp(grid, at, np.sum(list(parts.values()), 0)) if len(at) else np.zeros(count)
    bad = faults(attention, quality, grid)
    found = Scored(RATE, np.where(bad > 0, LAST_RESORT * line, line), bad, parts)
    spans: list[tuple[float, float]] = []
    for worst in range(len(BAD)):
        spans = [
            span
            for a, b, number in ranges(found, attention, first, worst=worst)
            for span in _parts(*_seconds(attention, number, first, a, b, count, last))
        ]
        spans = [span for span in spans if span[1] - span[0] >= SHORTEST] or spans
        if spans:
            break
    made: list[Take] = []
    for start, end in spans or [(first, max(last, first + step))]:
        made.append(_take(source, len(made), start, end, view, quality, sound, aspect, found, parts, grid))
    return tuple(made)


def takes_of_still(source: int, picture: Tensor, eyes: StillEyes) -> tuple[Take, ...]:
    """The one take of a photograph.

    Args:
        source: its number.
        picture: (3, H, W) uint8, upright, on any device.
        eyes: to look at it with.
    """
    area = active_area(*lit(_small(picture))) if picture.numel() else WHOLE
    height, width = picture.shape[1:]
    left, right = (round(x * width) for x in (area[0], area[2]))
    top, bottom = (round(y * height) for y in (area[1], area[3]))
    seen = eyes(picture[:, top:bottom, left:right])
    parts = contributions({name: np.array([value]) for name, value in seen.features.items()})
    aspect = width / height
    return (
        Take(
            source=source,
            number=0,
            start=0.0,
            end=math.inf,
            score=round(
                float(sum(part[0] for part in parts.values())) * fineness(seen.view.width, seen.view.height), 4
            ),
            embedding=seen.embedding,
            size=shot_size(seen.subjects, seen.view.aspect),
            still=True,
            aspect=aspect,
            talk=0.0,
            reason=praise({name: float(part[0]) for name, part in parts.items()}),
            light=seen.light,
            calm=1.0,
            view=PhotographView(seen.view, area),
        ),
    )


def _small(picture: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) -> (h, w, 3): some of its pixels."""
    step = max(max(picture.shape[1:]) // SAMPLE, 1)
    pixels: NDArray[np.uint8] = picture[:, ::step, ::step].permute(1, 2, 0).cpu().numpy()
    return pixels


def _seconds(
    attention: Attention, number: int, first: float, a: int, b: int, count: int, last: float
) -> tuple[float, float]:
    """A range of the grid in seconds: to the ends of its shot where it reaches them, less what lies right beside a cut."""
    shot = attention.shots.shots[number]
    start, end = first + a / float(RATE), first + b / float(RATE)
    step = 1 / float(RATE)
    if start - shot.start < step:
        start = shot.start + (EDGE if number else 0.0)
    if shot.end - end < step or b == count:
        end = min(shot.end - (EDGE if number + 1 < len(attention.shots.shots) else 0.0), last)
    return start, end


def _parts(start: float, end: float) -> list[tuple[float, float]]:
    """A long stretch in several."""
    if end <= start:
        return []
    count = 1 if end - start <= LONGEST else max(round((end - start) / PART), 2)
    edges = np.linspace(start, end, count + 1).tolist()
    return list(itertools.pairwise(edges))


def _take(
    source: int,
    number: int,
    start: float,
    end: float,
    view: VideoView,
    quality: Quality,
    sound: Loudness | None,
    aspect: float,
    found: Scored,
    parts: Mapping[str, Floats],
    grid: Floats,
) -> Take:
    attention = view.attention
    inside = np.flatnonzero((grid >= start - 1e-6) & (grid < end))
    if not len(inside):
        inside = np.array([int(np.abs(grid - (start + end) / 2).argmin())])
    seconds = attention.seconds
    here = np.flatnonzero((seconds >= start - 1e-6) & (seconds < end))
    if not len(here) and len(seconds):
        here = np.array([int(np.abs(seconds - (start + end) / 2).argmin())])
    embedding = attention.embedding[here].astype(np.float64).sum(0) if len(here) else np.zeros(256)
    norm = float(np.linalg.norm(embedding))
    bad = found.bad[inside]
    reason = BAD[int(np.bincount(bad).argmax())] or praise({name: float(v[here].mean()) for name, v in parts.items()})
    talk = (
        0.0
        if sound is None
        else talk_between(sound, start - float(quality.seconds[0]), end - float(quality.seconds[0]))
    )
    return Take(
        source=source,
        number=number,
        start=round(start, 6),
        end=round(end, 6),
        score=round(float(found.score[inside].mean()), 4),
        embedding=embedding / norm if norm else np.full(256, 1 / 16),
        size=usual_size([attention.subjects[at] for at in here], view.aspect),
        still=False,
        aspect=aspect,
        talk=round(talk, 3),
        reason=reason,
        light=_light(quality, start, end),
        calm=_calm(quality, start, end),
        view=replace(view, start=start, end=end),
        line=(grid[inside], found.score[inside]),
    )


def _calm(quality: Quality, start: float, end: float) -> float:
    """1 at half a level of change from picture to picture, 0 at 20."""
    here = (quality.seconds >= start + 0.02) & (quality.seconds < end)
    change = float(np.median(quality.change[here])) if here.any() else 2.0
    return float(np.clip(1 - math.log(max(change, 0.5) / 0.5) / math.log(40), 0, 1))


def _light(quality: Quality, start: float, end: float) -> tuple[float, ...]:
    here = (quality.seconds >= start - 1e-6) & (quality.seconds < end)
    if not here.any():
        here[np.abs(quality.seconds - (start + end) / 2).argmin()] = True
    means = (
        quality.colour[here].mean(0) / 255 if len(quality.colour) else np.repeat(quality.light[here].mean() / 255, 3)
    )
    return (*(float(mean) for mean in means), float(quality.contrast[here].mean()) / 255, 0.0, 1.0)
