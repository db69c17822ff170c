"""Looks at photographs: what matters in them, where it is, and how good they look."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.media.previews import SAMPLE
from vidprod.ops.attention import trust
from vidprod.ops.faces import FaceDetector
from vidprod.ops.quality import colourfulness, sharpness
from vidprod.ops.saliency import SaliencyDetector
from vidprod.ops.scaled import scaled, within
from vidprod.ops.still_framing import Box, StillView, area_of
from vidprod.ops.still_view import covered, view_of
from vidprod.ops.subjects import Subject, SubjectTracking, group_of, subjects
from vidprod.ops.text_boxes import TextDetector
from vidprod.ops.things import ThingDetector
from vidprod.ops.titles import lines_of_text

LONG, PART = 2.2, 1.5
"""From how many times as long as it is high on a picture is looked at in parts, and how long these are."""

MOST_PARTS, OVERLAP = 4, 1.2
"""Parts at most, and how much longer they are than what they are parted by."""

LEAST_SCORE = 0.5
"""Of animals, vehicles and things."""

CALM = -1.2
"""Of a photograph, as of a video that moves a little: see `vidprod.ops.summary.features`."""

# Of a background's levels: how far a shadow's are from being the same colour, and how dark it is at most; and its part that is so.
_SAME_HUE, _DARKEST, _SHADE = 0.08, 0.25, 0.9

PLAIN, ALIKE = 0.8, 16
"""Part of a picture's border that is of one colour where it is a studio background, and levels that are one colour."""

STANDS_OUT = 28
"""Levels by which a product differs from that background."""

SEEN, PRODUCT = 0.35, 0.7
"""Root of a subject's part of the picture from which on it is not too small; weight of a product on a studio background."""

_BORDER = 0.02


@dataclass(frozen=True, eq=False)
class Sight:
    """What was seen in a photograph.

    Attributes:
        view: for the camera that moves over it.
        subjects: in it.
        embedding: (256,) of length 1.
        features: one value of each of `vidprod.ops.takes.SCALES`.
        light: as `vidprod.ops.takes.Take.light`.
    """

    view: StillView
    subjects: tuple[Subject, ...]
    embedding: NDArray[np.float64]
    features: Mapping[str, float]
    light: tuple[float, ...]


class StillEyes:
    """The networks that look at photographs, one at a time."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._saliency = SaliencyDetector(device)
        self._faces, self._things = FaceDetector(device), ThingDetector(device)
        self._text = TextDetector(device)

    def __call__(self, picture: Tensor) -> Sight:
        """Looks at (3, H, W) uint8."""
        small = self._scaled(picture)
        seen = self._saliency(small)
        found, text = self._look(picture)
        mass = seen.mass[0].double().numpy()
        pixels = small[0].permute(1, 2, 0).contiguous().cpu().numpy()
        background = Background.of(pixels)
        product = background.box() if background.plain else None
        view = view_of(picture.shape[2], picture.shape[1], mass, found, product, text)
        embedding = torch.nn.functional.normalize(seen.embedding[0].double(), dim=0).numpy()
        return Sight(view, found, embedding, _features(pixels, mass, found, background), _light(pixels, background))

    def _look(self, picture: Tensor) -> tuple[tuple[Subject, ...], list[Box]]:
        """Subjects and lines of text. Long pictures are looked at in parts, as all would be too small in them."""
        height, width = picture.shape[1:]
        long, short = max(height, width), min(height, width)
        count = min(math.ceil(long / (short * PART)), MOST_PARTS) if long > LONG * short else 1
        part = min(max(round(short * PART), math.ceil(OVERLAP * long / count)), long) if count > 1 else long
        found: list[Subject] = []
        text: list[Box] = []
        for first in np.linspace(0, long - part, count).round().astype(int).tolist():
            wide = width >= height
            tile = picture[:, :, first : first + part] if wide else picture[:, first : first + part]
            small = self._scaled(tile)
            found += [_at(one, _within(one.box, first, part, long, wide)) for one in self._subjects(small)]
            text += [_within(box, first, part, long, wide) for box in lines_of_text(self._text, small)]
        return _once(found), text

    def _scaled(self, picture: Tensor) -> Tensor:
        size = within(*picture.shape[1:], side=SAMPLE)
        return scaled(picture[None], size, self.device).round().to(torch.uint8)

    def _subjects(self, picture: Tensor) -> tuple[Subject, ...]:
        """What is found in the picture and, about there, in its mirror image: as in two samples of a video."""
        both = torch.cat([picture, picture.flip(3)])
        found = (self._faces(both), self._things(both))
        tracking = SubjectTracking()
        settled = []
        for number in (0, 1):
            finds = [one for detections in found for one in subjects(detections.on(number))]
            finds = [one for one in finds if one.kind in ("face", "person") or one.score >= LEAST_SCORE]
            if number:
                finds = [replace(one, left=1 - one.right, right=1 - one.left) for one in finds]
            settled += tracking.add(float(number), finds)
        return (settled + tracking.cut())[0].subjects


def _at(one: Subject, box: Box) -> Subject:
    return replace(one, left=box[0], top=box[1], right=box[2], bottom=box[3])


def _within(box: Box, first: int, part: int, long: int, wide: bool) -> Box:
    """A box of a part of a picture as one of the picture."""
    left, top, right, bottom = box
    if wide:
        return (first + left * part) / long, top, (first + right * part) / long, bottom
    return left, (first + top * part) / long, right, (first + bottom * part) / long


def _once(found: Sequence[Subject]) -> tuple[Subject, ...]:
    """What was found in two parts that overlap counts once: the larger one."""
    kept: list[Subject] = []
    for one in sorted(found, key=lambda one: -area_of(one.box)):
        if not any(group_of(one.kind) == group_of(other.kind) and covered(one.box, other.box) > 0.6 for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: (-one.weight, -area_of(one.box))))


def _without_shadows(
    apart: NDArray[np.uint8], pixels: NDArray[np.uint8], colour: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """What stands out (H, W), without those parts by themselves that are nothing but the background, darker."""
    count, labels = cv2.connectedComponents(apart)
    found = np.asarray(labels) > 0
    if count <= 2:  # what is around, and one thing
        return found
    share = pixels / np.maximum(colour, 1.0)
    darker = share.mean(2)
    shade = (np.abs(share - darker[..., None]).max(2) < _SAME_HUE) & (darker > _DARKEST) & (darker < 1)
    shaded = np.bincount(np.asarray(labels).ravel(), shade.ravel(), count) / np.bincount(
        np.asarray(labels).ravel(), minlength=count
    )
    things = [number for number in range(1, count) if shaded[number] < _SHADE]
    return np.isin(labels, things) if things else found


@dataclass(frozen=True, eq=False)
class Background:
    """What a photograph was taken before.

    Attributes:
        part: of its border that is of one colour, 0..1.
        colour: that one, 0..255.
        product: (H, W) what stands out from it.
    """

    part: float
    colour: NDArray[np.float64]
    product: NDArray[np.bool_]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Background:
        """Of a picture (H, W, 3)."""
        height, width = pixels.shape[:2]
        edge = max(round(_BORDER * max(height, width)), 1)
        frame = np.ones((height, width), bool)
        frame[edge : height - edge, edge : width - edge] = False
        border = pixels[frame].astype(np.int16)
        colour = np.median(border, axis=0)
        part = float((np.abs(border - colour).max(1) <= ALIKE).mean())
        apart = np.abs(pixels.astype(np.int16) - colour.astype(np.int16)).max(2) > STANDS_OUT
        clean = cv2.morphologyEx(apart.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        return cls(part, colour.astype(np.float64), _without_shadows(np.asarray(clean, np.uint8), pixels, colour))

    @property
    def plain(self) -> bool:
        """Whether it is a studio background, with something before it."""
        if self.part < PLAIN or not 0.002 < float(self.product.mean()) < 0.8:
            return False
        return area_of(self.box()) < 0.85

    def box(self) -> Box:
        """Around what stands out."""
        height, width = self.product.shape
        down, across = (np.flatnonzero(self.product.any(axis)) for axis in (1, 0))
        return (
            float(across[0] / width),
            float(down[0] / height),
            float((across[-1] + 1) / width),
            float((down[-1] + 1) / height),
        )


def presence(found: Sequence[Subject]) -> float:
    """How much there is of the subject that there is most of, 0..1: by its weight, score and size."""
    return max((one.weight * trust(one) * min(math.sqrt(area_of(one.box)) / SEEN, 1.0) for one in found), default=0.0)


def _features(
    pixels: NDArray[np.uint8], mass: NDArray[np.float64], found: Sequence[Subject], background: Background
) -> dict[str, float]:
    total = float(mass.sum())
    densest = np.sort(mass.ravel())[-(mass.size // 16) :].sum()
    there = presence(found)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    if background.plain:  # a product is the subject; and it is not too bright, because all around it is white
        there = max(there, PRODUCT * min(math.sqrt(area_of(background.box())) / SEEN, 1.0))
        luma = luma[background.product]
    return {
        "sharpness": float(np.log(sharpness(pixels) + 0.02)),
        "colour": colourfulness(pixels),
        "focus": float(densest / total) if total > 0 else 0.0,
        "subject": there,
        "calm": CALM,
        "exposure": float(-abs(luma.mean() - 118) / 60),
    }


def _light(pixels: NDArray[np.uint8], background: Background) -> tuple[float, ...]:
    means = pixels.reshape(-1, 3).mean(0) / 255
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    studio = background.part if background.plain else 0.0
    return (*(float(mean) for mean in means), float(luma.std()) / 255, studio, 1.0)
