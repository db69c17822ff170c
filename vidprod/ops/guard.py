"""Keeps a super-resolution network within sight of its input.

SPAN multiplies features by themselves in every block, so strong high-frequency noise makes it blow up: a checkerboard gives
values of 3000 where 0..1 is meant, and overflows fp16. A plain upscaling of the same picture never does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.pixels import from_unit, to_unit

MOST_DETAIL = 48
"""How far, in levels of 255, the network may move a sample from the bicubic one. On four pictures of Set14 with span-x2 this
costs 0.00 dB when they are clean and brings 8 to 9 dB with Gaussian noise of sigma 50 or salt and pepper."""

BLOWN = 1.0
"""Raw output further than this from mid-grey (that is, outside -0.5..1.5) means the network has lost its footing there."""

_BLOCK = 16


def bicubic(x: Tensor, scale: int) -> Tensor:
    """(N, 3, H, W) uint8 or uint16 -> (N, 3, scale * H, scale * W) of the same dtype; Keys' kernel, a = -0.5."""
    # "antialias" makes no difference to enlarging, but it is the path with that kernel, and the only fast one for uint8.
    if x.dtype == torch.uint8 and x.device.type == "cpu":
        return F.interpolate(x, scale_factor=scale, mode="bicubic", antialias=True)
    unit = to_unit(x, torch.float32)
    return from_unit(F.interpolate(unit, scale_factor=scale, mode="bicubic", antialias=True), x.dtype)


def guard(y: Tensor, x: Tensor, scale: int) -> Tensor:
    """The network's output as samples where it can be trusted, the bicubic picture where it cannot.

    Args:
        y: (N, 3, scale * H, scale * W) float, the raw output; may hold infinities and NaN. Overwritten.
        x: (N, 3, H, W) uint8 or uint16, the input.

    Returns:
        (N, 3, scale * H, scale * W) of the dtype of `x`, nowhere further than `MOST_DETAIL` from the bicubic picture.
    """
    plain = bicubic(x, scale)
    blown = _blown(y)
    sharp = from_unit(y.nan_to_num_(0.0, 0.0, 0.0), x.dtype)
    if x.dtype == torch.uint16:  # torch does not reckon in uint16
        return _limited(sharp.to(torch.int32), plain.to(torch.int32), blown, 65535).to(torch.uint16)
    return _limited(sharp, plain, blown, 255)


def _limited(sharp: Tensor, plain: Tensor, blown: Tensor | None, peak: int) -> Tensor:
    most = MOST_DETAIL * peak // 255
    out = torch.clamp(sharp, plain - plain.clamp(max=most), plain + (peak - plain).clamp(max=most))
    return out if blown is None else torch.where(blown, plain, out)


def _blown(y: Tensor) -> Tensor | None:
    """Where the network has blown up: (N, 1, H, W) bool in coarse blocks; None for nowhere, where that is cheap to tell."""
    if y.device.type == "cpu":  # elsewhere asking would make the host wait
        low, high = torch.aminmax(y)
        if low >= 0.5 - BLOWN and high <= 0.5 + BLOWN:  # false if there is a NaN
            return None
    height, width = y.shape[-2:]
    spread = y.sub(0.5).abs_().amax(1, keepdim=True).nan_to_num_(nan=torch.inf, posinf=torch.inf)
    blocks = (F.max_pool2d(spread, _BLOCK, ceil_mode=True) > BLOWN).to(y.dtype)
    # The surroundings of a blow-up are no good either.
    return F.interpolate(F.max_pool2d(blocks, 3, 1, 1), scale_factor=_BLOCK)[:, :, :height, :width] > 0
