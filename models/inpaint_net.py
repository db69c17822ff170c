"""InpaintNet: corrects a smooth fill of small holes, so that edges and texture run on through them.

A U-Net after the manner of DeepFill v2 (gated convolution, https://arxiv.org/abs/1806.03589), but small, and started from a
harmonic fill instead of nothing: what a film would span is right already where the picture is smooth, and the network adds
what it lacks. It is made for holes the width of letters; in the middle of large ones it stays close to the smooth fill.
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

WEIGHTS = "inpaint-net"
CHANNELS = (32, 64, 96)
"""Channels at a half, a quarter and an eighth of the size."""

DILATIONS = (1, 2, 1)
"""Of the blocks at an eighth of the size."""

MULTIPLE = 8
_SLOPE = 0.1
_GATED = 1.6  # makes up for what a gate takes from the size of signals


def _spread(layer: nn.Module, gain: float = 1) -> None:
    """He's start for a convolution, times `gain`. PyTorch's own start learns three times as slowly here."""
    assert isinstance(layer, nn.Conv2d)
    if (
        layer.weight.is_meta
    ):  # to be filled from a file; and PyTorch would load its compiler, for seconds, to draw nothing
        return
    nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight *= gain


class GatedConv(nn.Module):
    """3x3 convolution of which one half of the channels opens and shuts the other."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * out, 3, stride, 1)
        _spread(self.conv, _GATED)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out, H / stride, W / stride)."""
        value, gate = self.conv(x).chunk(2, 1)
        return F.leaky_relu(value, _SLOPE) * torch.sigmoid(gate)


class Block(nn.Module):
    """Two 3x3 convolutions beside a skip; does nothing at first."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        _spread(self.first)
        _spread(self.second, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        inplace = not torch.is_grad_enabled()
        change: Tensor = self.second(F.leaky_relu(self.first(x), _SLOPE, inplace=inplace))
        return change.add_(x) if inplace else change + x


class InpaintNet(nn.Module):
    """Picture with holes, and a smooth fill of them -> the picture filled.

    Any height and width; sides that are no multiple of 8 are extended by their edge for the while.
    """

    def __init__(self, channels: tuple[int, int, int] = CHANNELS, dilations: tuple[int, ...] = DILATIONS) -> None:
        super().__init__()
        half, quarter, eighth = channels
        self.stem = nn.Conv2d(16, half, 3, padding=1)
        self.down_1 = GatedConv(half, quarter, 2)
        self.left = Block(quarter)
        self.down_2 = GatedConv(quarter, eighth, 2)
        self.middle = nn.Sequential(*[Block(eighth, d) for d in dilations])
        self.up_2 = nn.Sequential(nn.Conv2d(eighth, quarter, 1), nn.Upsample(scale_factor=2))
        self.right = Block(quarter)
        self.up_1 = nn.Sequential(nn.Conv2d(quarter, half, 1), nn.Upsample(scale_factor=2))
        self.fine = Block(half)
        self.tail = nn.Sequential(nn.Conv2d(half, 12, 3, padding=1), nn.PixelShuffle(2))
        for layer, gain in ((self.stem, 1), (self.up_2[0], 1), (self.up_1[0], 1), (self.tail[0], 0)):
            _spread(layer, gain)

    def forward(self, picture: Tensor, hole: Tensor, smooth: Tensor) -> Tensor:
        """Fills the holes.

        Args:
            picture: (N, 3, H, W) RGB in 0..1, of any floating dtype; what lies in the holes is not looked at.
            hole: (N, 1, H, W) or (1, 1, H, W) bool, true where the picture is unknown.
            smooth: (N, 3, H, W), the picture with its holes filled by `ops.harmonic`.

        Returns:
            (N, 3, H, W): exactly `picture` outside the holes, not clamped inside.
        """
        return torch.where(hole, smooth + self.correction(smooth, hole), picture)

    def correction(self, smooth: Tensor, hole: Tensor) -> Tensor:
        """(N, 3, H, W) of the dtype of `smooth`: what is to be added to it inside the holes.

        Computed in the dtype of the weights. Twice as fast in bfloat16 on a CPU that has instructions for it.
        """
        height, width = smooth.shape[2:]
        mask = hole.to(smooth.dtype).expand(smooth.shape[0], -1, -1, -1)
        x = torch.cat([smooth - 0.5, mask], 1).to(self.stem.weight.dtype)
        x = F.pad(x, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        x = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)  # (N, 16, H/2, W/2)
        halves = F.leaky_relu(self.stem(x), _SLOPE)
        quarters = self.left(self.down_1(halves))
        eighths = self.middle(self.down_2(quarters))
        quarters = self.right(quarters + self.up_2(eighths))
        halves = self.fine(halves + self.up_1(quarters))
        out: Tensor = self.tail(halves)
        return out[..., :height, :width].to(smooth.dtype)


def load(*, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> InpaintNet:
    """The trained network, ready to run. `dtype` None: float16 on a GPU, float32 on the CPU.

    Raises ModelError for weights that are absent or damaged.
    """
    device = torch.device(device)
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state = {key: torch.tensor(value) for key, value in load_file(file).items()}
        net = fill(InpaintNet, state, device, dtype or default_dtype(device))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error
    assert isinstance(net, InpaintNet)
    return net
