"""PP-OCRv6-det-small: finds where a picture shows lines of text, of any script, size and direction.

"Real-time Scene Text Detection with Differentiable Binarization" (https://arxiv.org/abs/1911.08947) on a light backbone
(depthwise 3x3, optional squeeze-and-excite, 1x1 - GELU - 1x1) and a feature pyramid with squeeze-and-excite at every junction,
as PaddleOCR publishes it. The output is the probability that a pixel belongs to the *middle* of a line of text; what makes
boxes of it is `ops/text_boxes.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import ModelError
from .device import default_dtype
from .registry import fill

WEIGHTS = "text-det-v6s"
SIZE_MULTIPLE = 32
"""Width and height of what the network is given must be multiples of it."""

MEAN = (0.406, 0.456, 0.485)
STD = (0.225, 0.224, 0.229)
# ImageNet's, which PaddleOCR applies to B, G, R in the order of R, G, B; here they stand in the order of R, G, B.

BACKBONE_SLOPE = 1 / 6
NECK_SLOPE = 0.2
# Of the hard sigmoids. No weight tells them, and on noise the wrong one goes unnoticed: on a real picture it costs 0.5.


class SqueezeExcite(nn.Module):
    """One factor in 0..1 for each channel, from the mean of all channels."""

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // 4, 1)
        self.up = nn.Conv2d(channels // 4, channels, 1)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, C, H, W) -> factors (N, C, 1, 1)."""
        squeezed: Tensor = self.up(F.relu(self.down(x.mean((2, 3), keepdim=True))))
        return (squeezed * self.slope + 0.5).clamp(0, 1)


class Block(nn.Module):
    """Depthwise convolution, gate, and two pointwise convolutions; with a way round where the shape stays."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, gate: bool = False) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs)
        self.gate = SqueezeExcite(inputs, BACKBONE_SLOPE) if gate else None
        self.widen = nn.Conv2d(inputs, 2 * inputs, 1)
        self.narrow = nn.Conv2d(2 * inputs, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        x = self.depthwise(x)
        if self.gate is not None:
            x = x * self.gate(x)
        out: Tensor = self.narrow(F.gelu(self.widen(x)))
        return x + out if self.residual else out


class Stem(nn.Module):
    """To a quarter of the size, along two paths: a maximum, and two small convolutions."""

    def __init__(self, middle: int = 24, outputs: int = 48) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, middle, 3, 2, 1)
        self.side_a = nn.Conv2d(middle, middle // 2, 2)
        self.side_b = nn.Conv2d(middle // 2, middle, 2)
        self.merge = nn.Conv2d(2 * middle, middle, 3, 2, 1)
        self.leave = nn.Conv2d(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, 3, H, W) -> (N, outputs, H / 4, W / 4)."""
        x = F.relu(self.enter(x))
        ahead = (0, 1, 0, 1)  # 2x2 windows that look right and down; x is not negative, so zeros do not win the maximum
        side = F.relu(self.side_b(F.pad(F.relu(self.side_a(F.pad(x, ahead))), ahead)))
        peak = F.max_pool2d(F.pad(x, ahead), 2, 1)
        out: Tensor = F.relu(self.leave(F.relu(self.merge(torch.cat([peak, side], 1)))))
        return out


class Junction(nn.Module):
    """A convolution that adds to its result the same, gated; with a wide depthwise one in front if `kernel` is given."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, kernel, 1, kernel // 2, groups=inputs) if kernel else None
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.gate = SqueezeExcite(outputs, NECK_SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, H, W)."""
        out: Tensor = self.pointwise(x if self.depthwise is None else self.depthwise(x))
        gate: Tensor = self.gate(out)
        return out + out * gate


class DBNet(nn.Module):
    """RGB (N, 3, H, W) in 0..1, sides multiples of 32 -> probability of text (N, 1, H, W)."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.stem = Stem()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(Block(48, 48, gate=True), Block(48, 48)),
                nn.Sequential(Block(48, 96, stride=2), Block(96, 96, gate=True), Block(96, 96)),
                nn.Sequential(
                    Block(96, 192, stride=2),
                    *(Block(192, 192, gate=gate) for gate in (True, False, True, False)),
                ),
                nn.Sequential(Block(192, 384, stride=2), Block(384, 384, gate=True), Block(384, 384)),
            ]
        )
        self.laterals = nn.ModuleList([Junction(channels, 96) for channels in (384, 192, 96, 48)])
        self.smooth = nn.ModuleList([Junction(96, 24, kernel=7) for _ in range(4)])
        self.head = nn.Sequential(
            nn.Conv2d(96, 24, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(24, 24, 2, 2),
            nn.ReLU(),
            nn.ConvTranspose2d(24, 1, 2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.stem((x - self.mean) / self.std)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)  # 48, 96, 192, 384 channels at 1/4, 1/8, 1/16, 1/32
        pyramid: list[Tensor] = []
        for lateral, features in zip(self.laterals, reversed(maps), strict=True):
            level = lateral(features)
            pyramid.append(level + F.interpolate(pyramid[-1], scale_factor=2.0) if pyramid else level)
        fine = [
            F.interpolate(smooth(level), scale_factor=float(2 ** (3 - i))) if i < 3 else smooth(level)
            for i, (smooth, level) in enumerate(zip(self.smooth, pyramid, strict=True))
        ]  # 4 x (N, 24, H / 4, W / 4), the coarsest first
        return torch.sigmoid(self.head(torch.cat(fine, 1)))


def load(*, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> nn.Module:
    """The detector, ready to run. `dtype` None: float16 on a GPU, float32 on the CPU.

    Raises ModelError for weights that are absent or damaged.
    """
    device = torch.device(device)
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state = {key: torch.tensor(value) for key, value in load_file(file).items()}
        return fill(DBNet, state, device, dtype or default_dtype(device, fp16=True))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error
