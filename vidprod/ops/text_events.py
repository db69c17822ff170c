"""Subtitles in time: which text stands where, from which picture to which, and which pixels it covers.

The detector looks every sixth of a second; what it finds twice at the same place, unmoved to the pixel, is followed picture by
picture (`text_tracks.py`). Pictures are kept for a second or two only, so memory does not depend on the length of the film.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.media.frames import Frames
from vidprod.ops.bitmask import BitMask
from vidprod.ops.strokes import Switch, stroke_mask
from vidprod.ops.text_boxes import Box, TextDetector
from vidprod.ops.text_plan import TextEvent, TextPlan
from vidprod.ops.text_style import End, Line, subtitles
from vidprod.ops.text_tracks import FULL, PRESENT, Template, above_rest, boundary, switched

Picture = NDArray[np.uint8]  # (H, W, 3)

LOOK = Fraction(4, 25)
"""Seconds between two looks of the detector."""

LOOKS = 4
"""Looks that the detector takes at a time."""

AROUND = 0.08
"""Part of the picture's height by which more is looked at than asked for, on every side."""

LONGEST_FADE = Fraction(4, 5)
"""Seconds that fading in or out may take."""

SHORTEST = Fraction(3, 10)
"""Seconds that a subtitle lasts at least."""

SAMPLES = 12
"""Pictures kept of every line, spread over its time, of which its mask is made."""

HARDLY = 0.3
"""Presence at which a line that the detector still sees at the same place goes on."""

GROWTH = 1.3
"""Times by which a line may become wider from one look to the next."""

RECENT = 8
"""Latest lines among which those are that stood together with the one that has just gone."""

CUT = 16.0
"""Levels by which the middle one of coarse cells changes, at least, with a cut."""

CUTS = 64
"""Latest cuts remembered: more than there can be within the time for which pictures are kept."""


@dataclass
class _Track:
    """A line that is being followed."""

    box: Box
    template: Template
    born: int  # number of the look's picture at which the detector first saw it
    seen: list[int] = field(default_factory=list)  # the latest looks at which it was plainly there
    latest: list[int] = field(default_factory=list)  # the latest at which it was there at all
    looks: int = 0
    samples: list[tuple[int, Picture]] = field(default_factory=list)
    stride: int = 1  # of every so many looks one sample is kept
    first: int | None = None
    before: Switch | None = None
    gone: int | None = None  # number of the picture at which a look no longer saw it
    came: End = End.UNCLEAR
    began: Fraction = Fraction(0)  # seconds
    crossed: bool = False  # a cut went by while it stood


class SubtitleDetection:
    """Analysis: pictures in, a `TextPlan` out."""

    def __init__(self, detector: TextDetector, region: Box) -> None:
        """`region` in pixels of the pictures: lines that lie in it by more than half are followed, all of them."""
        if region.area == 0:
            raise ValueError(f"the region is empty: {region}")
        self._detector = detector
        self._wanted = region
        self._region = region  # what is looked at: a little more, so as to see lines that it cuts through as a whole
        self._cuts: deque[int] = deque(maxlen=CUTS)  # the latest
        self._coarse: Picture | None = None  # the latest picture, for finding cuts
        self._changes: deque[float] = deque(maxlen=12)
        self._start = 0  # number of the very first picture
        self._pictures: deque[Picture] = deque()
        self._base = 0  # number of the oldest picture kept
        self._seconds: deque[Fraction] = deque()
        self._due: list[int] = []  # pictures that wait for a look
        self._next_look = Fraction(0)
        self._tracks: list[_Track] = []
        self._leaving: list[_Track] = []
        self._lines: list[Line] = []
        self._size = (0, 0)
        self._last_step = Fraction(1, 25)

    def update(self, frames: Frames) -> None:
        """Takes the next pictures, whole ones, of any depth and on any device."""
        if self._size != (frames.width, frames.height):
            self._size = frames.width, frames.height
            around = round(AROUND * frames.height)
            self._region = self._wanted.grown(around, around, Box(0, 0, *self._size))
        data = frames.data[:, :, self._region.top : self._region.bottom, self._region.left : self._region.right]
        if data.dtype == torch.uint16:
            data = (data.to(torch.int32) >> 8).to(torch.uint8)
        if not self._pictures and not self._seconds:
            self._base = self._start = frames.index
        part = np.ascontiguousarray(data.permute(0, 2, 3, 1).cpu().numpy())
        for number, (picture, second) in enumerate(zip(part, frames.seconds, strict=True), frames.index):
            if self._seconds:
                self._last_step = second - self._seconds[-1]
            self._pictures.append(picture.copy())
            self._watch(number, picture)
            self._seconds.append(second)
            if second >= self._next_look or number == self._base:
                self._due.append(number)
                self._next_look = second + LOOK - self._last_step / 2
            if len(self._due) == LOOKS:
                self._look()

    def finish(self) -> TextPlan:
        """The plan; called once, after the last picture."""
        if self._due:
            self._look()
        end = self._base + len(self._pictures)
        for track in self._tracks:
            track.gone = end
        self._leaving += self._tracks
        self._close(final=True)
        events, kept = subtitles(self._lines, self._size)
        return TextPlan(self._wanted, tuple(map(TextEvent.of, events)), tuple(map(TextEvent.of, kept)))

    def _watch(self, number: int, picture: Picture) -> None:
        """Notes cuts: most of the region changes at once, much more than it has lately."""
        coarse = np.asarray(cv2.resize(picture, (24, 8), interpolation=cv2.INTER_AREA), np.uint8)
        if self._coarse is not None:
            change = float(np.median(cv2.absdiff(coarse, self._coarse).max(2)))
            if change > CUT and len(self._changes) >= 4 and change > 3 * max(self._changes):
                self._cuts.append(number)
            else:
                self._changes.append(change)
        self._coarse = coarse

    def _at_edge(self, number: int) -> bool:
        """Whether a shot or the film begins or ends between a picture and the one before."""
        return number <= self._start or number >= self._base + len(self._pictures) or number in self._cuts

    def _picture(self, number: int) -> Picture:
        return self._pictures[number - self._base]

    def _second(self, number: int) -> Fraction:
        at = number - self._base
        return self._seconds[at] if at < len(self._seconds) else self._seconds[-1] + self._last_step

    def _look(self) -> None:
        due, self._due = self._due, []
        batch = torch.from_numpy(np.stack([self._picture(number) for number in due])).permute(0, 3, 1, 2)
        wanted = self._wanted.moved(-self._region.left, -self._region.top)
        for number, boxes in zip(due, self._detector.boxes(batch), strict=True):
            self._follow(number, [box for box in boxes if box.covered_by(wanted) > 0.5])
        self._close()
        self._forget()

    def _follow(self, number: int, boxes: list[Box]) -> None:
        picture = self._picture(number)
        present: list[_Track] = []
        for track in self._tracks:
            level = track.template.presence(picture)
            # A second sighting needs the detector's word too: much stands still for a sixth of a second.
            again = any(track.box.covered_by(box) > 0.5 for box in boxes)
            # White on white is hardly there; then the detector's word counts as long as the structure does not deny it.
            if (level >= PRESENT and (again or track.looks > 1)) or (level >= HARDLY and again and track.looks > 1):
                self._seen(track, number, level)
                present.append(track)
            else:
                track.gone = number
                self._leaving.append(track)
        self._tracks = present
        for box in boxes:
            self._explain(box, number, picture)

    def _seen(self, track: _Track, number: int, level: float) -> None:
        if level > 1.15:  # it was fading in, or something behind it passed: what is seen now counts
            track.seen.clear()
        if level > 0.8 or track.looks < 2:
            track.seen = [*track.seen[-2:], number]
            track.template = Template.of([self._picture(n) for n in track.seen if n >= self._base], track.box)
            if track.looks % track.stride == 0:
                track.samples.append((number, self._picture(number)))
                if len(track.samples) > SAMPLES:
                    track.samples = track.samples[::2]
                    track.stride *= 2
        track.latest = [*track.latest[-2:], number]
        track.looks += 1
        track.crossed = track.crossed or any(track.born < cut <= number for cut in self._cuts)
        if track.first is None and track.looks == LOOKS:
            self._find_start(track)

    def _explain(self, box: Box, number: int, picture: Picture) -> None:
        """A box of the detector is a line that is known, more of one, or a new one."""
        for track in self._tracks:
            if box.covered_by(track.box) > 0.6:
                return
            overlap = min(box.bottom, track.box.bottom) - max(box.top, track.box.top)
            if track.box.covered_by(box) > 0.7 and overlap > 0.7 * track.box.height:
                if track.looks <= 2 or box.width < GROWTH * track.box.width:
                    track.box |= box  # seen better, or more was written
                    return
                left = Box(box.left, box.top, max(track.box.left, box.left), box.bottom)
                right = Box(min(track.box.right, box.right), box.top, box.right, box.bottom)
                box = max(left, right, key=lambda part: part.width)  # something new beside what has long been there
        template = Template.of([picture], box)
        self._tracks.append(_Track(box, template, number, [number], [number], 1, [(number, picture)]))

    def _find_start(self, track: _Track) -> None:
        oldest = max(self._base, self._back(track.born, LONGEST_FADE))
        inside = max(track.born, self._base)
        presence, faint = above_rest(self._presence(track, track.seen), inside, oldest)
        while inside < track.seen[-1] and presence(inside) <= faint:
            inside += 1  # the detector saw another line go that stood at the same place
        track.first = boundary(presence, inside, oldest, faint)
        if track.first > self._base:
            shown = track.first
            while shown < track.seen[-1] and presence(shown) < FULL:
                shown += 1
            track.before = Switch(self._picture(track.first - 1), self._picture(shown))
            if not self._at_edge(track.first) and switched(presence, track.first, track.first - 1):
                track.came = End.SWITCH
        if self._at_edge(track.first):
            track.came = End.EDGE
        track.began = self._second(track.first)

    def _presence(self, track: _Track, looks: Sequence[int]) -> Callable[[int], float]:
        """Of a line as it was at some looks, on a picture that is still kept; remembers what it told."""
        numbers = [n for n in looks if n >= self._base]
        template = Template.of([self._picture(n) for n in numbers], track.box) if numbers else track.template
        end = self._base + len(self._pictures)

        @functools.cache
        def presence(number: int) -> float:
            return template.presence(self._picture(number)) if self._base <= number < end else 0.0

        return presence

    def _back(self, number: int, seconds: Fraction) -> int:
        limit = self._second(number) - seconds
        while number > self._base and self._second(number - 1) >= limit:
            number -= 1
        return number

    def _close(self, *, final: bool = False) -> None:
        """Finishes lines that have left, once there are pictures enough after them to see them fade."""
        waiting = []
        newest = self._base + len(self._pictures) - 1
        for track in self._leaving:
            assert track.gone is not None
            if track.looks < 2:
                continue
            if not final and self._second(newest) - self._second(min(track.gone, newest)) < LONGEST_FADE / 2:
                waiting.append(track)
                continue
            self._finish_track(track, newest)
        self._leaving = waiting

    def _finish_track(self, track: _Track, newest: int) -> None:
        if track.first is None:
            self._find_start(track)
        assert track.first is not None
        inside = max(track.seen[-1], self._base)
        presence = self._presence(track, track.seen)
        if track.latest and track.latest[-1] >= inside and presence(track.latest[-1]) < FULL:
            # What is behind it has become as bright as the line: what is still to be seen of it tells when it goes.
            inside = max(track.latest[-1], self._base)
            presence = self._presence(track, track.latest)
        presence, faint = above_rest(presence, inside, newest)
        last = boundary(presence, inside, newest, faint)
        end = self._second(last) + self._last_step
        if track.born >= self._base and end - self._second(max(track.first, self._base)) < SHORTEST:
            return
        left = End.EDGE if self._at_edge(last + 1) else End.UNCLEAR
        switches = [track.before] if track.before is not None else []
        if last < newest:
            shown = last
            while shown > max(self._base, track.first) and presence(shown) < FULL:
                shown -= 1
            switches.append(Switch(self._picture(last + 1), self._picture(shown)))
            if left is not End.EDGE and switched(presence, last, last + 1):
                left = End.SWITCH
        strokes = stroke_mask(self._samples(track), track.box, switches, self._beside(track, last))
        if not strokes.mask.any():
            return
        # Where what is behind has the line's colour, it may stand unseen.
        unseen = (
            track.before is not None and strokes.hidden(track.before.clean),
            last < newest and strokes.hidden(self._picture(last + 1)),
        )
        corner = self._region.left + strokes.area.left, self._region.top + strokes.area.top
        red, green, blue = (float(value) for value in strokes.colour)
        crossed = track.crossed or any(track.first < cut <= last for cut in self._cuts)
        self._lines.append(
            Line(
                track.first,
                last + 1,
                float(track.began),
                float(end),
                track.box.moved(self._region.left, self._region.top),
                BitMask.pack(strokes.mask, *corner),
                (red, green, blue),
                track.came,
                left,
                crossed,
                BitMask.pack(strokes.core, *corner),
                unseen,
            )
        )

    def _beside(self, track: _Track, last: int) -> list[Box]:
        """Boxes of other lines that stand together with one."""
        assert track.first is not None
        found = [
            other.box
            for other in (*self._tracks, *self._leaving)
            if other.looks > 1 and other.born <= last and other is not track
        ]
        left, top = -self._region.left, -self._region.top
        found += [line.box.moved(left, top) for line in self._lines[-RECENT:] if line.stop > track.first]
        return [
            box
            for box in found
            if max(box.covered_by(track.box), track.box.covered_by(box)) < 0.5
            and box.height < GROWTH * track.box.height
        ]

    @staticmethod
    def _samples(track: _Track) -> list[Picture]:
        """Pictures that show the line in full."""
        plain = [picture for _, picture in track.samples if track.template.presence(picture) > 0.7]
        return plain or [picture for _, picture in track.samples]

    def _forget(self) -> None:
        """Lets go of pictures that nothing can ask for any more."""
        newest = self._base + len(self._pictures) - 1
        keep = self._back(newest, LONGEST_FADE + LOOKS * LOOK)
        for track in (*self._tracks, *self._leaving):
            if track.first is None:
                keep = min(keep, self._back(max(track.born, self._base), LONGEST_FADE))
            elif track.gone is not None:
                keep = min(keep, track.seen[-1])
        while self._base < keep:
            self._pictures.popleft()
            self._seconds.popleft()
            self._base += 1
