"""Between stored samples (integers) and what networks work on (floats in 0..1)."""

from __future__ import annotations

import torch
from torch import Tensor

_PEAK = {torch.uint8: 255.0, torch.uint16: 65535.0}


def to_unit(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, 3, H, W) uint8 or uint16 -> floats in 0..1, channels_last, on the same device."""
    wide = torch.float32 if x.dtype == torch.uint16 else dtype  # 65535 is beyond fp16
    unit = x.to(wide, memory_format=torch.channels_last, copy=True)
    return unit.div_(_PEAK[x.dtype]).to(dtype)


def from_unit(y: Tensor, dtype: torch.dtype) -> Tensor:
    """Floats, 0..1 and beyond -> uint8 or uint16, rounded and clamped. Overwrites `y` where it can."""
    if dtype == torch.uint16:
        y = y.float()  # fp16 has eleven bits
    return y.mul_(_PEAK[dtype]).round_().clamp_(0, _PEAK[dtype]).to(dtype)
