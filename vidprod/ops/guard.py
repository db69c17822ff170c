"""Keeps a super-resolution network within sight of its input.

SPAN multiplies features by themselves in every block, so strong high-frequency noise makes it blow up: a checkerboard gives
values of 3000 where 0..1 is meant, and overflows fp16. A plain upscaling of the same picture never does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_DETAIL = 48 / 255
"""How far the network may move a sample from the bicubic one: costs nothing on clean pictures, +6 dB on strong noise."""

BLOWN = 1.0
"""Raw output further than this from mid-grey (that is, outside -0.5..1.5) means the network has lost its footing there."""

_BLOCK = 16


def bicubic(x: Tensor, scale: int) -> Tensor:
    """(N, 3, H, W) float -> (N, 3, scale * H, scale * W), Keys' kernel with a = -0.75, not clamped."""
    return F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)


def guard(y: Tensor, x: Tensor, scale: int) -> Tensor:
    """The network's output where it can be trusted, the bicubic picture where it cannot.

    Args:
        y: (N, 3, scale * H, scale * W) float, the raw output; may hold infinities and NaN. Overwritten.
        x: (N, 3, H, W) float in 0..1, the input.

    Returns:
        Finite values within `MOST_DETAIL` of the bicubic picture, not clamped to 0..1.
    """
    plain = bicubic(x, scale)
    # Coarse map of blown blocks, and the blocks around them: the surroundings of a blow-up are no good either.
    height, width = y.shape[-2:]
    spread = y.sub(0.5).abs_().amax(1, keepdim=True).nan_to_num_(nan=torch.inf, posinf=torch.inf)
    blown = F.max_pool2d(spread, _BLOCK, ceil_mode=True) > BLOWN
    blown = F.max_pool2d(blown.to(y.dtype), 3, 1, 1)
    mask = F.interpolate(blown, scale_factor=_BLOCK)[:, :, :height, :width].bool()
    y = torch.where(mask, plain, y.nan_to_num_(0.0, 0.0, 0.0))
    return torch.clamp(y, plain - MOST_DETAIL, plain + MOST_DETAIL)
