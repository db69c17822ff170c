from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.temporal_pins import Pin, pinned
from vidprod.ops.temporal_window import GUARD, MEAN_OF


@pytest.mark.parametrize(
    ("events", "cuts", "expected"),
    [
        ([(10, 50)], [], []),  # short: what is after it comes by itself
        ([(10, 200)], [], [Pin(10, 202, 206)]),
        ([(10, 200), (205, 230)], [], [Pin(10, 202, 203)]),  # one clean picture between two
        ([(10, 200), (203, 230)], [], [Pin(10, 232, 236)]),  # none
        ([(10, 200)], [100], [Pin(100, 202, 206)]),  # what is after it is no good before the cut
        ([(10, 200)], [190], []),
        ([(10, 200)], [202], []),  # it ends with its shot
        ([(10, 200)], [204], [Pin(10, 202, 204)]),
        ([(10, 299)], [], []),  # and with the video
        ([(150, 260), (10, 100)], [], [Pin(10, 102, 106), Pin(150, 262, 266)]),
    ],
)
def test_what_is_pinned(events: list[tuple[int, int]], cuts: list[int], expected: list[Pin]) -> None:
    assert pinned(events, 300, cuts=cuts) == expected


def test_nothing_of_a_transition() -> None:
    assert pinned([(10, 200)], 300, transitions=[(195, 210)]) == []
    assert pinned([(10, 200)], 300, transitions=[(100, 120)]) == [Pin(120, 202, 206)]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 150)).map(lambda x: (x[0], x[0] + x[1])), max_size=6),
    st.lists(st.integers(1, 500), max_size=4, unique=True),
    st.integers(3, 60),
)
def test_pins_are_clean_and_of_the_shot(events: list[tuple[int, int]], cuts: list[int], reach: int) -> None:
    pins = pinned(events, 500, cuts=cuts, reach=reach)
    assert pins == sorted(pins, key=lambda pin: pin.before)
    for pin in pins:
        assert pin.before + reach < pin.first < pin.stop <= min(500, pin.first + MEAN_OF)
        assert not any(pin.before < cut < pin.stop for cut in cuts)
        assert not any(a - GUARD < pin.stop and pin.first < b + GUARD for a, b in events)
