"""Reads what matters of a TensorFlow Lite network (operators in order, constants) into NumPy, without TensorFlow.

A .tflite file is a FlatBuffer: tables that point at their fields by way of a list of offsets. Only the fields and operators named
here are looked at.

Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

IDENTIFIER = b"TFL3"

# BuiltinOperator: name, and the fields of its options that are read: name, number, type, value where the file has none.
_OPERATORS: Mapping[int, tuple[str, tuple[tuple[str, int, str, int], ...]]] = {
    0: ("ADD", (("activation", 0, "b", 0),)),
    2: ("CONCATENATION", (("axis", 0, "i", 0),)),
    3: ("CONV_2D", (("padding", 0, "b", 0), ("stride", 1, "i", 0), ("activation", 3, "b", 0))),
    4: ("DEPTHWISE_CONV_2D", (("padding", 0, "b", 0), ("stride", 1, "i", 0), ("activation", 4, "b", 0))),
    6: ("DEQUANTIZE", ()),
    14: ("LOGISTIC", ()),
    17: (
        "MAX_POOL_2D",
        (("padding", 0, "b", 0), ("stride", 1, "i", 0), ("size", 3, "i", 0), ("activation", 5, "b", 0)),
    ),
    22: ("RESHAPE", ()),
    97: ("RESIZE_NEAREST_NEIGHBOR", (("align", 0, "b", 0), ("half_pixel", 1, "b", 0))),
    114: ("QUANTIZE", ()),
}
_DTYPES: Mapping[int, type[np.generic]] = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}

SAME = 0  # Padding
RELU6 = 3  # ActivationFunctionType


class TfliteFormatError(ValueError):
    """The file is no TensorFlow Lite network, or holds what is not read."""


@dataclass(frozen=True)
class Tensor:
    """One value of the network.

    Attributes:
        name: given by the exporter.
        shape: pictures are (N, H, W, C).
        dtype: of the stored numbers.
        scale, zero: the value is scale * (number - zero); one each, or one for each index of `axis`. Empty where numbers
            stand for themselves.
        axis: along which the scales differ.
        data: the numbers of a constant, None for what is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: Array
    zero: NDArray[np.int64]
    axis: int
    data: NDArray[np.generic] | None

    @property
    def value(self) -> Array:
        """A constant as float32. Raises TfliteFormatError for what is none."""
        if self.data is None:
            raise TfliteFormatError(f"{self.name} is computed, not a constant")
        if not self.scale.size:
            return self.data.astype(np.float32)
        along = [1] * self.data.ndim
        along[self.axis] = -1
        numbers = self.data.astype(np.float32) - self.zero.reshape(along).astype(np.float32)
        return np.asarray(numbers * self.scale.reshape(along), np.float32)


@dataclass(frozen=True)
class Operator:
    """One operator: numbers of the tensors it reads and writes, and its options by name."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int]


@dataclass(frozen=True)
class Graph:
    """A network: operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class _Table:
    """A table of a FlatBuffer; fields by number."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        (back,) = struct.unpack_from("<i", data, at)
        size, _ = struct.unpack_from("<HH", data, at - back)
        self._fields = struct.unpack_from(f"<{(size - 4) // 2}H", data, at - back + 4)

    def _field(self, number: int) -> int | None:
        offset = self._fields[number] if number < len(self._fields) else 0
        return self._at + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A number of a kind of `struct`."""
        at = self._field(field)
        return default if at is None else int(struct.unpack_from(f"<{kind}", self._data, at)[0])

    def table(self, field: int) -> _Table | None:
        """The table a field points at."""
        at = self._field(field)
        return None if at is None else _Table(self._data, self._follow(at))

    def tables(self, field: int) -> list[_Table]:
        """The tables of a list."""
        start, count = self._list(field)
        return [_Table(self._data, self._follow(start + 4 * i)) for i in range(count)]

    def array(self, field: int, dtype: type[np.generic]) -> NDArray[np.generic]:
        """The numbers of a list."""
        start, count = self._list(field)
        return np.frombuffer(self._data, np.dtype(dtype).newbyteorder("<"), count, start)

    def text(self, field: int) -> str:
        """A name."""
        start, count = self._list(field)
        return self._data[start : start + count].decode()

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _list(self, field: int) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = self._follow(at)
        (count,) = struct.unpack_from("<I", self._data, start)
        return start + 4, count


def _tensor(table: _Table, buffers: list[_Table]) -> Tensor:
    name, kind = table.text(3), table.number(1, "b")
    if kind not in _DTYPES:
        raise TfliteFormatError(f"{name} is of type {kind}, which is not read")
    shape = tuple(int(n) for n in table.array(0, np.int32))
    raw = buffers[table.number(2, "I")].array(0, np.uint8)
    data = None
    if raw.size:
        flat = np.frombuffer(raw.tobytes(), np.dtype(_DTYPES[kind]).newbyteorder("<"))
        if flat.size != int(np.prod(shape)):
            raise TfliteFormatError(f"{name} has {flat.size} numbers, its shape is {list(shape)}")
        data = flat.reshape(shape)
    steps = table.table(4)
    scale = steps.array(2, np.float32) if steps else np.empty(0)
    zero = steps.array(3, np.int64) if steps else np.empty(0)
    return Tensor(
        name,
        shape,
        np.dtype(_DTYPES[kind]),
        scale.astype(np.float32),
        zero.astype(np.int64),
        steps.number(6, "i") if steps else 0,
        data,
    )


def _operator(table: _Table, codes: list[int]) -> Operator:
    code = codes[table.number(0, "I")]
    if code not in _OPERATORS:
        raise TfliteFormatError(f"operator {code} is not read")
    name, wanted = _OPERATORS[code]
    options = table.table(4)
    found = {key: options.number(field, kind, default) if options else default for key, field, kind, default in wanted}
    inputs, outputs = (tuple(int(n) for n in table.array(field, np.int32)) for field in (1, 2))
    return Operator(name, inputs, outputs, found)


def read(path: Path) -> Graph:
    """The network in a file. Raises TfliteFormatError for what is none."""
    data = path.read_bytes()
    if data[4:8] != IDENTIFIER:
        raise TfliteFormatError(f"{path} is not a TensorFlow Lite network")
    try:
        model = _Table(data, struct.unpack_from("<I", data)[0])
        # The older field of one byte holds the code, where it is large enough.
        codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
        (graph,) = model.tables(2)
        buffers = model.tables(4)
        inputs, outputs = (tuple(int(n) for n in graph.array(field, np.int32)) for field in (1, 2))
        return Graph(
            tuple(_tensor(table, buffers) for table in graph.tables(0)),
            tuple(_operator(table, codes) for table in graph.tables(3)),
            inputs,
            outputs,
        )
    except TfliteFormatError as error:
        raise TfliteFormatError(f"{path}: {error}") from None
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise TfliteFormatError(f"{path} is damaged: {error}") from error
