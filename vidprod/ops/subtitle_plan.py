"""The plan of EraseVideoSubtitles: when, where, and which pixels; in seconds and fractions, so that it can be read and edited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.bitmask import BitMask
from vidprod.ops.shots import ShotPlan
from vidprod.ops.text_boxes import Box
from vidprod.ops.text_plan import TextEvent, TextPlan

SLACK = 1e-4
"""Seconds by which times may differ that mean the same picture: JSON and people round."""

_DIGITS = 5  # of a fraction; a hundredth of a pixel of a large picture


@dataclass(frozen=True)
class Area:
    """A rectangle as fractions of the picture's width and height, 0..1."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def of(cls, box: Box, width: int, height: int) -> Area:
        """From pixels of a picture of that size."""
        parts = box.left / width, box.top / height, box.width / width, box.height / height
        return cls(*(round(part, _DIGITS) for part in parts))

    def pixels(self, width: int, height: int) -> Box:
        """The smallest rectangle of whole pixels that holds it, within the picture; may be empty."""
        # what `of` has rounded must come back as it was
        slack = 10**-_DIGITS * max(width, height)
        left, top = (math.floor(v * n + slack) for v, n in ((self.x, width), (self.y, height)))
        right, bottom = (math.ceil(v * n - slack) for v, n in ((self.x + self.w, width), (self.y + self.h, height)))
        return Box(left, top, right, bottom) & Box(0, 0, width, height)

    @classmethod
    def read(cls, value: Any, name: str) -> Area:
        """From plain data; raises InvalidParameter naming what is wrong."""
        if not isinstance(value, Mapping) or set(value) != {"x", "y", "w", "h"}:
            raise InvalidParameter(f"{name} is {shown(value)}, must be an object with x, y, w and h")
        for key in ("x", "y", "w", "h"):
            number = value[key]
            if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number <= 1:
                raise InvalidParameter(f"{name}.{key} is {shown(number)}, must be a fraction of the picture, 0 to 1")
        if not value["w"] or not value["h"]:
            raise InvalidParameter(f"{name} is empty: {shown(dict(value))}")
        return cls(*(float(value[key]) for key in ("x", "y", "w", "h")))


@dataclass(frozen=True)
class Subtitle:
    """One subtitle.

    Attributes:
        start, end: seconds; shown on pictures from `start` on and before `end`.
        boxes: its lines from top to bottom.
        mask: the pixels that it covers, in a picture of the plan's size; None for the whole of the boxes.
    """

    start: float
    end: float
    boxes: tuple[Area, ...]
    mask: BitMask | None = None

    @classmethod
    def of(cls, event: TextEvent, width: int, height: int, *, masked: bool = True) -> Subtitle:
        """What the analysis has found, in a picture of that size."""
        boxes = tuple(Area.of(box, width, height) for box in event.boxes)
        return cls(event.start, event.end, boxes, event.mask if masked else None)

    def stands(self, second: float) -> bool:
        """Whether it is seen on the picture of that time."""
        return self.start - SLACK <= second < self.end - SLACK


@dataclass(frozen=True)
class SubtitlesPlan:
    """What is to be erased.

    Attributes:
        width, height: of the upright picture, in pixels.
        region: where subtitles were looked for.
        events: what is to be erased, by start; several may stand at a time.
        kept: text that was found in the region and stays, as it does not look like this video's subtitles.
        cuts: numbers of the first pictures of new shots, ascending: nothing is copied across.
        transitions: first picture and the one after the last of each dissolve or fade: nothing is copied from there.
    """

    width: int
    height: int
    region: Area
    events: tuple[Subtitle, ...]
    kept: tuple[Subtitle, ...] = ()
    cuts: tuple[int, ...] = ()
    transitions: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, found: TextPlan, shots: ShotPlan, width: int, height: int) -> SubtitlesPlan:
        """From the analyses."""
        mixed = tuple((one.first, one.stop) for one in shots.transitions if one.stop > one.first)
        return cls(
            width,
            height,
            Area.of(found.region, width, height),
            tuple(Subtitle.of(event, width, height) for event in found.events),
            tuple(Subtitle.of(event, width, height, masked=False) for event in found.kept),
            tuple(shot.first for shot in shots.shots[1:]),
            mixed,
        )

    def mask(self, event: Subtitle) -> BitMask:
        """The pixels of one event."""
        if event.mask is not None:
            return event.mask
        boxes = [area.pixels(self.width, self.height) for area in event.boxes]
        around = Box.around(boxes)
        mask = np.zeros((around.height, around.width), bool)
        for box in boxes:
            mask[box.moved(-around.left, -around.top).slices] = True
        return BitMask.pack(mask, around.left, around.top)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SubtitlesPlan:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        known = {"width", "height", "region", "events", "kept", "cuts", "transitions"}
        if unknown := sorted(set(data) - known):
            raise InvalidParameter(f"{shown(unknown[0])} is not part of a plan of erase-video-subtitles")
        width, height = (_whole(data.get(key), key, 1) for key in ("width", "height"))
        cuts = data.get("cuts", [])
        if not isinstance(cuts, list | tuple):
            raise InvalidParameter(f"cuts is {shown(cuts)}, must be a list")
        transitions = data.get("transitions", [])
        if not isinstance(transitions, list | tuple):
            raise InvalidParameter(f"transitions is {shown(transitions)}, must be a list")
        region = Area.read(data.get("region", {"x": 0, "y": 0, "w": 1, "h": 1}), "region")
        return cls(
            width,
            height,
            region,
            tuple(sorted(_events(data.get("events"), "events", width, height), key=lambda event: event.start)),
            tuple(_events(data.get("kept", ()), "kept", width, height)),
            tuple(sorted(_whole(cut, f"cuts[{i}]", 0) for i, cut in enumerate(cuts))),
            tuple(sorted(_interval(one, f"transitions[{i}]") for i, one in enumerate(transitions))),
        )


def _events(value: Any, name: str, width: int, height: int) -> list[Subtitle]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter(f"{name} is {shown(value)}, must be a list")
    found = []
    for i, one in enumerate(value):
        at = f"{name}[{i}]"
        needed = {"start", "end", "boxes"}
        if not isinstance(one, Mapping) or not needed <= set(one) <= needed | {"mask"}:
            raise InvalidParameter(f"{at} is {shown(one)}, must be an object with start, end, boxes and perhaps mask")
        start, end = one["start"], one["end"]
        if not all(isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s < 1e9 for s in (start, end)):
            raise InvalidParameter(f"{at}: start and end must be seconds, got {shown([start, end])}")
        if end <= start:
            raise InvalidParameter(f"{at}: end must be after start, got {start} and {end}")
        if not isinstance(one["boxes"], list | tuple) or not one["boxes"]:
            raise InvalidParameter(f"{at}.boxes is {shown(one['boxes'])}, must be a list of one or more boxes")
        boxes = tuple(Area.read(box, f"{at}.boxes[{k}]") for k, box in enumerate(one["boxes"]))
        for k, box in enumerate(boxes):
            if not box.pixels(width, height).area:
                raise InvalidParameter(f"{at}.boxes[{k}] holds no pixel of a picture of {width}x{height}")
        mask = one.get("mask")
        found.append(Subtitle(float(start), float(end), boxes, None if mask is None else _mask(mask, f"{at}.mask")))
    return found


def _mask(value: Any, name: str) -> BitMask:
    keys = ("left", "top", "width", "height")
    if not isinstance(value, Mapping) or set(value) != {*keys, "data"} or not isinstance(value["data"], str):
        raise InvalidParameter(
            f"{name} is {shown(value)}, must be an object with {', '.join(keys)} and data, or absent"
        )
    numbers = [_whole(value[key], f"{name}.{key}", 0) for key in keys]
    bits = BitMask(numbers[0], numbers[1], numbers[2], numbers[3], value["data"])
    if not bits.unpack().any():  # now, not in the middle of rendering
        raise InvalidParameter(f"{name} covers no pixel; leave it out for the whole of the boxes")
    return bits


def _interval(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a first picture and the one after the last")
    first, stop = (_whole(one, name, 0) for one in value)
    if stop <= first:
        raise InvalidParameter(f"{name} is {shown(value)}, must not be empty")
    return first, stop


def _whole(value: Any, name: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 2**31:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a whole number from {least} on")
    return value
