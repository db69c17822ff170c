from __future__ import annotations

import numpy as np
import pytest
import torch

from vidprod.ops.text_boxes import Box, TextDetector, boxes_of, lines

from .text import scenery, subtitle

WHOLE = Box(0, 0, 100, 60)


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector()


def tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def test_a_box_knows_its_size_and_its_neighbours() -> None:
    box = Box(10, 20, 40, 30)
    assert (box.width, box.height, box.area) == (30, 10, 300)
    assert box.slices == (slice(20, 30), slice(10, 40))
    assert box & Box(30, 0, 90, 25) == Box(30, 20, 40, 25)
    assert box | Box(30, 0, 90, 25) == Box(10, 0, 90, 30)
    assert (box & Box(50, 0, 60, 60)).area == 0
    assert box.covered_by(Box(0, 0, 25, 60)) == 0.5
    assert box.grown(15, 5, WHOLE) == Box(0, 15, 55, 35)
    assert box.moved(-10, 5) == Box(0, 25, 30, 35)
    assert Box.around([box, Box(0, 0, 1, 1)]) == Box(0, 0, 40, 30)


def test_no_box_goes_around_nothing() -> None:
    with pytest.raises(ValueError, match="no box"):
        Box.around([])


def test_a_marked_area_becomes_a_larger_box() -> None:
    marked = np.zeros((30, 50), np.float32)
    marked[10:14, 5:25] = 0.9
    (box,) = boxes_of(marked, (2.0, 2.0), WHOLE)
    inner = Box(10, 20, 50, 28)
    assert inner.covered_by(box) == 1
    assert 2 <= inner.top - box.top <= 8
    assert box.left < inner.left
    assert box.right > inner.right


@pytest.mark.parametrize(
    ("rows", "value"), [(slice(10, 12), 0.9), (slice(10, 14), 0.4), (slice(10, 14), 0.2)], ids=["thin", "weak", "faint"]
)
def test_what_is_thin_or_doubtful_becomes_none(rows: slice, value: float) -> None:
    marked = np.zeros((30, 50), np.float32)
    marked[rows, 5:25] = value
    assert boxes_of(marked, (2.0, 2.0), WHOLE) == []


def test_words_of_one_line_are_joined_and_lines_are_not() -> None:
    words = [Box(10, 10, 40, 22), Box(46, 11, 80, 23), Box(10, 30, 80, 42), Box(120, 10, 150, 22)]
    assert lines(words) == [Box(10, 10, 80, 23), Box(10, 30, 80, 42), Box(120, 10, 150, 22)]


def test_a_subtitle_is_found_and_scenery_is_not(detector: TextDetector) -> None:
    pictures = scenery(2)
    alpha = subtitle(pictures[1:], "Have you seen my keys")
    nothing, found = detector.boxes(tensor(pictures))
    assert nothing == []
    (box,) = found
    assert alpha[box.slices].sum() > 0.98 * alpha.sum()
    assert box.height < 40


def test_large_pictures_are_looked_at_small() -> None:
    detector = TextDetector(net=torch.nn.Conv2d(3, 1, 1))
    assert detector.working_size(90, 400) == (90, 400)  # not enlarged
    assert detector.working_size(270, 1920) == (68, 480)
    assert detector.working_size(1920, 1080) == (540, 304)


def test_a_subtitle_of_a_large_picture_is_found_in_its_pixels(detector: TextDetector) -> None:
    pictures = scenery(1, 90, 320)
    alpha = subtitle(pictures, "Close the window", baseline=60)
    large = torch.nn.functional.interpolate(tensor(pictures).float(), scale_factor=4.0, mode="bilinear").to(torch.uint8)
    ((box,),) = detector.boxes(large)
    rows, columns = np.nonzero(alpha > 0.5)
    text = Box(*(4 * int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))
    assert text.covered_by(box) > 0.97
    assert box.area < 3 * text.area


def test_boxes_do_not_depend_on_the_batch(detector: TextDetector) -> None:
    pictures = scenery(3, seed=4)
    subtitle(pictures[:2], "It's not as simple as you think", x=20)
    together = detector.boxes(tensor(pictures))
    assert together == [detector.boxes(tensor(pictures[i : i + 1]))[0] for i in range(3)]


def test_shapes_on_fake_cuda(fake_cuda: torch.device) -> None:
    detector = TextDetector(fake_cuda)
    found = detector.probabilities(torch.zeros(2, 3, 135, 960, dtype=torch.uint8, device=fake_cuda))
    assert found.shape == (2, 68, 480)
    assert (found.device.type, found.dtype) == ("cuda", torch.float32)
