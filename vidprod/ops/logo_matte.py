"""What a logo did to the picture, I = (1 - alpha) B + colour, from many samples of one place of a video.

What the background B was nobody knows, but its prediction from around the logo is right on average, and how well it follows B
is seen at copies of the place beside the logo. Where the picture follows the prediction less than it does there, and varies
less, something covers it: that is alpha.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.errors import InvalidParameter
from vidprod.ops.bitmask import BitMask
from vidprod.ops.logo_bands import OPAQUE, SIGMAS, inpainting_errors, structure, unblending_errors
from vidprod.ops.logo_prediction import Mask, Place, Statistics, copies, put, smooth, statistics
from vidprod.ops.logo_shape import cut_out, written
from vidprod.ops.text_boxes import Box

Plane = NDArray[np.float32]  # (h, w)
Planes = NDArray[np.float32]  # (c, h, w)
Kind = Literal["unblend", "inpaint"]

LEAST_CHANGE = 2.0
"""Standard deviation in levels that the surroundings must have over the samples, or alpha cannot be told."""

LEAST_DIFFERENT = 12
"""Different pictures that the samples must be worth; from a slide show of a few alpha cannot be told."""

MOST_UNEXPLAINED = 3.0
"""Variance that a still logo cannot cause, against what it would leave: above, the logo itself changes."""

LEAST_ALPHA = 0.12
"""Alpha of a pixel that belongs to a logo by what it covers."""

LEAST_DIFFERENCE = 8.0
"""Levels between the mean picture and its prediction of a pixel that belongs to a logo by its looks."""

_SAME = 2.0  # levels that two pictures must differ by, on average, not to be one
_STEPS = 8  # of a stored error, to each doubling
_RIM = 5.5  # pixels from the edge of a logo up to which the prediction is nearly exact
_RIM_PIXELS = 1500  # of them, compared with each pixel further in


@dataclass(frozen=True, eq=False)
class Matte:
    """A logo that stays in one place, as found over a whole video.

    Attributes:
        kind: "unblend" where the background can be got back from under it, at least from under its edges; otherwise
            "inpaint".
        reason: why it is that kind, in words.
        box: where the arrays lie in the picture; it has a rim around the support.
        support: (h, w), the pixels that the logo touches. No other ever changes.
        alpha: (h, w), 0..1.
        colour: (3, h, w), the logo's light in levels, already multiplied by alpha.
        unblend_error, inpaint_error: (bands, 2, h, w), squared levels to expect, as in `logo_bands`.
        structure: mean of `logo_bands.structure` that `inpaint_error` holds for.
    """

    kind: Kind
    reason: str
    box: Box
    support: Mask
    alpha: Plane
    colour: Planes
    unblend_error: NDArray[np.float32]
    inpaint_error: NDArray[np.float32]
    structure: float

    @property
    def strength(self) -> float:
        """The alpha that most of the logo has, 0..1."""
        solid = self.alpha[self.support & (self.alpha > LEAST_ALPHA)]
        return float(np.quantile(solid, 0.75)) if len(solid) else 0.0

    def packed(self) -> dict[str, Any]:
        """As values that JSON can hold; about a hundred kilobytes for a logo of 100x40 pixels."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "box": [self.box.left, self.box.top, self.box.right, self.box.bottom],
            "support": BitMask.pack(self.support).__dict__,
            "planes": _packed(np.concatenate([self.alpha[None], self.colour]).astype("<f2")),
            "errors": _packed(_steps(np.stack([self.unblend_error, self.inpaint_error]))),
            "structure": self.structure,
        }

    @classmethod
    def unpacked(cls, value: dict[str, Any]) -> Matte:
        """From what `packed` gave. Raises InvalidParameter where it is damaged."""
        box = Box(*value["box"])
        if min(box.width, box.height) <= 0 or box.area > 1 << 26:
            raise InvalidParameter(f"a logo of {box.width}x{box.height} pixels makes no sense")
        planes = _unpacked(value["planes"], "<f2", (4, box.height, box.width))
        steps = _unpacked(value["errors"], "i1", (2, len(SIGMAS) + 1, 2, box.height, box.width))
        support = np.zeros((box.height, box.width), bool)
        BitMask(**value["support"]).paint(support)
        errors = np.exp2(steps / _STEPS)
        return cls(
            kind=value["kind"],
            reason=value["reason"],
            box=box,
            support=support,
            alpha=planes[0],
            colour=planes[1:4],
            unblend_error=errors[0],
            inpaint_error=errors[1],
            structure=value["structure"],
        )


def surroundings(box: Box, within: Box) -> Box:
    """What must be seen of the picture to estimate the logo in `box`: it and room for copies beside it."""
    room = int(max(box.width, box.height) * 1.1) + 8
    return box.grown(room, room, within)


def estimate(pictures: Tensor, box: Box, *, origin: tuple[int, int] = (0, 0)) -> Matte | None:
    """Finds what is drawn over all the pictures within a box.

    Args:
        pictures: (N, 3, H, W) uint8, `surroundings` of the box, sampled from all over the video, from all its shots. A
            hundred are enough.
        box: in these pictures, holding the whole logo, and better some pixels more.
        origin: x and y of the pictures' corner in the video's picture.

    Returns:
        None where nothing is found.
    """
    pictures = pictures.cpu()
    whole = Box(0, 0, pictures.shape[3], pictures.shape[2])
    if not (box & whole).area or not len(pictures):
        raise ValueError(f"no pictures of {box}: they are {tuple(pictures.shape)}")
    hole = np.zeros((whole.height, whole.width), bool)
    hole[(box & whole).slices] = True
    support = _first_support(pictures, hole)
    if support.any():
        support = _tight(_fit(pictures, support), support) & hole
    if not support.any():
        return None
    fit = _fit(pictures, support)
    judged = _judged(fit, fit.place.inside(support), pictures)
    if judged[1] in _REFUSED:
        shape = cut_out(pictures.float().mean(0).numpy(), hole, support) | (written(pictures, hole) & hole)
        # Of a logo that changes the mean picture may show a part only.
        if (shape & support).sum() >= _ENOUGH[judged[1]] * support.sum():
            support, fit = shape, _fit(pictures, shape)
    return _matte(pictures, fit, support, judged, origin)


@dataclass(frozen=True)
class _Fit:
    """Alpha at a place, and how far it can be trusted.

    Attributes:
        statistics: of the pictures against their prediction under the logo.
        alpha: (h, w).
        expected: (h, w), the difference from the prediction, in levels, that there is without a logo.
        doubt: standard deviation of 1 - alpha, relative, among the copies.
        change: standard deviation of the prediction over the samples, in levels.
        unexplained: variance of the logo's pixels, against what the background leaves.
    """

    place: Place
    statistics: Statistics
    alpha: Tensor
    expected: Tensor
    doubt: float
    change: float
    unexplained: float


def _first_support(pictures: Tensor, hole: Mask) -> Mask:
    """What stands out when all of the box is predicted from its rim."""
    place = Place.of(hole)
    s = statistics(pictures, hole, place.box)
    follows = (s.spread.clamp(0, 1.2) * s.slope.clamp(0, 1.2)).sqrt()
    seen = place.inside(hole) & ((follows < 0.8) | (s.difference > 14))
    support = np.zeros_like(hole)
    support[place.box.slices] = _dilated(_opened(seen.numpy()), 5)
    return support & hole


def _tight(fit: _Fit, support: Mask) -> Mask:
    """The pixels that are covered or look different, with one pixel around them for what coding smears."""
    different = fit.statistics.difference > torch.clamp(3 * fit.expected, min=LEAST_DIFFERENCE)
    seen = fit.place.inside(support) & ((fit.alpha > LEAST_ALPHA) | different)
    tight = np.zeros_like(support)
    tight[fit.place.box.slices] = _opened(seen.numpy())
    return _dilated(tight, 3)


def _fit(pictures: Tensor, support: Mask) -> _Fit:
    place = Place.of(support)
    inside = place.inside(support)
    s = statistics(pictures, support, place.box)
    slope, spread, expected, left = (torch.ones_like(s.variance) for _ in range(4))
    doubt = 0.2
    beside = [(copy, statistics(pictures[::2], copy.hidden, copy.box)) for copy in copies(support, place)]
    if beside:
        slopes = torch.stack([put(c.slope.clamp(0.3, 1.1), copy, place, 1) for copy, c in beside])
        spreads = torch.stack([put(c.spread.clamp(0.7, 2.45), copy, place, 1) for copy, c in beside])
        differences = torch.stack([put(c.difference.square(), copy, place, 1) for copy, c in beside])
        rests = torch.stack([put(c.unexplained, copy, place, 1) for copy, c in beside])
        slope, spread = smooth(slopes.mean(0), inside, 3), smooth(spreads.mean(0), inside, 3)
        expected, left = smooth(differences.mean(0), inside, 3).sqrt(), smooth(rests.mean(0), inside, 3)
        spreading = ((slopes * spreads).log() - (slope * spread).clamp(min=1e-3).log()) / 2
        doubt = float(spreading[:, inside].square().mean().sqrt())
    follows = (s.spread.clamp(0.01, 1.5) * s.slope.clamp(0.003, 1.2) / (slope * spread).clamp(min=1e-3)).sqrt()
    alpha = torch.where(inside, (1 - follows).clamp(0, 0.98), 0.0)
    alpha = _levelled(alpha, s, support[place.box.slices], doubt)
    rest = (1 - alpha).clamp(min=0.05).square() * left
    return _Fit(
        place=place,
        statistics=s,
        alpha=alpha,
        expected=expected,
        doubt=doubt,
        change=float((s.predicted_variance[inside] / 3).sqrt().median()),
        unexplained=float(s.unexplained[inside].sum() / rest[inside].sum().clamp(min=1e-3)) if beside else 1.0,
    )


def _levelled(alpha: Tensor, s: Statistics, support: Mask, doubt: float) -> Tensor:
    """Alpha far from the logo's edge, where the prediction is weak, drawn to that of pixels alike that are near it."""
    depth = cv2.distanceTransform(np.pad(support, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    solid = cv2.erode((alpha.numpy() > LEAST_ALPHA).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = torch.from_numpy(solid & (depth <= _RIM))
    deep = torch.from_numpy((depth > 3.5) & (alpha.numpy() > LEAST_ALPHA / 2))
    if int(rim.sum()) < 12 or not bool(deep.any()):
        return alpha
    left, looks, depths = (1 - alpha).log(), (s.mean - s.predicted).permute(1, 2, 0), torch.from_numpy(depth)
    edge = rim.nonzero()
    some = edge[torch.linspace(0, len(edge) - 1, min(len(edge), _RIM_PIXELS)).long()].unbind(1)
    trust = 1 / (0.03 + 0.02 * (depths[some] - 2).clamp(min=0)).square()
    known = torch.stack([trust, trust * left[some], trust * left[some].square(), torch.ones_like(trust)], 1)
    sums = torch.cat([_alike(part, looks[some]) @ known for part in looks[deep].split(4096)])
    total, count = sums[:, 0].clamp(min=1e-6), sums[:, 3]
    value = sums[:, 1] / total
    variance = (sums[:, 2] / total - value.square()).clamp(min=0) / count.clamp(min=1)
    variance = variance + 0.03**2 + (6 / count.clamp(min=0.01)).square() * (count < 10)
    own = doubt**2 / 2 + (0.03 * (depths[deep] - 2)).square()
    share = own / (own + variance)
    result = left.clone()
    result[deep] = value * share + left[deep] * (1 - share)
    return torch.where(torch.from_numpy(support), (1 - result.exp()).clamp(0, 0.98), 0.0)


def _alike(looks: Tensor, others: Tensor) -> Tensor:
    """How alike (n, 3) and (m, 3) differences from the background are: (n, m), 0..1."""
    tolerance = 12 + 0.1 * looks.norm(dim=1, keepdim=True)
    return torch.exp(-0.5 * (torch.cdist(looks, others) / tolerance).square())


def _matte(pictures: Tensor, fit: _Fit, support: Mask, judged: tuple[Kind, str], origin: tuple[int, int]) -> Matte:
    place, s, alpha = fit.place, fit.statistics, fit.alpha
    inside = place.inside(support)
    colour = torch.where(inside, s.mean - (1 - alpha) * s.predicted, 0.0)
    kind, reason = judged
    some = pictures[::2]
    inpaint, energy = inpainting_errors(some, support, place)
    if reason in _REFUSED:
        unblend = torch.full_like(inpaint, 60000.0)
    else:
        unblend = unblending_errors(some, support, place, alpha, colour, energy, fit.doubt)
    around = structure(pictures[::4][:, :, *place.box.slices].float(), inside)
    return Matte(
        kind=kind,
        reason=reason,
        box=place.box.moved(*origin),
        support=inside.numpy(),
        alpha=alpha.numpy(),
        colour=colour.numpy(),
        unblend_error=unblend.numpy(),
        inpaint_error=inpaint.numpy(),
        structure=float(around[:, 0, inside].mean()),
    )


_STATIC = "the background hardly changes, so that nothing tells it from the logo"
_FEW = "there are too few different pictures to tell the logo from the background"
_MOVING = "the logo itself changes"
_OPAQUE = "the logo is opaque"
_CLEAR = "the background shines through"
_REFUSED = (_STATIC, _FEW, _MOVING)
_ENOUGH = {_STATIC: 0.1, _FEW: 0.1, _MOVING: 0.7}  # of the first support that an outline must hold, to be better


def _judged(fit: _Fit, inside: Tensor, pictures: Tensor) -> tuple[Kind, str]:
    if fit.change < LEAST_CHANGE:
        return "inpaint", _STATIC
    if _different(pictures) < LEAST_DIFFERENT:
        return "inpaint", _FEW
    if fit.unexplained > MOST_UNEXPLAINED and fit.change > 3 * LEAST_CHANGE:
        return "inpaint", _MOVING
    solid = fit.alpha[inside & (fit.alpha > LEAST_ALPHA)]
    if len(solid) and float(solid.median()) > OPAQUE:
        return "inpaint", _OPAQUE
    return "unblend", _CLEAR


def _different(pictures: Tensor) -> float:
    """How many different pictures the samples are worth, seen from afar: alike ones that come often count as one."""
    kept: list[Tensor] = []
    counts: list[int] = []
    for small in F.adaptive_avg_pool2d(pictures.float(), (6, 8)):
        distances = [float((small - other).abs().mean()) for other in kept]
        if distances and min(distances) < _SAME:
            counts[distances.index(min(distances))] += 1
        else:
            kept.append(small)
            counts.append(1)
    return sum(counts) ** 2 / sum(count * count for count in counts)


def _opened(mask: Mask) -> Mask:
    """Without specks of a single pixel."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0


def _dilated(mask: Mask, size: int) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def _steps(errors: NDArray[np.float32]) -> NDArray[np.int8]:
    """To six percent, which is nearer than they are known."""
    return np.clip(np.round(np.log2(np.maximum(errors, 1e-9)) * _STEPS), -128, 127).astype(np.int8)


def _packed(planes: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode()


def _unpacked(text: str, kind: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    size = np.dtype(kind).itemsize * math.prod(shape)
    try:
        # One byte more than is needed, so that too much shows, but never the gigabytes a few bytes can unfold into.
        raw = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise InvalidParameter(f"the planes of a logo cannot be read: {error}") from None
    if len(raw) != size:
        raise InvalidParameter(f"the planes of a logo must be {size} bytes long, got {len(raw)}")
    return np.frombuffer(raw, kind).reshape(shape).astype(np.float32)
