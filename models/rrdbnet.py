"""RRDBNet: the generator of ESRGAN and Real-ESRGAN x4 (https://arxiv.org/abs/1809.00219).

Parameter names as in the published checkpoints (github.com/xinntao/Real-ESRGAN, BSD-3-Clause).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
RESIDUAL = 0.2


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it made; (N, C, H, W) -> the same."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, growth)
        self.conv2 = _conv(channels + growth, growth)
        self.conv3 = _conv(channels + 2 * growth, growth)
        self.conv4 = _conv(channels + 3 * growth, growth)
        self.conv5 = _conv(channels + 4 * growth, channels)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, F.leaky_relu(conv(seen), SLOPE)], 1)
        out: Tensor = self.conv5(seen)
        return out * RESIDUAL + x


class RRDB(nn.Module):
    """Three dense blocks in a residual; (N, C, H, W) -> the same."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(channels, growth)
        self.rdb2 = ResidualDenseBlock(channels, growth)
        self.rdb3 = ResidualDenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return out * RESIDUAL + x


class RRDBNet(nn.Module):
    """RGB (N, 3, H, W) in 0..1 -> (N, 3, 4H, 4W), not clamped."""

    def __init__(self, channels: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        self.scale = 4
        self.conv_first = _conv(3, channels)
        self.body = nn.Sequential(*(RRDB(channels, growth) for _ in range(blocks)))
        self.conv_body = _conv(channels, channels)
        self.conv_up1 = _conv(channels, channels)
        self.conv_up2 = _conv(channels, channels)
        self.conv_hr = _conv(channels, channels)
        self.conv_last = _conv(channels, 3)

    @staticmethod
    def radius(blocks: int) -> int:
        """Reach of the receptive field in input pixels: 15 convolutions a block, two around them, four after enlarging."""
        return 15 * blocks + 4

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        for conv in (self.conv_up1, self.conv_up2):
            features = F.leaky_relu(conv(F.interpolate(features, scale_factor=2.0, mode="nearest")), SLOPE)
        out: Tensor = self.conv_last(F.leaky_relu(self.conv_hr(features), SLOPE))
        return out
