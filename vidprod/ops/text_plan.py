"""What is known of a video's subtitles, as plain values: times, boxes, masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.bitmask import BitMask, Mask
from vidprod.ops.text_boxes import Box
from vidprod.ops.text_style import End, Line

GUARD = 2
"""Pictures before and after an event that may still hold a trace of it, left there by compression."""


@dataclass(frozen=True)
class TextEvent:
    """One subtitle.

    Attributes:
        first, stop: the pictures that show it, half open.
        start, end: the same in seconds.
        boxes: its lines from top to bottom, in pixels of the picture.
        mask: the pixels that it covers.
    """

    first: int
    stop: int
    start: float
    end: float
    boxes: tuple[Box, ...]
    mask: BitMask

    @classmethod
    def of(cls, lines: Sequence[Line]) -> TextEvent:
        """One event of lines that come and go together."""
        area = Box.around(line.mask.box for line in lines)
        mask = np.zeros((area.height, area.width), bool)
        for line in lines:
            line.mask.paint(mask, (area.left, area.top))
        # Lines of one subtitle switch together, so those that do it plainly speak for the others, the widest first.
        by_width = sorted(lines, key=lambda line: -line.box.width)
        coming = next((line for line in by_width if line.came is End.SWITCH), min(lines, key=lambda line: line.first))
        leaving = next((line for line in by_width if line.left is End.SWITCH), max(lines, key=lambda line: line.stop))
        return cls(
            coming.first,
            leaving.stop,
            coming.start,
            leaving.end,
            tuple(line.box for line in sorted(lines, key=lambda line: line.box.top)),
            BitMask.pack(mask, area.left, area.top),
        )


@dataclass(frozen=True)
class TextPlan:
    """All subtitles of a video, in the order of their beginnings; several may stand at a time.

    Attributes:
        region: where they were looked for, in pixels of the picture.
        events: what was found and is to be erased.
        kept: text that was found in the region and is left alone, as it does not look like this film's subtitles.
        guard: pictures before and after an event that may hold traces of it: not to be copied from.
    """

    region: Box
    events: tuple[TextEvent, ...]
    kept: tuple[TextEvent, ...] = ()
    guard: int = GUARD

    def at(self, index: int, *, guarded: bool = False) -> list[TextEvent]:
        """Events that stand on a picture; if `guarded`, also those that may have left a trace on it."""
        more = self.guard if guarded else 0
        return [event for event in self.events if event.first - more <= index < event.stop + more]

    def mask(self, index: int, within: Box, *, guarded: bool = False) -> Mask | None:
        """(within.height, within.width): what events cover of a picture's part; None where nothing stands on it."""
        events = self.at(index, guarded=guarded)
        if not events:
            return None
        found = np.zeros((within.height, within.width), bool)
        for event in events:
            event.mask.paint(found, (within.left, within.top))
        return found


def read_plan(data: Mapping[str, Any]) -> TextPlan:
    """The plan that plain data (`dataclasses.asdict`, JSON) holds; raises InvalidParameter naming what is wrong."""
    known = {"region", "events", "kept", "guard"}
    if unknown := set(data) - known:
        raise InvalidParameter(f"{shown(sorted(unknown)[0])} is not part of a plan of subtitles")
    guard = _whole(data.get("guard", GUARD), "guard")
    return TextPlan(
        _box(data.get("region"), "region"),
        _events(data.get("events"), "events"),
        _events(data.get("kept", ()), "kept"),
        guard,
    )


def _events(value: Any, name: str) -> tuple[TextEvent, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter(f"{name} is {shown(value)}, must be a list")
    found = []
    for i, one in enumerate(value):
        at = f"{name}[{i}]"
        fields = _fields(one, at, ("first", "stop", "start", "end", "boxes", "mask"))
        first, stop = _whole(fields["first"], f"{at}.first"), _whole(fields["stop"], f"{at}.stop")
        if stop <= first:
            raise InvalidParameter(f"{at}: stop must be greater than first, got {first} and {stop}")
        seconds = [fields["start"], fields["end"]]
        if not all(isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s < 1e9 for s in seconds):
            raise InvalidParameter(f"{at}: start and end must be seconds, got {shown(seconds)}")
        if not isinstance(fields["boxes"], list | tuple):
            raise InvalidParameter(f"{at}.boxes is {shown(fields['boxes'])}, must be a list")
        boxes = tuple(_box(box, f"{at}.boxes[{k}]") for k, box in enumerate(fields["boxes"]))
        mask = _fields(fields["mask"], f"{at}.mask", ("left", "top", "width", "height", "data"))
        if not isinstance(mask["data"], str):
            raise InvalidParameter(f"{at}.mask.data is {shown(mask['data'])}, must be text")
        numbers = [_whole(mask[key], f"{at}.mask.{key}") for key in ("left", "top", "width", "height")]
        bits = BitMask(numbers[0], numbers[1], numbers[2], numbers[3], mask["data"])
        bits.unpack()  # now, not in the middle of rendering
        found.append(TextEvent(first, stop, float(seconds[0]), float(seconds[1]), boxes, bits))
    return tuple(found)


def _fields(value: Any, name: str, wanted: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or set(value) != set(wanted):
        raise InvalidParameter(f"{name} is {shown(value)}, must be an object with {', '.join(wanted)}")
    return value


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**31:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a whole number from 0 on")
    return value


def _box(value: Any, name: str) -> Box:
    fields = _fields(value, name, ("left", "top", "right", "bottom"))
    left, top, right, bottom = (_whole(fields[key], f"{name}.{key}") for key in ("left", "top", "right", "bottom"))
    if right <= left or bottom <= top:
        raise InvalidParameter(f"{name} is empty: {shown(dict(fields))}")
    return Box(left, top, right, bottom)
