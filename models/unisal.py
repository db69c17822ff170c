"""UNISAL: where people look in a video.

"Unified Image and Video Saliency Modeling" (https://arxiv.org/abs/2003.05477): MobileNetV2, a recurrent cell at 1/32 of the size
that remembers what came before, and a light decoder to 1/8. The published network holds four domains with their own normalisation;
here is the one for video (DHF1K), with every normalisation folded into the convolution before it.

The published head enlarges the map eightfold, smooths it with a kernel of 41x41 and is averaged over 8x8 pixels by whoever wants
the map small again. All that is linear, and together a kernel of 7x7 on the small map.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import ModelError
from .device import default_dtype
from .registry import fill

WEIGHTS = "unisal-video"
SIZE_MULTIPLE = 32
"""Width and height of what the network is given must be multiples of it."""

CELL = 8
"""Pixels of the input, across and down, that one number of the output stands for."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# (expansion, channels, blocks, stride)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
FINE, COARSE = 6, 13
"""Blocks whose output, before it is halved, the decoder uses: 64 channels at 1/8, 160 at 1/16."""

FEATURES = 256
"""Channels at 1/32, and numbers of the vector that describes a picture."""

PRIORS = 16
PRIOR_PEAK = 6.0


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel by itself, narrow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int = 1, *, residual: bool = True) -> None:
        super().__init__()
        middle = inputs * expansion
        self.widen = _conv(inputs, middle) if expansion > 1 else None
        self.depthwise = _conv(middle, middle, 3, stride, middle)
        self.narrow = _conv(middle, outputs)
        self.residual = residual and stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        wide = x if self.widen is None else F.relu6(self.widen(x))
        out: Tensor = self.narrow(F.relu6(self.depthwise(wide)))
        return x + out if self.residual else out


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, and one of 1x1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = _conv(channels, channels, 3, groups=channels)
        self.pointwise = _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, channels, H, W) -> the same shape."""
        out: Tensor = self.pointwise(F.relu6(self.depthwise(x)))
        return out


class Memory(nn.Module):
    """A convolutional gated recurrent unit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reset_x, self.reset_h = Separable(channels), Separable(channels)
        self.update_x, self.update_h = Separable(channels), Separable(channels)
        self.new_x, self.new_h = Separable(channels), Separable(channels)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """`x` (T, C, H, W), in order, and what is remembered of before, (1, C, H, W) -> (T, C, H, W)."""
        # Of all pictures at once what does not depend on the memory.
        resets, updates, news = self.reset_x(x), self.update_x(x), self.new_x(x)
        found = []
        for reset_x, update_x, new_x in zip(resets.split(1), updates.split(1), news.split(1), strict=True):
            reset = torch.sigmoid(reset_x + self.reset_h(h))
            update = torch.sigmoid(update_x + self.update_h(h))
            h = (1 - update) * h + update * torch.tanh(new_x + reset * self.new_h(h))
            found.append(h)
        return torch.cat(found)


class Skip(nn.Module):
    """Two 1x1 convolutions, from the backbone to the decoder."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.widen, self.narrow = _conv(inputs, 2 * inputs), _conv(2 * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, H, W)."""
        out: Tensor = self.narrow(F.relu6(self.widen(x)))
        return out


class Encoded(NamedTuple):
    """Maps of each picture by itself: (N, 256, H/32, W/32), (N, 128, H/16, W/16) and (N, 64, H/8, W/8)."""

    deep: Tensor
    coarse: Tensor
    fine: Tensor


class Seen(NamedTuple):
    """What the network makes of T consecutive pictures.

    Attributes:
        mass: (T, H/8, W/8) float32; the share of looks that falls on each cell, together 1 for each picture.
        features: (T, 256) float32; describes the picture by itself, for how alike pictures are.
        memory: (1, 256, H/32, W/32), for the pictures that follow.
    """

    mass: Tensor
    features: Tensor
    memory: Tensor


class Unisal(nn.Module):
    """Pictures of one shot in order, RGB (T, 3, H, W) in 0..1, sides multiples of 32, and the memory of those before."""

    mean: Tensor
    std: Tensor
    priors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.register_buffer("priors", torch.zeros(PRIORS, 2, 2))  # y and x; mean and logarithm of sigma
        self.stem = _conv(3, 32, 3, 2)
        blocks: list[Block] = []
        inputs = 32
        for expansion, outputs, count, stride in STAGES:
            for i in range(count):
                # What the decoder uses is halved afterwards.
                halved = i == 0 and stride == 2
                step = stride if halved and len(blocks) not in (FINE, COARSE) else 1
                blocks.append(Block(inputs, outputs, expansion, step, residual=not halved))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.top = _conv(320, 1280)
        self.join = Block(1280 + PRIORS, FEATURES, 1)
        self.memory = Memory(FEATURES)
        self.recall = _conv(FEATURES, FEATURES)
        self.skip_coarse, self.skip_fine = Skip(160, 128), Skip(64, 64)
        self.decode_coarse = Block(FEATURES + 128, 128, 2)
        self.decode_fine = Block(128 + 64, 64, 2)
        self.score = _conv(64, 1)
        self.smooth = nn.Conv2d(1, 1, 7, bias=False)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Seen:
        """See the class; `memory` None for the first pictures of a shot."""
        maps = self.encode(x)
        deep = maps.deep
        if memory is None:
            memory = torch.zeros_like(deep[:1])
        remembered = self.memory(deep, memory)
        mass = self.decode(maps._replace(deep=deep + F.relu6(self.recall(remembered))))
        return Seen(mass, deep.float().mean((2, 3)), remembered[-1:])

    def encode(self, x: Tensor) -> Encoded:
        """RGB (N, 3, H, W) in 0..1 -> maps; pictures do not know of each other."""
        x = F.relu6(self.stem((x - self.mean) / self.std))
        taps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in (FINE, COARSE):
                taps.append(x)
                x = x[..., ::2, ::2]
        x = F.relu6(self.top(x))
        prior = self.prior(x.shape[2], x.shape[3]).to(x.dtype).expand(x.shape[0], -1, -1, -1)
        return Encoded(self.join(torch.cat([x, prior], 1)), self.skip_coarse(taps[1]), self.skip_fine(taps[0]))

    def prior(self, height: int, width: int) -> Tensor:
        """(1, 16, height, width) float32: bells over the picture that were learned with the rest."""
        mean, sigma = self.priors.float().unbind(-1)
        bells = []
        for axis, side in enumerate((height, width)):
            at = torch.linspace(0, 1, side, device=mean.device)
            bells.append(torch.exp(-(((at - mean[:, axis, None]) / sigma[:, axis, None].exp()) ** 2) / 2))
        return PRIOR_PEAK * (bells[0][:, :, None] * bells[1][:, None, :])[None]

    def decode(self, maps: Encoded) -> Tensor:
        """Maps -> mass (N, H/8, W/8) float32, together 1 for each picture."""
        x = self.decode_coarse(torch.cat([_double(maps.deep), maps.coarse], 1))
        x = self.decode_fine(torch.cat([_double(x), maps.fine], 1))
        level: Tensor = self.smooth(F.pad(self.score(x), (3, 3, 3, 3), mode="replicate"))
        return level.float().flatten(1).softmax(1).view(len(level), *level.shape[2:])


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def load(*, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> nn.Module:
    """The network, ready to run. `dtype` None: float16 on a GPU, float32 on the CPU.

    Raises ModelError for weights that are absent or damaged.
    """
    device = torch.device(device)
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state = {key: torch.tensor(value) for key, value in load_file(file).items()}
        return fill(Unisal, state, device, dtype or default_dtype(device, fp16=True))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error
