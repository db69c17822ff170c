from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vidprod.ops.harmonic import harmonic

from ..models.pictures import natural


def letters(height: int, width: int) -> Tensor:
    """(1, 1, height, width) bool: strokes 3 to 5 pixels wide, upright, level and slanting."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    strokes = (x % 23 < 4) | (y % 31 < 3) | ((x + y) % 37 < 5)
    inner = (y > height // 4) & (y < 3 * height // 4) & (x > 4) & (x < width - 5)
    return (strokes & inner)[None, None]


def psnr(x: Tensor, truth: Tensor, hole: Tensor) -> float:
    """dB in the hole."""
    return -10 * math.log10(float((x - truth)[hole.expand_as(truth)].square().mean()))


def laplacian_residual(x: Tensor, hole: Tensor) -> float:
    """Largest difference in the hole between a pixel and the mean of its neighbours."""
    p = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    mean = (p[..., :-2, 1:-1] + p[..., 2:, 1:-1] + p[..., 1:-1, :-2] + p[..., 1:-1, 2:]) / 4
    return float((x - mean).abs()[hole.expand_as(x)].max())


def test_known_pixels_stay_as_they_are_and_hidden_ones_are_not_looked_at(device: torch.device) -> None:
    truth, hole = natural(70, 91, 2).to(device), letters(70, 91).to(device)
    filled = harmonic(truth, hole)
    poisoned = harmonic(truth.masked_fill(hole, math.nan), hole)
    assert torch.equal(filled, poisoned)
    known = ~hole.expand_as(truth)
    assert torch.equal(filled[known], truth[known])
    assert filled.min() >= truth.min()
    assert filled.max() <= truth.max()


def test_an_even_picture_and_an_even_slope_come_back(device: torch.device) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 80), indexing="ij")
    slope = torch.stack([0.3 * x + 0.5 * y, x, torch.full_like(x, 0.37)])[None].to(device)
    hole = letters(64, 80).to(device)
    filled = harmonic(slope, hole)
    assert (filled[:, 2] - 0.37).abs().max() < 1e-6
    assert (filled - slope).abs().max() < 0.02
    assert (harmonic(slope, hole, 400) - slope).abs().max() < 1e-3


def test_more_sweeps_come_closer_to_the_exact_solution() -> None:
    x, hole = natural(60, 60), letters(60, 60)
    residuals = [laplacian_residual(harmonic(x, hole, sweeps), hole) for sweeps in (1, 5, 40, 500)]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 1e-5


def test_better_than_the_mean_colour() -> None:
    truth, hole = natural(96, 96), letters(96, 96)
    known = truth[(~hole).expand_as(truth)].view(3, -1).mean(1)
    flat = torch.where(hole, known.view(1, 3, 1, 1), truth)
    assert psnr(harmonic(truth, hole), truth, hole) > psnr(flat, truth, hole) + 6


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 2), (3, 50), (37, 5), (33, 64)])
def test_any_size(height: int, width: int) -> None:
    picture = torch.full((1, 3, height, width), 0.25)
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., height // 2, width // 2] = True
    expected = 0.5 if height == width == 1 else 0.25
    assert (harmonic(picture, hole) - expected).abs().max() < 1e-6


def test_a_large_hole_reaching_the_edge_is_filled_from_what_is_known() -> None:
    picture = torch.full((1, 1, 90, 120), 0.8)
    hole = torch.ones(1, 1, 90, 120, dtype=torch.bool)
    hole[..., :5, :5] = False
    assert (harmonic(picture, hole) - 0.8).abs().max() < 1e-5


def test_nothing_hidden_and_everything_hidden() -> None:
    picture = natural(20, 30)
    hole = torch.zeros(1, 1, 20, 30, dtype=torch.bool)
    assert torch.equal(harmonic(picture, hole), picture)
    assert (harmonic(picture, ~hole) == 0.5).all()


def test_the_batch_does_not_matter_and_each_picture_may_have_its_own_hole(device: torch.device) -> None:
    x = natural(40, 50, 3).to(device)
    holes = torch.cat([letters(40, 50), letters(40, 50).flip(-1), torch.zeros(1, 1, 40, 50, dtype=torch.bool)]).to(
        device
    )
    together = harmonic(x, holes)
    for i in range(3):
        assert (harmonic(x[i : i + 1], holes[i : i + 1]) - together[i : i + 1]).abs().max() < 1e-6


def test_half_precision_on_fake_cuda(fake_cuda: torch.device) -> None:
    x = torch.rand(4, 3, 45, 64, device=fake_cuda, dtype=torch.float16)
    hole = torch.zeros(1, 1, 45, 64, device=fake_cuda, dtype=torch.bool)
    out = harmonic(x, hole)
    assert (out.shape, out.dtype, out.device.type) == (x.shape, torch.float16, "cuda")


@pytest.mark.parametrize(
    "hole", [torch.zeros(1, 1, 9, 8, dtype=torch.bool), torch.zeros(1, 1, 8, 8), torch.zeros(8, 8, dtype=torch.bool)]
)
def test_a_mask_that_does_not_fit_is_refused(hole: Tensor) -> None:
    with pytest.raises(ValueError, match=r"hole is \(.*must be \(N, 1, H, W\) bool"):
        harmonic(torch.zeros(1, 3, 8, 8), hole)
