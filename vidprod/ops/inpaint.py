"""Filling holes from what is around them, by the trained network."""

from __future__ import annotations

import torch
from torch import Tensor

from vidprod.models import inpaint_net
from vidprod.ops.harmonic import harmonic

AROUND = 32
"""Pixels around the holes that the network is shown."""


class NetworkFill:
    """A `SpatialFill`: a harmonic fill, corrected by `inpaint_net`.

    Args:
        device: where it runs; pictures may be elsewhere.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        self._net = inpaint_net.load(device=self._device)

    def __call__(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 with holes (N or 1, 1, H, W) bool -> (N, 3, H, W) uint8, equal outside them."""
        area = _around(masks)
        if area is None:
            return pictures
        part, hole = (x[..., area[0], area[1]].to(self._device) for x in (pictures, masks))
        known = part.to(torch.float32) / 255
        with torch.inference_mode():
            smooth = harmonic(known, hole)
            filled = self._net(known, hole, smooth)
        out = pictures.clone()
        out[..., area[0], area[1]] = torch.where(
            hole, filled.float().mul(255).round().clamp(0, 255).to(torch.uint8), part
        ).to(pictures.device)
        return out


def _around(masks: Tensor) -> tuple[slice, slice] | None:
    """The part of the pictures that holds all holes and what is around them; None where there is no hole."""
    any_hole = masks.any(0).any(0)
    rows, columns = any_hole.any(1).nonzero(), any_hole.any(0).nonzero()
    if not len(rows):
        return None
    height, width = any_hole.shape
    return (
        slice(max(0, int(rows[0]) - AROUND), min(height, int(rows[-1]) + 1 + AROUND)),
        slice(max(0, int(columns[0]) - AROUND), min(width, int(columns[-1]) + 1 + AROUND)),
    )
