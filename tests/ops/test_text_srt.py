from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.bitmask import BitMask
from vidprod.ops.text_boxes import Box
from vidprod.ops.text_plan import TextEvent, TextPlan
from vidprod.ops.text_srt import srt, timestamp, to_srt

CUE = re.compile(r"(\d+)\n(\d{2,}):(\d\d):(\d\d),(\d{3}) --> (\d{2,}):(\d\d):(\d\d),(\d{3})\n((?:.+\n)+)")


def read(text: str) -> list[tuple[int, int, list[str]]]:
    """Milliseconds and lines of each cue; the numbers must count from 1 and nothing must lie between cues."""
    found = []
    for number, part in enumerate(text.split("\n\n") if text else [], 1):
        match = CUE.fullmatch(part.rstrip("\n") + "\n")
        assert match is not None, part
        count, *clock, lines = match.groups()
        assert int(count) == number
        h0, m0, s0, r0, h1, m1, s1, r1 = (int(value) for value in clock)
        assert max(m0, s0, m1, s1) < 60
        start, end = ((h * 60 + m) * 60000 + s * 1000 + r for h, m, s, r in ((h0, m0, s0, r0), (h1, m1, s1, r1)))
        found.append((start, end, lines.splitlines()))
    return found


def plan(*times: tuple[float, float]) -> TextPlan:
    def event(start: float, end: float) -> TextEvent:
        boxes = Box(10, 20, 110, 40), Box(12, 44, 100, 60)
        return TextEvent(round(start * 25), round(end * 25), start, end, boxes, BitMask(0, 0, 0, 0, ""))

    return TextPlan(Box(0, 0, 120, 80), tuple(event(*one) for one in times))


def test_a_plan_as_srt() -> None:
    assert to_srt(plan((1.0, 2.5), (3661.0425, 3662.0))) == (
        "1\n00:00:01,000 --> 00:00:02,500\n[subtitle 1: box 10,20,110,40]\n[subtitle 1: box 12,44,100,60]\n"
        "\n"
        "2\n01:01:01,042 --> 01:01:02,000\n[subtitle 2: box 10,20,110,40]\n[subtitle 2: box 12,44,100,60]\n"
    )


def test_no_events_give_no_text() -> None:
    assert to_srt(plan()) == ""


def test_subtitles_that_stand_together_share_a_cue() -> None:
    assert read(srt([(0, 3, ["a"]), (1, 2, ["b"])])) == [
        (0, 1000, ["a"]),
        (1000, 2000, ["a", "b"]),
        (2000, 3000, ["a"]),
    ]


def test_what_lasts_no_millisecond_is_left_out() -> None:
    assert srt([(1.0001, 1.0004, ["a"])]) == ""


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "00:00:00,000"), (359_999_999, "99:59:59,999"), (360_000_000, "100:00:00,000")]
)
def test_timestamps(milliseconds: int, text: str) -> None:
    assert timestamp(milliseconds) == text


times = st.floats(0, 20_000, allow_nan=False)


@given(st.lists(st.tuples(times, times).map(sorted), max_size=12))
def test_cues_are_in_order_apart_and_complete(spans: list[list[float]]) -> None:
    cues = read(srt((start, end, [f"line {i}"]) for i, (start, end) in enumerate(spans)))
    assert all(start < end for start, end, _ in cues)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(cues))
    for i, (start, end) in enumerate(spans):
        shown = sum(last - first for first, last, lines in cues if f"line {i}" in lines)
        assert shown == round(end * 1000) - round(start * 1000)
