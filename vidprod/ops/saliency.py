"""Where viewers look: the share of looks that falls on each part of a picture, in the light of the pictures before it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidprod.models import unisal
from vidprod.ops.scaled import scaled

ROWS, COLUMNS = 28, 48
"""Of a map, whatever the shape of the picture."""

CPU_PIXELS, GPU_PIXELS = 160 * 288, 224 * 384
"""Pixels that the network looks at. It was trained on the larger size; the smaller one is half of it."""

BATCH = 8
"""Pictures at a time; more only take more memory."""


@dataclass(frozen=True, eq=False)
class Saliency:
    """What viewers look at in N consecutive pictures.

    Attributes:
        mass: (N, 28, 48) float32 on the CPU, over the whole picture; together 1 for each one.
        embedding: (N, 256) float32 on the CPU; describes each picture by itself. The cosine tells how alike two are.
        state: for the pictures that follow in the same shot.
    """

    mass: Tensor
    embedding: Tensor
    state: Tensor | None


class SaliencyDetector:
    """Looks at the pictures of one shot after the other."""

    def __init__(
        self, device: torch.device | str = "cpu", *, pixels: int | None = None, net: nn.Module | None = None
    ) -> None:
        """`pixels`: about how many the network looks at; `net`: a `Unisal` other than the one that comes with vidprod."""
        self.device = torch.device(device)
        self._pixels = pixels or (CPU_PIXELS if self.device.type == "cpu" else GPU_PIXELS)
        self._net = net or unisal.load(device=self.device)
        self._dtype = next(self._net.parameters()).dtype

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which pictures of a size are looked at: multiples of 32, of about the same shape."""
        tile = unisal.SIZE_MULTIPLE
        most = self._pixels // tile**2

        def misfit(size: tuple[int, int]) -> float:
            rows, columns = size
            stretched = abs(math.log(rows * width / (columns * height)))
            return stretched + abs(math.log(rows * columns / most))

        sides = range(1, most + 1)
        fitting = [size for size in itertools.product(sides, sides) if size[0] * size[1] <= most]
        rows, columns = min(fitting, key=misfit)
        return rows * tile, columns * tile

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, state: Tensor | None = None) -> Saliency:
        """Looks at pictures (N, 3, H, W) uint8 that follow each other; `state` None at the start of a shot.

        How far apart the pictures are is up to the caller; the network was trained on six a second.
        """
        if not len(pictures):
            return Saliency(torch.zeros(0, ROWS, COLUMNS), torch.zeros(0, unisal.FEATURES), state)
        size = self.working_size(*pictures.shape[2:])
        masses, features = [], []
        for part in pictures.split(BATCH):
            x = scaled(part, size, self.device).div_(255).to(self._dtype)
            mass, feature, state = self._net(x.contiguous(memory_format=torch.channels_last), state)
            masses.append(_on_grid(mass).cpu())
            features.append(feature.cpu())
        return Saliency(torch.cat(masses), torch.cat(features), state)


def _on_grid(mass: Tensor) -> Tensor:
    """Mass (N, h, w) -> (N, 28, 48), together 1."""
    if tuple(mass.shape[1:]) == (ROWS, COLUMNS):
        return mass
    grid = F.interpolate(mass[:, None], (ROWS, COLUMNS), mode="bilinear", antialias=True, align_corners=False)[:, 0]
    return grid / grid.sum((1, 2), keepdim=True)
