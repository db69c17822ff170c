"""Finds logos nobody told of: edges that stay while the picture around them changes.

That edges stay is not enough: to a camera that stands still, all edges stay. So the edges around them must not stay, though
there are some, and what lies within must follow its surroundings less than other places do (`logo_matte`). Where there is nothing
around them that could move, text that stays through several scenes is a logo, too (`logo_text`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.ops.logo_matte import Kind, estimate, surroundings
from vidprod.ops.logo_prediction import Mask, gaussian
from vidprod.ops.logo_text import written_boxes
from vidprod.ops.shots import Shot
from vidprod.ops.text_boxes import Box

Energy = NDArray[np.float32]  # (H, W)

WORKING_WIDTH = 640
"""Width in pixels at which pictures are looked at; wider ones are made smaller."""

WORKING_PIXELS = 400_000
"""Of a picture that is looked at; a high one is made smaller still."""

SAMPLES = 64
"""Pictures that are looked at; more than twice as many are thinned out."""

LEAST_SAMPLES = 12
"""Pictures without which nothing is called a logo."""

LEAST_SLOPE = 3.0
"""Levels a pixel of an edge that stays, on average over the samples."""

LEAST_AGREEMENT = 0.75
"""Part of the samples in which an edge that stays runs the same way."""

LEAST_AGREEMENT_OF_TEXT = 0.6
"""The same for edges of text."""

LEAST_COHERENCE = 0.35
"""Part of a pixel's slopes' energy that is there in their mean, on an edge that stays."""

MOST_AROUND = 0.12
"""The same of the surroundings of a logo, at most; 0.02 to 0.1 around logos, 0.1 to 0.9 around things."""

LEAST_AROUND = 3.0
"""Squared slopes that there must be around a logo; where nothing moves, nothing can be told."""

LEAST_LOGO_SLOPE = 6.0
"""Root mean square of the mean slopes of a logo's edges, in levels a pixel."""

LEAST_PIXELS = 110
"""Of edges in a logo, in a picture that is `WORKING_WIDTH` wide."""

LEAST_DENSITY = 0.25
"""Of pixels on edges in a logo's box."""

_SMALLEST = 8  # side of a logo in pixels of a picture that is `WORKING_WIDTH` wide
_LARGEST = 0.45, 0.08  # of a logo: side, against the picture's; area
_JOIN = 0.02  # of the width: edges this far apart are one logo
_RING = 14, 2  # pixels from a box at which its surroundings end and begin


@dataclass(frozen=True)
class FoundLogo:
    """A logo.

    Attributes:
        box: left, top, right, bottom as parts of the picture's width and height, 0..1.
        kind: what `logo_matte` makes of it.
        alpha: that most of it has, 0..1; 1 where it cannot be told.
    """

    box: tuple[float, float, float, float]
    kind: Kind
    alpha: float

    def pixels(self, width: int, height: int) -> Box:
        """Where to look for it in a picture of that size: its box, and a little more."""
        left, top, right, bottom = (round(v * s) for v, s in zip(self.box, (width, height) * 2, strict=True))
        more = max(round((bottom - top) / 8), 3)
        return Box(left, top, right, bottom).grown(more, more, Box(0, 0, width, height))


def moments(shots: Sequence[Shot], count: int = SAMPLES) -> tuple[float, ...]:
    """When to take samples: at least one of each shot, as long as there are enough, and more of long ones. In seconds."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if len(shots) > count:
        shots = [shots[i * len(shots) // count] for i in range(count)]
    total = sum(shot.end - shot.start for shot in shots)
    spare = count - len(shots)
    times: list[float] = []
    for shot in shots:
        length = shot.end - shot.start
        here = min(1 + int(spare * length / total) if total > 0 else 1, max(shot.stop - shot.first, 1))
        times += [shot.start + length * (i + 0.5) / here for i in range(here)]
    return tuple(times)


class LogoDetection:
    """Analysis: samples of a video in, logos out. The samples come from all over it, best at `moments`."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """`device`: where text is looked for."""
        self._device = device
        self._pictures: list[Tensor] = []
        self._every = 1
        self._seen = 0

    def update(self, frames: Frames) -> None:
        """Takes the next samples, uint8, all of one size."""
        for picture in frames.data:
            if self._seen % self._every == 0:
                self._pictures.append(_smaller(picture))
                if len(self._pictures) > 2 * SAMPLES:
                    self._pictures, self._every = self._pictures[::2], self._every * 2
            self._seen += 1

    def finish(self) -> tuple[FoundLogo, ...]:
        """The logos, from the left to the right."""
        if len(self._pictures) < LEAST_SAMPLES:
            return ()
        pictures = torch.stack(self._pictures)
        height, width = pictures.shape[2:]
        whole = Box(0, 0, width, height)
        found = []
        for box in standing_boxes(pictures, self._device):
            more = max(round(box.height / 8), 3)
            search = box.grown(more, more, whole)
            view = surroundings(search, whole)
            matte = estimate(
                pictures[:, :, *view.slices], search.moved(-view.left, -view.top), origin=(view.left, view.top)
            )
            if matte is None:
                continue
            parts = (box.left / width, box.top / height, box.right / width, box.bottom / height)
            alpha = round(matte.strength, 3) if matte.kind == "unblend" else 1.0
            found.append(FoundLogo(parts, matte.kind, alpha))
        return tuple(sorted(found, key=lambda logo: logo.box))


def standing_boxes(pictures: Tensor, device: torch.device | str = "cpu") -> list[Box]:
    """Boxes of (N, 3, H, W) uint8 pictures that something was laid over: by its edges, or by its being text."""
    mean, energy = _mean_slopes(pictures)
    lasting = (mean.square().sum(0) / 3).numpy()
    found = lasting_boxes(lasting, energy.numpy(), _stays(pictures, mean, energy, LEAST_AGREEMENT))
    often = _stays(pictures, mean, energy, LEAST_AGREEMENT_OF_TEXT)
    for text in written_boxes(pictures, lasting, energy.numpy(), often, device):
        parts = [box for box in found if (box & text).area > 0.3 * min(box.area, text.area)]
        found = [*(box for box in found if box not in parts), Box.around([text, *parts])]
    return found


def lasting_boxes(lasting: Energy, energy: Energy, edge: Mask) -> list[Box]:
    """Boxes in which edges stay, while around them others come and go.

    Args:
        lasting: (H, W), energy of the mean slopes.
        energy: (H, W), mean energy of the slopes.
        edge: (H, W), where an edge stays.
    """
    height, width = edge.shape
    size = max(5, round(width * _JOIN) | 1)
    joined = cv2.morphologyEx(edge.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    whole = Box(0, 0, width, height)
    found = []
    for x, y, w, h, _ in cv2.connectedComponentsWithStats(joined)[2][1:].tolist():
        box = Box(x, y, x + w, y + h)
        count = int(edge[box.slices].sum())
        if count < LEAST_PIXELS * (width / WORKING_WIDTH) ** 2 or count < LEAST_DENSITY * box.area:
            continue
        if min(w, h) < _SMALLEST * width / WORKING_WIDTH:
            continue
        if w > _LARGEST[0] * width or h > _LARGEST[0] * height or box.area > _LARGEST[1] * whole.area:
            continue
        around = np.zeros(edge.shape, bool)
        around[box.grown(_RING[0], _RING[0], whole).slices] = True
        around[box.grown(_RING[1], _RING[1], whole).slices] = False
        moving = float(energy[around].sum())
        if moving < LEAST_AROUND * around.sum() or float(lasting[around].sum()) > MOST_AROUND * moving:
            continue
        if float(lasting[box.slices][edge[box.slices]].mean()) >= LEAST_LOGO_SLOPE**2:
            found.append(box)
    return found


def _mean_slopes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Mean slopes (6, H, W), and mean energy of the slopes (H, W)."""
    count, _, height, width = pictures.shape
    total, energy = torch.zeros(6, height, width), torch.zeros(height, width)
    for part in pictures.split(4):
        slopes = _slopes(part)
        total += slopes.sum(0)
        energy += slopes.square().sum((0, 1))
    return total / count, energy / count / 3


def _stays(pictures: Tensor, mean: Tensor, energy: Tensor, agreement: float) -> Mask:
    """(H, W): where an edge runs the same way in that part of the pictures."""
    lasting = mean.square().sum(0) / 3
    edge = (lasting > LEAST_SLOPE**2) & (lasting > LEAST_COHERENCE * energy)
    some = edge.flatten().nonzero()[:, 0]
    way, agree = mean.flatten(1)[:, some], torch.zeros(len(some))
    for part in pictures.split(4):
        agree += ((_slopes(part).flatten(2)[:, :, some] * way).sum(1) > 0.4 * way.square().sum(0)).sum(0)
    edge.view(-1)[some] = agree > agreement * len(pictures)
    return edge.numpy()


def _slopes(pictures: Tensor) -> Tensor:
    """(N, 6, H, W), across and down, of the three colours, in levels a pixel."""
    y = F.pad(gaussian(pictures.float(), 0.7), (1, 1, 1, 1), mode="replicate")
    return torch.cat([y[..., 1:-1, 2:] - y[..., 1:-1, :-2], y[..., 2:, 1:-1] - y[..., :-2, 1:-1]], 1) / 2


def _smaller(picture: Tensor) -> Tensor:
    """(3, H, W) uint8 or uint16 at the working width, uint8, on the CPU."""
    x = picture.cpu()
    values = x.float() / 257 if x.dtype == torch.uint16 else x.float()
    height, width = x.shape[1:]
    factor = min(WORKING_WIDTH / width, math.sqrt(WORKING_PIXELS / (width * height)), 1.0)
    if factor < 1:
        size = (max(round(height * factor), 1), max(round(width * factor), 1))
        values = F.interpolate(values[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    return values.round().clamp(0, 255).to(torch.uint8)
