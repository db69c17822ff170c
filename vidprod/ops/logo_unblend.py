"""Takes a still logo off pictures: what shines through is got back, the rest is filled in, and each band is mixed by its errors."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vidprod.ops.harmonic import harmonic
from vidprod.ops.logo_bands import OPAQUE, bands, opponent, recovered, rgb, structure
from vidprod.ops.logo_matte import Matte


class Fill(Protocol):
    """Fills holes."""

    def __call__(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 with holes (N, 1, H, W) bool -> (N, 3, H, W) uint8, equal outside them."""


def smooth_fill(pictures: Tensor, masks: Tensor) -> Tensor:
    """A `Fill` that goes smoothly from edge to edge."""
    return harmonic(pictures.float(), masks).round().clamp(0, 255).to(torch.uint8)


class LogoUnblend:
    """Works on the part of each picture that `matte.box` is.

    Args:
        matte: of the logo.
        fill: for what does not shine through.
        device: where to work.
    """

    def __init__(self, matte: Matte, *, fill: Fill = smooth_fill, device: torch.device | str = "cpu"):
        self.matte = matte
        self.device = torch.device(device)
        self._fill = fill
        support, alpha, colour, wrong, inpaint = (
            torch.from_numpy(x).to(self.device)
            for x in (matte.support, matte.alpha, matte.colour, matte.unblend_error, matte.inpaint_error)
        )
        self.mask = support[None, None]
        self._alpha, self._colour, self._hard = alpha, colour, support & (alpha > OPAQUE)
        # of the lightness, and twice that of the colours
        self._wrong, self._inpaint = (x[:, None, [0, 1, 1]] for x in (wrong, inpaint))

    @property
    def share(self) -> float:
        """The part of the logo's pixels, 0..1, that is got back, where as much is going on around as usual; the rest is filled."""
        back = self._inpaint / (self._inpaint + self._wrong) * (~self._hard)
        return float(back[:, 0, 0][:, self.mask[0, 0]].mean())

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, 3, h, w) uint8 of the matte's box -> the same without the logo; outside `mask` nothing changes."""
        pictures = pictures.to(self.device)
        return self.mixed(pictures, self._fill(pictures, self.mask.expand(len(pictures), -1, -1, -1)))

    @torch.inference_mode()
    def mixed(self, pictures: Tensor, filled: Tensor) -> Tensor:
        """The same with a fill that is there already, such as one that needs other pictures too.

        Args:
            pictures: (N, 3, h, w) uint8.
            filled: the same pictures with the holes of `mask` filled.
        """
        if pictures.dtype != torch.uint8 or tuple(pictures.shape[1:]) != tuple(self._colour.shape):
            raise ValueError(
                f"pictures are {tuple(pictures.shape)} {pictures.dtype}, must be (N, *{tuple(self._colour.shape)}) uint8"
            )
        pictures, filled = pictures.to(self.device), filled.to(self.device)
        shown, guess = pictures.float(), filled.float()
        guess = torch.where(self.mask, guess, shown)
        clean = torch.where(self.mask & ~self._hard, recovered(shown, self._alpha, self._colour), guess)
        # Where there is more going on around the logo than usual, a guess is worth less than usual.
        busy = structure(shown, self.mask[0, 0]) / self.matte.structure
        result = torch.zeros_like(shown)
        for fine, rough, wrong, inpaint in zip(
            bands(opponent(clean)), bands(opponent(guess)), self._wrong, self._inpaint, strict=True
        ):
            result += rough + (fine - rough) * (inpaint * busy / (inpaint * busy + wrong))
        return torch.where(self.mask, rgb(result).round().clamp(0, 255).to(torch.uint8), pictures)
