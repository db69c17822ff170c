"""`Lut1D`, `Lut3D` and `LutChain`: colour look-up tables, and their exact evaluation in torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Triple = tuple[float, float, float]
ZEROS: Triple = (0.0, 0.0, 0.0)
ONES: Triple = (1.0, 1.0, 1.0)
PEAKS = {torch.uint8: 255.0, torch.uint16: 65535.0, torch.float16: 1.0, torch.float32: 1.0}
"""What stands for 1.0 in pictures of each dtype."""
SMALLEST_3D, LARGEST_3D = 2, 256
SMALLEST_1D, LARGEST_1D = 2, 65536


@dataclass(frozen=True, eq=False)
class Lut1D:
    """One curve for each of R, G and B, linear between its samples; beyond its domain the end values hold.

    Attributes:
        table: (size, 3) float32, size 2..65536; `table[i, c]` is the value of channel c at
            `domain_min[c] + i / (size - 1) * (domain_max[c] - domain_min[c])`.
        domain_min: the input of the first sample, for each channel.
        domain_max: the input of the last sample, above `domain_min`.
    """

    table: Tensor
    domain_min: Triple = ZEROS
    domain_max: Triple = ONES

    def __post_init__(self) -> None:
        if self.table.ndim != 2 or self.table.shape[1] != 3 or not SMALLEST_1D <= len(self.table) <= LARGEST_1D:
            raise ValueError(f"table must be ({SMALLEST_1D}..{LARGEST_1D}, 3), got {tuple(self.table.shape)}")
        _check(self.table, self.domain_min, self.domain_max)

    @property
    def size(self) -> int:
        """Samples per channel."""
        return len(self.table)

    def __call__(self, colors: Tensor) -> Tensor:
        """(..., 3) floats -> (..., 3), of the same dtype and device."""
        at, below = _positions(colors, self.size, self.domain_min, self.domain_max)
        table = self.table.to(colors.device, colors.dtype)
        channel = torch.arange(3, device=colors.device)
        low, high = table[below, channel], table[below + 1, channel]
        return low + (high - low) * (at - below)

    def to(self, device: torch.device | str) -> Lut1D:
        """The same on another device."""
        return dataclasses.replace(self, table=self.table.to(device))


@dataclass(frozen=True, eq=False)
class Lut3D:
    """A function from RGB to RGB, sampled on a grid; tetrahedral between its samples, constant beyond its domain.

    Attributes:
        table: (size, size, size, 3) float32, size 2..256; `table[r, g, b]` is the output colour at the node (r, g, b), whose
            channel c stands for the input `domain_min[c] + node / (size - 1) * (domain_max[c] - domain_min[c])`.
        domain_min: the input of the first node, for each channel.
        domain_max: the input of the last node, above `domain_min`.
    """

    table: Tensor
    domain_min: Triple = ZEROS
    domain_max: Triple = ONES

    def __post_init__(self) -> None:
        n = len(self.table)
        if tuple(self.table.shape) != (n, n, n, 3) or not SMALLEST_3D <= n <= LARGEST_3D:
            raise ValueError(
                f"table must be (n, n, n, 3), n in {SMALLEST_3D}..{LARGEST_3D}, got {tuple(self.table.shape)}"
            )
        _check(self.table, self.domain_min, self.domain_max)

    @classmethod
    def identity(cls, size: int = 33) -> Lut3D:
        """The table that changes nothing in 0..1."""
        return cls.of(lambda colors: colors, size)

    @classmethod
    def of(
        cls,
        function: Callable[[Tensor], Tensor],
        size: int = 33,
        *,
        domain_min: Triple = ZEROS,
        domain_max: Triple = ONES,
    ) -> Lut3D:
        """Samples a function.

        Args:
            function: (size ** 3, 3) float64 RGB on the CPU -> the same shape, computed in whatever precision.
            size: nodes along each axis.
            domain_min: where the first node is.
            domain_max: where the last one is.
        """
        axes = [
            torch.linspace(low, high, size, dtype=torch.float64)
            for low, high in zip(domain_min, domain_max, strict=True)
        ]
        nodes = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        return cls(function(nodes).to(torch.float32).reshape(size, size, size, 3), domain_min, domain_max)

    @property
    def size(self) -> int:
        """Nodes along each axis."""
        return len(self.table)

    def __call__(self, colors: Tensor) -> Tensor:
        """(..., 3) floats -> (..., 3), of the same dtype and device.

        The reference that faster ways are measured by. A grey (r = g = b) depends on the grid's diagonal only, so a table that
        keeps greys neutral at its nodes keeps all of them neutral.
        """
        at, below = _positions(colors, self.size, self.domain_min, self.domain_max)
        return tetrahedral(self.table.to(colors.device, colors.dtype), at - below, below)

    def then(self, other: Callable[[Tensor], Tensor], size: int | None = None) -> Lut3D:
        """This table followed by another function or table, as one table over this one's domain.

        Between the nodes the result is an approximation, a close one if the size (by default the larger of both) is high.
        """
        size = size or max(self.size, other.size if isinstance(other, Lut3D) else 0)
        return Lut3D.of(
            lambda colors: other(self(colors)), size, domain_min=self.domain_min, domain_max=self.domain_max
        )

    def to(self, device: torch.device | str) -> Lut3D:
        """The same on another device."""
        return dataclasses.replace(self, table=self.table.to(device))


@dataclass(frozen=True, eq=False)
class LutChain:
    """What a .cube file holds: curves, a table, or curves in front of a table (a shaper); nothing at all changes nothing.

    Attributes:
        curves: applied first.
        table: applied to what the curves give.
        title: a name for people.
    """

    curves: Lut1D | None = None
    table: Lut3D | None = None
    title: str = ""

    @classmethod
    def of(cls, lut: Lut1D | Lut3D | LutChain) -> LutChain:
        """Whatever it is, as a chain."""
        if isinstance(lut, LutChain):
            return lut
        return cls(curves=lut) if isinstance(lut, Lut1D) else cls(table=lut)

    def __call__(self, colors: Tensor) -> Tensor:
        """(..., 3) floats -> (..., 3), of the same dtype and device."""
        for part in (self.curves, self.table):
            if part is not None:
                colors = part(colors)
        return colors

    def to(self, device: torch.device | str) -> LutChain:
        """The same on another device."""
        return dataclasses.replace(
            self,
            curves=None if self.curves is None else self.curves.to(device),
            table=None if self.table is None else self.table.to(device),
        )


def tetrahedral(table: Tensor, fraction: Tensor, node: Tensor) -> Tensor:
    """Interpolates inside the tetrahedron that a colour lies in: along the axes in falling order of their fractions.

    Args:
        table: (n, n, n, 3) values.
        fraction: (..., 3) floats in 0..1: the place within the cell.
        node: (..., 3) int64 in 0..n-2: the cell.

    Returns:
        (..., 3) of the table's dtype.
    """
    n = len(table)
    flat = table.reshape(-1, 3)
    steps = torch.tensor([n * n, n, 1], device=table.device)
    falling, order = fraction.sort(-1, descending=True)
    largest, middle, smallest = falling.unbind(-1)
    first = (node * steps).sum(-1)
    second = first + steps[order[..., 0]]
    third = second + steps[order[..., 1]]
    last = first + (n * n + n + 1)
    weights = torch.stack([1 - largest, largest - middle, middle - smallest, smallest], -1)
    corners = torch.stack([flat[index] for index in (first, second, third, last)], -2)
    return (weights[..., None] * corners).sum(-2)


def _positions(colors: Tensor, size: int, low: Triple, high: Triple) -> tuple[Tensor, Tensor]:
    """Places on the grid, clamped to it, and the node below each (int64, at most size - 2)."""
    start = torch.tensor(low, dtype=colors.dtype, device=colors.device)
    span = torch.tensor(high, dtype=colors.dtype, device=colors.device) - start
    at = ((colors - start) / span * (size - 1)).nan_to_num(0.0).clamp(0, size - 1)
    return at, at.long().clamp_(0, size - 2)


def _check(table: Tensor, low: Triple, high: Triple) -> None:
    if table.dtype != torch.float32:
        raise ValueError(f"table must be float32, got {table.dtype}")
    if not all(a < b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"domain_max {high} must be above domain_min {low}")
