from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from benchmarks.erase_truth import CHINESE, STYLES, burn, draw, fonts_missing, schedule, true_mask

from .text import scenery

pytestmark = pytest.mark.skipif(bool(fonts_missing()), reason="fonts of the benchmark are not installed")


@pytest.mark.parametrize("name", STYLES)
def test_pictures_change_exactly_where_and_when_the_truth_says(name: str) -> None:
    clean = scenery(60)
    burned, events = burn(clean, 25.0, STYLES[name], seed=1)
    assert events
    for index, (before, after) in enumerate(zip(clean, burned, strict=True)):
        changed = (before != after).any(2)
        mask = true_mask(events, index, least=0)
        assert not changed[~mask].any() if mask is not None else not changed.any()
    for event in events:
        text = event.alpha > 0.5
        for index in (event.first, event.stop - 1):
            assert (clean[index][text] != burned[index][text]).mean() > 0.5
        assert event.alpha.max() <= 1 + 1e-6


def test_a_subtitle_stands_in_the_middle_of_the_bottom() -> None:
    alpha = draw(STYLES["outline"], CHINESE[:1], 640, 360).alpha
    rows, columns = np.nonzero(alpha > 0.5)
    assert abs((columns.min() + columns.max()) / 2 - 320) < 3
    assert 0.85 * 360 < rows.min() < rows.max() < 0.98 * 360


def test_subtitles_follow_each_other_without_overlap() -> None:
    times = schedule(500, 25.0, random.Random(3))
    assert len(times) > 4
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(times))
    assert any(a[1] == b[0] for a, b in itertools.pairwise(times))
