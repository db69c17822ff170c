"""Reads ncnn networks (a text `.param` and a binary `.bin`) into NumPy, without ncnn.

The `.bin` is a bare run of blobs in the order of the `.param`'s layers, little endian. A convolution's weight starts with a
32-bit tag that tells how it is stored; biases, PReLU slopes and constants are plain float32 without one. Nothing is named
and nothing is checked by a sum, so the reader insists that the file is used up exactly.

Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MAGIC = "7767517"
TAG_FLOAT16 = 0x01306B47
TAG_INT8 = 0x000D4B38
TAGS_FLOAT32 = (0, 0x0002C056)
ARRAY_KEY = -23300  # "-23300 - id=count,v0,v1..." is an array parameter


class NcnnFormatError(ValueError):
    """The pair of files is not a network that this reader knows."""


@dataclass(frozen=True)
class Layer:
    """One row of the `.param` with its blobs.

    Attributes:
        kind: layer type, as "Convolution".
        name: the exporter's name for it, as "/block_1/c1_r/eval_conv/Conv".
        params: numbered parameters; their meaning depends on `kind`.
        blobs: "weight" (out, in, kh, kw), "bias" (out,), "slope" (channels,) or "data" (flat).
    """

    kind: str
    name: str
    params: Mapping[int, float]
    blobs: Mapping[str, Array]


class _Blobs:
    """A cursor over the `.bin`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise NcnnFormatError(f"{self.path} ends at {len(self.data)} bytes, {self.at + size} are needed")
        self.at += size
        return self.data[self.at - size : self.at]

    def plain(self, count: int) -> Array:
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def tagged(self, count: int) -> Array:
        (tag,) = struct.unpack("<I", self.take(4))
        if tag == TAG_FLOAT16:
            padded = (2 * count + 3) // 4 * 4
            return np.frombuffer(self.take(padded)[: 2 * count], "<f2").astype(np.float32)
        if tag in TAGS_FLOAT32:
            return self.plain(count)
        kind = "int8" if tag == TAG_INT8 else f"tag {tag:#010x}"
        raise NcnnFormatError(f"{self.path}: weights stored as {kind}; only float16 and float32 are read")


def _number(text: str) -> float:
    return float(text) if set(text) & set(".eE") else int(text)


def _row(line: str) -> tuple[str, str, dict[int, float]]:
    """Kind, name and scalar parameters of a `.param` row; array parameters are not needed here."""
    words = line.split()
    tops = 4 + int(words[2]) + int(words[3])
    pairs = (word.split("=") for word in words[tops:])
    return words[0], words[1], {int(k): _number(v) for k, v in pairs if int(k) > ARRAY_KEY}


def _blobs(kind: str, params: Mapping[int, float], source: _Blobs) -> dict[str, Array]:
    def param(key: int, default: float = 0) -> int:
        return int(params.get(key, default))

    if kind == "Convolution":
        out, size, width = param(0), param(6), param(1, 1)
        height = param(11, width)
        blobs = {"weight": source.tagged(size).reshape(out, size // (out * height * width), height, width)}
        if param(5):
            blobs["bias"] = source.plain(out)
        return blobs
    if kind == "PReLU":
        return {"slope": source.plain(param(0))}
    if kind == "MemoryData":
        return {"data": source.plain(max(param(0), 1) * max(param(1), 1) * max(param(2), 1))}
    if kind in ("BatchNorm", "ConvolutionDepthWise", "Deconvolution", "Gemm", "InnerProduct", "LSTM", "Scale"):
        raise NcnnFormatError(f"{source.path}: layers of type {kind} are not read")
    return {}


def read(param: Path, weights: Path | None = None) -> list[Layer]:
    """All layers of the network in `param`, with the blobs of `weights` (by default the `.bin` beside it), as float32."""
    lines = [line for line in param.read_text(encoding="ascii").splitlines() if line.strip()]
    if not lines or lines[0].strip() != MAGIC:
        raise NcnnFormatError(f"{param} is not an ncnn text network")
    rows = [_row(line) for line in lines[2:]]
    if len(rows) != int(lines[1].split()[0]):
        raise NcnnFormatError(f"{param} has {len(rows)} layers, its header says {lines[1].split()[0]}")
    source = _Blobs(weights or param.with_suffix(".bin"))
    layers = [Layer(kind, name, params, _blobs(kind, params, source)) for kind, name, params in rows]
    if source.at != len(source.data):
        raise NcnnFormatError(
            f"{source.path}: {len(source.data) - source.at} bytes left over: not the weights of {param}"
        )
    return layers
