from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.subjects import subject
from vidprod.media.frames import Frames
from vidprod.media.previews import Preview
from vidprod.ops.active_area import WHOLE, active_area, cropped, outward
from vidprod.ops.attention import Attention
from vidprod.ops.quality import QualityAnalysis, lit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.shots import Shot, ShotPlan
from vidprod.ops.still_eyes import StillEyes
from vidprod.ops.takes import takes_of_still


def barred(top: int, bottom: int, left: int = 0, right: int = 0) -> np.ndarray:
    picture = np.random.default_rng(0).integers(60, 255, (100, 160, 3)).astype(np.uint8)
    picture[:top] = picture[100 - bottom :] = 5
    picture[:, :left] = picture[:, 160 - right :] = 5
    return picture


@given(st.integers(4, 38), st.integers(-1, 1))
def test_bars_above_and_below_are_found(top: int, more: int) -> None:
    left, first, right, last = active_area(*lit(barred(top, top + more)))
    assert (left, right) == (0, 1)
    assert top / 100 <= first <= top / 100 + 0.02
    assert 1 - (top + more) / 100 - 0.02 <= last <= 1 - (top + more) / 100


def test_bars_beside_a_picture_are_found() -> None:
    left, first, right, last = active_area(*lit(barred(0, 0, 50, 50)))
    assert (first, last) == (0, 1)
    assert left == pytest.approx(51 / 160)
    assert right == pytest.approx(109 / 160)


def test_a_dark_surrounding_is_no_bar() -> None:
    """Someone before black, round: the picture does not begin with a straight line."""
    rows, columns = np.mgrid[0:100, 0:160]
    picture = np.zeros((100, 160, 3), np.uint8)
    picture[(rows - 50) ** 2 + (columns - 80) ** 2 < 40**2] = 200
    assert active_area(*lit(picture)) == WHOLE


@pytest.mark.parametrize("bars", [(0, 0), (10, 0), (10, 20), (1, 1), (45, 45), (50, 50)])
def test_what_is_not_bars(bars: tuple[int, int]) -> None:
    assert active_area(*lit(barred(*bars))) == WHOLE


def test_what_matters_moves_with_the_area() -> None:
    rows = np.zeros((2, 96), np.float32)
    rows[:, 48:72] = 1 / 24
    finds = ((subject(0.5, 0.25, 0.25), subject(0.0, 0.0, 0.1)),) * 2
    plan = ShotPlan((Shot(0, 1, 0, 25),), ())
    found = Attention(
        np.arange(2) / 2, rows, rows, np.zeros(2, np.float32), np.zeros((2, 256), np.float16), finds, plan
    )
    inner = cropped(found, (0.0, 0.25, 1.0, 0.75))
    assert inner.across.sum(1) == pytest.approx(1)
    assert inner.down.sum(1) == pytest.approx(1)
    assert inner.down[0, 47:].sum() == pytest.approx(1, abs=0.01)
    (one,) = inner.subjects[0]
    assert one.box == pytest.approx((0.5, 0.0, 0.75, 0.5))
    assert cropped(found, WHOLE) is found


unit = st.floats(0, 1)


@given(st.tuples(unit, unit, unit, unit), st.floats(0, 0.4), st.floats(0.6, 1))
def test_windows_come_out_within_the_area(place: tuple[float, float, float, float], low: float, high: float) -> None:
    x, y, w, h = place
    point = PathPoint(1.0, x * (1 - w), y * (1 - h), w, h)
    (made,) = outward((point,), (low, low, high, high))
    assert made.t == 1
    assert min(made.x, made.y) >= low - 1e-5
    assert max(made.x + made.w, made.y + made.h) <= high + 1e-5


def test_photographs_are_seen_without_their_bars() -> None:
    picture = torch.from_numpy(barred(20, 20)).permute(2, 0, 1)
    (take,) = takes_of_still(0, picture, StillEyes("cpu"))
    assert take.aspect == 1.6
    for motion in range(4):
        for point in take.path(0.0, 3.0, 1.0, motion=motion):
            assert point.y >= 0.2
            assert point.y + point.h <= 0.8


def test_what_was_lit_in_any_picture_counts() -> None:
    """The first picture is dark but for its bars being black as well; the second one shows where the picture begins."""
    dark, bright = np.zeros((100, 160, 3), np.uint8), barred(20, 20)
    analysis = QualityAnalysis()
    for number, picture in enumerate((dark, bright, dark)):
        frames = Frames(torch.from_numpy(picture).permute(2, 0, 1)[None], (number,), Fraction(1, 2), number)
        analysis.update(Preview(frames, (frames,)))
    found = analysis.finish()
    assert active_area(*found.lit) == pytest.approx((0, 0.21, 1, 0.79))
    assert found.colour.shape == (3, 3)
    assert found.colour[0].max() == 0
    assert found.colour[1] == pytest.approx(bright.reshape(-1, 3).mean(0), abs=0.1)
    assert QualityAnalysis().finish().lit[0].size == 0
