"""Erases the subtitles of a plan: which parts of the pictures are looked at, when, and what they are filled with."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from vidprod.media.probe import VideoInfo
from vidprod.ops.bitmask import Mask
from vidprod.ops.erase import Patched, fitting, region_of
from vidprod.ops.subtitle_plan import Subtitle, SubtitlesPlan
from vidprod.ops.temporal_fill import REACH, Filled, SpatialFill, TemporalFill
from vidprod.ops.temporal_window import GUARD
from vidprod.ops.text_boxes import Box

AROUND = 64
"""Pixels around text that are looked at: what is moved into the hole comes from there."""

JOINED = 1.3
"""Times the areas of two rectangles that one around both may have to be taken in their place."""

MEMORY = 320 * 2**20
"""Bytes that pictures may take which wait, or can be copied from."""

LEAST_REACH = 8
"""Pictures before and after that are held however large they are."""

_FALLBACK_RATE = Fraction(25)

Ahead = Callable[[Box, float], tuple[int, Tensor] | None]
"""Reads the number of the first picture from a time on, and a rectangle of it (3, h, w); None where that is not possible."""


@dataclass(frozen=True)
class Part:
    """A rectangle of the picture in which some of the events lie, on the grid of the chroma."""

    box: Box
    events: tuple[Subtitle, ...]


def parts(plan: SubtitlesPlan, info: VideoInfo) -> list[Part]:
    """The rectangles that are looked at: few, and not much larger together than what is in them."""
    whole = Box(0, 0, plan.width, plan.height)
    boxes = [plan.mask(event).box.grown(AROUND, AROUND, whole) for event in plan.events]
    groups = sorted(set(boxes), key=lambda box: (box.top, box.left))
    joined = True
    while joined:
        joined = False
        kept: list[Box] = []
        for box in groups:
            for at, other in enumerate(kept):
                if (box & other).area or (box | other).area <= JOINED * (box.area + other.area):
                    kept[at], joined = box | other, True
                    break
            else:
                kept.append(box)
        groups = kept
    grid = [fitting(region_of(info, box)) for box in groups]
    return [
        Part(place, tuple(event for event, box in zip(plan.events, boxes, strict=True) if box.covered_by(group) == 1))
        for group, place in zip(groups, grid, strict=True)
    ]


def affordable_reach(info: VideoInfo, found: Sequence[Part], memory: int = MEMORY) -> int:
    """Pictures before and after a moment that can be held: `REACH`, fewer of very large ones."""
    whole = info.width * info.height * (3 if info.bits > 8 else 1.5)
    rectangles = sum(part.box.area for part in found)
    # whole pictures wait until theirs are done; of the rectangles those before are held as well
    each = whole + 2 * 3 * rectangles
    return int(min(max(memory / each, LEAST_REACH), REACH))


class SubtitleEraser:
    """An `Eraser` for one part.

    Args:
        part: which one.
        plan: of the whole video.
        fill: for what no other picture shows.
        rate: pictures per second, about.
        reach: pictures before and after that can be copied from.
        batch: pictures that are filled at a time.
        device: where that happens.
        ahead: to bring the picture after a subtitle that stands longer than `reach`; without it such a subtitle has only
            the one before.
    """

    def __init__(
        self,
        part: Part,
        plan: SubtitlesPlan,
        fill: SpatialFill,
        *,
        rate: Fraction | None = None,
        reach: int = REACH,
        batch: int = 8,
        device: torch.device | str = "cpu",
        ahead: Ahead | None = None,
    ) -> None:
        self._box = part.box
        self._plan = plan
        self._fill = fill
        self._reach = reach
        self._batch = batch
        self._device = torch.device(device)
        self._ahead = ahead
        self._seconds = float((reach + GUARD) / (rate or _FALLBACK_RATE))  # that an event is prepared for
        self._coming = deque(part.events)
        self._near: list[Subtitle] = []  # events whose neighbourhood has begun and not ended
        self._masks: dict[Subtitle, Mask] = {}
        self._pinned: set[Subtitle] = set()
        self._temporal: TemporalFill | None = None
        self._pictures: list[Tensor] = []  # of the next batch
        self._holes: list[Mask] = []
        self._sent: dict[int, Mask] = {}  # by number, what is being filled

    @property
    def box(self) -> Box:
        """The rectangle, in pixels of the upright picture."""
        return self._box

    def push(self, index: int, second: Fraction, read: Callable[[], Tensor]) -> list[Patched]:
        """See `Eraser.push`. Pictures far from any subtitle come back at once and are not even converted."""
        now = float(second)
        while self._coming and self._coming[0].start <= now + self._seconds:
            self._near.append(self._coming.popleft())
        for event in [event for event in self._near if event.end < now - self._seconds]:
            self._near.remove(event)
            self._masks.pop(event, None)
            self._pinned.discard(event)
        if not self._near:
            return [*self.finish(), Patched(index)]
        if self._temporal is None:
            self._temporal = TemporalFill(
                self._fill,
                cuts=self._plan.cuts,
                transitions=self._plan.transitions,
                reach=self._reach,
                first=index,
            )
        self._pictures.append(read())
        self._holes.append(self._hole(now))
        self._sent[index] = self._holes[-1]
        self._pin(index, now)
        return self._run() if len(self._pictures) == self._batch else []

    def finish(self) -> list[Patched]:
        """See `Eraser.finish`."""
        done = self._run()
        if self._temporal is not None:
            done += self._taken(self._temporal.finish())
            self._temporal = None
        return done

    def _run(self) -> list[Patched]:
        if not self._pictures:
            return []
        assert self._temporal is not None
        pictures, holes = torch.stack(self._pictures).to(self._device), torch.from_numpy(np.stack(self._holes))
        self._pictures, self._holes = [], []
        return self._taken(self._temporal.push(pictures, holes))

    def _taken(self, filled: Sequence[Filled]) -> list[Patched]:
        done = []
        for one in filled:
            hole = self._sent.pop(one.index)
            if one.share is None:
                done.append(Patched(one.index))
            else:
                done.append(Patched(one.index, one.picture.cpu(), torch.from_numpy(hole), one.share))
        return done

    def _hole(self, second: float) -> Mask:
        hole = np.zeros((self._box.height, self._box.width), bool)
        for event in self._near:
            if event.stands(second):
                if event not in self._masks:
                    mask = np.zeros_like(hole)
                    self._plan.mask(event).paint(mask, (self._box.left, self._box.top))
                    self._masks[event] = mask
                hole |= self._masks[event]
        return hole

    def _pin(self, index: int, second: float) -> None:
        """Brings the picture after a subtitle that stands longer than the reach, once, when it begins."""
        if self._ahead is None:
            return
        guard = self._seconds * GUARD / (self._reach + GUARD)
        for event in self._near:
            if event in self._pinned or not event.stands(second):
                continue
            self._pinned.add(event)
            clean = event.end + guard
            if event.end - second < self._seconds or self._written_on(clean - guard, clean + guard, event):
                continue  # the picture comes by itself, or there is text on it, too
            found = self._ahead(self._box, clean)
            if found is not None and found[0] > index:
                assert self._temporal is not None
                self._temporal.pin(found[0], found[1].to(self._device))

    def _written_on(self, start: float, end: float, but: Subtitle) -> bool:
        """Whether an event other than `but` stands between two times."""
        for event in itertools.chain(self._near, self._coming):
            if event is not but and event.start < end and event.end > start:
                return True
            if event.start >= end and event not in self._near:
                return False
        return False
