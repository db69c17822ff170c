from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprod.ops.selection import Lengths, Segment, select

Case = tuple[list[tuple[int, int]], np.ndarray, float]


@st.composite
def videos(draw: st.DrawFn) -> Case:
    """Ranges with gaps between some of them, scores, and a frame rate."""
    rate = draw(st.sampled_from([10.0, 23.976, 25.0, 30.0, 59.94]))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    at, ranges = 0, []
    for _ in range(draw(st.integers(1, 20))):
        at += int(rng.integers(0, 2)) * int(rng.integers(0, 30))
        length = int(rng.integers(1, int(6 * rate)))
        ranges.append((at, at + length))
        at += length
    return ranges, rng.random(at + int(rng.integers(0, 10))), rate


@settings(max_examples=150)
@given(videos(), st.floats(0, 1.2), st.booleans(), st.integers(1, 4))
def test_the_length_is_exact_and_everything_in_order(case: Case, part: float, alike: bool, acts: int) -> None:
    ranges, score, rate = case
    total = sum(stop - first for first, stop in ranges)
    wanted = max(1, round(part * total))
    lengths = Lengths.of(rate)
    rng = np.random.default_rng(0)
    likeness = rng.random((len(ranges), len(ranges))) if alike else None
    found = select(ranges, score, wanted, lengths, rate=rate, likeness=likeness, acts=acts)
    assert sum(map(len, found)) == min(wanted, total)
    assert all(a.stop <= b.first for a, b in itertools.pairwise(found))
    if wanted <= lengths.shortest < total and max(stop - first for first, stop in ranges) < wanted:
        return  # no range holds the one window: it reaches into what lies beside
    for one in found:
        first, stop = ranges[one.source]
        assert first <= one.first < one.stop <= stop


@settings(max_examples=60)
@given(videos(), st.floats(0.05, 0.9))
def test_segments_are_not_shorter_than_need_be(case: Case, part: float) -> None:
    ranges, score, rate = case
    lengths = Lengths.of(rate)
    long_enough = [r for r in ranges if r[1] - r[0] >= lengths.shortest]
    room = sum(stop - first for first, stop in long_enough)
    wanted = round(part * room)
    if wanted < lengths.shortest or not long_enough:
        return
    found = select(ranges, score, wanted, lengths, rate=rate)
    for one in found:
        first, stop = ranges[one.source]
        assert len(one) >= min(lengths.shortest, stop - first)


def test_the_best_is_chosen() -> None:
    score = np.full(1000, 0.1)
    score[300:350] = 1.0
    score[700:750] = 0.9
    ranges = [(a, a + 100) for a in range(0, 1000, 100)]
    found = select(ranges, score, 100, Lengths(20, 100), rate=25)
    assert found == (Segment(300, 350, 3), Segment(700, 750, 7))


def test_what_is_shown_twice_is_taken_once() -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(0.4, 0.6, 600)
    score[:100] += 0.3
    score[300:400] += 0.29  # the same again
    ranges = [(a, a + 100) for a in range(0, 600, 100)]
    likeness = np.eye(6)
    likeness[0, 3] = likeness[3, 0] = 0.97
    found = select(ranges, score, 200, Lengths(20, 100), rate=25, likeness=likeness)
    assert {one.source for one in found} & {0, 3} == {0}


def test_every_act_is_in_the_summary() -> None:
    score = np.linspace(1, 0.1, 1200)
    ranges = [(a, a + 60) for a in range(0, 1200, 60)]
    found = select(ranges, score, 300, Lengths(20, 60), rate=25, acts=4)
    assert {one.first // 300 for one in found} == {0, 1, 2, 3}
    without = select(ranges, score, 300, Lengths(20, 60), rate=25)
    assert {one.first // 300 for one in without} == {0}


def test_a_summary_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 pictures"):
        select([(0, 10)], np.ones(10), 0, Lengths(2, 4), rate=25)


def test_no_jump_cuts_inside_a_take_while_there_are_others() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(600)
    score[:200] += 1  # the best take has a gap in its middle
    ranges = [(0, 90), (110, 200), (200, 400), (400, 600)]
    found = select(ranges, score, 150, Lengths(20, 60), rate=25, takes=[0, 0, 1, 2])
    assert len({one.source for one in found} & {0, 1}) == 1
    found = select(ranges, score, 560, Lengths(20, 60), rate=25, takes=[0, 0, 1, 2])
    assert sum(map(len, found)) == 560


def test_scraps_are_not_shown_while_there_is_better() -> None:
    score = np.full(400, 0.2)
    score[100:110] = 1.0
    ranges = [(0, 95), (100, 110), (115, 400)]
    for wanted in (60, 150, 300):
        found = select(ranges, score, wanted, Lengths(20, 100), rate=25)
        assert min(map(len, found)) >= 20
    assert sum(map(len, select(ranges, score, 385, Lengths(20, 100), rate=25))) == 385


def test_a_long_summary_of_few_takes_has_long_segments() -> None:
    score = np.random.default_rng(0).random(3000)
    found = select([(0, 1500), (1500, 3000)], score, 1000, Lengths(20, 100), rate=25)
    assert len(found) == 2
    assert min(map(len, found)) > 300
