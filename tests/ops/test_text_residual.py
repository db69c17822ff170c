from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.bitmask import BitMask
from vidprod.ops.text_boxes import Box, TextDetector
from vidprod.ops.text_plan import TextEvent, TextPlan
from vidprod.ops.text_residual import MOMENTS, Residual, ResidualText

from .text import scenery, subtitle


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector()


def test_text_that_is_still_there_is_noticed(detector: TextDetector) -> None:
    clean = scenery(1)
    burned = clean.copy()
    mask = subtitle(burned, "Have you seen my keys?") > 0.1
    left, gone = ResidualText(detector, []), ResidualText(detector, [])
    left.update(torch.from_numpy(burned[0]).permute(2, 0, 1), mask)
    gone.update(torch.from_numpy(clean[0]).permute(2, 0, 1), mask)
    assert left.finish().mean > 0.3
    assert gone.finish().mean < 0.05


def test_mean_and_worst_are_over_pictures(detector: TextDetector) -> None:
    pictures = scenery(2)
    mask = subtitle(pictures[:1], "Have you seen my keys?") > 0.1
    residual = ResidualText(detector, [])
    for picture in pictures:
        residual.update(torch.from_numpy(picture).permute(2, 0, 1), mask)
    found = residual.finish()
    assert found.count == 2
    assert found.mean < 0.6 * found.worst


def test_nothing_erased_means_nothing_left(detector: TextDetector) -> None:
    residual = ResidualText(detector, [])
    residual.update(torch.zeros(3, 90, 160, dtype=torch.uint8), np.zeros((90, 160), bool))
    assert residual.finish() == Residual(0.0, 0.0, 0)


def test_masks_of_another_size_are_refused(detector: TextDetector) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ResidualText(detector, []).update(torch.zeros(3, 90, 160, dtype=torch.uint8), np.zeros((90, 161), bool))


def test_the_mask_of_a_plan_is_taken_by_number(detector: TextDetector) -> None:
    pictures = scenery(1)
    mask = subtitle(pictures, "Have you seen my keys?") > 0.1
    region = Box(0, 120, 320, 180)
    event = TextEvent(10, 20, 0.4, 0.8, (Box(60, 150, 300, 176),), BitMask.pack(mask))
    plan = TextPlan(region, (event,))
    residual = ResidualText.of(detector, plan)
    assert [i for i in range(30) if residual.wants(i)] == [12, 15, 19]
    part = torch.from_numpy(np.ascontiguousarray(pictures[0][region.slices])).permute(2, 0, 1)
    residual.update_part(part, region, plan, 15)
    residual.update_part(part, region, plan, 25)
    assert residual.finish().count == 1


spans = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90)).map(lambda s: (s[0], s[0] + s[1])), max_size=8)


@given(spans, st.integers(1, 7))
def test_few_pictures_of_every_subtitle_are_wanted(found: list[tuple[int, int]], step: int) -> None:
    residual = ResidualText(None, found)  # type: ignore[arg-type]
    asked = range(0, 600, step)
    wanted = [i for i in asked if residual.wants(i)]
    assert len(wanted) <= len(MOMENTS) * len(found)
    assert all(any(start <= i < stop for start, stop in found) for i in wanted)
    for start, stop in found:
        if stop - start > 2 * step * len(MOMENTS):
            assert any(start <= i < stop for i in wanted)


def test_asking_twice_gives_the_same_answer() -> None:
    residual = ResidualText(None, [(0, 10)])  # type: ignore[arg-type]
    assert [residual.wants(i) for i in (0, 2, 2, 3)] == [False, True, True, False]
