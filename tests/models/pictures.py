"""Pictures to try networks on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDENS = Path(__file__).parent / "goldens.npz"


def natural(height: int, width: int, count: int = 1) -> Tensor:
    """(count, 3, height, width) in 0..1: smooth shapes, edges and a little texture, different in every picture.

    White noise will not do: SPAN multiplies its own rounding errors a hundred thousand times on it.
    """
    y, x = torch.meshgrid(torch.arange(height) / 24, torch.arange(width) / 24, indexing="ij")
    pictures = []
    for i in range(count):
        shade = 0.5 + 0.2 * torch.sin(2.1 * x + i) + 0.15 * torch.cos(1.7 * y - 0.6 * x)
        disc = ((x - 0.9 - 0.2 * i) ** 2 + (y - 0.8) ** 2 < 0.3).float()
        lines = 0.06 * torch.sign(torch.sin(9 * x + 5 * y))
        pictures.append(torch.stack([shade + 0.2 * disc, shade - 0.1 * disc + lines, 1 - shade + lines]))
    return torch.stack(pictures).clamp(0, 1)


def checkerboard(height: int, width: int) -> Tensor:
    """(1, 3, height, width): black and white in turn, the worst that a network can be shown."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return ((x + y) % 2).float().expand(1, 3, -1, -1).contiguous()


def salt_and_pepper(height: int, width: int) -> Tensor:
    """(1, 3, height, width): every twentieth pixel black or white."""
    picture = natural(height, width)
    draw = torch.rand(height, width, generator=torch.Generator().manual_seed(1))
    picture[:, :, draw < 0.025] = 0.0
    picture[:, :, draw > 0.975] = 1.0
    return picture


def golden(name: str) -> tuple[Tensor, Tensor]:
    """Input (1, 3, H, W) in 0..1 and what ncnn makes of it with a published network."""
    with np.load(GOLDENS) as arrays:
        photo = torch.from_numpy(arrays["photo"]).permute(2, 0, 1)[None].float() / 255
        return photo, torch.from_numpy(arrays[name])[None]
