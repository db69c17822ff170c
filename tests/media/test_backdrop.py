"""Products that were cut out stand before a backdrop that shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidprod.media.backdrop import PLAIN, RGB, fitting_background, over
from vidprod.media.still import Still, read_still

SIDE = 160


def _distance(side: int = SIDE) -> Tensor:
    """(side, side): pixels from the middle."""
    at = torch.arange(side) - (side - 1) / 2
    return (at[:, None].square() + at[None].square()).sqrt()


def _product(rgb: RGB, alpha: Tensor | None = None) -> Still:
    """A disc of one colour with a soft edge."""
    coverage = (SIDE / 3 - _distance()).clamp(0, 1) if alpha is None else alpha
    picture = torch.tensor(rgb, dtype=torch.uint8).view(3, 1, 1).expand(3, SIDE, SIDE).contiguous()
    return Still(picture, (coverage * 255).round().to(torch.uint8)[None])


def _luma(rgb: RGB | Tensor) -> float:
    red, green, blue = (float(v) for v in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(a: RGB, b: RGB) -> float:
    """Largest difference of a channel."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


@given(rgb=st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=20)
def test_no_product_is_lost(rgb: RGB) -> None:
    background = fitting_background(_product(rgb))
    assert all(0 <= value <= 255 for value in background)
    assert _contrast(background, rgb) >= 25


@pytest.mark.parametrize("rgb", [(15, 15, 18), (20, 30, 90), (200, 30, 40), (40, 130, 70), (128, 128, 128)])
def test_most_products_get_a_light_backdrop(rgb: RGB) -> None:
    assert _luma(fitting_background(_product(rgb))) > 215


@pytest.mark.parametrize("rgb", [(255, 255, 255), (248, 246, 240)])
def test_white_products_get_a_darker_but_no_dark_one(rgb: RGB) -> None:
    assert 140 < _luma(fitting_background(_product(rgb))) < 212


def test_soft_light_gets_a_dark_one() -> None:
    glow = torch.exp(-(_distance() / (SIDE / 5)).square())
    assert _luma(fitting_background(_product((255, 240, 200), glow))) < 90


def test_a_tint_of_the_same_kind() -> None:
    red = fitting_background(_product((200, 30, 40)))
    blue = fitting_background(_product((20, 40, 160)))
    grey = fitting_background(_product((60, 60, 60)))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert max(grey) - min(grey) <= 10


def test_a_shadow_in_the_picture_is_no_product() -> None:
    still = _product((255, 255, 255))
    assert still.alpha is not None
    bare = fitting_background(still)
    floor = torch.zeros(SIDE, SIDE)
    floor[-14:-6, 30:-30] = 0.4
    shadow = floor > 0
    with_shadow = Still(
        torch.where(shadow, 0, still.picture), torch.where(shadow, floor * 255, still.alpha).to(torch.uint8)
    )
    assert fitting_background(with_shadow) == bare
    # and it gets no second one
    below = over(with_shadow, bare).float()[:, 136:143, 70:90].mean()
    assert below > over(still, bare).float()[:, 136:143, 70:90].mean() + 8


def test_opaque_pictures_stay_as_they_are() -> None:
    still = Still(torch.full((3, 4, 6), 7, dtype=torch.uint8), None)
    assert fitting_background(still) == PLAIN
    assert torch.equal(over(still, (1, 2, 3)), still.picture)


def test_nothing_but_faint_dust() -> None:
    assert fitting_background(_product((255, 0, 0), torch.full((SIDE, SIDE), 0.01))) == PLAIN


def test_composed(device: torch.device) -> None:
    generator = torch.Generator().manual_seed(1)
    picture = torch.randint(0, 256, (3, 300, 220), dtype=torch.uint8, generator=generator).to(device)
    alpha = torch.randint(0, 256, (1, 300, 220), dtype=torch.uint8, generator=generator)
    alpha[:, :150] = 255
    alpha[:, 150:200] = 0
    backdrop = 180, 200, 220
    seen = over(Still(picture, alpha.to(device)), backdrop)
    assert seen.device == picture.device
    assert seen.shape == picture.shape
    assert seen.dtype == torch.uint8
    assert torch.equal(seen[:, :150], picture[:, :150])
    colour = torch.tensor(backdrop, device=device).view(3, 1, 1)
    behind = seen[:, 150:200].float()
    assert (behind <= colour * 1.035 + 1).all()
    assert (behind >= colour * 0.90 * 0.8 * 0.84 - 1).all()
    # soft parts lie between the picture and what can be behind it
    share = alpha[:, 200:].to(device).float() / 255
    lowest, highest = (
        picture[:, 200:] * share + colour * factor * (1 - share) for factor in (0.90 * 0.8 * 0.84, 1.035)
    )
    assert (seen[:, 200:] >= lowest - 1).all()
    assert (seen[:, 200:] <= highest.clamp(max=255) + 1).all()


def test_the_light_has_no_bands() -> None:
    still = _product((0, 0, 0), torch.nn.functional.pad(torch.ones(2, 2), (0, SIDE - 2, 0, SIDE - 2)))
    seen = over(still, (200, 200, 200)).float()
    smooth = seen[0].unfold(0, 16, 16).unfold(1, 16, 16).mean((2, 3))
    along = smooth[1:, 1:].diff(dim=1).abs()
    assert 0.05 < float(along.median()) < 2  # the mean over areas changes by less than a level
    assert float((seen[0, 80:, 80:].unique()).numel()) > 5


def test_the_shadow_lies_below() -> None:
    still = _product((30, 60, 160))
    assert still.alpha is not None
    bare = over(
        Still(still.picture, still.alpha // 255 * 0 + torch.eye(SIDE, dtype=torch.uint8)[None]), (230, 230, 230)
    )
    darker = bare.float()[0] - over(still, (230, 230, 230)).float()[0]
    clear = still.alpha[0] == 0
    above, below = (darker[rows][clear[rows]].mean() for rows in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE)))
    assert below > above > 0
    assert darker[:4].abs().max() < 6  # none far away


def test_on_a_device_that_is_not_there(fake_cuda: torch.device) -> None:
    still = Still(
        torch.zeros(3, 300, 200, dtype=torch.uint8, device=fake_cuda),
        torch.zeros(1, 300, 200, dtype=torch.uint8, device=fake_cuda),
    )
    seen = over(still, PLAIN)
    assert (seen.device.type, seen.shape, seen.dtype) == ("cuda", (3, 300, 200), torch.uint8)


@pytest.mark.needs_media
@pytest.mark.parametrize("name", ["sneaker_alpha_2160.png", "drink_alpha_2160.png", "tote_1360x1190.png"])
def test_real_products(media: Path, name: str) -> None:
    still = read_still(media / "photos" / name, side=540)
    assert still.alpha is not None
    seen = over(still, fitting_background(still))
    opaque = (still.alpha == 255).expand_as(seen)
    assert torch.equal(seen[opaque], still.picture[opaque])
    # along the outline the product differs from what is behind it
    inside = still.alpha[0].float() / 255
    edge = (torch.nn.functional.max_pool2d(inside[None], 5, 1, 2)[0] > 0.95) & (inside < 0.05)
    near = torch.nn.functional.max_pool2d(still.picture.float() * (inside > 0.95), 5, 1, 2)
    assert float((near - seen.float())[:, edge].abs().amax(0).median()) > 30
