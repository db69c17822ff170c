"""How much of each registered picture, and of the spatial fill, goes into every pixel of a hole.

What can be measured without knowing the truth: how well a picture agrees with the current one around the hole, with the other
pictures inside it, how much there is to get wrong there. A log-linear model turns that into weights. `benchmarks/erase_blend.py`
fits it, with the network as the spatial fill.

Where the camera stands still, pictures need no registration: the mean of several, which has less of the codec's noise, is a
candidate as well.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.flow import box, gradient, inside, local_mean, luma, positions, sample, warp

MOST_OFFSET = 20.0
"""How much brighter or darker, in levels of 255, a picture may be made to agree with the surroundings of a hole."""

LEAST_OFFSET = 2.0
"""A difference in brightness of so many levels is half made up for, larger ones nearly, smaller ones hardly."""

FLAT = 30.0
"""Squared gradient below which what is seen is taken for noise."""

LEAST_GRAIN = 1.0
"""Noise, in levels of 255, below which none is added."""

LEAST_GAIN = 0.04
"""A difference in contrast below which none is made up for."""

BETTER = 0.8
"""A difference in contrast is made up for only if the pictures then differ by at most so much of what they differed by."""

MOST_GAIN = 1.5
"""A picture is given at most so many times its contrast, or as much less."""

TRAITS = (
    "near",  # squared error around the pixel, outside the hole, once made as bright as the surroundings
    "near_raw",  # the same before that
    "room",  # how much there was around it to compare, 0..1, not a logarithm
    "far",  # squared error further around
    "texture",  # squared gradient of the candidate there: what a wrong displacement costs
    "offset",  # squared change of brightness
    "moved",  # squared distance to where the motion of the whole picture leads
    "uneven",  # variance of such displacements around it
    "age",  # pictures away
    "apart",  # mean squared difference to the other candidates
    "alone",  # 1 where there is no other, not a logarithm
    "odd",  # squared difference to the spatial fill
    "foreign",  # squared error all around the hole, as a part of the variance there, not a logarithm
    "spread",  # variance of the pictures that a still one is the mean of
    "busy",  # squared gradient of the current picture around the pixel
    "deep",  # distance to the edge of the hole
)
"""What a candidate is judged by, at every pixel; log(1 + x) of it where nothing else is said."""


class Kind(enum.Enum):
    """What a candidate is; each kind has weights of its own."""

    FRESH = enum.auto()
    """A picture of another moment, registered."""
    BEFORE = enum.auto()
    """The picture filled last, registered."""
    STILL = enum.auto()
    """The mean of pictures of other moments, as the camera did not move."""


WEIGHTS: dict[Kind, tuple[float, ...]] = {
    Kind.FRESH: (
        -0.038, 0.016, 1.377, -0.173, 0.196, -0.168, -0.037, -0.534, -0.425,
        -0.291, -1.682, -0.339, -1.253, 0.000, -0.185, 0.890, 2.869,
    ),
    Kind.BEFORE: (
        -0.028, 0.080, -4.568, -0.731, -0.167, 0.100, -0.721, -1.600, 0.000,
        -0.092, -1.046, 0.329, -6.290, 0.000, -0.194, 0.865, 2.282,
    ),
    Kind.STILL: (
        0.154, -0.330, -3.463, -0.567, 0.346, -0.598, 0.000, 0.000, -0.646,
        0.163, 0.000, 0.452, -8.568, -0.254, 0.062, 0.983, 2.849,
    ),
}  # fmt: skip
"""One number for each trait, and a constant; made by `benchmarks/erase_blend.py`."""

SPATIAL_WEIGHTS = (-0.340, 0.368, 1.320)
"""For the spatial fill: by `busy` and `deep`, and a constant."""


@dataclass(frozen=True, eq=False)
class Hole:
    """The part of a picture around its hole.

    Attributes:
        picture: (1, 3, H, W) float32, levels of 255.
        luma: (1, 1, H, W) of it.
        guess: (1, 3, H, W) with the hole filled by the spatial fill; equal outside.
        guess_luma: (1, 1, H, W) of that.
        known: (1, 1, H, W) float32, 0 in the hole and at its very edge, which the codec has spoilt.
        rows, columns: (P,) int64, the pixels of the hole.
        flat: (1, 1, H, W) bool, where there is hardly anything but noise to be seen.
        busy: (P,) squared gradient around each pixel, log(1 + x).
        deep: (P,) distance to the edge of the hole, log(1 + x).
    """

    picture: Tensor
    luma: Tensor
    guess: Tensor
    guess_luma: Tensor
    known: Tensor
    rows: Tensor
    columns: Tensor
    flat: Tensor
    busy: Tensor
    deep: Tensor

    @staticmethod
    def of(picture: Tensor, guess: Tensor, mask: np.ndarray) -> Hole:
        """From (3, H, W) uint8 pictures and the mask (H, W) on the CPU."""
        device = picture.device
        rows, columns = (torch.from_numpy(at).to(device) for at in np.nonzero(mask))
        grown = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8))
        known = torch.from_numpy(grown == 0)[None, None].to(device, torch.float32)
        now = picture[None].to(torch.float32)
        filled = guess[None].to(torch.float32)
        shade = luma(now)
        gx, gy = gradient(shade)
        steep = gx * gx + gy * gy
        sure = -F.max_pool2d(-known, 3, 1, 1)  # without the gradients that reach into the hole
        busy, _ = local_mean(steep, sure, 3)
        deep = torch.from_numpy(cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)).to(device)
        flat = (known > 0) & (box(steep, 2) < FLAT)
        part = Hole(now, shade, filled, luma(filled), known, rows, columns, flat, known, known)
        return dataclasses.replace(part, busy=part.at(busy)[0, 0].log1p(), deep=deep[rows, columns].log1p())

    def at(self, x: Tensor) -> Tensor:
        """(N, C, h, w), of this size or reduced, at the pixels of the hole: (N, C, P)."""
        size = self.known.shape[-2:]
        if x.shape[-2:] != size:
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return x[:, :, self.rows, self.columns]


@dataclass(frozen=True, eq=False)
class Still:
    """Mean of some pictures where they are, H x W, without any registration.

    Attributes:
        mean: (1, 3, H, W) float32, levels of 255.
        count: (1, 1, H, W) float32, of how many pictures; 0 where none shows anything.
        spread: (1, 1, H, W) float32, their variance.
        age: pictures from the current one to the nearest of them.
    """

    mean: Tensor
    count: Tensor
    spread: Tensor
    age: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pictures at the pixels of a hole.

    Attributes:
        values: (K, 3, P) float32, what they would put there, made as bright as the surroundings.
        seen: (K, P) bool, where they show anything.
        traits: (K, len(TRAITS), P) float32.
        kinds: of each.
        grain: scalar, spread of the noise that differs from picture to picture, levels of 255; 0 if hardly any.
    """

    values: Tensor
    seen: Tensor
    traits: Tensor
    kinds: tuple[Kind, ...]
    grain: Tensor


def measure(
    hole: Hole,
    pictures: Tensor,
    known: Tensor,
    flow: Tensor,
    more: Tensor,
    ages: Sequence[int],
    *,
    carried: bool,
    still: Sequence[Still] = (),
) -> Candidates:
    """Looks at registered pictures, and at those of a still camera.

    Args:
        hole: of the current picture, H x W.
        pictures: (K, 3, H', W') uint8.
        known: (K, 1, H', W') float32.
        flow: (K, 2, H, W) where each pixel of the current one is in them.
        more: (K, 2, H, W) how far that is from a motion of all of the picture.
        ages: how many pictures away they are.
        carried: whether the last of them is the picture filled last.
        still: what is looked at beside them.
    """
    data = pictures.to(torch.float32)
    warped = warp(torch.cat([data, known], 1), flow)
    shown = (warped[:, 3:] > 0.99).to(torch.float32) * inside(flow, data.shape[-2], data.shape[-1])
    moved = torch.cat([warped[:, :3], *(one.mean for one in still)])
    seen = torch.cat([shown, *((one.count > 0).to(torch.float32) for one in still)])
    ring = hole.known * seen
    gain, shift = _tone(hole.picture, moved, ring)
    moved = moved * gain + shift
    difference = hole.picture - moved
    # A different brightness around the hole is taken to go on inside; a few pixels that do not fit at all say nothing.
    squared = difference.pow(2).mean(1, keepdim=True)
    offset, _ = local_mean(difference, ring / (1 + squared / 400), 3)
    # What the codec does around text looks like a small one.
    size = offset.pow(2).mean(1, keepdim=True)
    offset = (offset * (size / (size + LEAST_OFFSET**2))).clamp(-MOST_OFFSET, MOST_OFFSET)
    left = difference - F.interpolate(offset, size=difference.shape[-2:], mode="bilinear", align_corners=False)
    errors = torch.cat([left.pow(2).mean(1, keepdim=True), squared], 1)
    near, room = local_mean(errors, ring, 2)
    far, _ = local_mean(errors[:, :1], ring, 3, by=4)
    foreign = _mean(errors[:, :1], ring) / (_variance(hole.luma, ring) + FLAT)
    gx, gy = gradient(luma(moved))
    texture, _ = local_mean(gx * gx + gy * gy, torch.ones_like(ring), 1)
    steps, _ = local_mean(torch.cat([more, more.pow(2).sum(1, keepdim=True)], 1), ring[: len(pictures)], 3)
    uneven = (steps[:, 2:] - steps[:, :2].pow(2).sum(1, keepdim=True)).clamp_min(0)

    offset, near, room, far, texture, uneven = map(hole.at, (offset, near, room, far, texture, uneven))
    at = (flow + positions(flow.shape[-2], flow.shape[-1], flow.device))[:, :, hole.rows, hole.columns]
    sampled = [sample(data, at[:, :, None], mode="bicubic")[:, :, 0], *(hole.at(one.mean) for one in still)]
    values = torch.cat(sampled) * gain[:, 0] + shift[:, :, 0] + offset
    there = seen[:, 0, hole.rows, hole.columns] > 0
    apart, alone = _disagreement(values, there)
    odd = (values - hole.at(hole.guess)).pow(2).mean(1, keepdim=True)
    age = torch.tensor([*ages, *(one.age for one in still)], dtype=torch.float32, device=values.device)
    nothing = torch.zeros_like(odd)
    count = len(pictures)
    traits = torch.cat(
        [
            near[:, :1].log1p(),
            near[:, 1:].log1p(),
            room,
            far.log1p(),
            texture.log1p(),
            offset.pow(2).mean(1, keepdim=True).log1p(),
            torch.cat([hole.at(more.pow(2).sum(1, keepdim=True)).log1p(), nothing[count:]]),
            torch.cat([uneven.log1p(), nothing[count:]]),
            age.log1p().view(-1, 1, 1).expand_as(odd),
            apart.log1p(),
            alone,
            odd.log1p(),
            foreign.clamp_max(1)[:, 0].expand_as(odd),
            torch.cat([nothing[:count], *(hole.at(one.spread).log1p() for one in still)]),
            hole.busy.expand_as(odd),
            hole.deep.expand_as(odd),
        ],
        1,
    )
    kinds = [Kind.FRESH] * (count - carried) + [Kind.BEFORE] * carried + [Kind.STILL] * len(still)
    return Candidates(values, there, traits, tuple(kinds), _noise(left[:1], hole.flat & (seen[:1] > 0)))


def blend(hole: Hole, candidates: Candidates) -> tuple[Tensor, Tensor]:
    """Mixes the candidates and the spatial fill.

    Returns:
        the pixels (3, P) float32, and the weights (K + 1, P), the spatial fill's last.
    """
    scores = score(hole, candidates)
    weights = torch.softmax(scores, 0)
    values = torch.cat([candidates.values.clamp(0, 255), hole.at(hole.guess)])
    return (values * weights[:, None]).sum(0), weights


def score(hole: Hole, candidates: Candidates) -> Tensor:
    """(K + 1, P): the logarithm of each one's weight, but for a constant; the spatial fill's last."""
    traits = candidates.traits
    table = traits.new_tensor([WEIGHTS[kind] for kind in candidates.kinds])
    pictures = (traits * table[:, :-1, None]).sum(1) + table[:, -1:]
    pictures = pictures.masked_fill(~candidates.seen, -math.inf)
    busy, deep, constant = SPATIAL_WEIGHTS
    return torch.cat([pictures, (busy * hole.busy + deep * hole.deep + constant)[None]])


def grain(candidates: Candidates, weights: Tensor, *, seed: int) -> Tensor:
    """(P,) noise that makes up for what mixing pictures, and guessing, has smoothed away; the same for the same seed."""
    kept = weights[:-1].pow(2).sum(0)
    noise = torch.randn(len(kept), generator=torch.Generator().manual_seed(seed)).to(kept.device)
    return noise * candidates.grain * (1 - kept).clamp_min(0).sqrt()


def _mean(x: Tensor, ring: Tensor) -> Tensor:
    """(K, C, 1, 1): mean of (K or 1, C, H, W) over what (K, 1, H, W) holds."""
    mean: Tensor = (x * ring).sum((2, 3), keepdim=True) / ring.sum((2, 3), keepdim=True).clamp_min(1)
    return mean


def _variance(x: Tensor, ring: Tensor) -> Tensor:
    """(K, C, 1, 1), likewise."""
    return _mean((x - _mean(x, ring)).pow(2), ring)


def _tone(now: Tensor, other: Tensor, ring: Tensor) -> tuple[Tensor, Tensor]:
    """What makes up for a fade: `other` times the first (K, 1, 1, 1) plus the second (K, 3, 1, 1) has the contrast of `now`.

    1 and 0 unless the pictures fit better so: contrast also changes when something dark comes into the picture.
    """
    mean_now, mean_other = _mean(now, ring), _mean(other, ring)
    apart_now, apart_other = now - mean_now, other - mean_other
    gain = (_mean(luma(apart_now).pow(2), ring).sqrt() + 1) / (_mean(luma(apart_other).pow(2), ring).sqrt() + 1)
    gain = gain.clamp(1 / MOST_GAIN, MOST_GAIN)

    def misfit(by: Tensor | float) -> Tensor:
        return _mean(luma(apart_now - by * apart_other).abs().clamp_max(MOST_OFFSET), ring)

    plain = ((gain - 1).abs() < LEAST_GAIN) | (misfit(gain) > BETTER * misfit(1.0))
    gain = torch.where(plain, torch.ones_like(gain), gain)
    return gain, torch.where(plain, torch.zeros_like(mean_now), mean_now - gain * mean_other)


def _noise(left: Tensor, where: Tensor) -> Tensor:
    """The spread of what is left between two registered pictures where nothing but noise can be left; a scalar."""
    shade = luma(left)
    fine = (shade - box(shade, 1)).abs().masked_fill(~where, math.nan)
    # Of the median of the absolute; of one picture, not of two, and with what the box took away.
    spread = fine.nanmedian() * (1.4826 / math.sqrt(2 * 8 / 9))
    telling = where.to(torch.float32).mean() > 0.02
    return torch.where(telling & (spread >= LEAST_GRAIN), spread, torch.zeros_like(spread))


def _disagreement(values: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared difference (K, 1, P) to the other pictures, and 1 where there is no other."""
    count, _, pixels = values.shape
    total = values.new_zeros(count, pixels)
    others = values.new_zeros(count, pixels)
    for one in range(count):
        for other in range(one + 1, count):
            both = (there[one] & there[other]).to(values.dtype)
            squared = (values[one] - values[other]).pow(2).mean(0) * both
            for at in (one, other):
                total[at] += squared
                others[at] += both
    return (total / others.clamp_min(1))[:, None], (others == 0).to(values.dtype)[:, None]
