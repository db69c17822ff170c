"""Which takes are seen side by side."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.made_takes import film, still, vector
from vidprod.ops.casting import likeness
from vidprod.ops.layouts import LAYOUTS
from vidprod.ops.puzzle_plan import puzzle, puzzle_places, puzzle_pool
from vidprod.ops.takes import Take


def chosen(takes: list[Take], height: int, width: int, uses: list[int] | None = None) -> tuple[str, list[int]]:
    found = puzzle(takes, range(len(takes)), uses or [0] * len(takes), likeness(takes), (height, width), "general")
    assert found is not None
    return found.layout, list(found.members)


@given(st.lists(st.floats(0.7, 5), max_size=80))
def test_puzzles_are_inside_and_apart(lengths: list[float]) -> None:
    places = puzzle_places(lengths)
    assert places == sorted(places)
    assert all(0 < place < len(lengths) - 1 for place in places)
    assert all(b - a > 1 for a, b in pairwise(places))
    assert len(places) <= max(round(len(lengths) / 4), len(lengths) >= 3)
    if len(lengths) >= 8:
        assert len(places) >= len(lengths) // 4 - 1


def test_layouts_suit_the_takes() -> None:
    tall = [still(at, aspect=0.5) for at in range(4)]
    assert chosen(tall, 720, 720)[0] == "2-up"
    assert chosen([still(at, aspect=0.58) for at in range(4)], 720, 1280)[0] == "3-strip"
    assert chosen([still(at, aspect=1.0) for at in range(4)], 720, 720)[0] == "2x2"
    assert chosen([still(at, aspect=1.78) for at in range(4)], 1280, 720)[0] == "3-strip"
    # of "1+2" the large cell is tall
    mixed = [still(0, aspect=0.6), still(1, aspect=0.8), still(2, aspect=0.8), still(3, aspect=4.0)]
    layout, members = chosen(mixed, 720, 720)
    assert layout == "1+2"
    assert members[0] == 0


def test_members_differ() -> None:
    same = vector(1)
    takes = [still(0, embedding=same), still(1, embedding=same), still(2), still(3), film(4, 0, 5), film(4, 6, 11)]
    _, members = chosen(takes, 720, 720)
    assert len(set(members)) == len(members)
    assert not {0, 1} <= set(members)
    assert not {4, 5} <= set(members)
    assert puzzle(takes[:1], [0], [0], likeness(takes[:1]), (720, 720), "general") is None


def test_what_was_not_seen_goes_first() -> None:
    takes = [still(at, 0.9 - 0.02 * at) for at in range(8)]
    assert set(chosen(takes, 720, 720, [1, 1, 1, 1, 0, 0, 0, 0])[1]) <= {4, 5, 6, 7}


def test_layouts_take_turns() -> None:
    takes = [still(at, aspect=0.8) for at in range(12)]
    before: list[str] = []
    for _ in range(4):
        found = puzzle(takes, range(12), [0] * 12, likeness(takes), (720, 720), "general", before)
        assert found is not None
        assert found.layout not in before[-1:]
        assert len(found.members) == LAYOUTS[found.layout]
        before.append(found.layout)


@pytest.mark.parametrize(
    "bad",
    [film(3, 0.0, 0.9), film(3, 0.0, 9.0, talk=0.9), still(3, 0.05)],
    ids=["too short", "somebody talks", "poor"],
)
def test_who_may_be_in_it(bad: Take) -> None:
    takes = [still(0), still(1), still(2), bad]
    assert puzzle_pool(takes, 2.5) == [0, 1, 2]
    assert puzzle_pool(takes[1:], 2.5) == []
