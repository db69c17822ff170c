"""Cells of layouts: inside, apart, evenly spaced, and together all of the picture."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.layouts import LAYOUTS, Cell, cells

SIDES = st.integers(4, 300)


def distance(a: Cell, b: Cell) -> int:
    """Pixels between two rectangles, the larger of across and down; negative where they overlap."""
    return max(a.x - b.x - b.width, b.x - a.x - a.width, a.y - b.y - b.height, b.y - a.y - a.height)


@given(layout=st.sampled_from(sorted(LAYOUTS)), height=SIDES, width=SIDES)
def test_without_gaps_every_pixel_is_in_one_cell(layout: str, height: int, width: int) -> None:
    covered = np.zeros((height, width), int)
    for cell in cells(layout, height, width, gap=0):
        covered[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width] += 1
    assert (covered == 1).all()


@given(layout=st.sampled_from(sorted(LAYOUTS)), height=SIDES, width=SIDES, gap=st.none() | st.integers(0, 40))
def test_gaps_are_even(layout: str, height: int, width: int, gap: int | None) -> None:
    found = cells(layout, height, width, gap=gap)
    assert len(found) == LAYOUTS[layout]
    assert all(cell.width >= 1 and cell.height >= 1 for cell in found)
    border = min(cell.x for cell in found)
    assert border == min(cell.y for cell in found)
    assert max(cell.x + cell.width for cell in found) == width - border
    assert max(cell.y + cell.height for cell in found) == height - border
    if gap is not None:
        assert border <= gap
    # Neighbours are as far apart as the border is wide, and nothing is nearer.
    for cell in found:
        assert min(distance(cell, other) for other in found if other is not cell) == border
    assert all(distance(a, b) >= border for a, b in combinations(found, 2))
    # What is left once gaps are taken out: no holes.
    holes = np.ones((height, width), bool)
    for cell in found:
        grown = (
            slice(cell.y - border, cell.y + cell.height + border),
            slice(cell.x - border, cell.x + cell.width + border),
        )
        holes[grown] = False
    assert not holes.any()


@given(layout=st.sampled_from(["2-up", "2x2", "3-strip"]), height=SIDES, width=SIDES)
def test_equal_cells_are_equal_to_a_pixel(layout: str, height: int, width: int) -> None:
    found = cells(layout, height, width)
    for sizes in ([cell.width for cell in found], [cell.height for cell in found]):
        assert max(sizes) - min(sizes) <= 1


@given(layout=st.sampled_from(sorted(LAYOUTS)), height=SIDES, width=SIDES)
def test_turned_pictures_have_turned_cells(layout: str, height: int, width: int) -> None:
    if height == width:
        return
    turned = {Cell(cell.y, cell.x, cell.height, cell.width) for cell in cells(layout, width, height)}
    assert turned == set(cells(layout, height, width))


def test_the_large_cell_comes_first() -> None:
    first, *rest = cells("1+2", 720, 1280)
    assert all(first.width * first.height > 2 * cell.width * cell.height for cell in rest)
    assert cells("2x2", 100, 100, gap=2)[1] == Cell(51, 2, 47, 47)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layout must be one of 2-up, 1\+2, 2x2, 3-strip, got '5-up'"):
        cells("5-up", 100, 100)
    with pytest.raises(ValueError, match="at least 4, got 3 and 100"):
        cells("2-up", 3, 100)
    with pytest.raises(ValueError, match="gap must be at least 0, got -1"):
        cells("2-up", 30, 100, gap=-1)
