"""Filling holes from what is around them, by the trained network."""

from __future__ import annotations

import torch
from torch import Tensor

from vidprod.models import inpaint_net
from vidprod.ops.harmonic import harmonic

AROUND = 32
"""Pixels around the holes that the network is shown."""

_PIXELS = (
    16_000_000,
    1_500_000,
)  # that are filled at a time, on a GPU and on the CPU: each takes some 300 bytes meanwhile


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
        part, holes = (x[..., area[0], area[1]] for x in (pictures, masks))
        out = pictures.clone()
        count = max(_PIXELS[self._device.type == "cpu"] // (part.shape[2] * part.shape[3]), 1)
        for first in range(0, len(pictures), count):
            some = slice(first, first + count)
            hole = holes if len(holes) == 1 else holes[some]
            out[some, :, area[0], area[1]] = self._filled(part[some].to(self._device), hole.to(self._device)).to(
                out.device
            )
        return out

    @torch.inference_mode()
    def _filled(self, part: Tensor, hole: Tensor) -> Tensor:
        known = part.to(torch.float32) / 255
        filled = self._net(known, hole, harmonic(known, hole))
        return torch.where(hole, filled.float().mul(255).round().clamp(0, 255).to(torch.uint8), part)


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
