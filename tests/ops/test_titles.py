"""Writing that is burned into a video stays whole in its frame."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidprod.media.frames import Frames
from vidprod.media.previews import Preview
from vidprod.ops.crop_window import Fit
from vidprod.ops.reframing import window
from vidprod.ops.titles import MARGIN, Title, TitleAnalysis, titles_within, with_titles

SPANS = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda ends: (min(ends), max(ends)))


def picture(text: str, at: tuple[int, int] = (60, 150)) -> torch.Tensor:
    """(1, 3, 270, 480) uint8 with white writing on grey."""
    drawn = np.full((270, 480, 3), 70, np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, 1.4, (255, 255, 255), 3, cv2.LINE_AA)
    return torch.from_numpy(drawn).permute(2, 0, 1)[None]


def previews(pictures: list[torch.Tensor]) -> list[Preview]:
    """One picture a second, each a sample."""
    base = Fraction(1)
    tiny = torch.zeros(1, 3, 54, 96, dtype=torch.uint8)
    return [Preview(Frames(tiny, (at,), base, at), (Frames(one, (at,), base, at),)) for at, one in enumerate(pictures)]


def test_writing_that_stays_is_found_and_what_passes_by_is_not() -> None:
    analysis = TitleAnalysis()
    shown = [picture("MOVING ON", (10 + 60 * at, 60 + 50 * at)) for at in range(3)]
    for preview in previews([*shown, picture("SUMMER SALE"), picture("SUMMER SALE"), picture("")]):
        analysis.update(preview)
    found = analysis.finish()
    assert {title.second for title in found} == {3.0, 4.0}
    left, top, right, bottom = found[0].box
    assert left == pytest.approx(60 / 480, abs=0.03)
    assert right > 0.7
    assert 0.35 < top < bottom < 0.65


@given(st.data())
def test_no_title_is_cut(data: st.DataObject) -> None:
    fit = Fit(data.draw(st.sampled_from(["x", "y"])), data.draw(st.floats(0.2, 1)))
    size = data.draw(st.floats(fit.least, 1))
    places = data.draw(st.lists(st.floats(0, 1 - size), min_size=1, max_size=4))
    points = tuple(window(fit, float(at), place, size) for at, place in enumerate(places))
    ends = data.draw(SPANS)
    box = (ends[0], 0.4, ends[1], 0.5) if fit.axis == "x" else (0.4, ends[0], 0.5, ends[1])
    heads = data.draw(st.lists(SPANS, max_size=1))
    changed = with_titles(points, [Title(1.0, box)], fit, 0.0, 3.0, heads)
    for point in changed:
        low, length = (point.x, point.w) if fit.axis == "x" else (point.y, point.h)
        assert -1e-9 <= low <= 1 - length + 2e-5
        assert low <= ends[0] + 2e-5
        assert low + length >= ends[1] - 2e-5
        for head in heads:
            assert low <= head[0] + 2e-5
            assert low + length >= head[1] - 2e-5
    # a title at another time changes nothing
    assert with_titles(points, [Title(9.0, box)], fit, 0.0, 3.0, heads) == points


def test_a_window_moves_no_further_than_it_must() -> None:
    fit = Fit("x", 0.5)
    (point,) = with_titles((window(fit, 0.0, 0.0, 0.5),), [Title(0.0, (0.3, 0.8, 0.6, 0.9))], fit, 0.0, 2.0)
    assert point.x == pytest.approx(0.1 + MARGIN)
    assert point.w == 0.5


def test_titles_between_black_bars() -> None:
    area = (0.0, 0.25, 1.0, 0.75)
    inside, outside = Title(0.0, (0.2, 0.5, 0.8, 0.6)), Title(0.0, (0.2, 0.8, 0.8, 0.9))
    (moved,) = titles_within([inside, outside], area)
    assert moved.box == pytest.approx((0.2, 0.5, 0.8, 0.7))
