"""Pictures made smaller for a network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def scaled(pictures: Tensor, size: tuple[int, int], device: torch.device) -> Tensor:
    """(N, 3, H, W) uint8 or uint16, levels of their type -> (N, 3, *size) float32 in 0..255 on `device`, averaged over areas."""
    x = pictures.to(device).to(torch.float32)
    if pictures.dtype == torch.uint16:
        x = x / 257
    if tuple(pictures.shape[2:]) != size:
        x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False).clamp_(0, 255)
    return x


def within(height: int, width: int, *, side: int) -> tuple[int, int]:
    """Height and width with a longer side of `side`; what is smaller is not enlarged."""
    factor = min(1.0, side / max(height, width))
    return max(round(height * factor), 1), max(round(width * factor), 1)
