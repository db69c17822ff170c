"""How far pictures from which something was erased are from the originals: in the true mask, outside it, and in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.erase_truth import Pictures
from benchmarks.inpaint_network import Mask, gradient_map, grey, ssim_map
from vidprod.media.frames import Frames
from vidprod.ops.text_boxes import Box, TextDetector

AROUND = 16
"""Pixels around a mask that SSIM and gradients are allowed to see."""

CHANGED = 2
"""Levels by which a pixel outside the mask may change and still count as the same."""

LOOKS = 6
"""Of every so many pictures one is shown to the text detector."""


@dataclass(frozen=True, eq=False)
class Cover:
    """Something on pictures `first` to `stop` (half open); `mask` (H, W) is what it truly covers, and two pixels more."""

    first: int
    stop: int
    mask: Mask


@dataclass(frozen=True, eq=False)
class Material:
    """A clip with something on it.

    Attributes:
        name: for tables.
        path: the compressed file.
        rate: pictures a second.
        burned: its pictures as decoded.
        clean: what is beneath, from before anything was drawn or compressed.
        covers: what was drawn; they do not overlap in time.
    """

    name: str
    path: Path
    rate: Fraction
    burned: Pictures
    clean: Pictures
    covers: tuple[Cover, ...]

    @property
    def whole(self) -> Box:
        """The picture."""
        return Box(0, 0, self.burned.shape[2], self.burned.shape[1])

    def cover(self, index: int) -> Cover | None:
        """What is on a picture."""
        return next((cover for cover in self.covers if cover.first <= index < cover.stop), None)

    def area(self, more: int) -> Box:
        """Around all masks, with `more` pixels on each side."""
        return Box.around(box_of(cover.mask) for cover in self.covers).grown(more, more, self.whole)

    def masks(self, area: Box) -> Mask:
        """(N, h, w), the masks of all pictures within an area."""
        found = np.zeros((len(self.burned), area.height, area.width), bool)
        for cover in self.covers:
            found[cover.first : cover.stop] = cover.mask[area.slices]
        return found

    def frames(self, *, batch: int = 8) -> list[Frames]:
        """The decoded pictures as analyses take them."""
        base = 1 / self.rate
        data = torch.from_numpy(self.burned).permute(0, 3, 1, 2)
        return [
            Frames(part, tuple(range(i * batch, i * batch + len(part))), base, i * batch)
            for i, part in enumerate(data.split(batch))
        ]


def box_of(mask: Mask) -> Box:
    """The smallest box around what is set."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def score(material: Material, out: Pictures, numbers: Sequence[int] | None = None) -> dict[str, float]:
    """All measures but those of the detector and of time spent.

    Args:
        material: what was worked on.
        out: (N, H, W, 3), all of its pictures without what was on them.
        numbers: pictures that count, ascending; by default all.

    Returns:
        psnr: of all covered pixels together, dB.
        psnr_mean: mean of the pictures' own.
        ssim, gradients: similarity of structure, and of the size of gradients; means over covered pixels, then pictures.
        ghost: what stays: root mean square of the error's mean over time, in grey levels.
        flicker: mean difference between the change from one picture to the next and the true one, in grey levels.
        outside: pixels changed outside the masks, on any picture, for every 100 covered pixels.
    """
    counted = range(len(out)) if numbers is None else numbers
    errors: list[float] = []
    sizes: list[int] = []
    ssims: list[float] = []
    gradients: list[float] = []
    steps: list[float] = []
    changed = 0
    sums: dict[int, tuple[Mask, np.ndarray, int]] = {}  # by mask: itself, the sum of errors, and of how many pictures
    before: tuple[int, Cover, np.ndarray] | None = None
    for index in counted:
        cover = material.cover(index)
        apart = (cv2.absdiff(out[index], material.burned[index]) > CHANGED).any(2)
        changed += int(apart.sum() if cover is None else (apart & ~cover.mask).sum())
        if cover is None:
            continue
        area = box_of(cover.mask).grown(AROUND, AROUND, material.whole)
        mask = cover.mask[area.slices]
        ours, truth = out[index][area.slices], material.clean[index][area.slices]
        errors.append(float(np.mean((ours[mask].astype(np.float64) - truth[mask]) ** 2)))
        sizes.append(int(mask.sum()))
        one, other = grey(np.ascontiguousarray(ours)), grey(np.ascontiguousarray(truth))
        ssims.append(float(ssim_map(one, other)[mask].mean()))
        gradients.append(float(gradient_map(one, other)[mask].mean()))
        wrong = one - other
        _, total, count = sums.get(id(cover.mask), (mask, np.zeros_like(wrong), 0))
        sums[id(cover.mask)] = mask, total + wrong, count + 1
        if before is not None and before[0] == index - 1 and before[1] is cover:
            steps.append(float(np.abs(wrong - before[2])[mask].mean()))
        before = index, cover, wrong
    squares = np.array(errors)
    staying = [float(np.mean((total[mask] / count) ** 2)) for mask, total, count in sums.values()]
    return {
        "psnr": _decibel(float(np.average(squares, weights=sizes))),
        "psnr_mean": float(np.mean([_decibel(square) for square in squares])),
        "ssim": float(np.mean(ssims)),
        "gradients": float(np.mean(gradients)),
        "ghost": float(np.sqrt(np.mean(staying))),
        "flicker": float(np.mean(steps)) if steps else 0.0,
        "outside": 100 * changed / sum(sizes),
    }


def residual(material: Material, out: Pictures, detector: TextDetector) -> dict[str, float]:
    """What the text detector still sees where text was.

    Returns:
        text: its mean probability in the masks.
        seen: the part of the pictures looked at in which a box of the detector meets the mask.
    """
    chances: list[float] = []
    seen: list[bool] = []
    for cover in material.covers:
        area = box_of(cover.mask).grown(material.whole.width, 3 * AROUND, material.whole)
        mask = cover.mask[area.slices]
        for index in range(cover.first, cover.stop, LOOKS):
            picture = torch.from_numpy(np.ascontiguousarray(out[index][area.slices])).permute(2, 0, 1)[None]
            found = detector.probabilities(picture)[0].cpu().numpy()
            share = cv2.resize(mask.astype(np.float32), found.shape[::-1], interpolation=cv2.INTER_AREA)
            chances.append(float((found * share).sum() / share.sum()))
            seen.append(any(mask[box.slices].any() for box in detector.boxes(picture)[0]))
    return {"text": float(np.mean(chances)), "seen": float(np.mean(seen))}


def camera(pictures: Pictures, *, every: int = 4) -> float:
    """How far the camera moves the middle of the picture from one to the next, in pixels: the 80th percentile."""
    found = []
    for index in range(0, len(pictures) - 1, every):
        one, other = (np.asarray(cv2.cvtColor(pictures[i], cv2.COLOR_RGB2GRAY), np.uint8) for i in (index, index + 1))
        points = cv2.goodFeaturesToTrack(one, 300, 0.01, 8)
        if points is None or len(points) < 8:
            continue
        there, tracked, _ = cv2.calcOpticalFlowPyrLK(one, other, points, np.empty_like(points))
        good = tracked[:, 0] > 0
        motion, _ = cv2.estimateAffinePartial2D(points[good], there[good], ransacReprojThreshold=0.5)
        if motion is not None:
            middle = np.array([one.shape[1] / 2, one.shape[0] / 2])
            found.append(float(np.hypot(*(motion[:, :2] @ middle + motion[:, 2] - middle))))
    return float(np.quantile(found, 0.8)) if found else 0.0


def _decibel(square: float) -> float:
    return float(10 * np.log10(255**2 / max(square, 1e-3)))
