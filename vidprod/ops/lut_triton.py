"""Look-up tables on CUDA: a kernel that reads pictures of any dtype, interpolates, dithers and writes, in one pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidprod.media import dither
from vidprod.ops.lut import PEAKS, Lut3D

try:
    import triton  # type: ignore[import-untyped,unused-ignore]
    import triton.language as tl  # type: ignore[import-untyped,unused-ignore]

    AVAILABLE = True
except ImportError:  # no Triton for this platform; torch does the work then
    AVAILABLE = False

_BLOCK = 1024


def lut3d(pictures: Tensor, table: Lut3D, dtype: torch.dtype) -> Tensor:
    """(N, 3, H, W) uint8, uint16, float16 or float32 -> the same shape, of `dtype`; see `LutFilter`."""
    if not (pictures.is_contiguous() or pictures.is_contiguous(memory_format=torch.channels_last)):
        pictures = pictures.contiguous()
    peak, top = PEAKS[pictures.dtype], table.size - 1
    spans = [high - low for low, high in zip(table.domain_min, table.domain_max, strict=True)]
    scales = [top / (span * peak) for span in spans]
    offsets = [-low * top / span for low, span in zip(table.domain_min, spans, strict=True)]
    out: Tensor = _lut3d(pictures, table.table, scales, offsets, dtype)
    return out


@torch.library.custom_op("vidprod::lut3d", mutates_args=())
def _lut3d(pictures: Tensor, table: Tensor, scales: list[float], offsets: list[float], dtype: torch.dtype) -> Tensor:
    out = torch.empty_like(pictures, dtype=dtype)
    count, _, height, width = pictures.shape
    # rows of four floats, which a GPU loads at once
    nodes = torch.nn.functional.pad(table.reshape(-1, 3), (0, 1)).contiguous()
    mask = torch.from_numpy(dither.blue_noise()).to(pictures.device)
    grid = (math.ceil(height * width / _BLOCK), count)
    if not math.prod(grid):
        return out
    _kernel[grid](
        pictures,
        out,
        nodes,
        mask,
        height * width,
        width,
        pictures.stride(0),
        pictures.stride(1),
        pictures.stride(3),
        *scales,
        *offsets,
        PEAKS[dtype],
        len(table),
        SIDE=dither.SIDE,
        DITHER=dtype == torch.uint8,
        WHOLE=not dtype.is_floating_point,
        BLOCK=_BLOCK,
    )
    return out


@_lut3d.register_fake
def _(pictures: Tensor, table: Tensor, scales: list[float], offsets: list[float], dtype: torch.dtype) -> Tensor:
    return torch.empty_like(pictures, dtype=dtype)


if AVAILABLE:

    @triton.jit  # type: ignore[untyped-decorator,unused-ignore]
    def _kernel(  # type: ignore[no-untyped-def]
        x, out, nodes, mask, pixels, width, per_picture, per_channel, per_pixel,
        scale_r, scale_g, scale_b, offset_r, offset_g, offset_b, peak, size,
        SIDE: tl.constexpr, DITHER: tl.constexpr, WHOLE: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
    ):  # fmt: skip
        """One block of pixels of one picture. The same interpolation as `lut.tetrahedral`, without sorting."""
        pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = pixel < pixels
        at = tl.program_id(1).to(tl.int64) * per_picture + pixel * per_pixel
        r = tl.load(x + at, mask=inside, other=0).to(tl.float32) * scale_r + offset_r
        g = tl.load(x + at + per_channel, mask=inside, other=0).to(tl.float32) * scale_g + offset_g
        b = tl.load(x + at + 2 * per_channel, mask=inside, other=0).to(tl.float32) * scale_b + offset_b
        top = (size - 1).to(tl.float32)
        r = tl.minimum(tl.maximum(r, 0.0), top)
        g = tl.minimum(tl.maximum(g, 0.0), top)
        b = tl.minimum(tl.maximum(b, 0.0), top)
        node_r = tl.minimum(r.to(tl.int32), size - 2)
        node_g = tl.minimum(g.to(tl.int32), size - 2)
        node_b = tl.minimum(b.to(tl.int32), size - 2)
        r, g, b = r - node_r, g - node_g, b - node_b
        largest = tl.maximum(tl.maximum(r, g), b)
        smallest = tl.minimum(tl.minimum(r, g), b)
        middle = tl.maximum(tl.minimum(r, g), tl.minimum(tl.maximum(r, g), b))
        # The axis walked first and the one walked last; where fractions are equal the choice has no weight.
        first_step = tl.where((r >= g) & (r >= b), size * size, tl.where(g >= b, size, 1))
        last_step = tl.where((b <= g) & (b <= r), 1, tl.where(g <= r, size, size * size))
        diagonal = size * size + size + 1
        start = (node_r * size + node_g) * size + node_b
        second, third, last = start + first_step, start + diagonal - last_step, start + diagonal
        if DITHER:
            place = (pixel // width % SIDE) * SIDE + pixel % width % SIDE
            threshold = tl.load(mask + place, mask=inside, other=0.5)
        for channel in tl.static_range(3):
            value = (
                tl.load(nodes + start * 4 + channel, mask=inside, other=0.0) * (1 - largest)
                + tl.load(nodes + second * 4 + channel, mask=inside, other=0.0) * (largest - middle)
                + tl.load(nodes + third * 4 + channel, mask=inside, other=0.0) * (middle - smallest)
                + tl.load(nodes + last * 4 + channel, mask=inside, other=0.0) * smallest
            ) * peak
            if DITHER:
                value = tl.floor(value + threshold)
            elif WHOLE:
                value = tl.floor(value + 0.5)
            if WHOLE:
                value = tl.minimum(tl.maximum(value, 0.0), peak)
            tl.store(out + at + channel * per_channel, value.to(out.dtype.element_ty), mask=inside)
