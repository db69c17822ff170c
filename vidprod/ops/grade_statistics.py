"""What is measured on a shot: pooled over small pictures of it, so that a grade never changes within the shot."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidprod.ops.grade_plan import GAMMA, LUMA

BAR = 0.07
"""Code value up to which rows and columns at the edges, black in all pictures, are bars and not counted."""

TRUSTED = (0.02, 0.97)
"""Code values between which a channel tells something about the light; beyond, it may be clipped."""

LUMA_SHARES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
_LEAST_PIXELS = 64  # fewer tell nothing about colours


@dataclass(frozen=True, eq=False)
class Statistics:
    """Numbers of a shot; quantities in code values of 0..1 unless said.

    Attributes:
        luma: quantiles of the luma at `LUMA_SHARES`.
        low: quantile 0.001 of the least channel.
        high: quantile 0.999 of the greatest channel.
        balance: (5, 2) estimates of the colour of the light, log2 of red over green and of blue over green, from: the mean
            (grey world), the brighter pixels (shades of grey, power 6), edges (grey edge, power 6), the least coloured
            pixels, the brightest tenth.
        chroma: quantiles 0.25, 0.5, 0.75, 0.95 of the distance from grey.
        clipped: shares of pixels with a channel at black, and with one at white.
        detail: mean difference of neighbouring lumas, over the spread of luma.
        light: mean log2 of the light of R, G, B.
        spread: standard deviation of log2 of luminance.
    """

    luma: Tensor
    low: float
    high: float
    balance: Tensor
    chroma: Tensor
    clipped: Tensor
    detail: float
    light: Tensor
    spread: float

    @property
    def vector(self) -> Tensor:
        """All of them in one row, (35,) float32: what a predictor sees."""
        return torch.cat(
            [
                self.luma,
                torch.tensor([self.low, self.high, self.detail, self.spread / 4]),
                self.balance.clamp(-2, 2).flatten(),
                self.balance.clamp(-2, 2).std(0),
                self.chroma * 4,
                self.chroma[1:3] / self.luma[4].clamp(min=0.05),
                self.clipped * 4,
                (self.light[[0, 2]] - self.light[1]).clamp(-2, 2),
            ]
        )


def without_bars(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) of floats with rows and columns cut off that are black at an edge in all of them."""
    bright = pictures.amax((0, 1)) > BAR
    if not bright.any():
        return pictures
    rows, columns = (bright.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return pictures[..., int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def measure(pictures: Tensor) -> Statistics:
    """Statistics of (N, 3, H, W) uint8 or uint16 small pictures of one shot, on the CPU."""
    top = 255.0 if pictures.dtype == torch.uint8 else 65535.0
    codes = without_bars(pictures.to(torch.float32) / top)
    pixels = codes.permute(0, 2, 3, 1).reshape(-1, 3)
    weights = codes.new_tensor(LUMA)
    luma = pixels @ weights
    distance = (pixels - luma[:, None]).norm(dim=1)
    light = pixels.clamp(min=1e-3) ** GAMMA
    plane = (codes * weights.view(3, 1, 1)).sum(1)
    spread = luma.std(unbiased=False).clamp(min=1e-3)
    steps = [plane.diff(dim=axis).abs().mean() for axis in (1, 2) if plane.shape[axis] > 1]
    luminance = (light @ weights).clamp(min=1e-4).log2()
    return Statistics(
        luma=_quantiles(luma, LUMA_SHARES),
        low=float(_quantiles(pixels.amin(1), (0.001,))),
        high=float(_quantiles(pixels.amax(1), (0.999,))),
        balance=_balance(codes, pixels, luma, distance, light),
        chroma=_quantiles(distance, (0.25, 0.5, 0.75, 0.95)),
        clipped=torch.stack([(pixels.amin(1) <= 0.01).float().mean(), (pixels.amax(1) >= 0.99).float().mean()]),
        detail=float(sum(steps) / max(len(steps), 1) / spread),
        light=light.log2().mean(0),
        spread=float(luminance.std(unbiased=False)),
    )


def _balance(codes: Tensor, pixels: Tensor, luma: Tensor, distance: Tensor, light: Tensor) -> Tensor:
    low, high = TRUSTED
    good = (pixels.amin(1) > low) & (pixels.amax(1) < high)
    if int(good.sum()) < _LEAST_PIXELS:
        good = torch.ones_like(good)
    light, luma, distance = light[good], luma[good], distance[good]
    relative = distance / luma.clamp(min=0.02)
    grey = light[relative <= relative.quantile(0.2)] if len(relative) < 1 << 22 else light
    bright = light[luma >= luma.quantile(0.9)]
    linear = codes**GAMMA
    edges = torch.zeros(3)
    for axis in (2, 3):
        if linear.shape[axis] > 1:
            edges = edges + (linear.diff(dim=axis).abs() ** 6).mean((0, 2, 3))
    found = [
        light.mean(0),
        (light**6).mean(0) ** (1 / 6),
        (edges + 1e-24) ** (1 / 6),
        grey.mean(0),
        bright.mean(0),
    ]
    logs = torch.stack(found).clamp(min=1e-5).log2()
    return logs[:, [0, 2]] - logs[:, 1:2]


def _quantiles(values: Tensor, shares: tuple[float, ...]) -> Tensor:
    ordered = values.sort().values
    at = (torch.tensor(shares) * (len(ordered) - 1)).round().long()
    return ordered[at]
