from __future__ import annotations

import dataclasses
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.erase_fills import by_picture, delogo, in_boxes, removelogo
from benchmarks.erase_logos import iou
from benchmarks.erase_products import applied
from benchmarks.erase_scores import Cover, Material, box_of, camera, score
from benchmarks.erase_truth import encode
from benchmarks.inpaint_network import opencv
from vidprod.media.reader import VideoReader
from vidprod.ops.erase import Patched
from vidprod.ops.text_boxes import Box

from .text import scenery

COUNT, FIRST, STOP = 12, 3, 9


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """White bars on pictures 3 to 8, compressed."""
    clean = scenery(COUNT, 120, 160, speed=2.0)
    mask = np.zeros((120, 160), bool)
    mask[90:94, 40:120] = mask[98:102, 40:100] = True
    burned = clean.copy()
    burned[FIRST:STOP, mask] = 255
    path = tmp_path_factory.mktemp("bars") / "bars.mp4"
    encode(path, burned, Fraction(25), crf=10)
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    decoded = np.concatenate([f.data.permute(0, 2, 3, 1).numpy() for f in VideoReader(path, bits=8)])
    return Material("bars", path, Fraction(25), decoded, clean, (Cover(FIRST, STOP, grown),))


def test_the_original_scores_best_and_counts_as_damage_only_outside(material: Material) -> None:
    perfect = material.burned.copy()
    mask = material.covers[0].mask
    perfect[FIRST:STOP, mask] = material.clean[FIRST:STOP, mask]
    scores = score(material, perfect)
    assert scores["psnr"] == pytest.approx(10 * np.log10(255**2 / 1e-3))
    assert scores["outside"] == scores["flicker"] == 0
    assert scores["ssim"] > 0.9
    worse = score(material, material.burned)
    assert worse["psnr"] < 20
    assert worse["ssim"] < scores["ssim"]
    perfect[0, :10, :10] += 40  # on a picture that was not covered at all
    assert score(material, perfect)["outside"] == pytest.approx(100 * 100 / (6 * mask.sum()))


def test_an_error_that_stays_does_not_flicker(material: Material) -> None:
    mask = material.covers[0].mask
    for amounts, flickers in (((10, 10), False), ((0, 20), True)):
        out = material.burned.copy()
        for index in range(FIRST, STOP):
            shifted = material.clean[index].astype(int) + amounts[index % 2]
            out[index][mask] = shifted.clip(0, 255)[mask]
        scores = score(dataclasses.replace(material, clean=material.clean.clip(0, 200)), out.clip(0, 220))
        assert (scores["flicker"] > 10) is flickers
        assert scores["ghost"] == pytest.approx(10, abs=0.5)  # both err by ten levels in the mean


def test_a_picture_at_a_time_touches_nothing_but_the_mask(material: Material) -> None:
    done = by_picture(opencv(3, cv2.INPAINT_TELEA))(material)
    changed = (done.pictures != material.burned).any(3)
    assert not changed[:, ~material.covers[0].mask].any()
    assert not changed[:FIRST].any()
    assert not changed[STOP:].any()
    assert score(material, done.pictures)["psnr"] > score(material, material.burned)["psnr"] + 5
    assert done.seconds > 0
    assert in_boxes(material).covers[0].mask.sum() == box_of(material.covers[0].mask).area


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not there")
@pytest.mark.parametrize("method", [delogo, removelogo])
def test_the_filters_of_ffmpeg_work_on_the_pictures_they_are_meant_for(material: Material, method: object) -> None:
    assert callable(method)
    out = method(material).pictures
    assert np.array_equal(out[:FIRST], material.burned[:FIRST])
    assert np.array_equal(out[STOP:], material.burned[STOP:])
    assert np.array_equal(out[:, :80], material.burned[:, :80])
    assert score(material, out)["psnr"] > score(material, material.burned)["psnr"] + 5


class _Late:
    """An eraser that gives back everything at the end, with its rectangle black where a mask says."""

    box = Box(10, 20, 30, 40)

    def __init__(self) -> None:
        self._read: list[object] = []

    def push(self, index: int, second: Fraction, read: object) -> list[Patched]:
        assert second == Fraction(index, 25)
        self._read.append(read)
        return []

    def finish(self) -> list[Patched]:
        done = []
        for index, read in enumerate(self._read):
            assert callable(read)
            picture = read()
            mask = picture[0] >= 0
            mask[:5] = False
            done.append(Patched(index, picture * 0, mask, 0.0) if index == 4 else Patched(index))
        return done


def test_what_erasers_give_back_late_comes_to_its_picture(material: Material) -> None:
    out = applied([_Late()], material)
    expected = material.burned.copy()
    expected[4, 25:40, 10:30] = 0
    assert np.array_equal(out, expected)


def test_the_motion_of_the_camera_is_measured() -> None:
    assert camera(scenery(9, 180, 320, speed=0.0)) < 0.05
    assert camera(scenery(9, 180, 320, speed=3.0)) == pytest.approx(3.0, abs=0.3)


boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 50),
    st.integers(1, 50),
)


@given(boxes, boxes)
def test_intersection_over_union(one: Box, other: Box) -> None:
    pixels = [np.zeros((101, 101), bool) for _ in range(2)]
    for plane, box in zip(pixels, (one, other), strict=True):
        plane[box.slices] = True
    assert iou(one, other) == pytest.approx((pixels[0] & pixels[1]).sum() / (pixels[0] | pixels[1]).sum())


def test_a_picture_without_anything_has_no_rows(material: Material, tmp_path: Path) -> None:
    from benchmarks.erase_pictures import rows, sheet

    with pytest.raises(ValueError, match="picture 0"):
        rows(material, {}, 0)
    sheet(tmp_path, material, {"ours": material.burned})
    assert (tmp_path / "bars.png").stat().st_size > 1000
