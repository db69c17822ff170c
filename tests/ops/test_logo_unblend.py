from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vidprod.ops.logo_bands import bands, opponent, rgb
from vidprod.ops.logo_matte import Matte, estimate
from vidprod.ops.logo_unblend import LogoUnblend, smooth_fill
from vidprod.ops.text_boxes import Box

from .logo_pictures import BOTTOM, LEFT, RIGHT, TOP, burned, logo, moving, psnr, still

BOX = Box(LEFT - 3, TOP - 3, RIGHT + 3, BOTTOM + 3)


def scene(alpha: float, pictures: Tensor) -> tuple[Matte, Tensor, Tensor, Tensor]:
    """The matte, and in its box what is shown, what is true, and where the logo is."""
    cover, colour = logo()
    shown = burned(pictures, cover, colour, alpha)
    matte = estimate(shown, BOX)
    assert matte is not None
    rows, columns = matte.box.slices
    return matte, shown[:, :, rows, columns], pictures[:, :, rows, columns], cover[rows, columns] > 0.02


@pytest.mark.parametrize(("alpha", "gain"), [(0.5, 6.0), (0.7, 4.0)])
def test_a_translucent_logo_goes_and_the_picture_beneath_comes_back(alpha: float, gain: float) -> None:
    matte, shown, truth, there = scene(alpha, moving(60))
    result = LogoUnblend(matte)(shown)
    filled = smooth_fill(shown, there[None, None].expand(len(shown), -1, -1, -1))
    assert psnr(result, truth, there) > psnr(filled, truth, there) + gain


def test_an_opaque_logo_is_filled_no_worse_than_by_the_fill() -> None:
    matte, shown, truth, there = scene(1.0, moving(60))
    op = LogoUnblend(matte)
    filled = smooth_fill(shown, op.mask.expand(len(shown), -1, -1, -1))
    assert psnr(op(shown), truth, there) > psnr(filled, truth, there) - 0.1


def test_what_cannot_be_unblended_is_what_the_fill_gave() -> None:
    matte, shown, _, _ = scene(0.5, still(40))
    marker = (
        torch.arange(shown[:1].numel(), dtype=torch.float32).reshape(shown[:1].shape).remainder(200).to(torch.uint8)
    )
    result = LogoUnblend(matte, fill=lambda pictures, masks: torch.where(masks, marker, pictures))(shown[:2])
    there = torch.from_numpy(matte.support)
    assert (result[..., there].float() - marker[..., there].float()).abs().max() <= 1


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_no_other_pixel_changes(alpha: float) -> None:
    matte, shown, _, _ = scene(alpha, moving(40))
    op = LogoUnblend(matte)
    result = op(shown[:8])
    outside = ~torch.from_numpy(matte.support)
    assert torch.equal(op.mask[0, 0], ~outside)
    assert torch.equal(result[..., outside], shown[:8][..., outside])
    assert not torch.equal(result, shown[:8])


def test_batches_do_not_matter() -> None:
    matte, shown, _, _ = scene(0.5, moving(40))
    op = LogoUnblend(matte)
    together = op(shown[:6]).int()
    apart = torch.cat([op(shown[i : i + 1]) for i in range(6)]).int()
    assert (together - apart).abs().max() <= 1


def test_a_fill_that_is_there_already() -> None:
    matte, shown, _, _ = scene(0.5, moving(40))
    op = LogoUnblend(matte)
    filled = smooth_fill(shown, op.mask.expand(len(shown), -1, -1, -1))
    assert torch.equal(op.mixed(shown, filled), op(shown))


def test_a_matte_from_a_plan_does_the_same() -> None:
    matte, shown, _, _ = scene(0.5, moving(40))
    fresh, stored = LogoUnblend(matte)(shown[:4]).int(), LogoUnblend(Matte.unpacked(matte.packed()))(shown[:4]).int()
    assert (fresh - stored).abs().max() <= 2


@pytest.mark.parametrize(
    "pictures", [torch.zeros(1, 3, 5, 5, dtype=torch.uint8), torch.zeros(1, 3, 20, 30)], ids=["size", "type"]
)
def test_pictures_of_another_kind_are_refused(pictures: Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, \*\(3, 20, 30\)\) uint8"):
        LogoUnblend(plain()).mixed(pictures, pictures)


def plain() -> Matte:
    """Half transparent grey over the middle of 20x30 pixels."""
    support = np.zeros((20, 30), bool)
    support[5:15, 5:25] = True
    half = np.where(support, 0.5, 0).astype(np.float32)
    errors = np.ones((4, 2, 20, 30), np.float32)
    return Matte(
        kind="unblend",
        reason="",
        box=Box(0, 0, 30, 20),
        support=support,
        alpha=half,
        colour=np.stack([half * 128] * 3),
        unblend_error=errors,
        inpaint_error=errors,
        structure=4.0,
    )


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    op = LogoUnblend(plain(), device=fake_cuda)
    out = op(torch.zeros(3, 3, 20, 30, dtype=torch.uint8, device=fake_cuda))
    assert (out.shape, out.dtype, out.device.type) == ((3, 3, 20, 30), torch.uint8, "cuda")


def test_the_bands_of_a_picture_are_the_picture() -> None:
    x = moving(2)
    assert math.isclose(float((sum(bands(x)) - x).abs().max()), 0, abs_tol=1e-3)


def test_lightness_and_colours_are_a_rotation() -> None:
    x = moving(2)
    assert torch.allclose(rgb(opponent(x)), x, atol=1e-3)
    assert torch.allclose(opponent(x).square().sum(), x.square().sum(), rtol=1e-4)
