"""What a shot looks like, in few numbers: its colours, and a descriptor of its scene that the camera's settings change little.

Colours alone do not tell which shots belong together, since it is the colours that differ. The descriptor joins the features of
the saliency network, of a picture whose light was evened out, with the layout of lightness and of two colour differences and the
directions of edges.
"""

from __future__ import annotations

import base64
import binascii
import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.errors import InvalidParameter
from vidprod.models import unisal
from vidprod.ops.grade_plan import LUMA, Look
from vidprod.ops.grade_statistics import measure, without_bars

_ROWS, _COLUMNS, _ANGLES = 6, 8, 8
_EDGE_ROWS, _EDGE_COLUMNS = 3, 4
_WEIGHTS = (1.0, 0.6, 0.6, 0.8, 1.4)  # of lightness, both colour differences, edges, features
_FLOOR = 0.02  # code value added before logarithms: noise in black is no structure
_SIZE = (128, 192)  # of what the network sees
_EVEN = (1.2, -1.3)  # deviation and mean of log2 of the code values, after evening out
_SCALE = 127


@functools.cache
def _net() -> unisal.Unisal:
    net = unisal.load(dtype=torch.float32)
    assert isinstance(net, unisal.Unisal)
    return net


def look_at(pictures: Tensor) -> Look:
    """The `Look` of (N, 3, h, w) uint8 or uint16 small pictures of one shot, on the CPU."""
    statistics = measure(pictures)
    red, green, blue = (round(float(v), 3) for v in statistics.light)
    chroma = float(statistics.chroma[1] / statistics.luma[4].clamp(min=0.05))
    return Look((red, green, blue), round(statistics.spread, 3), round(chroma, 4), pack(describe(pictures)))


def describe(pictures: Tensor) -> Tensor:
    """Unit vector of (N, 3, h, w) pictures. The network looks at the middle one, the layout is the mean of all."""
    codes = without_bars(pictures.to(torch.float32) / (255.0 if pictures.dtype == torch.uint8 else 65535.0))
    logs = (codes + _FLOOR).log2()  # a change of light or of its colour adds a constant
    luma = (logs * logs.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    planes = torch.cat([luma, logs[:, :1] - logs[:, 1:2], logs[:, 2:] - logs[:, 1:2]], 1)
    layout = F.adaptive_avg_pool2d(planes, (_ROWS, _COLUMNS)).mean(0).flatten(1)  # (3, 48)
    layout = layout - layout.mean(1, keepdim=True)
    parts = [*layout, _edges(luma), _features(logs[len(logs) // 2])]
    return _unit(torch.cat([weight * _unit(part) for weight, part in zip(_WEIGHTS, parts, strict=True)]))


def _features(logs: Tensor) -> Tensor:
    """(256,) of log2 code values (3, h, w)."""
    deviation, mean = _EVEN
    even = logs - logs.mean((1, 2), keepdim=True)
    even = (even / even.std(unbiased=False).clamp(min=0.3) * deviation + mean).exp2().clamp(0, 1)
    picture = F.interpolate(even[None], _SIZE, mode="bilinear", antialias=True)
    with torch.inference_mode():
        return _net().encode(picture).deep.mean((2, 3))[0].clone()


def _edges(luma: Tensor) -> Tensor:
    """How much edges of each direction there are in each of 3x4 cells of (N, 1, h, w)."""
    height, width = luma.shape[2] - 1, luma.shape[3] - 1
    if height < 1 or width < 1:
        return luma.new_zeros(_ANGLES * _EDGE_ROWS * _EDGE_COLUMNS)
    down, right = luma.diff(dim=2)[..., :width], luma.diff(dim=3)[:, :, :height]
    strength = (down.square() + right.square()).sqrt()
    angle = (torch.atan2(down, right) / math.pi * _ANGLES).floor().long() % _ANGLES  # light to dark is as dark to light
    spread = F.one_hot(angle[:, 0], _ANGLES).permute(0, 3, 1, 2) * strength
    cells = F.adaptive_avg_pool2d(spread, (_EDGE_ROWS, _EDGE_COLUMNS)).mean(0).flatten(1)
    return (cells - cells.mean(1, keepdim=True)).flatten()


def _unit(vector: Tensor) -> Tensor:
    length: Tensor = vector.norm()
    return vector / length.clamp(min=1e-6)


def pack(vector: Tensor) -> str:
    """A vector as text: base64 of signed bytes, the largest number 127."""
    scaled = (vector / vector.abs().max().clamp(min=1e-9) * _SCALE).round().to(torch.int8)
    return base64.b64encode(scaled.numpy().tobytes()).decode()


def unpack(text: str) -> Tensor:
    """The unit vector that `pack` wrote; raises InvalidParameter for anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParameter(f"plan: descriptor {text[:20]!r} is not base64") from None
    if not data:
        raise InvalidParameter("plan: a descriptor is empty")
    return _unit(torch.frombuffer(bytearray(data), dtype=torch.int8).float())
