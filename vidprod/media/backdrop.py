"""What is put behind a product that was cut out: a backdrop's colour, its light, and the product's soft shadow on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from vidprod.media.dither import thresholds

if TYPE_CHECKING:
    from vidprod.media.still import Still

RGB = tuple[int, int, int]

PLAIN: RGB = (240, 238, 235)
"""Paper white: what is behind a picture without colours of its own that would be lost on it."""

# In OKLab (B. Ottosson, 2020): lightness 0..1 and chroma of the backdrops to choose from, and what they cost. Lighter ones are
# preferred; darker ones are for what would be lost on those.
_BACKDROPS = (
    (0.945, 0.012, 0.00),
    (0.90, 0.020, 0.03),
    (0.82, 0.028, 0.07),
    (0.75, 0.026, 0.12),
    (0.67, 0.024, 0.18),
    (0.56, 0.022, 0.25),
    (0.40, 0.018, 0.29),
    (0.27, 0.014, 0.30),
)
_HUES = ((0.0, 0.0), (math.pi, 0.02))  # turned from the product's own, and what that costs
_WARM = math.radians(75)  # hue of backdrops for products without a colour
_GREY = 0.6  # of the chroma of the others, for those
_COLOURED = 0.02  # mean chroma from which a product has a colour
_APART = 0.12  # distance in OKLab at which an outline is easily seen; 0.02 is about the least that is
_SIDE = 192  # pixels of the longer side in which products are looked at
_OUTLINE = 2  # of those pixels
_VISIBLE = 0.03  # alpha from which a pixel counts
_BLACK = 0.15  # of half transparent pixels, the most that a channel has if they are a shadow
_OWN_SHADOW = 0.01  # how much of that, as a part of the product, makes a shadow of its own
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

_STRIP = 256  # rows that are composed at once
_LIT, _DARK = 1.035, 0.90  # of the colour: where the light falls, and in the corners
_LIGHT = 0.42  # height at which it falls, from the top
# Shadows as (blur, drop, darkness): the first two as parts of the picture's longer side.
_SHADOWS = ((0.045, 0.022, 0.20), (0.010, 0.008, 0.16))
_SHADOW_SIDE = 256  # pixels of the longer side in which they are blurred


def fitting_background(still: Still) -> RGB:
    """A backdrop's colour that suits what is cut out: light and of the same hue, but as much darker as its outline needs.

    A white product gets a middling one, soft light a dark one. Half transparent parts count by what is seen of them.

    Returns:
        red, green and blue, 0..255; `PLAIN` for a picture that is opaque.
    """
    if still.alpha is None:
        return PLAIN
    lab, alpha = _product(still)
    hue = _hue(lab, alpha)
    weight = alpha.sqrt() * _outline(alpha)
    if not float(weight.sum()):
        return PLAIN
    # a hard edge counts as what it is the edge of
    alpha = functional.max_pool2d(alpha[None, None], 2 * _OUTLINE + 1, stride=1, padding=_OUTLINE)[0, 0]
    best, least = PLAIN, math.inf
    for lightness, chroma, cost in _BACKDROPS:
        for turn, extra in _HUES if hue is not None else _HUES[:1]:
            angle = (_WARM if hue is None else hue) + turn
            chroma = chroma if hue is not None else chroma * _GREY
            backdrop = torch.tensor([lightness, chroma * math.cos(angle), chroma * math.sin(angle)])
            apart = (lab - backdrop[:, None, None]).square().sum(0).sqrt() * alpha
            lost = float(((1 - apart / _APART).clamp(min=0) * weight).sum() / weight.sum())
            if lost + cost + extra < least:
                best, least = _rgb(backdrop), lost + cost + extra
    return best


def over(still: Still, rgb: RGB) -> Tensor:
    """The picture as it would have been taken before a studio's backdrop: lit from above, with a soft shadow.

    Opaque parts stay exactly as they are.

    Args:
        still: the picture.
        rgb: the backdrop's colour, 0..255, as of `fitting_background`.

    Returns:
        (3, H, W) uint8.
    """
    if still.alpha is None:
        return still.picture
    height, width = still.alpha.shape[-2:]
    device = still.picture.device
    colour = torch.tensor(rgb, dtype=torch.float32, device=device).view(3, 1, 1)
    shade = _shadow(still)
    noise = thresholds(_STRIP, width, device)
    out = torch.empty_like(still.picture)
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        count = rows.stop - top
        alpha = still.alpha[:, rows].to(torch.float32) / 255
        behind = colour * _light(height, width, rows, device) * _stretched(shade, height, width, rows)
        mixed = still.picture[:, rows] * alpha + behind.clamp(max=255) * (1 - alpha)
        # so little colour over so many pixels would show as bands
        level = torch.where(alpha < 1, noise[:count], 0.5)
        out[:, rows] = (mixed + level).clamp(0, 255).to(torch.uint8)
    return out


def _product(still: Still) -> tuple[Tensor, Tensor]:
    """What is cut out, made small: its colours (3, h, w) in OKLab, and alpha (h, w) 0..1, nought where it is but a shadow."""
    assert still.alpha is not None
    alpha = still.alpha.to("cpu", torch.float32)[None] / 255
    colour = still.picture.to("cpu", torch.float32)[None] / 255 * alpha
    scale = min(1.0, _SIDE / max(alpha.shape[-2:]))
    size = [max(1, round(n * scale)) for n in alpha.shape[-2:]]
    alpha, colour = (functional.interpolate(x, size, mode="area")[0] for x in (alpha, colour))
    colour = colour / alpha.clamp(min=1e-4)
    alpha = alpha[0]
    shadow = (alpha < 0.9) & (colour.amax(0) < _BLACK)
    return _oklab(colour.clamp(0, 1)), torch.where(shadow | (alpha < _VISIBLE), 0.0, alpha)


def _has_shadow(still: Still) -> Tensor:
    """() bool: whether the shadow is in the picture already, as black that can be seen through."""
    assert still.alpha is not None
    step = max(1, max(still.alpha.shape[-2:]) // _SIDE)
    alpha = still.alpha[0, ::step, ::step].to(torch.float32) / 255
    dark = still.picture[:, ::step, ::step].amax(0) < 255 * _BLACK
    shadow = (alpha * (dark & (alpha < 0.9))).sum()
    return shadow > _OWN_SHADOW * alpha.sum()


def _outline(alpha: Tensor) -> Tensor:
    """(h, w): 1 near the edge of what is seen and where it can be seen through, a little elsewhere."""
    reach = 2 * _OUTLINE + 1
    # the end of the picture is no outline
    around = functional.pad(alpha[None, None], (_OUTLINE,) * 4, mode="replicate")
    least = -functional.max_pool2d(-around, reach, stride=1)[0, 0]
    return torch.where(least < 0.9, 1.0, 0.05)


def _hue(lab: Tensor, alpha: Tensor) -> float | None:
    """Of the colour that most of the product has, in radians; None for one in white, grey and black."""
    total = alpha.sum().clamp(min=1e-6)
    a, b = (float((lab[at] * alpha * lab[1:].norm(dim=0)).sum() / total) for at in (1, 2))
    chroma = float((lab[1:].norm(dim=0) * alpha).sum() / total)
    return math.atan2(b, a) if chroma > _COLOURED and math.hypot(a, b) > 0.3 * chroma**2 else None


def _light(height: int, width: int, rows: slice, device: torch.device) -> Tensor:
    """(1, rows, W): a factor, largest where the light falls, smallest in the corners."""
    y = (torch.arange(rows.start, rows.stop, device=device, dtype=torch.float32) + 0.5) / height - _LIGHT
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width - 0.5
    far = (y[:, None].square() + x[None].square()) / ((1 - _LIGHT) ** 2 + 0.25)
    return (_LIT - (_LIT - _DARK) * far)[None]


def _shadow(still: Still) -> Tensor:
    """(1, 1, h, w): the factor by which shadows darken what is behind, small; 1 where the picture brings its own shadow."""
    assert still.alpha is not None
    alpha = still.alpha
    scale = min(1.0, _SHADOW_SIDE / max(alpha.shape[-2:]))
    size = [max(1, round(n * scale)) for n in alpha.shape[-2:]]
    small = functional.interpolate(alpha[None].to(torch.float32) / 255, size, mode="area")
    shade = torch.ones_like(small)
    for blur, drop, darkness in _SHADOWS:
        shade = shade * (1 - darkness * _blurred(small, blur * max(size), round(drop * max(size))))
    return torch.where(_has_shadow(still), 1.0, shade)


def _blurred(x: Tensor, sigma: float, down: int) -> Tensor:
    """(1, 1, h, w), moved down by some rows; beyond its ends it goes on as it ends."""
    radius = math.ceil(3 * sigma)
    at = torch.arange(-radius, radius + 1, device=x.device, dtype=torch.float32)
    kernel = torch.exp(-at.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = functional.pad(x, (radius, radius, radius + down, radius), mode="replicate")[:, :, : x.shape[2] + 2 * radius]
    x = functional.conv2d(x, kernel.view(1, 1, 1, -1))
    return functional.conv2d(x, kernel.view(1, 1, -1, 1))


def _stretched(x: Tensor, height: int, width: int, rows: slice) -> Tensor:
    """(1, rows, W): some rows of what (1, 1, h, w) would be in full size, between its pixels in straight lines."""
    y, x_ = (
        ((torch.arange(start, stop, device=x.device, dtype=torch.float32) + 0.5) / whole * part - 0.5).clamp(
            0, part - 1
        )
        for start, stop, whole, part in ((rows.start, rows.stop, height, x.shape[2]), (0, width, width, x.shape[3]))
    )
    top, left = y.long(), x_.long()
    plane = x[0, 0]
    lines = torch.lerp(plane[top], plane[(top + 1).clamp(max=x.shape[2] - 1)], (y - top)[:, None])
    return torch.lerp(lines[:, left], lines[:, (left + 1).clamp(max=x.shape[3] - 1)], x_ - left)[None]


def _oklab(rgb: Tensor) -> Tensor:
    """(3, h, w) sRGB 0..1."""
    light = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("ij,jhw->ihw", torch.tensor(_TO_CONES), light).clamp(min=0) ** (1 / 3)
    return torch.einsum("ij,jhw->ihw", torch.tensor(_TO_LAB), cones)


def _rgb(lab: Tensor) -> RGB:
    """sRGB 0..255 of one colour (3,)."""
    light = torch.linalg.inv(torch.tensor(_TO_CONES)) @ (torch.linalg.inv(torch.tensor(_TO_LAB)) @ lab) ** 3
    light = light.clamp(0, 1)
    value = torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(v) * 255) for v in value)
    return red, green, blue
