"""SRVGGNetCompact: the plain, fast network of Real-ESRGAN's video models (https://arxiv.org/abs/2107.10833).

Parameter names as in the published checkpoints (github.com/xinntao/Real-ESRGAN, BSD-3-Clause).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SRVGGNetCompact(nn.Module):
    """RGB (N, 3, H, W) in 0..1 -> (N, 3, scale H, scale W), not clamped: a run of 3x3 convolutions at input size.

    The receptive field reaches `convolutions` + 2 pixels.
    """

    def __init__(self, features: int = 64, convolutions: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.ModuleList([nn.Conv2d(3, features, 3, padding=1), nn.PReLU(features)])
        for _ in range(convolutions):
            self.body += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        self.body.append(nn.Conv2d(features, 3 * scale * scale, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out = x
        for layer in self.body:
            out = layer(out)
        return F.pixel_shuffle(out, self.scale) + F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
