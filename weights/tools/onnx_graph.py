"""Reads what matters of an ONNX network (nodes in order, float32 constants) into NumPy, without the package onnx.

ONNX is protocol buffers: a message is a run of (number and kind of field, value). Only the fields named here are looked at.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FLOAT = 1  # TensorProto.DataType
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types


class OnnxFormatError(ValueError):
    """The file is not a network that this reader knows."""


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        kind: "Conv", "Add", ...
        inputs: names of tensors, of constants or of what other nodes make.
        output: name of what it makes (the first, if several).
        floats: its attributes that are one float, as `alpha` of a HardSigmoid.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    floats: Mapping[str, float]


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run, and the float32 constants by name; other constants are left out."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise OnnxFormatError("the file ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of every field of a message; numbers as int, everything else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise OnnxFormatError(f"wire type {kind} is not read")
        if at + size > len(data):
            raise OnnxFormatError(f"a field of {size} bytes is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _parts(data: memoryview) -> dict[int, list[int | memoryview]]:
    found: dict[int, list[int | memoryview]] = {}
    for number, value in _fields(data):
        found.setdefault(number, []).append(value)
    return found


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise OnnxFormatError("a number stands where a message or a text should")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode()


def _node(data: memoryview) -> Node:
    parts = _parts(data)
    floats = {}
    for attribute in parts.get(5, []):
        inner = _parts(_bytes(attribute))
        if 2 in inner:
            floats[_text(inner[1][0])] = struct.unpack("<f", _bytes(inner[2][0]))[0]
    outputs = [_text(value) for value in parts.get(2, [])]
    return Node(_text(parts[4][0]), tuple(_text(v) for v in parts.get(1, [])), outputs[0] if outputs else "", floats)


def _constant(data: memoryview) -> tuple[str, Array | None]:
    parts = _parts(data)
    name = _text(parts[8][0])
    if 13 in parts:
        raise OnnxFormatError(f"the numbers of {name} lie in another file, which is not read")
    if parts.get(2) != [FLOAT] or 9 not in parts:
        return name, None
    dims: list[int] = []
    for value in parts.get(1, []):
        if isinstance(value, int):
            dims.append(value)
        else:  # packed
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                dims.append(one)
    numbers = np.frombuffer(_bytes(parts[9][0]), "<f4")
    if numbers.size != int(np.prod(dims)):
        raise OnnxFormatError(f"{name} has {numbers.size} numbers, its shape is {dims}")
    return name, numbers.reshape(dims).astype(np.float32)


def read(path: Path) -> Graph:
    """The network in a file. Raises OnnxFormatError for what is none."""
    try:
        graph = _parts(_bytes(_parts(memoryview(path.read_bytes()))[7][0]))
        nodes = tuple(_node(_bytes(value)) for value in graph.get(1, []))
        constants = dict(_constant(_bytes(value)) for value in graph.get(5, []))
    except (KeyError, UnicodeDecodeError, struct.error) as error:
        raise OnnxFormatError(f"{path} is not an ONNX network") from error
    except OnnxFormatError as error:
        raise OnnxFormatError(f"{path}: {error}") from None
    return Graph(nodes, {name: value for name, value in constants.items() if value is not None})
