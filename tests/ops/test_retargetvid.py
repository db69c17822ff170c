"""The measure of RetargetVid, on videos and annotations made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.retargetvid import looked_at, overlap, people, scores
from tests.helpers import decode, write_clip


def test_overlap_counts_inclusive_pixels() -> None:
    one = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [-3, 0, 9, 9], [0, 0, 4, 4]])
    other = np.array([[0, 0, 9, 9], [5, 0, 14, 9], [0, 0, 9, 9], [10, 10, 12, 12]])
    np.testing.assert_allclose(overlap(one, other), [1, 50 / 150, 1, 0])


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Two people: one drew the middle of 176x144 at 1:3, the other the left edge."""
    for number, left in ((1, 64), (2, 0)):
        folder = tmp_path / "annotations" / f"annotator_{number}"
        folder.mkdir(parents=True)
        (folder / "001_1-3.txt").write_text(f"{left},0,{left + 47},143\n" * 8)
        (folder / "001_1-3_info.txt").write_text("not a window")
    return tmp_path / "annotations"


def test_windows_are_read_for_each_person(drawn: Path) -> None:
    found = people(drawn)
    assert list(found) == [("1-3", 1)]
    assert [boxes[0].tolist() for boxes in found["1-3", 1]] == [[64, 0, 111, 143], [0, 0, 47, 143]]


def test_the_middle_scores_as_it_must(drawn: Path, clip: Path, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "001.mp4", decode(clip, 9))
    made = scores(people(drawn), {1: video})
    assert made["3-1"] == {}
    assert made["1-3"]["middle"] == pytest.approx([1.0, 0.0], abs=0.03)
    assert len(made["1-3"]["vidprod"]) == 2
    assert looked_at(video).shots.count == 9
