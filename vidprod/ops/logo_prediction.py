"""How well the background of a place is predicted from around it, over many samples: the measure logos are found with.

A logo is a place where the picture follows the prediction less than it would without one. How much it would follow is seen at
copies of the place beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.harmonic import harmonic
from vidprod.ops.text_boxes import Box

Mask = NDArray[np.bool_]  # (h, w)
Shift = tuple[int, int]  # rows, columns

MARGIN = 12
"""Pixels around a place from which it is predicted; a soap film is hung up on its rim alone."""

COPIES = 4
"""Places beside a logo that are looked at for comparison, at most."""

_GAP = 6  # pixels between a place and its copies
_CHUNK = 1 << 22  # numbers that are filled at once


@dataclass(frozen=True)
class Statistics:
    """Over the samples, per pixel of a place; sums over the three colours.

    Attributes:
        mean, predicted: (3, h, w), of the pictures and of their prediction.
        variance, predicted_variance, covariance: (h, w).
    """

    mean: Tensor
    predicted: Tensor
    variance: Tensor
    predicted_variance: Tensor
    covariance: Tensor

    @property
    def slope(self) -> Tensor:
        """(h, w): how much the picture moves with the prediction; 1 is all the way."""
        return self.covariance / self.predicted_variance.clamp(min=1)

    @property
    def spread(self) -> Tensor:
        """(h, w): how much the picture varies, the prediction being 1."""
        return (self.variance / self.predicted_variance.clamp(min=1)).sqrt()

    @property
    def unexplained(self) -> Tensor:
        """(h, w): variance of the picture that has nothing to do with the prediction."""
        explained = self.covariance.clamp(min=0).square() / self.predicted_variance.clamp(min=1)
        return (self.variance - explained).clamp(min=0)

    @property
    def difference(self) -> Tensor:
        """(h, w): largest difference of the colours between the mean picture and what was predicted, in levels."""
        return (self.mean - self.predicted).abs().amax(0)


def bounds(mask: Mask, margin: int = 0) -> Box:
    """The smallest box that holds all pixels of a mask, grown by `margin` as far as there is room."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise ValueError("nothing is masked")
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return box.grown(margin, margin, Box(0, 0, mask.shape[1], mask.shape[0]))


@dataclass(frozen=True)
class Place:
    """Where a logo lies in the samples: the box around its support, with `MARGIN` pixels of rim."""

    box: Box

    @classmethod
    def of(cls, support: Mask) -> Place:
        """The place of a support (H, W)."""
        return cls(bounds(support, MARGIN))

    def inside(self, support: Mask) -> Tensor:
        """(h, w) bool: the support within the box."""
        return torch.from_numpy(np.ascontiguousarray(support[self.box.slices]))


@dataclass(frozen=True)
class Copy:
    """The place of a logo moved to where there is none.

    Attributes:
        shift: rows and columns.
        box: the part of the moved place that lies in the picture.
        mask: (H, W), the support, moved.
        hidden: (H, W), what must be predicted there: that and the logo itself, which may reach into the box.
    """

    shift: Shift
    box: Box
    mask: Mask
    hidden: Mask


def copies(support: Mask, place: Place) -> list[Copy]:
    """Where copies of the place find room beside it, nearest first; none where the picture ends all around."""
    tight, (height, width) = bounds(support), support.shape
    down, across = tight.height + _GAP, tight.width + _GAP
    half = across // 2
    straight = [(0, across), (0, -across), (down, 0), (-down, 0)]
    slanting = [(down, half), (-down, -half), (down, -half), (-down, half)]
    whole = Box(0, 0, width, height)
    found = []
    for shift in straight + slanting:
        there = tight.moved(shift[1], shift[0])
        if min(there.left, there.top, width - there.right, height - there.bottom) >= 2:
            mask = np.roll(support, shift, (0, 1))
            found.append(Copy(shift, place.box.moved(shift[1], shift[0]) & whole, mask, mask | support))
    return found[:COPIES]


def put(values: Tensor, copy: Copy, place: Place, rest: float = 0.0) -> Tensor:
    """What was measured at a copy (its box), over the logo's place (..., h, w); `rest` where the picture had ended."""
    whole = torch.full((*values.shape[:-2], place.box.height, place.box.width), rest, dtype=torch.float32)
    top, left = copy.box.top - copy.shift[0] - place.box.top, copy.box.left - copy.shift[1] - place.box.left
    whole[..., top : top + copy.box.height, left : left + copy.box.width] = values
    return whole


def filled(pictures: Tensor, hidden: Mask, place: Box) -> Iterator[tuple[Tensor, Tensor]]:
    """In parts of the samples: what a box of (N, 3, H, W) uint8 shows, and how it looks with the hidden pixels predicted.

    Yields:
        two (n, 3, h, w) float32.
    """
    rows, columns = place.slices
    hole = torch.from_numpy(np.ascontiguousarray(hidden[rows, columns])).to(pictures.device)[None, None]
    step = max(_CHUNK // (3 * max(place.area, 1)), 1)
    for part in pictures[:, :, rows, columns].split(step):
        shown = part.to(torch.float32)
        yield shown, harmonic(shown, hole)


def statistics(pictures: Tensor, hidden: Mask, place: Box) -> Statistics:
    """Of a box of (N, 3, H, W) uint8 pictures whose `hidden` pixels (H, W) are predicted from the others."""
    count = len(pictures)
    sums: list[Tensor] = []
    origin: tuple[Tensor, Tensor] | None = None
    for shown, guess in filled(pictures, hidden, place):
        # Moments about the first pictures' mean: squares of plain levels would lose what is small in float32.
        origin = origin or (shown.mean(0), guess.mean(0))
        a, b = shown - origin[0], guess - origin[1]
        part = [a.sum(0), b.sum(0), (a * a).sum(0), (b * b).sum(0), (a * b).sum(0)]
        sums = [x + y for x, y in zip(sums, part, strict=True)] if sums else part
    if origin is None:
        raise ValueError("no pictures")
    a, b, aa, bb, ab = (x / count for x in sums)
    return Statistics(
        mean=a + origin[0],
        predicted=b + origin[1],
        variance=(aa - a * a).clamp(min=0).sum(0),
        predicted_variance=(bb - b * b).clamp(min=0).sum(0),
        covariance=(ab - a * b).sum(0),
    )


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """(N, C, h, w) blurred; beyond the edge lies the edge."""
    radius = max(round(3 * sigma), 1)
    at = torch.arange(-radius, radius + 1, device=x.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(x.dtype)
    channels = x.shape[1]
    x = F.pad(x, (radius, radius, 0, 0), mode="replicate")
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    x = F.pad(x, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def smooth(values: Tensor, where: Tensor, sigma: float) -> Tensor:
    """(..., h, w) averaged over neighbours that lie in `where` (h, w)."""
    weight = where.to(torch.float32)[None, None]
    flat = values.reshape(-1, 1, *values.shape[-2:])
    return (gaussian(flat * weight, sigma) / gaussian(weight, sigma).clamp(min=1e-3)).view(values.shape)
