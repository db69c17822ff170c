"""TransNetV2: tells for every picture of a video whether a transition between two shots runs through it.

"TransNet V2: An effective deep network architecture for fast shot transition detection" (https://arxiv.org/abs/2008.04838):
stacks of 3x3 convolutions in space and of four dilations in time, beside the likeness of every picture to the fifty before and
after it, in learned features and in colour histograms. It looks at 100 pictures of 48x27 at once and is trusted for the middle
fifty of them. What makes shots of the probabilities is `ops/shot_analysis.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import ModelError
from .device import default_dtype
from .registry import fill

WEIGHTS = "transnet-v2"
HEIGHT, WIDTH = 27, 48
"""Of the pictures it takes, whatever the shape of the video."""

WINDOW = 100
"""Pictures it looks at."""

STEP = 50
"""Pictures in the middle of a window for which it is trusted."""

MARGIN = (WINDOW - STEP) // 2

DILATIONS = (1, 2, 4, 8)
_REACH = 50  # pictures to either side that each one is compared with
_BINS = 8  # of a histogram, for each of R, G, B


class Dilated(nn.Module):
    """A 3x3 convolution in space, and one of three pictures in time for each dilation, on a quarter of its channels."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(inputs, 8 * filters, 3, padding=1, bias=False)
        self.time = nn.ModuleList(
            nn.Conv2d(2 * filters, filters, (3, 1), dilation=(d, 1), padding=(d, 0)) for d in DILATIONS
        )

    def forward(self, x: Tensor, count: int) -> Tensor:
        """`x` (B * T, inputs, H, W), T = `count` -> (B * T, 4 * filters, H, W)."""
        x = self.space(x)
        pictures, channels, height, width = x.shape
        # Channels are last in memory, so pictures as rows of one long picture, (B, C, T, H * W), are the same numbers.
        long = x.permute(0, 2, 3, 1).reshape(-1, count, height * width, channels).permute(0, 3, 1, 2)
        parts = [conv(part) for conv, part in zip(self.time, long.chunk(len(DILATIONS), 1), strict=True)]
        out = torch.cat(parts, 1).permute(0, 2, 3, 1)  # (B, T, H * W, 4 * filters)
        return out.reshape(pictures, height, width, -1).permute(0, 3, 1, 2)


class Stack(nn.Module):
    """Two dilated blocks with a way round the second, then half the size."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.first = Dilated(inputs, filters)
        self.second = Dilated(4 * filters, filters)

    def forward(self, x: Tensor, count: int) -> Tensor:
        """`x` (B * T, inputs, H, W) -> (B * T, 4 * filters, H // 2, W // 2)."""
        x = F.relu(self.first(x, count))
        return F.avg_pool2d(F.relu(self.second(x, count)) + x, 2)


class Likeness(nn.Module):
    """Features of how like each picture is to its neighbours."""

    def __init__(self, outputs: int = 128) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * _REACH + 1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, T, C), of length 1 each -> (B, T, outputs)."""
        batch, count, _ = x.shape
        likeness = F.pad(x @ x.transpose(1, 2), (_REACH, _REACH))  # (B, T, T + 100): column t + 50 is picture t
        around = torch.arange(2 * _REACH + 1, device=x.device) + torch.arange(count, device=x.device)[:, None]
        return F.relu(self.fc(likeness.gather(2, around.expand(batch, -1, -1))))


class TransNet(nn.Module):
    """RGB (B, T, 3, 27, 48) uint8 -> two probabilities (B, T) in float32.

    The first is that the picture is the middle of a transition (of a cut: the last picture of the old shot), the second that it
    is anywhere within one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stacks = nn.ModuleList([Stack(3, 16), Stack(64, 32), Stack(128, 64)])
        self.project = nn.Linear(64 + 128 + 256, 128)
        self.features, self.colours = Likeness(), Likeness()
        self.fc = nn.Linear(2 * 128 + 256 * 3 * 6, 1024)
        self.heads = nn.Linear(1024, 2)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        batch, count = pictures.shape[:2]
        dtype = self.fc.weight.dtype
        x = pictures.flatten(0, 1).to(dtype, memory_format=torch.channels_last) / 255
        pooled = []
        for stack in self.stacks:
            x = stack(x, count)
            pooled.append(x.mean((2, 3)))
        features = F.normalize(self.project(torch.cat(pooled, 1)), dim=1).unflatten(0, (batch, count))
        colours = histograms(pictures).to(dtype)
        flat = x.permute(0, 2, 3, 1).reshape(batch, count, -1)  # the published order: rows, columns, channels
        x = F.relu(self.fc(torch.cat([self.colours(colours), self.features(features), flat], 2)))
        middle, within = self.heads(x).float().sigmoid().unbind(2)
        return middle, within


def histograms(pictures: Tensor) -> Tensor:
    """Colour histograms of 8x8x8 bins: (B, T, 3, H, W) uint8 -> (B, T, 512) float32 of length 1."""
    level = (pictures >> 5).long()
    place = ((level[:, :, 0] * _BINS + level[:, :, 1]) * _BINS + level[:, :, 2]).flatten(2)
    counts = torch.zeros(*place.shape[:2], _BINS**3, device=pictures.device)
    return F.normalize(counts.scatter_add_(2, place, torch.ones_like(place, dtype=counts.dtype)), dim=2)


def load(*, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> nn.Module:
    """The network, ready to run. `dtype` None: float16 on a GPU, float32 on the CPU.

    Raises ModelError for weights that are absent or damaged.
    """
    device = torch.device(device)
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state: Mapping[str, Tensor] = {key: torch.tensor(value) for key, value in load_file(file).items()}
        return fill(TransNet, state, device, dtype or default_dtype(device, fp16=True))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error
