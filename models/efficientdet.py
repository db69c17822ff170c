"""EfficientDet-Lite0: finds persons, animals, vehicles and things of the 80 kinds of COCO.

"EfficientDet: Scalable and Efficient Object Detection" (https://arxiv.org/abs/1911.09070): a backbone of inverted residuals, three
bidirectional feature pyramids that add (not weigh) their inputs, and two small heads that all levels share up to the folded
normalisation. "Lite" leaves out what phones cannot do: no squeeze-and-excite, and ReLU6 in place of swish.

The published numbers are int8 with a scale for each channel; the file keeps them, the network computes in floats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import InvalidParameter, ModelError
from .device import default_dtype
from .registry import fill

WEIGHTS = "efficientdet-lite0"

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, -, stop sign, parking meter,
bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, -, backpack, umbrella, -, -, handbag, tie, suitcase,
frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, -,
wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair,
couch, potted plant, bed, -, dining table, -, -, toilet, -, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven,
toaster, sink, refrigerator, -, book, clock, vase, scissors, teddy bear, hair drier, toothbrush
"""
CLASSES: Mapping[str, int] = {
    name: number for number, name in enumerate(" ".join(_NAMES.split()).split(", ")) if name != "-"
}
"""Number of every kind of thing in the network's output; the numbers in between stand for nothing."""

OUTPUTS = 90
ANCHORS = tuple(
    (3 * 2 ** (octave / 3) * wide, 3 * 2 ** (octave / 3) * high)
    for octave in range(3)
    for wide, high in ((1.0, 1.0), (math.sqrt(2), math.sqrt(0.5)), (math.sqrt(0.5), math.sqrt(2)))
)
"""Width and height of the nine boxes that every place of a map starts from, in steps of the map."""

MEAN, STD = 127.0, 128.0
"""Of the input, in levels of 255."""

# (expansion, channels, kernel, stride, blocks)
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
TAPPED = (2, 4, 6)  # the stages whose output the pyramid starts from, at 1/8, 1/16, 1/32
WIDTH = 64  # channels of the pyramid
CELLS = 3
DEPTH = 3  # separable convolutions of a head before its prediction


def same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pads as TensorFlow does for "SAME": the output has ceil(side / stride) places, and what is odd goes right and below."""
    padding: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        padding += [total // 2, total - total // 2]
    return F.pad(x, padding, value=value)


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = True):
        # Symmetric padding is TensorFlow's where nothing is left out.
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            x = same(x, self.kernel_size[0], self.stride[0])
        return super().forward(x)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel by itself, narrow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.widen = Conv(inputs, middle) if expansion > 1 else None
        self.depthwise = Conv(middle, middle, kernel, stride, groups=middle)
        self.narrow = Conv(middle, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        wide = x if self.widen is None else F.relu6(self.widen(x))
        out: Tensor = self.narrow(F.relu6(self.depthwise(wide)))
        return x + out if self.residual else out


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, and one of 1x1."""

    def __init__(self, outputs: int = WIDTH) -> None:
        super().__init__()
        self.depthwise = Conv(WIDTH, WIDTH, 3, groups=WIDTH, bias=False)
        self.pointwise = Conv(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, 64, H, W) -> (N, outputs, H, W)."""
        out: Tensor = self.pointwise(self.depthwise(x))
        return out


def _down(x: Tensor) -> Tensor:
    return F.max_pool2d(same(x, 3, 2, -math.inf), 3, 2)


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:])


class Cell(nn.Module):
    """One round through the pyramid: down from coarse to fine, and up again."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(Separable() for _ in range(8))

    def forward(self, levels: Sequence[Tensor], again: Sequence[Tensor]) -> list[Tensor]:
        """Five levels (N, 64, h, w), the finest first, and what of them is added on the way up -> five levels."""
        middle = [levels[4]]
        for node, level in zip(self.nodes[:3], (levels[3], levels[2], levels[1]), strict=True):
            middle.insert(0, node(F.relu6(level + _up(middle[0], level))))
        out = [self.nodes[3](F.relu6(levels[0] + _up(middle[0], levels[0])))]
        for node, level, half in zip(self.nodes[4:7], again[1:4], middle, strict=False):
            out.append(node(F.relu6(level + half + _down(out[-1]))))
        out.append(self.nodes[7](F.relu6(again[4] + _down(out[-1]))))
        return out


class Head(nn.Module):
    """Predicts for every place and anchor; the levels differ in what their normalisation left in the 1x1 convolutions."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(Conv(WIDTH, WIDTH, 3, groups=WIDTH, bias=False) for _ in range(DEPTH))
        self.pointwise = nn.ModuleList(Conv(WIDTH, WIDTH) for _ in range(5 * DEPTH))  # of one level after the other
        self.predict = Separable(len(ANCHORS) * outputs)
        self.outputs = outputs

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Five levels (N, 64, h, w) -> (N, anchors of all places, outputs), the finest level first."""
        found = []
        for number, x in enumerate(levels):
            for layer, depthwise in enumerate(self.depthwise):
                x = F.relu6(self.pointwise[number * DEPTH + layer](depthwise(x)))
            found.append(self.predict(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, self.outputs))
        return torch.cat(found, 1)


class Found(NamedTuple):
    """What the network says, for A anchors of each of N pictures.

    Attributes:
        logits: (N, A, classes); the probability of a class is their sigmoid.
        boxes: (N, A, 4) float32 left, top, right, bottom in fractions of the width and height; may reach beyond 0..1.
    """

    logits: Tensor
    boxes: Tensor


class EfficientDet(nn.Module):
    """RGB (N, 3, H, W) in levels of 0..255, trained at 320x320; any other size from 64 on works too."""

    def __init__(self, classes: int = OUTPUTS) -> None:
        super().__init__()
        self.stem = Conv(3, 32, 3, 2)
        stages, inputs = [], 32
        for expansion, outputs, kernel, stride, count in STAGES:
            blocks = [Block(inputs, outputs, expansion, kernel, stride)]
            blocks += [Block(outputs, outputs, expansion, kernel, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.stages = nn.ModuleList(stages)
        channels = [STAGES[i][1] for i in TAPPED]
        self.enter = nn.ModuleList(Conv(c, WIDTH) for c in (*channels, channels[-1]))
        self.enter_again = nn.ModuleList(Conv(c, WIDTH) for c in channels[1:])
        self.cells = nn.ModuleList(Cell() for _ in range(CELLS))
        self.box_head = Head(4)
        self.class_head = Head(classes)

    def forward(self, x: Tensor) -> Found:
        """See the class."""
        size = x.shape[2:]
        x = F.relu6(self.stem((x - MEAN) / STD))
        taps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in TAPPED:
                taps.append(x)  # 40, 112, 320 channels at 1/8, 1/16, 1/32
        levels = [enter(tap) for enter, tap in zip(self.enter, (*taps, taps[-1]), strict=True)]
        levels[3] = _down(levels[3])
        levels.append(_down(levels[3]))
        again = [levels[0], *(enter(tap) for enter, tap in zip(self.enter_again, taps[1:], strict=True)), *levels[3:]]
        for cell in self.cells:
            levels = again = cell(levels, again)
        codes = self.box_head(levels).float()
        return Found(self.class_head(levels), decode(codes, [tuple(level.shape[2:]) for level in levels], tuple(size)))


def anchors(sizes: Sequence[tuple[int, ...]], device: torch.device) -> Tensor:
    """(A, 4) middle x, y, width, height in fractions of the picture, for maps of (rows, columns)."""
    shapes = torch.tensor(ANCHORS, device=device)
    found = []
    for rows, columns in sizes:
        y = (torch.arange(rows, device=device) + 0.5) / rows
        x = (torch.arange(columns, device=device) + 0.5) / columns
        places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).view(-1, 1, 2)
        steps = torch.tensor([1 / columns, 1 / rows], device=device)
        sides = (shapes * steps).expand(rows * columns, -1, -1)
        found.append(torch.cat([places.expand_as(sides), sides], -1).view(-1, 4))
    return torch.cat(found)


def decode(codes: Tensor, sizes: Sequence[tuple[int, ...]], size: tuple[int, ...]) -> Tensor:
    """Boxes (N, A, 4) left, top, right, bottom in fractions, from the network's codes (N, A, 4): y, x, height, width.

    `sizes` are rows and columns of the maps, `size` those of the picture.
    """
    start = anchors(sizes, codes.device)
    middle = codes[..., [1, 0]] * start[:, 2:] + start[:, :2]
    half = codes[..., [3, 2]].exp() * start[:, 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def load(
    classes: Sequence[str] = tuple(CLASSES), *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> nn.Module:
    """The detector of the classes named, in that order, ready to run. `dtype` None: float16 on a GPU, float32 on the CPU.

    Raises InvalidParameter for a class it does not know, ModelError for weights that are absent or damaged.
    """
    if unknown := [name for name in classes if name not in CLASSES]:
        raise InvalidParameter(f"no class is named {unknown[0]!r}; there are {', '.join(CLASSES)}")
    device = torch.device(device)
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        stored = {key: torch.tensor(value) for key, value in load_file(file).items()}
        state = _chosen(_floats(stored), [CLASSES[name] for name in classes])
        return fill(lambda: EfficientDet(len(classes)), state, device, dtype or default_dtype(device, fp16=True))
    except (SafetensorError, RuntimeError, OSError, KeyError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error


def _floats(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as numbers times the scale of their channel."""
    state = {}
    for name, value in stored.items():
        if name.endswith(".weight"):
            scale = stored[name.removesuffix("weight") + "scale"]
            state[name] = value.float() * scale.view(-1, 1, 1, 1)
        elif not name.endswith(".scale"):
            state[name] = value
    return state


def _chosen(state: dict[str, Tensor], numbers: Sequence[int]) -> dict[str, Tensor]:
    """Only the classes numbered."""
    for name in ("class_head.predict.pointwise.weight", "class_head.predict.pointwise.bias"):
        value = state[name]
        each = value.view(len(ANCHORS), OUTPUTS, *value.shape[1:])
        state[name] = each[:, list(numbers)].reshape(-1, *value.shape[1:])
    return state
