"""What transitions are drawn with: places, easing, seeded noise and resampling, the same on every device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Draw = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Levels (N, 3, H, W) float32 of the old and of the new picture, and progress (N,) in 0..1 -> levels, which it may overwrite."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """Where a transition is drawn.

    Attributes:
        height: pixels.
        width: pixels.
        seed: of all that is random.
        device: of the pictures.
    """

    height: int
    width: int
    seed: int
    device: torch.device

    def rows(self) -> Tensor:
        """(1, 1, H, 1): the middle of each row, 0..1 from the top."""
        return ((torch.arange(self.height, device=self.device) + 0.5) / self.height).view(1, 1, -1, 1)

    def columns(self) -> Tensor:
        """(1, 1, 1, W): the middle of each column, 0..1 from the left."""
        return ((torch.arange(self.width, device=self.device) + 0.5) / self.width).view(1, 1, 1, -1)

    def random(self, *shape: int, salt: int = 0) -> Tensor:
        """Numbers in 0..1, drawn on the CPU so that all devices draw the same."""
        generator = torch.Generator().manual_seed(self.seed * 1009 + salt)
        return torch.rand(*shape, generator=generator).to(self.device)

    def turned(self) -> bool:
        """Whether this seed goes the other way round; 0 does not."""
        return self.seed % 2 == 1

    def noise(self, across: float, down: float, *, octaves: int = 4, salt: int = 0) -> Tensor:
        """(1, 1, H, W) in 0..1: smooth noise with that many cells across and down, and finer ones on top."""
        total = torch.zeros(1, 1, self.height, self.width, device=self.device)
        for octave in range(octaves):
            # Never finer than two pixels: that flickers, and the codec spends its bits on it.
            cells_x = max(min(round(across * 2**octave), self.width // 2), 1)
            cells_y = max(min(round(down * 2**octave), self.height // 2), 1)
            points = self.random(1, 1, cells_y + 1, cells_x + 1, salt=salt * 16 + octave)
            fine = F.interpolate(points, (self.height, self.width), mode="bicubic", align_corners=True)
            total += fine * 0.5**octave
        low, high = total.amin(), total.amax()
        return (total - low) / (high - low).clamp_min(1e-6)


def even(field: Tensor) -> Tensor:
    """The same order of places, but any share of progress reveals the same share of the picture."""
    bins = 1024
    place = (field * (bins - 1)).clamp(0, bins - 1)
    # The histogram is made on the CPU: on CUDA it would not be deterministic.
    counts = torch.histc(place.cpu().flatten(), bins, 0, bins).to(field.device)
    share = torch.cat([counts.new_zeros(1), counts.cumsum(0)]) / field.numel()
    low = place.floor().long()
    return torch.lerp(share[low], share[low + 1], place - low)


def ease(x: Tensor) -> Tensor:
    """Starts and ends gently: 0..1 -> 0..1."""
    return x * x * (3 - 2 * x)


def ease_strongly(x: Tensor) -> Tensor:
    """Starts and ends very gently and is fast in between."""
    return x * x * x * (x * (x * 6 - 15) + 10)


def ramp(x: Tensor, low: float, high: float) -> Tensor:
    """0 up to `low`, 1 from `high`, gently in between."""
    return ease(((x - low) / (high - low)).clamp(0, 1))


def bump(progress: Tensor) -> Tensor:
    """0 at both ends, 1 in the middle, gently."""
    return ramp(progress, 0, 0.5) - ramp(progress, 0.5, 1)


def wide(progress: Tensor) -> Tensor:
    """(N,) -> (N, 1, 1, 1)."""
    return progress.view(-1, 1, 1, 1)


def reveal(field: Tensor, progress: Tensor, soft: float) -> Tensor:
    """How much of the new picture is seen.

    Args:
        field: 0..1, the progress at which a place turns, about.
        progress: (N,).
        soft: width of the edge in units of `field`.
    """
    return ease(((wide(progress) * (1 + soft) - field) / soft).clamp(0, 1))


def mirror(index: Tensor, size: int) -> Tensor:
    """Indices beyond 0..size-1 reflected into it, however far away."""
    around = index.remainder(2 * size)
    return torch.minimum(around, 2 * size - 1 - around)


def at_columns(x: Tensor, places: Tensor) -> Tensor:
    """(N, C, H, W) sampled at columns (N, W'), 0 the middle of the first one; mirrored beyond the edges."""
    low = places.floor()
    part = (places - low)[:, None, None, :]
    index = low.long()
    shape = (*x.shape[:3], places.shape[1])
    left, right = (x.gather(3, mirror(i, x.shape[3])[:, None, None, :].expand(shape)) for i in (index, index + 1))
    return torch.lerp(left, right, part)


def at_rows(x: Tensor, places: Tensor) -> Tensor:
    """(N, C, H, W) sampled at rows (N, H'), 0 the middle of the first one; mirrored beyond the edges."""
    count, channels, height, width = x.shape
    low = places.floor()
    part = (places - low)[:, None, :, None]
    index = low.long()
    first = (torch.arange(count * channels, device=x.device) * height).view(count, channels, 1)
    lines = x.reshape(-1, width)  # whole rows are copied, which is much faster than single samples
    upper, lower = (
        lines.index_select(0, (first + mirror(i, height)[:, None]).flatten()).view(count, channels, -1, width)
        for i in (index, index + 1)
    )
    return torch.lerp(upper, lower, part)


def scaled_about_centre(x: Tensor, factor: Tensor) -> Tensor:
    """(N, C, H, W) seen `factor` (N,) times as large, mirrored beyond the edges."""
    places = []
    for size in x.shape[2:]:
        middle = (size - 1) / 2
        offsets = torch.arange(size, device=x.device) - middle
        places.append(middle + offsets / factor[:, None])
    return at_columns(at_rows(x, places[0]), places[1])


def diagonal(canvas: Canvas) -> float:
    """Half the length of the picture's diagonal, in units of its shorter side."""
    return math.hypot(canvas.height, canvas.width) / 2 / min(canvas.height, canvas.width)
