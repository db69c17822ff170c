"""R'G'B' to and from the planes of an `av.VideoFrame`, by the formulas of the standards alone.

swscale is what the package under test may use; the corpus does not, so that both cannot share a mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from .pictures import Array

Codes = npt.NDArray[Any]  # uint8 or uint16

# Luma weights of red and blue by FFmpeg's colour space number (ITU-T H.273 MatrixCoefficients).
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


@dataclass(frozen=True)
class Layout:
    """What a planar pixel format's name says."""

    bits: int
    across: int  # luma columns per chroma column
    down: int  # luma rows per chroma row
    full: bool  # the format itself says full range (yuvj)
    alpha: bool


def layout(pix_fmt: str) -> Layout:
    """Reads the name of a planar YUV format."""
    match = re.fullmatch(r"yuv(a?)(j?)(420|422|444)p(\d*)(?:le)?", pix_fmt)
    if not match:
        raise ValueError(f"not a planar YUV format: {pix_fmt}")
    alpha, full, sampling, bits = match.groups()
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[sampling]
    return Layout(int(bits or 8), across, down, bool(full), bool(alpha))


def to_frame(image: Array, pix_fmt: str, matrix: int = 6, full: bool = False) -> av.VideoFrame:
    """`image` (H, W, 3) in 0..1 as a frame. `matrix` and `full` are used for the numbers; tags are the caller's."""
    height, width = image.shape[:2]
    if pix_fmt == "rgb24":
        return av.VideoFrame.from_ndarray(_codes(image, 255), format="rgb24")
    if pix_fmt == "pal8":
        return _poster(image)
    frame = av.VideoFrame(width, height, pix_fmt)
    if pix_fmt.startswith("gbrp"):
        peak = 2 ** int(pix_fmt.removeprefix("gbrp").removesuffix("le") or 8) - 1
        planes = [_codes(image[..., c], peak) for c in (1, 2, 0)]
    elif pix_fmt == "gray":
        planes = [_codes(image[..., 0], 255)]  # greys have red = green = blue; the format is full range
    elif pix_fmt == "yuyv422":
        y, u, v = _yuv(image, layout("yuv422p"), matrix, full)
        packed = np.empty((height, width // 2, 4), dtype=np.uint8)
        packed[..., 0], packed[..., 1], packed[..., 2], packed[..., 3] = y[:, ::2], u, y[:, 1::2], v
        planes = [packed.reshape(height, width * 2)]
    else:
        planes = list(_yuv(image, layout(pix_fmt), matrix, full))
        if layout(pix_fmt).alpha:
            planes.append(np.full((height, width), 2 ** layout(pix_fmt).bits - 1, dtype=planes[0].dtype))
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((values.shape[0], plane.line_size), dtype=np.uint8)
        rows[:, : values.shape[1] * values.itemsize] = np.ascontiguousarray(values).view(np.uint8)
        plane.update(rows.tobytes()[: plane.buffer_size].ljust(plane.buffer_size, b"\0"))
    return frame


def weave(first: av.VideoFrame, second: av.VideoFrame) -> av.VideoFrame:
    """One frame of two fields of half its height: `first` has the top line. Chroma is subsampled within each field."""
    frame = av.VideoFrame(first.width, first.height * 2, first.format.name)
    for plane, top, bottom in zip(frame.planes, first.planes, second.planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), dtype=np.uint8)
        for parity, field in enumerate((top, bottom)):
            lines = np.frombuffer(memoryview(field), dtype=np.uint8)[: field.height * field.line_size].reshape(
                field.height, -1
            )
            usable = min(field.line_size, plane.line_size)
            rows[parity::2, :usable] = lines[:, :usable]
        plane.update(rows.tobytes()[: plane.buffer_size].ljust(plane.buffer_size, b"\0"))
    return frame


def _poster(image: Array) -> av.VideoFrame:
    """A palette frame for a picture that has only six levels per channel."""
    levels = np.round(image * 5).astype(np.uint8)
    index = levels[..., 0] * 36 + levels[..., 1] * 6 + levels[..., 2]
    colours = np.arange(256) % 216
    palette = np.stack([np.full(256, 255), colours // 36 * 51, colours // 6 % 6 * 51, colours % 6 * 51], axis=-1)
    return av.VideoFrame.from_ndarray((index.astype(np.uint8), palette.astype(np.uint8)), format="pal8")  # type: ignore[arg-type]


def _codes(values: Array, peak: int) -> Codes:
    return np.round(np.clip(values, 0, 1) * peak).astype(np.uint8 if peak < 256 else np.uint16)


def _scale(bits: int, full: bool) -> tuple[float, float, float, float]:
    """Offset and span of luma, then of chroma, in codes."""
    one = 2 ** (bits - 8)
    if full:
        return 0, 2**bits - 1, 128 * one, 2**bits - 1
    return 16 * one, 219 * one, 128 * one, 224 * one


def _yuv(image: Array, kind: Layout, matrix: int, full: bool) -> tuple[Codes, Codes, Codes]:
    kr, kb = WEIGHTS[matrix]
    y_zero, y_span, c_zero, c_span = _scale(kind.bits, full or kind.full)
    red, green, blue = (image[..., c].astype(np.float64) for c in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [(blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)]
    small = [_shrink(c, kind) * c_span + c_zero for c in chroma]
    dtype = np.uint8 if kind.bits == 8 else np.uint16
    y, u, v = (np.clip(np.round(p), 0, 2**kind.bits - 1).astype(dtype) for p in (luma * y_span + y_zero, *small))
    return y, u, v


def _shrink(plane: npt.NDArray[np.float64], kind: Layout) -> npt.NDArray[np.float64]:
    """Chroma at its resolution: in line with the left luma column, between two luma rows (JPEG: between columns)."""
    height, width = plane.shape
    if kind.across == 2 and kind.full:
        wide = np.pad(plane, ((0, 0), (0, width % 2)), mode="edge")
        plane = (wide[:, 0::2] + wide[:, 1::2]) / 2
    elif kind.across == 2:
        wide = np.pad(plane, ((0, 0), (1, 1 + width % 2)), mode="edge")
        plane = (wide[:, 0:-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2]) / 4
    if kind.down == 2:
        tall = np.pad(plane, ((0, height % 2), (0, 0)), mode="edge")
        plane = (tall[0::2] + tall[1::2]) / 2
    return plane


def from_frame(frame: av.VideoFrame, matrix: int | None = None, full: bool | None = None) -> Array:
    """The picture (H, W, 3) in 0..1 of a planar YUV or gbrp frame, by its own tags unless told otherwise."""
    if frame.format.name.startswith("gbrp"):
        peak = 2 ** int(frame.format.name.removeprefix("gbrp").removesuffix("le") or 8) - 1
        green, blue, red = (_values(p, 8 if peak == 255 else 16) / peak for p in frame.planes[:3])
        return np.stack([red, green, blue], axis=-1).astype(np.float32)
    kind = layout(frame.format.name)
    matrix = int(frame.colorspace) if matrix is None else matrix
    kr, kb = WEIGHTS.get(matrix, WEIGHTS[6])
    y_zero, y_span, c_zero, c_span = _scale(
        kind.bits, kind.full or (int(frame.color_range) == 2 if full is None else full)
    )
    luma, cb, cr = (_values(p, kind.bits).astype(np.float64) for p in frame.planes[:3])
    luma = (luma - y_zero) / y_span
    cb, cr = ((_grow(c, kind, luma.shape) - c_zero) / c_span for c in (cb, cr))
    red, blue = luma + cr * (2 - 2 * kr), luma + cb * (2 - 2 * kb)
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1).astype(np.float32)


def _values(plane: av.video.plane.VideoPlane, bits: int) -> Codes:
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8)[: plane.height * plane.line_size].reshape(
        plane.height, plane.line_size
    )
    return np.ascontiguousarray(rows[:, : plane.width * dtype.itemsize]).view(dtype)


def _grow(plane: npt.NDArray[np.float64], kind: Layout, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    height, width = shape
    if kind.down == 2:
        tall = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
        even, odd = (tall[:-2] + 3 * tall[1:-1]) / 4, (3 * tall[1:-1] + tall[2:]) / 4
        plane = np.stack([even, odd], axis=1).reshape(-1, plane.shape[1])[:height]
    if kind.across == 2:
        wide = np.pad(plane, ((0, 0), (0, 1)), mode="edge")
        plane = np.stack([plane, (wide[:, :-1] + wide[:, 1:]) / 2], axis=2).reshape(plane.shape[0], -1)[:, :width]
    return plane
