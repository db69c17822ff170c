"""What shot analysis keeps of every picture: a few numbers that tell how it differs from those before.

About 140 bytes a picture, which is 25 MB for two hours at 25 pictures a second.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.models.transnet import HEIGHT, WIDTH

ROWS, COLUMNS = 4, 6
LEVELS, HUES = 16, 8
"""Bins of brightness, over 0..255, and of each of the two colour differences, over -32..32."""

LAGS = (1, 8, 16, 24)
"""How many pictures back a picture is compared."""

_WIDEST_HUE = 32.0
# Y' and twice the colour differences of BT.601, so that a change of colour counts like one of brightness.
_TO_YUV = ((0.299, 0.587, 0.114), (-0.338, -0.662, 1.0), (1.0, -0.838, -0.162))


@dataclass(frozen=True, eq=False)
class Signatures:
    """Of N consecutive pictures, on the CPU. Differences are in levels of 255.

    Attributes:
        grid: (N, 72) uint8, mean Y', U, V of 6x4 areas; U and V are doubled, and 128 where there is no colour.
        levels: (N, 32) uint8, how often each bin of brightness and colour occurs: 255 stands for always.
        change: (N,) float32, mean absolute difference of the unrounded grid from that of the picture before.
        lagged: (N, 4) float32, mean absolute difference of the picture of 48x27 from the one `LAGS` pictures before. What
            comes before the first picture is like the first.
        level: (N,) float32, mean brightness, 0..255.
    """

    grid: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    change: NDArray[np.float32]
    lagged: NDArray[np.float32]
    level: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.change)

    @staticmethod
    def cat(parts: list[Signatures]) -> Signatures:
        """Joins those of consecutive pictures."""
        return Signatures(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Signatures)))

    def apart(self, one: slice, other: slice) -> float:
        """How far the mean grids of two runs of pictures are apart, in levels."""
        first, second = (self.grid[part].astype(np.float32).mean(0) for part in (one, other))
        return float(np.abs(first - second).mean())


def recoloured(levels: NDArray[np.uint8], a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.float32]:
    """How much the colours of pictures `a` and `b` differ, wherever they are in the picture: 0 to 1."""
    difference = np.abs(levels[a].astype(np.int16) - levels[b]).sum(1, dtype=np.int32)
    share: NDArray[np.float32] = (difference / (6 * 255)).astype(np.float32)
    return share


def tiny(data: Tensor) -> Tensor:
    """Pictures as the network wants them: (N, 3, H, W) uint8 or uint16 -> (N, 3, 27, 48) uint8, on the same device.

    Every pixel is the mean of the area that it covers.
    """
    if data.dtype == torch.uint8 and data.shape[2:] == (HEIGHT, WIDTH):
        return data
    scale = 257.0 if data.dtype == torch.uint16 else 1.0
    small = F.adaptive_avg_pool2d(data.to(torch.float32), (HEIGHT, WIDTH))
    return (small / scale).round_().clamp_(0, 255).to(torch.uint8)


class Signing:
    """Makes signatures of a stream of tiny pictures."""

    def __init__(self) -> None:
        self._before: Tensor | None = None  # the last pictures, (24, 3, 27, 48) float32 Y'UV

    def __call__(self, pictures: Tensor) -> Signatures:
        """(N, 3, 27, 48) uint8, the next of the video, N at least 1."""
        matrix = torch.tensor(_TO_YUV, device=pictures.device)
        yuv = torch.einsum("oc,nchw->nohw", matrix, pictures.to(torch.float32))
        before = yuv[:1].expand(LAGS[-1], -1, -1, -1) if self._before is None else self._before
        run = torch.cat([before, yuv])
        self._before = run[-LAGS[-1] :].clone()
        grid = F.adaptive_avg_pool2d(run[LAGS[-1] - 1 :], (ROWS, COLUMNS)).flatten(1)
        brightness = yuv[:, 0].flatten(1)
        levels = [
            _histogram(brightness, 0, 256, LEVELS),
            *(_histogram(yuv[:, i].flatten(1) / 2, -_WIDEST_HUE, _WIDEST_HUE, HUES) for i in (1, 2)),
        ]
        lagged = [(yuv - run[LAGS[-1] - lag : len(run) - lag]).abs().mean((1, 2, 3)) for lag in LAGS]
        offset = torch.tensor([0.0, 128.0, 128.0], device=pictures.device).repeat_interleave(ROWS * COLUMNS)
        numbers = [
            (grid[1:] - grid[:-1]).abs().mean(1, keepdim=True),
            torch.stack(lagged, 1),
            brightness.mean(1, keepdim=True),
            (grid[1:] + offset).round().clamp(0, 255),
            (torch.cat(levels, 1) * 255).round(),
        ]
        # One transfer from the device for all of it.
        table = torch.cat(numbers, 1).cpu().numpy()
        change, lags, level, colours, counts = np.split(table, np.cumsum([p.shape[1] for p in numbers])[:-1], 1)
        return Signatures(
            grid=colours.astype(np.uint8),
            levels=counts.astype(np.uint8),
            change=change[:, 0].copy(),
            lagged=lags.copy(),
            level=level[:, 0].copy(),
        )


def _histogram(values: Tensor, low: float, high: float, bins: int) -> Tensor:
    """(N, P) -> (N, bins), the share of values in each bin; what lies outside goes into the first or last."""
    place = ((values - low) * (bins / (high - low))).long().clamp_(0, bins - 1)
    counts = torch.zeros(len(values), bins, device=values.device)
    return counts.scatter_add_(1, place, torch.ones_like(values)) / values.shape[1]
