from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.ops.logo_detect import FoundLogo, LogoDetection, moments
from vidprod.ops.shots import Shot
from vidprod.ops.text_boxes import Box

from .logo_pictures import burned, logo, moving, still

HEIGHT, WIDTH = 200, 340


def found(pictures: Tensor, batch: int = 7) -> tuple[FoundLogo, ...]:
    detection = LogoDetection()
    for i in range(0, len(pictures), batch):
        part = pictures[i : i + batch]
        detection.update(Frames(part, tuple(range(i, i + len(part))), Fraction(1), index=i))
    return detection.finish()


def iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    def area(box: tuple[float, float, float, float]) -> float:
        return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)

    both = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return both / (area(a) + area(b) - both)


def true_box(cover: Tensor) -> tuple[float, float, float, float]:
    rows, columns = (cover > 0.05).any(1).nonzero(), (cover > 0.05).any(0).nonzero()
    height, width = cover.shape
    left, right = int(columns[0]), int(columns[-1]) + 1
    return left / width, int(rows[0]) / height, right / width, (int(rows[-1]) + 1) / height


def two_logos(pictures: Tensor) -> tuple[Tensor, list[tuple[float, float, float, float]]]:
    """An opaque one at the top left, and a translucent one at the bottom right."""
    boxes = []
    for left, top, alpha in ((14, 12, 1.0), (250, 150, 0.5)):
        cover, colour = logo(HEIGHT, WIDTH, left, top)
        pictures = burned(pictures.float(), cover, colour, alpha)
        boxes.append(true_box(cover))
    return pictures, boxes


def test_two_logos_over_moving_pictures() -> None:
    pictures, boxes = two_logos(moving(48, HEIGHT, WIDTH))
    logos = found(pictures)
    assert [iou(one.box, box) >= 0.75 for one, box in zip(logos, boxes, strict=True)] == [True, True]
    assert [one.kind for one in logos] == ["inpaint", "unblend"]
    assert logos[0].alpha == 1
    assert logos[1].alpha == pytest.approx(0.5, abs=0.1)
    assert json.loads(json.dumps([asdict(one) for one in logos]))[0]["kind"] == "inpaint"


def test_no_logo_in_clean_pictures() -> None:
    assert found(moving(40, HEIGHT, WIDTH).to(torch.uint8)) == ()


def test_no_false_logo_before_a_camera_that_stands_still() -> None:
    pictures = still(30, HEIGHT, WIDTH)
    cover, colour = logo(HEIGHT, WIDTH, 150, 90)
    assert found(burned(pictures, cover, colour, 1.0)) == ()  # a poster on the wall
    passing = moving(30, HEIGHT, WIDTH)
    pictures[:, :, :, 60:120] = passing[:, :, :, 60:120]  # somebody walks by
    assert found(pictures.to(torch.uint8)) == ()


def test_a_few_pictures_tell_nothing() -> None:
    pictures, _ = two_logos(moving(8, HEIGHT, WIDTH))
    assert found(pictures) == ()
    assert LogoDetection().finish() == ()


def test_many_pictures_are_thinned_out() -> None:
    detection = LogoDetection()
    for i in range(30):
        data = torch.zeros(20, 3, 8, 8, dtype=torch.uint8)
        detection.update(Frames(data, tuple(range(20 * i, 20 * i + 20)), Fraction(1), index=20 * i))
    assert 64 <= len(detection._pictures) <= 128


def test_large_pictures_of_sixteen_bits() -> None:
    pictures, boxes = two_logos(moving(14, HEIGHT, WIDTH))
    large = pictures.repeat_interleave(2, 2).repeat_interleave(2, 3).to(torch.int32) * 257
    logos = found(large.to(torch.uint16))
    assert [iou(one.box, box) >= 0.75 for one, box in zip(logos, boxes, strict=True)] == [True, True]


def test_pixels_of_a_found_logo() -> None:
    one = FoundLogo((0.0, 0.5, 0.25, 0.75), "inpaint", 1.0)
    assert one.pixels(400, 200) == Box(0, 94, 106, 156)


def test_moments_come_from_all_shots() -> None:
    shots = [Shot(0, 1, 0, 25), Shot(1, 9, 25, 225), Shot(9, 9.04, 225, 226)]
    times = moments(shots, 20)
    assert len(times) <= 20
    assert sum(1 <= t < 9 for t in times) > 10
    assert any(t < 1 for t in times)
    assert any(t >= 9 for t in times)
    assert list(times) == sorted(set(times))


def test_moments_of_more_shots_than_samples() -> None:
    shots = [Shot(i, i + 1, 25 * i, 25 * i + 25) for i in range(50)]
    times = moments(shots, 10)
    assert len(times) == 10
    assert times[-1] > 40
    assert moments([], 10) == ()
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        moments(shots, 0)
