"""Look-up tables on the CPU: FFmpeg's lut3d on planes of 16 bits or floats, with conversions by numpy and OpenCV around it.

lut3d has vector code for such planes; for packed pictures it takes four times as long. Integers stay integers where the table
begins at 0 and ends at 1; floats are for shapers and other domains, which the filter does not have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch
from av.filter import Graph
from torch import Tensor

from vidprod.media import dither
from vidprod.ops.cube import rows_of
from vidprod.ops.lut import ONES, ZEROS, Lut1D, Lut3D, LutChain

Plane = npt.NDArray[np.float32]  # (H, W)
Picture = npt.NDArray[Any]  # (H, W) uint8, uint16 or float32

BAND = 1 << 21
"""Pixels at a time, which bounds the memory for the largest pictures."""

_FLOATS, _WORDS = "gbrpf32le", "gbrp16le"
_VECTOR = 32  # samples that the widest instructions take at a time
_ORDER = (2, 0, 1)  # in which plane of these formats R, G and B are
_PEAKS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}


class CpuLut:
    """One chain, applied to CPU tensors; see `LutFilter`. Use one per thread."""

    def __init__(self, chain: LutChain) -> None:
        self._table = None if chain.table is None else _Lut3DFilter(chain.table, _FLOATS)
        self._whole: _Integers | None = None
        if chain.curves is None and chain.table is not None:
            plain = (chain.table.domain_min, chain.table.domain_max) == (ZEROS, ONES)
            self._whole = _Integers(chain.table) if plain else None
        self._input = _Input(chain.curves, chain.table)
        self._output = _Output()

    def __call__(self, pictures: Tensor, dtype: torch.dtype) -> Tensor:
        """(N, 3, H, W) on the CPU -> the same shape, of `dtype`."""
        if pictures.dtype == torch.float16:
            pictures = pictures.float()
        packed = pictures.movedim(1, -1)
        interleaved = packed.is_contiguous() and not pictures.is_contiguous()
        if interleaved:
            result = torch.empty(packed.shape, dtype=dtype).movedim(-1, 1)
        else:
            result = torch.empty(pictures.shape, dtype=dtype)
        height, width = pictures.shape[2:]
        rows = max(1, min(height, BAND // max(width, 1)))
        # The last band reaches up into the one before, so that all have one size and FFmpeg's filter can stay.
        tops = [min(top, height - rows) for top in range(0, height, rows)] if result.numel() else []
        for picture, target in zip(pictures, result, strict=True):
            for top in tops:
                self._band(picture[:, top : top + rows], target[:, top : top + rows], top, interleaved)
        return result

    def _band(self, picture: Tensor, target: Tensor, top: int, interleaved: bool) -> None:
        if interleaved:
            planes = cv2.split(picture.movedim(0, -1).numpy())
        else:
            planes = tuple(picture.numpy())
        if self._whole is not None and not (picture.dtype.is_floating_point or target.dtype.is_floating_point):
            codes = self._whole(planes, target.dtype, top % dither.SIDE)
        elif target.dtype.is_floating_point:
            for plane, part in zip(self._colors(planes), target, strict=True):
                part.copy_(torch.from_numpy(plane))
            return
        else:
            codes = self._output(self._colors(planes), target.dtype, top % dither.SIDE)
        if interleaved:
            cv2.merge(codes, dst=target.movedim(0, -1).numpy())
        else:
            for code, part in zip(codes, target.numpy(), strict=True):
                part[:] = code

    def _colors(self, planes: Sequence[Picture]) -> list[Plane]:
        height, width = planes[0].shape
        if self._table is None:
            found = [np.empty((height, width), np.float32) for _ in range(3)]
            self._input(planes, found)
            return found
        self._input(planes, self._table.inputs(height, width))
        return self._table.outputs()


class _Integers:
    """A table over 0..1 applied to 8- or 16-bit planes without any floats in between."""

    def __init__(self, table: Lut3D) -> None:
        self._table = table
        self._filters: dict[torch.dtype, _Lut3DFilter] = {}
        self._thresholds: Picture | None = None
        self._sums: Picture | None = None
        self._codes: list[Picture] = []

    def __call__(self, planes: Sequence[Picture], dtype: torch.dtype, top: int) -> Sequence[Picture]:
        """Three planes of uint8 or uint16, valid until the next call; `top`: the first row's place in the thresholds."""
        rows, width = planes[0].shape
        if dtype not in self._filters:
            # For 8 bits the filter gives 256ths of a level, so that adding a threshold and dropping eight bits is dithering.
            white = 65535 if dtype == torch.uint16 else 255 * 256
            # The filter cuts off what is behind the point; half a step more makes it round.
            table = self._table.table.double() * (white / 65535) + 0.5 / 65535
            self._filters[dtype] = _Lut3DFilter(Lut3D(table.float()), _WORDS)
        filter = self._filters[dtype]
        for plane, target in zip(planes, filter.inputs(rows, width), strict=True):
            if plane.dtype == np.uint8:
                np.multiply(plane, np.uint16(257), out=target, dtype=np.uint16)
            else:
                np.copyto(target, plane)
        found = filter.outputs()
        return found if dtype == torch.uint16 else self._dithered(found, top)

    def _dithered(self, planes: list[Picture], top: int) -> list[Picture]:
        shape = rows, width = planes[0].shape
        if self._sums is None or self._sums.shape != shape:
            self._sums = np.empty(shape, np.uint16)
            self._codes = [np.empty(shape, np.uint8) for _ in planes]
            self._thresholds = (dither.thresholds(rows + dither.SIDE, width).numpy() * 256).astype(np.uint16)
        assert self._thresholds is not None
        for plane, code in zip(planes, self._codes, strict=True):
            cv2.add(plane, self._thresholds[top : top + rows], dst=self._sums)  # stops at 65535
            np.right_shift(self._sums, 8, out=self._sums)
            np.copyto(code, self._sums, casting="unsafe")
        return self._codes


class _Input:
    """Codes -> floats, through the curves, as positions in 0..1 of the table's domain."""

    def __init__(self, curves: Lut1D | None, table: Lut3D | None) -> None:
        self._curves = curves
        low, high = (ZEROS, ONES) if table is None else (table.domain_min, table.domain_max)
        self._scale = [1.0 / (b - a) for a, b in zip(low, high, strict=True)]
        self._offset = [-a / (b - a) for a, b in zip(low, high, strict=True)]
        self._tables: dict[np.dtype[Any], list[Plane]] = {}

    def __call__(self, planes: Sequence[Picture], targets: list[Plane]) -> None:
        peak = _PEAKS[planes[0].dtype]
        if planes[0].dtype == np.float32:
            # NaN is no place in a table; it shows in the least value, which costs little to find
            planes = [np.nan_to_num(plane, nan=0.0) if np.isnan(plane.min()) else plane for plane in planes]
        for channel, (plane, target) in enumerate(zip(planes, targets, strict=True)):
            if self._curves is None:
                np.multiply(plane, np.float32(self._scale[channel] / peak), out=target)
                if self._offset[channel]:
                    target += np.float32(self._offset[channel])
            elif plane.dtype == np.float32:
                target[:] = self._curve(channel, plane)
            else:
                table = self._table(plane.dtype, channel)
                target[:] = cv2.LUT(plane, table) if plane.dtype == np.uint8 else table[plane]

    def _table(self, dtype: np.dtype[Any], channel: int) -> Plane:
        """The curve for every code there is."""
        if dtype not in self._tables:
            codes = np.arange(_PEAKS[dtype] + 1) / _PEAKS[dtype]
            self._tables[dtype] = [self._curve(c, codes).astype(np.float32) for c in range(3)]
        return self._tables[dtype][channel]

    def _curve(self, channel: int, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        curves = self._curves
        assert curves is not None
        places = np.linspace(curves.domain_min[channel], curves.domain_max[channel], curves.size)
        found = np.interp(values, places, curves.table[:, channel].double().numpy())
        done: npt.NDArray[np.float64] = found * self._scale[channel] + self._offset[channel]
        return done


class _Lut3DFilter:
    """FFmpeg's filter with one table over 0..1, for planes of one format."""

    def __init__(self, table: Lut3D, format: str) -> None:
        self._table = table
        self._format = format
        self._graph: Graph | None = None
        self._frame: av.VideoFrame | None = None
        self._width = 0
        self._result: av.VideoFrame | None = None

    def inputs(self, height: int, width: int) -> list[Picture]:
        """Where R, G and B of the next picture must be written."""
        if self._frame is None or (self._frame.height, self._width) != (height, width):
            # The filter's vector code does not stop at the end of a row. So rows end with a whole vector, and what is in it
            # besides the picture are numbers: a NaN would be looked up outside of the table, and crash.
            padded = -(-width // _VECTOR) * _VECTOR
            self._frame, self._width = av.VideoFrame(padded, height, self._format), width
            for plane in self._frame.planes:
                np.frombuffer(memoryview(plane), np.uint8)[:] = 0
            self._graph = self._build(padded, height)
        return _views(self._frame, width)

    def outputs(self) -> list[Picture]:
        """R, G and B of that picture, done; valid until the next call."""
        assert self._graph is not None
        assert self._frame is not None
        self._graph.vpush(self._frame)
        self._result = self._graph.vpull()
        return _views(self._result, self._width)

    def _build(self, width: int, height: int) -> Graph:
        graph = Graph()
        graph.threads = torch.get_num_threads()
        with tempfile.TemporaryDirectory(prefix="vidprod-lut-") as folder:
            # The only way to hand FFmpeg a table is a file, which it reads while the graph is made.
            path = Path(folder) / "table.cube"
            path.write_text(f"LUT_3D_SIZE {self._table.size}\n{rows_of(self._table.table)}", encoding="ascii")
            nodes = [
                graph.add_buffer(
                    width=width, height=height, format=av.VideoFormat(self._format), time_base=Fraction(1, 1000)
                ),
                graph.add("lut3d", file=str(path), interp="tetrahedral"),
                graph.add("buffersink"),
            ]
            graph.link_nodes(*nodes)
            graph.configure()
        return graph


def _views(frame: av.VideoFrame, width: int) -> list[Picture]:
    """The first columns of R, G and B of a frame, sharing its memory."""
    dtype = np.dtype(np.float32 if frame.format.name == _FLOATS else np.uint16)
    found = []
    for number in _ORDER:
        plane = frame.planes[number]
        rows = np.frombuffer(memoryview(plane), dtype, count=plane.line_size // dtype.itemsize * frame.height)
        found.append(rows.reshape(frame.height, -1)[:, :width])
    return found


class _Output:
    """Floats of 0..1 -> codes, in memory that is used again."""

    def __init__(self) -> None:
        self._offsets: Plane | None = None
        self._codes: list[Picture] = []

    def __call__(self, planes: Sequence[Plane], dtype: torch.dtype, top: int) -> Sequence[Picture]:
        """Three planes of uint8 or uint16, valid until the next call; `top`: the first row's place in the thresholds."""
        shape = rows, width = planes[0].shape
        wide = dtype == torch.uint16
        kind = np.dtype(np.uint16 if wide else np.uint8)
        if not self._codes or (self._codes[0].shape, self._codes[0].dtype) != (shape, kind):
            self._codes = [np.empty(shape, kind) for _ in planes]
        if self._offsets is None or self._offsets.shape != (rows + dither.SIDE, width):
            # what follows rounds to the nearest, so the thresholds are counted from the middle
            self._offsets = dither.thresholds(rows + dither.SIDE, width).numpy() - np.float32(0.5)
        for plane, code in zip(planes, self._codes, strict=True):
            if wide:
                cv2.addWeighted(plane, 65535.0, plane, 0.0, 0.0, dst=code, dtype=cv2.CV_16U)
            else:
                cv2.addWeighted(plane, 255.0, self._offsets[top : top + rows], 1.0, 0.0, dst=code, dtype=cv2.CV_8U)
        return self._codes
