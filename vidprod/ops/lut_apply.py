"""Look-up tables on pictures, each kind of device in the fastest way there is without a compiler."""

from __future__ import annotations

import torch
from torch import Tensor

from vidprod.media import dither
from vidprod.ops.lut import PEAKS, Lut1D, Lut3D, LutChain
from vidprod.ops.lut_cpu import CpuLut
from vidprod.ops.lut_triton import AVAILABLE as HAVE_TRITON
from vidprod.ops.lut_triton import lut3d as lut3d_triton


class LutFilter:
    """Applies one table, or curves, or both to pictures.

    On the CPU FFmpeg's lut3d on float planes, on CUDA a Triton kernel, elsewhere (and without Triton) plain torch. All of them
    interpolate tetrahedrally in float32 and agree to a few millionths.
    """

    def __init__(self, lut: LutChain | Lut1D | Lut3D, device: torch.device | str = "cpu") -> None:
        """`device`: where the pictures will be."""
        self._device = torch.device(device)
        self._chain = LutChain.of(lut).to(self._device)
        self._cpu = CpuLut(self._chain) if self._device.type == "cpu" else None

    def __call__(self, pictures: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Pictures through the table.

        Args:
            pictures: (N, 3, H, W) R'G'B': uint8 over 0..255, uint16 over 0..65535, or float16 or float32 with 1.0 as white.
            dtype: of the result, one of those; by default the pictures' own. uint8 is dithered with blue noise, the same for R,
                G and B, so that greys stay grey; what falls on a level exactly stays there. Integers are clamped, floats not.

        Returns:
            (N, 3, H, W) in the memory order of the pictures, on their device.
        """
        dtype = dtype or pictures.dtype
        for name, kind in (("pictures", pictures.dtype), ("dtype", dtype)):
            if kind not in PEAKS:
                raise ValueError(f"{name} must be uint8, uint16, float16 or float32, got {kind}")
        if self._cpu is not None:
            return self._cpu(pictures, dtype)
        curves, table = self._chain.curves, self._chain.table
        if table is None or not HAVE_TRITON or self._device.type != "cuda":
            return apply_exactly(self._chain, pictures, dtype)
        if curves is not None:
            colors = _to_unit(pictures, torch.float32).movedim(1, -1)
            pictures = curves(colors).movedim(-1, 1)
        return lut3d_triton(pictures, table, dtype)


def apply_exactly(chain: LutChain, pictures: Tensor, dtype: torch.dtype, work: torch.dtype = torch.float32) -> Tensor:
    """The reference: what `LutFilter` does, in plain torch on any device, computed in `work`."""
    colors = chain(_to_unit(pictures, work).movedim(1, -1))
    if dtype.is_floating_point:
        return colors.movedim(-1, 1).to(dtype)
    codes = colors.mul_(PEAKS[dtype])
    if dtype == torch.uint8:
        height, width = pictures.shape[2:]
        codes = codes.add_(dither.thresholds(height, width, pictures.device)[..., None]).floor_()
    else:
        codes = codes.round_()
    codes = codes.clamp_(0, PEAKS[dtype]).movedim(-1, 1)
    # uint16 has few kernels; int32 -> uint16 is one of them
    return codes.to(dtype) if dtype == torch.uint8 else codes.to(torch.int32).to(dtype)


def _to_unit(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    return pictures.to(dtype) * (1 / PEAKS[pictures.dtype])
