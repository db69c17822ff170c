"""SPAN: Swift Parameter-free Attention Network for image super-resolution (https://arxiv.org/abs/2311.12770).

Inference form: every training-time Conv3XC (1x1, 3x3, 1x1 and a skip) is one 3x3 convolution. `models/user.py` folds
checkpoints that are still in the training form.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .bands import Bands

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
DEPTH = 6


class SPAB(nn.Module):
    """Three 3x3 convolutions whose result gates itself: an attention map without parameters of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(channels, channels, 3, padding=1)
        self.c2_r = nn.Conv2d(channels, channels, 3, padding=1)
        self.c3_r = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x` (N, C, H, W) -> the block's output and its first activation, both (N, C, H, W)."""
        # In place where no gradient needs the old value: the arithmetic between the convolutions is bound by memory.
        inplace = not torch.is_grad_enabled()
        first = F.silu(self.c1_r(x), inplace=inplace)
        o = self.c3_r(F.silu(self.c2_r(first), inplace=inplace))
        if not inplace:
            return (o + x) * (torch.sigmoid(o) - 0.5), first
        gate = torch.sigmoid(o).sub_(0.5)
        return o.add_(x).mul_(gate), first


class SPAN(nn.Module):
    """RGB (N, 3, H, W) in 0..1 -> (N, 3, scale H, scale W), not clamped.

    The receptive field reaches 21 pixels: 21 3x3 convolutions stand on the longest path.
    """

    RADIUS = 21
    mean: Tensor
    img_range: Tensor

    def __init__(self, channels: int = 48, scale: int = 2) -> None:
        super().__init__()
        self.channels = channels
        self.scale = scale
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1))
        self.register_buffer("img_range", torch.tensor(255.0))
        self.conv_1 = nn.Conv2d(3, channels, 3, padding=1)
        for i in range(1, DEPTH + 1):
            self.add_module(f"block_{i}", SPAB(channels))
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.upsampler = nn.Sequential(nn.Conv2d(channels, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))
        self._spare: list[Bands] = []  # memory of earlier runs, one for each thread that runs the network
        self._lock = threading.Lock()

    def blocks(self) -> Iterator[SPAB]:
        """The SPABs in order."""
        for i in range(1, DEPTH + 1):
            block = self.get_submodule(f"block_{i}")
            assert isinstance(block, SPAB)
            yield block

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled():
            return self._forward_bands(x)
        return self._forward_whole(x)

    def _forward_whole(self, x: Tensor) -> Tensor:
        # Normalisation stays apart from conv_1, because the zero padding comes after it.
        shallow = self.conv_1((x - self.mean) * self.img_range)  # (N, C, H, W)
        deep, first, tap = shallow, shallow, shallow
        for i, block in enumerate(self.blocks()):
            deep, tap = block(deep)
            if i == 0:
                first = deep
        features = torch.cat([shallow, self.conv_2(deep), first, tap], 1)  # (N, 4C, H, W)
        out: Tensor = self.upsampler(self.conv_cat(features))
        return out

    def _forward_bands(self, x: Tensor) -> Tensor:
        bands = self._take(x.shape[3]) or Bands(self.channels, x.shape[3], DEPTH)
        out = torch.cat([bands.run(self, picture) for picture in x.split(1)])
        with self._lock:
            self._spare.append(bands)
            del self._spare[: -(os.cpu_count() or 1)]
        return out

    def _take(self, width: int) -> Bands | None:
        """Memory of an earlier run that nobody uses now."""
        with self._lock:
            for i, bands in enumerate(self._spare):
                if bands.width == width:
                    return self._spare.pop(i)
        return None
