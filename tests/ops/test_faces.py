from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.models.pictures import natural
from tests.models.subjects import golden
from vidprod.ops.faces import LEAST_SCORE, FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def test_finds_two_faces_of_a_film(detector: FaceDetector) -> None:
    expected = golden("faces_boxes")
    found = detector(golden("faces")).on(0)
    assert len(found) == len(expected) == 2
    height, width = golden("faces").shape[2:]
    # The detector of `ops` leaves out small faces, which changes the pyramid a little.
    pixels = found.boxes * torch.tensor([width, height, width, height])
    assert (pixels - expected[:, :4]).abs().max() < 6
    assert {found.names[k] for k in found.kinds.tolist()} == {"face"}
    assert float(found.scores.min()) > LEAST_SCORE


def test_boxes_are_fractions_whatever_the_size(detector: FaceDetector) -> None:
    shown = golden("faces")
    large = F.interpolate(shown.float(), scale_factor=2.0, mode="bilinear").round().to(torch.uint8)
    small, enlarged = detector(shown), detector(large)
    assert len(small) == len(enlarged) == 2
    assert (small.boxes - enlarged.boxes).abs().max() < 0.02
    assert float(small.boxes.min()) >= 0
    assert float(small.boxes.max()) <= 1


def test_says_on_which_picture(detector: FaceDetector) -> None:
    shown = golden("faces")
    empty = (natural(*shown.shape[2:]) * 255).to(torch.uint8)
    found = detector(torch.cat([empty, shown, empty]))
    assert found.pictures.tolist() == [1, 1]
    assert not len(found.on(0))
    assert found.on(1).scores.tolist() == sorted(found.scores.tolist(), reverse=True)
