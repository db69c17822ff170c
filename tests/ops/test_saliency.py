from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tests.models.subjects import golden
from tests.ops.subjects import Looker
from vidprod.ops.saliency import COLUMNS, CPU_PIXELS, ROWS, SaliencyDetector


@pytest.fixture(scope="module")
def looker() -> SaliencyDetector:
    return SaliencyDetector(net=Looker())


@given(height=st.integers(16, 4000), width=st.integers(16, 4000))
def test_working_sizes_are_multiples_of_32_of_about_the_shape_and_the_area(height: int, width: int) -> None:
    detector = SaliencyDetector(net=Looker())
    rows, columns = detector.working_size(height, width)
    assert rows % 32 == columns % 32 == 0
    assert 0.4 * CPU_PIXELS < rows * columns <= CPU_PIXELS
    if 0.4 < width / height < 2.5:
        assert 0.77 < columns * height / (rows * width) < 1.3  # the steps of 32 pixels are coarse


def test_working_sizes_of_common_shapes(looker: SaliencyDetector) -> None:
    assert looker.working_size(720, 1280) == (160, 288)
    assert looker.working_size(1280, 720) == (288, 160)
    assert looker.working_size(480, 640) == (192, 224)
    assert SaliencyDetector(net=Looker(), pixels=224 * 384).working_size(1080, 1920) == (224, 384)


@pytest.mark.parametrize("size", [(90, 160), (160, 90), (64, 64)])
def test_mass_lies_where_the_network_says_whatever_the_shape(size: tuple[int, int], looker: SaliencyDetector) -> None:
    height, width = size
    pictures = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    pictures[0, :, height // 2 :, : width // 4] = 255  # lower left
    pictures[1, :, : height // 4, width // 2 :] = 255  # upper right
    mass = looker(pictures).mass
    assert mass.shape == (2, ROWS, COLUMNS)
    assert torch.allclose(mass.sum((1, 2)), torch.ones(2), atol=1e-5)
    assert float(mass[0, ROWS // 2 :, : COLUMNS // 4].sum()) > 0.85
    assert float(mass[1, : ROWS // 4, COLUMNS // 2 :].sum()) > 0.85


def test_sixteen_bits_show_the_same(looker: SaliencyDetector) -> None:
    pictures = golden("video")
    wide = (pictures.to(torch.int32) * 257).to(torch.uint16)
    assert torch.allclose(looker(wide).mass, looker(pictures).mass, atol=1e-6)


def test_no_pictures(looker: SaliencyDetector) -> None:
    found = looker(torch.zeros(0, 3, 90, 160, dtype=torch.uint8))
    assert found.mass.shape == (0, ROWS, COLUMNS)
    assert found.embedding.shape == (0, 256)
    assert found.state is None


@torch.inference_mode()
def test_the_network_that_comes_along(device: torch.device) -> None:
    detector, pictures = SaliencyDetector(device), golden("video")
    together = detector(pictures)
    first = detector(pictures[:3])
    then = detector(pictures[3:], first.state)
    assert (together.mass.shape, together.mass.dtype) == ((4, ROWS, COLUMNS), torch.float32)
    assert torch.allclose(torch.cat([first.mass, then.mass]), together.mass, atol=2e-4)
    assert torch.allclose(torch.cat([first.embedding, then.embedding]), together.embedding, atol=1e-2)
    # A dog and a woman on the left of an empty square.
    assert float(together.mass[0, :, : COLUMNS * 5 // 8].sum()) > 0.75
    likeness = F.cosine_similarity(together.embedding[0], together.embedding[1], dim=0)
    assert float(likeness) > 0.7


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    detector = SaliencyDetector(fake_cuda)
    found = detector(torch.zeros(3, 3, 360, 640, dtype=torch.uint8))
    assert found.mass.shape == (3, ROWS, COLUMNS)
    assert (found.mass.device.type, found.embedding.device.type) == ("cpu", "cpu")
    assert found.state is not None
    assert (found.state.device.type, found.state.shape) == ("cuda", (1, 256, 7, 12))
