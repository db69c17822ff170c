from __future__ import annotations

import numpy as np
import pytest
import torch

from vidprod.ops.logo_matte import Matte, estimate
from vidprod.ops.logo_plan import Span
from vidprod.ops.logo_presence import Presence, comes_and_goes, spans
from vidprod.ops.text_boxes import Box

from .logo_pictures import BOTTOM, LEFT, RIGHT, TOP, burned, logo, moving

COUNT = 48


@pytest.fixture(scope="module", params=[1.0, 0.5])
def case(request: pytest.FixtureRequest) -> tuple[torch.Tensor, Matte]:
    """Pictures whose last quarter has no logo, and what was measured on all the others."""
    cover, colour = logo()
    clean = moving(COUNT)
    pictures = burned(clean, cover, colour, request.param)
    there = 3 * COUNT // 4
    pictures[there:] = clean[there:].to(torch.uint8)
    matte = estimate(pictures[:there], Box(LEFT - 3, TOP - 3, RIGHT + 3, BOTTOM + 3))
    assert matte is not None
    return pictures, matte


def test_pictures_with_and_without_the_logo(case: tuple[torch.Tensor, Matte]) -> None:
    pictures, matte = case
    scores = Presence(matte).scores(pictures[:, :, *matte.box.slices])
    seen = comes_and_goes(scores)
    assert seen is not None
    truth = np.arange(COUNT) < 3 * COUNT // 4
    assert np.mean(seen == truth) > 0.95
    assert comes_and_goes(scores[: 3 * COUNT // 4]) is None
    (span,) = spans(scores, [i / 25 for i in range(COUNT)])
    assert span.start == 0
    assert span.end == pytest.approx(0.75 * COUNT / 25, abs=0.041)


def test_where_nobody_can_tell_the_neighbours_do() -> None:
    scores = np.array([1.0] * 10 + [np.nan] * 3 + [1.0] * 7 + [0.0] * 10)
    assert spans(scores, [float(i) for i in range(30)]) == (Span(0.0, 20.0),)
    assert spans(np.full(4, np.nan), [0.0, 1.0, 2.0, 3.0]) == ()


def test_one_that_moves_does_not_come_and_go() -> None:
    swing = np.abs(np.cos(np.arange(60) * 0.9))
    assert comes_and_goes(swing) is None
    assert comes_and_goes(np.full(20, np.nan)) is None
