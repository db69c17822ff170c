"""Turns published ncnn networks into state dicts of our own modules.

Convolution weights are float16 in the published files and stay so, bit by bit; the few biases, slopes and constants are
float32 there and here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from .ncnn import Array, Layer, NcnnFormatError, read

State = dict[str, Tensor]


def _stored(value: Array) -> Tensor:
    """float16 where that loses nothing and it is worth while, float32 otherwise."""
    half = value.astype(np.float16)
    return torch.from_numpy(half if value.ndim == 4 and np.array_equal(half.astype(np.float32), value) else value)


def _convolutions(layers: Iterable[Layer], names: Iterable[str]) -> State:
    found = [layer for layer in layers if layer.kind == "Convolution"]
    state: State = {}
    for name, layer in zip(names, found, strict=True):
        state[f"{name}.weight"] = _stored(layer.blobs["weight"])
        state[f"{name}.bias"] = _stored(layer.blobs["bias"])
    return state


def span(layers: list[Layer]) -> State:
    """State dict of `models.span.SPAN`; the exporter kept the names of the layers and wrote the normalisation as constants."""
    names = []
    for layer in layers:
        if layer.kind == "Convolution":
            name = layer.name.strip("/").replace("/eval_conv/Conv", "").replace("/Conv", "")
            names.append("upsampler.0" if name.startswith("upsampler") else name.replace("/", "."))
    constants = [layer.blobs["data"] for layer in layers if layer.kind == "MemoryData"]
    # BinaryOp 2 is a product, here by a number: the range to which the input is stretched.
    ranges = [
        layer.params[2]
        for layer in layers
        if layer.kind == "BinaryOp" and layer.params.get(0) == 2 and 2 in layer.params
    ]
    if len(constants) != 1 or len(ranges) > 1:
        raise NcnnFormatError(f"not SPAN: {len(constants)} constants, {len(ranges)} factors")
    state = _convolutions(layers, names)
    state["mean"] = torch.from_numpy(constants[0]).view(1, 3, 1, 1)
    state["img_range"] = torch.tensor(float(ranges[0]) if ranges else 1.0)
    return state


def compact(layers: list[Layer]) -> State:
    """State dict of `models.srvgg.SRVGGNetCompact`: convolutions and slopes take turns."""
    slopes = [layer.blobs["slope"] for layer in layers if layer.kind == "PReLU"]
    state = _convolutions(layers, (f"body.{2 * i}" for i in range(len(slopes) + 1)))
    return state | {f"body.{2 * i + 1}.weight": torch.from_numpy(slope) for i, slope in enumerate(slopes)}


def rrdb(layers: list[Layer]) -> State:
    """State dict of `models.rrdbnet.RRDBNet`: the exporter lists the convolutions in the order in which they run."""
    count = sum(layer.kind == "Convolution" for layer in layers)
    blocks = (count - 6) // 15
    names = ["conv_first"]
    names += [f"body.{b}.rdb{r}.conv{c}" for b in range(blocks) for r in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    names += ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    return _convolutions(layers, names)


CONVERTERS: dict[str, Callable[[list[Layer]], State]] = {"span": span, "compact": compact, "rrdb": rrdb}


def convert(param: Path, arch: str) -> bytes:
    """The safetensors file for an ncnn network; the same bytes every time."""
    state = CONVERTERS[arch](read(param))
    return save({name: state[name].contiguous() for name in sorted(state)}, {"arch": arch})
