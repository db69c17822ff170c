from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import write_clip
from vidprod.media.previews import SAMPLE, SOONER, TINY, _Schedule, previews
from vidprod.media.reader import VideoReader

HALF = Fraction(1, 2)
GREY = np.full((4, 4, 3), 90, np.uint8)
WHITE = np.full((4, 4, 3), 255, np.uint8)


def card(level: int, height: int = 64, width: int = 112) -> np.ndarray:
    """Bright in its left upper quarter."""
    made = np.full((height, width, 3), level, np.uint8)
    made[: height // 2, : width // 2] = 250
    return made


def chosen(seconds: list[Fraction], every: Fraction = HALF) -> list[Fraction]:
    schedule = _Schedule(every)
    return [second for second in seconds if schedule.wants(second, GREY)]


@given(
    st.lists(st.fractions(0, 60, max_denominator=1000), min_size=1, max_size=60, unique=True), st.sampled_from([2, 5])
)
def test_samples_of_any_times_keep_to_the_grid(times: list[Fraction], per_second: int) -> None:
    times, every = sorted(times), Fraction(1, per_second)
    found = chosen(times, every)
    assert found[0] == times[0]
    cells = [(second - times[0]) // every for second in times]
    assert len(found) == len(set(cells))  # the first picture of each cell of the grid that has one
    assert [(second - times[0]) // every for second in found] == sorted(set(cells))


def test_after_a_gap_the_next_sample_is_not_at_once() -> None:
    gap = [Fraction(0), Fraction(3), Fraction(76, 25), Fraction(77, 25), Fraction(7, 2)]
    assert chosen(gap) == [gap[0], gap[1], gap[4]]


def test_another_scene_is_looked_at_from_its_first_picture_on() -> None:
    schedule = _Schedule(HALF)
    found = [n for n in range(40) if schedule.wants(Fraction(n, 25), WHITE if n >= 8 else GREY)]
    assert found == [0, 8, 21, 33]


def test_a_flickering_video_is_not_sampled_without_end() -> None:
    schedule = _Schedule(HALF)
    found = [n for n in range(100) if schedule.wants(Fraction(n, 50), WHITE if n % 7 == 0 else GREY)]
    assert len(found) <= 2 * 2 * SOONER + 1


def test_tiny_ones_of_all_pictures_and_samples_of_some(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", [card(20 + n) for n in range(30)])
    with VideoReader(path) as reader:
        found = list(previews(reader, every=HALF, batch=8))
    assert [len(one) for one in found] == [8, 8, 8, 6]
    assert [one.tiny.index for one in found] == [0, 8, 16, 24]
    assert found[0].tiny.data.shape == (8, 3, 55, TINY)
    assert [sample.index for one in found for sample in one.samples] == [0, 13, 25]
    for one in found:
        for sample in one.samples:
            assert one.tiny.index <= sample.index < one.tiny.index + len(one)
            assert sample.data.shape == (1, 3, 64, 112)  # never enlarged
            assert sample.seconds[0] == Fraction(sample.index, 25)
            assert sample.data[0, :, 5, 5].float().mean() > 240
            assert sample.data[0, :, -5, -5].float().mean() == pytest.approx(20 + sample.index, abs=4)


def test_nothing_from_the_end_on(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", [card(40)] * 20)
    with VideoReader(path) as reader:
        found = list(previews(reader, every=HALF, until=Fraction(1, 5)))
    assert sum(len(one) for one in found) == 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_videos(count: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", [card(40)] * count)
    with VideoReader(path) as reader:
        (found,) = previews(reader, every=HALF)
    assert len(found) == count
    assert len(found.samples) == 1


def test_samples_have_square_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", [card(40, 288, 352)] * 2, sar=Fraction(2))
    with VideoReader(path) as reader:
        (found,) = previews(reader, every=HALF)
    height, width = found.samples[0].data.shape[2:]
    assert width == SAMPLE
    assert width / height == pytest.approx(2 * 352 / 288, rel=0.01)


@pytest.mark.parametrize(("rotation", "mirrored"), [(90, False), (180, False), (270, False), (0, True), (90, True)])
def test_samples_stand_upright(rotation: int, mirrored: bool, tmp_path: Path) -> None:
    from dataclasses import replace

    path = write_clip(tmp_path / "in.mp4", [card(20, 48, 80)])
    with VideoReader(path) as plain:
        info = replace(plain.info, rotation=rotation, mirrored=mirrored)
    with VideoReader(path, info=info) as reader:
        (whole,) = list(reader)
        (found,) = previews(reader, every=HALF)
    sample = found.samples[0].data
    assert sample.shape == whole.data.shape
    assert (sample.float() - whole.data.float()).abs().mean() < 3
