"""Pictures in bands of detail, and how wrong un-blending and inpainting are in each of them.

Un-blending brings back broad areas well and magnifies the noise of the codec; inpainting guesses smooth areas well and invents
no noise. So each band is mixed for itself, by the errors that are expected; and lightness and colour apart, because video keeps
colour at half the size, where the edge of a logo is another one.

Errors are (bands, 2, h, w) in squared levels: of the lightness, and the mean of the two differences of colours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.logo_prediction import Mask, Place, copies, filled, gaussian, put, smooth

SIGMAS = (0.8, 1.6, 4.0)
"""Standard deviations in pixels of the Gaussians between the bands, fine to broad."""

LEAST_LEFT = 0.08
"""Of the background's light that a pixel must have kept, to be divided by."""

OPAQUE = 0.85
"""Alpha above which un-blending gives nothing but noise."""

ALPHA_ERROR = 0.025
"""Of an estimated alpha, where the prediction is good."""

_DOUBT = 0.35  # part of the prediction's doubt that is common to a whole logo, and shifts its alpha
_CODING = (0.6, 0.3, 0.1, 0.05)  # squared noise of coding in each band, in levels
_HOPELESS = 900.0  # squared levels
_OPPONENT = ((2.0, 2.0, 2.0), (6**0.5, 0.0, -(6**0.5)), (2**0.5, -2 * 2**0.5, 2**0.5))  # times 12 ** 0.5


def opponent(x: Tensor) -> Tensor:
    """(N, 3, h, w) R'G'B' as lightness and two differences of colours: a rotation, so that errors stay as large as they are."""
    return torch.einsum("ij,njhw->nihw", _rotation(x), x)


def rgb(x: Tensor) -> Tensor:
    """Back from `opponent`."""
    return torch.einsum("ji,njhw->nihw", _rotation(x), x)


def _rotation(x: Tensor) -> Tensor:
    return torch.tensor(_OPPONENT, dtype=x.dtype, device=x.device) / 12**0.5


def bands(x: Tensor) -> list[Tensor]:
    """(N, C, h, w) float32 as a sum of `len(SIGMAS) + 1` pictures, finest detail first."""
    parts = []
    for sigma in SIGMAS:
        broad = gaussian(x, sigma)
        parts.append(x - broad)
        x = broad
    return [*parts, x]


def recovered(pictures: Tensor, alpha: Tensor, colour: Tensor) -> Tensor:
    """The background under a logo, from (N, 3, h, w) float32 in levels; meaningless where the logo is opaque."""
    return ((pictures - colour) / (1 - alpha).clamp(min=LEAST_LEFT)).clamp(0, 255)


def structure(pictures: Tensor, support: Tensor) -> Tensor:
    """How much is going on around the logo: squared slopes (N, 1, h, w), from outside `support` (h, w) bool."""
    y = F.pad(gaussian(pictures.mean(1, keepdim=True), 1.0), (1, 1, 1, 1), mode="replicate")
    across, down = y[..., 1:-1, 2:] - y[..., 1:-1, :-2], y[..., 2:, 1:-1] - y[..., :-2, 1:-1]
    known = (~support).to(torch.float32)[None, None]
    energy = (across.square() + down.square()) / 4 * known
    return gaussian(energy, 6.0) / gaussian(known, 6.0).clamp(min=1e-2) + 1


def inpainting_errors(pictures: Tensor, support: Mask, place: Place) -> tuple[Tensor, Tensor]:
    """From copies beside the logo, where the truth is known.

    Returns:
        Squared error of a smooth fill, and energy of the true picture.
    """
    inside = place.inside(support)
    count = len(SIGMAS) + 1
    wrong = torch.zeros(count, 2, place.box.height, place.box.width)
    energy = torch.zeros_like(wrong)
    found = copies(support, place)
    for copy in found:
        there = torch.from_numpy(copy.mask[copy.box.slices])
        for shown, guess in filled(pictures, copy.hidden, copy.box):
            mixed = torch.where(there, guess, shown)
            for k, (a, b) in enumerate(zip(bands(opponent(mixed)), bands(opponent(shown)), strict=True)):
                wrong[k] += put(_squares(a - b), copy, place)
                energy[k] += put(_squares(b), copy, place)
    samples = max(len(found) * len(pictures), 1)
    return smooth(wrong / samples, inside, 2.0).clamp(min=0.5), smooth(energy / samples, inside, 3.0)


def unblending_errors(
    pictures: Tensor, support: Mask, place: Place, alpha: Tensor, colour: Tensor, energy: Tensor, doubt: float
) -> Tensor:
    """Squared error of un-blending: detail it shows beyond the `energy` there should be, and alpha's error.

    Args:
        doubt: standard deviation of what the prediction says about alpha, relative to 1 - alpha.
    """
    inside = place.inside(support)
    hard = inside & (alpha > OPAQUE)
    left = (1 - alpha).clamp(min=LEAST_LEFT)
    logo = colour / alpha.clamp(min=0.1)
    shown_energy = torch.zeros_like(energy)
    contrast = torch.zeros_like(energy[0])
    for shown, guess in filled(pictures, support, place.box):
        clean = torch.where(inside, recovered(shown, alpha, colour), shown)
        clean = torch.where(hard, guess, clean)
        shown_energy += torch.stack([_squares(b) for b in bands(opponent(clean))])
        contrast += _squares(opponent(logo - shown))
    shown_energy, contrast = shown_energy / len(pictures), contrast / len(pictures)
    errors = (smooth(shown_energy, inside, 0.8) - energy).clamp(min=0)
    # The broad band differs from copy to copy by more than un-blending errs: there alpha's error tells more.
    errors[-1] = contrast * ((ALPHA_ERROR / left) ** 2 * (alpha > 0.04) + (_DOUBT * doubt) ** 2)
    coding = torch.tensor(_CODING).view(-1, 1, 1, 1)
    return errors + coding / left**2 + _HOPELESS * hard


def _squares(x: Tensor) -> Tensor:
    """Sums over N of squares of (N, 3, h, w) `opponent`: (2, h, w)."""
    squares = x.square().sum(0)
    return torch.stack([squares[0], squares[1:].mean(0)])
