from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.errors import InvalidParameter
from vidprod.ops.bitmask import BitMask
from vidprod.ops.subtitle_plan import Area, Subtitle, SubtitlesPlan
from vidprod.ops.text_boxes import Box

AREA = {"x": 0.25, "y": 0.8, "w": 0.5, "h": 0.1}
EVENT = {"start": 1.0, "end": 2.5, "boxes": [AREA]}
PLAN = {"width": 320, "height": 180, "events": [EVENT]}


@st.composite
def boxes_in_pictures(draw: st.DrawFn) -> tuple[Box, int, int]:
    width, height = draw(st.integers(16, 8192)), draw(st.integers(16, 8192))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return Box(left, top, right, bottom), width, height


@given(boxes_in_pictures())
def test_pixels_become_fractions_and_come_back(drawn: tuple[Box, int, int]) -> None:
    box, width, height = drawn
    area = Area.of(box, width, height)
    assert all(0 <= value <= 1 for value in asdict(area).values())
    assert area.pixels(width, height) == box


@given(boxes_in_pictures(), st.data())
def test_a_plan_survives_json(drawn: tuple[Box, int, int], data: st.DataObject) -> None:
    box, width, height = drawn
    start = data.draw(st.floats(0, 1e5))
    end = start + data.draw(st.floats(0.01, 1e4))
    mask = BitMask.pack(np.ones((1, 1), bool), box.left, box.top)
    event = Subtitle(start, end, (Area.of(box, width, height),), data.draw(st.sampled_from([mask, None])))
    plan = SubtitlesPlan(width, height, Area(0, 0, 1, 1), (event,), (event,), (3, 5), ((7, 9),))
    assert SubtitlesPlan.from_dict(json.loads(json.dumps(asdict(plan)))) == plan


@given(st.integers(1, 120), st.integers(0, 10_000), st.integers(1, 500))
def test_a_subtitle_stands_on_exactly_its_pictures(rate: int, first: int, count: int) -> None:
    event = Subtitle(round(first / rate, 4), round((first + count) / rate, 4), (Area(0, 0, 1, 1),))
    shown = [index for index in range(max(first - 3, 0), first + count + 3) if event.stands(index / rate)]
    assert shown == list(range(first, first + count))


def test_boxes_alone_are_erased_whole() -> None:
    plan = SubtitlesPlan.from_dict(PLAN)
    assert plan.region == Area(0, 0, 1, 1)
    mask = plan.mask(plan.events[0])
    assert mask.box == Box(80, 144, 240, 162)
    assert mask.unpack().all()


def test_events_are_sorted() -> None:
    later = {**EVENT, "start": 0.5, "end": 0.9}
    plan = SubtitlesPlan.from_dict({**PLAN, "events": [EVENT, later]})
    assert [event.start for event in plan.events] == [0.5, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"events": None}, "events is None, must be a list"),
        ({"more": 1}, "'more' is not part of a plan"),
        ({"width": 0}, "width is 0, must be a whole number from 1 on"),
        ({"height": "a"}, "height is 'a', must be a whole number"),
        ({"cuts": [-1]}, r"cuts\[0\] is -1"),
        ({"cuts": 5}, "cuts is 5, must be a list"),
        ({"transitions": [[5, 5]]}, r"transitions\[0\] is .* must not be empty"),
        ({"transitions": [3]}, r"transitions\[0\] is 3, must be a first picture and the one after the last"),
        ({"region": {"x": 0}}, "region is .* must be an object with x, y, w and h"),
        ({"events": [{**EVENT, "end": 1.0}]}, r"events\[0\]: end must be after start, got 1.0 and 1.0"),
        ({"events": [{**EVENT, "start": -1}]}, r"events\[0\]: start and end must be seconds"),
        ({"events": [{**EVENT, "start": float("nan")}]}, r"events\[0\]: start and end must be seconds"),
        ({"events": [{**EVENT, "boxes": []}]}, r"events\[0\].boxes is \[\], must be a list of one or more"),
        (
            {"events": [{**EVENT, "boxes": [{**AREA, "x": 1.2}]}]},
            r"events\[0\].boxes\[0\].x is 1.2, must be a fraction",
        ),
        ({"events": [{**EVENT, "boxes": [{**AREA, "w": 0}]}]}, r"events\[0\].boxes\[0\] is empty"),
        ({"events": [{**EVENT, "boxes": [{**AREA, "x": 1, "w": 1}]}]}, r"events\[0\].boxes\[0\] holds no pixel"),
        ({"events": [{**EVENT, "size": 1}]}, r"events\[0\] is .* must be an object with start, end, boxes"),
        ({"events": [{**EVENT, "mask": 3}]}, r"events\[0\].mask is 3"),
        (
            {"events": [{**EVENT, "mask": {"left": 0, "top": 0, "width": 0, "height": 0, "data": ""}}]},
            r"events\[0\].mask covers no pixel",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        SubtitlesPlan.from_dict({**PLAN, **change})
