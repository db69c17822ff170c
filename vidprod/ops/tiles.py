"""Running a network over a picture in pieces, with overlap, so that the seams cannot be seen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def tiled(network: Callable[[Tensor], Tensor], x: Tensor, *, tile: int, radius: int, scale: int) -> Tensor:
    """Same as `network(x)`, one tile at a time.

    Exact when `radius` is at least the receptive radius of the network: each tile is computed with that many pixels of its
    surroundings, which are then cut off, so that it never feels the edge of the piece.

    Args:
        network: maps (N, C, h, w) to (N, C', scale * h, scale * w).
        x: (N, C, H, W).
        tile: side of a tile in input pixels, without its surroundings.
        radius: surroundings in input pixels.
    """
    n, _, height, width = x.shape
    out: Tensor | None = None
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            y0, x0 = max(top - radius, 0), max(left - radius, 0)
            piece = network(x[:, :, y0 : bottom + radius, x0 : right + radius])
            if out is None:
                shape = (n, piece.shape[1], scale * height, scale * width)
                out = torch.empty(shape, dtype=piece.dtype, device=piece.device, memory_format=torch.channels_last)
            out[:, :, scale * top : scale * bottom, scale * left : scale * right] = piece[
                :, :, scale * (top - y0) : scale * (bottom - y0), scale * (left - x0) : scale * (right - x0)
            ]
    assert out is not None, "a picture has at least one tile"
    return out
