"""Fills holes as a soap film would: every hidden pixel becomes the mean of its neighbours, known pixels stay as they are.

The exact solution of Laplace's equation takes as many sweeps as the hole is wide. Here a pyramid brings the colours to the
middle of the hole first, and a few sweeps on each level smooth out what is left; only operations on whole pictures, so that
a GPU does a batch of frames at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SWEEPS = 5
"""Sweeps on every level. Text-shaped holes in 128 patches: 2 give 18.57 dB, 5 give 18.65, 24 give 18.71; Telea 18.00."""

_SMALLEST = 2  # side of a picture that is not halved again


def harmonic(picture: Tensor, hole: Tensor, sweeps: int = SWEEPS) -> Tensor:
    """The picture with its holes filled smoothly.

    Args:
        picture: (N, C, H, W) float; what lies in the holes is not looked at, not even NaN.
        hole: (N, 1, H, W) or (1, 1, H, W) bool, true where the picture is unknown.
        sweeps: over every level of the pyramid; more come closer to the exact solution.

    Returns:
        (N, C, H, W) of the same dtype; outside the holes exactly `picture`. A picture without any known pixel becomes 0.5.
    """
    if hole.dtype != torch.bool or hole.ndim != 4 or hole.shape[1] != 1 or hole.shape[2:] != picture.shape[2:]:
        raise ValueError(
            f"hole is {tuple(hole.shape)} {hole.dtype}, must be (N, 1, H, W) bool for a picture {tuple(picture.shape)}"
        )
    smooth = _solve(picture.float().masked_fill(hole, 0), hole, sweeps)
    return torch.where(hole, smooth.to(picture.dtype), picture)


def _solve(known: Tensor, hole: Tensor, sweeps: int) -> Tensor:
    """`known` (N, C, H, W) float32, zero where `hole` (N, 1, H, W) is true, with the holes filled."""
    height, width = known.shape[2:]
    if min(height, width) <= _SMALLEST:
        count = (~hole).sum((2, 3), keepdim=True)
        mean = known.sum((2, 3), keepdim=True) / count.clamp(min=1)
        start = torch.where(count > 0, mean, 0.5)
        return torch.where(hole, start, known)
    share = F.avg_pool2d((~hole).float(), 2, ceil_mode=True)
    half = F.avg_pool2d(known, 2, ceil_mode=True) / share.clamp(min=0.25)
    coarse = _solve(half, share == 0, sweeps)
    start = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]
    return _relax(known, hole.float(), start, sweeps)


def _relax(known: Tensor, inside: Tensor, start: Tensor, sweeps: int) -> Tensor:
    """Jacobi's iteration from `start`: hidden pixels (`inside` 1) become the mean of their four neighbours, over and over."""
    # One buffer with an edge around it, rewritten in place: the arithmetic is nothing, memory is what it costs.
    buffer = F.pad(torch.addcmul(known, inside, start), (1, 1, 1, 1))
    middle = buffer[..., 1:-1, 1:-1]
    quarter = inside * 0.25
    for _ in range(sweeps):
        # Beyond the edge lies the edge again.
        buffer[..., 0, :], buffer[..., -1, :] = buffer[..., 1, :], buffer[..., -2, :]
        buffer[..., 0], buffer[..., -1] = buffer[..., 1], buffer[..., -2]
        total = buffer[..., :-2, 1:-1] + buffer[..., 2:, 1:-1]
        total += buffer[..., 1:-1, :-2]
        total += buffer[..., 1:-1, 2:]
        middle.copy_(torch.addcmul(known, quarter, total, out=total))
    return middle
