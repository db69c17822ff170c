"""Where pictures show lines of text: the detector's probabilities, and the boxes that are made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vidprod.models import dbnet

WORKING_WIDTH = 480
"""Width in pixels at which the detector looks at a wide picture. A subtitle's signs are then some 15 pixels high."""

WORKING_HEIGHT = 540
"""Height at most, for regions that are higher than wide."""

LEAST_PROBABILITY = 0.3
"""Of a pixel that belongs to a box."""

LEAST_SCORE = 0.5
"""Mean probability within a box."""

UNCLIP = 1.6
"""The detector marks the middle of a line only; a box grows by area / circumference times this."""

LEAST_SIDE = 3
"""Pixels at the working size that a marked area has at least, in width and height."""


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, half open: columns `left` to `right`, rows `top` to `bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels; 0 where nothing is left."""
        return max(self.width, 0) * max(self.height, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a picture with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def __and__(self, other: Box) -> Box:
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def __or__(self, other: Box) -> Box:
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def covered_by(self, other: Box) -> float:
        """The part of this box, 0..1, that lies in the other one."""
        return (self & other).area / max(self.area, 1)

    def grown(self, x: int, y: int, within: Box) -> Box:
        """Larger by `x` and `y` pixels on each side, but not larger than `within`."""
        return Box(self.left - x, self.top - y, self.right + x, self.bottom + y) & within

    def moved(self, x: int, y: int) -> Box:
        """The same box elsewhere."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    @classmethod
    def around(cls, boxes: Iterable[Self]) -> Box:
        """The smallest box that holds all of them."""
        found: Box | None = None
        for box in boxes:
            found = box if found is None else found | box
        if found is None:
            raise ValueError("no box to go around")
        return found


class TextDetector:
    """Finds lines of text in batches of pictures of one size."""

    def __init__(self, device: torch.device | str = "cpu", *, width: int = WORKING_WIDTH, net: nn.Module | None = None):
        """`net` is a `DBNet` other than the one that comes with vidprod."""
        self.device = torch.device(device)
        self._width = width
        self._net = net or dbnet.load(device=self.device)
        self._dtype = next(self._net.parameters()).dtype

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which pictures of a size are looked at; small ones are not enlarged."""
        factor = min(1.0, self._width / width, max(WORKING_HEIGHT, self._width * 9 / 16) / height)
        return max(round(height * factor), 1), max(round(width * factor), 1)

    @torch.inference_mode()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 -> probability of text (N, h, w) float32 at the working size, on the detector's device."""
        height, width = self.working_size(*pictures.shape[2:])
        x = pictures.to(self.device).to(self._dtype).div_(255)
        if (height, width) != tuple(pictures.shape[2:]):
            x = F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)
        more = [-side % dbnet.SIZE_MULTIPLE for side in (width, height)]
        x = F.pad(x, (0, more[0], 0, more[1]), mode="replicate")
        found: Tensor = self._net(x.contiguous(memory_format=torch.channels_last))
        return found[:, 0, :height, :width].float()

    def boxes(self, pictures: Tensor) -> list[list[Box]]:
        """Lines of text on each of (N, 3, H, W) uint8 pictures, in their pixels."""
        height, width = pictures.shape[2:]
        maps = self.probabilities(pictures).cpu().numpy()
        scale = width / maps.shape[2], height / maps.shape[1]
        whole = Box(0, 0, width, height)
        return [lines(boxes_of(one, scale, whole)) for one in maps]


def boxes_of(probability: NDArray[np.float32], scale: tuple[float, float], within: Box) -> list[Box]:
    """Boxes around what a map (h, w) marks, enlarged by `scale` (x, y)."""
    marked = probability > LEAST_PROBABILITY
    count, labels, stats, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        if min(w, h) < LEAST_SIDE:
            continue
        part = labels[y : y + h, x : x + w] == label
        if float(probability[y : y + h, x : x + w][part].mean()) < LEAST_SCORE or area < 0.3 * w * h:
            continue
        more = w * h * UNCLIP / (2 * (w + h))
        edges = (x - more) * scale[0], (y - more) * scale[1], (x + w + more) * scale[0], (y + h + more) * scale[1]
        box = Box(math.floor(edges[0]), math.floor(edges[1]), math.ceil(edges[2]), math.ceil(edges[3])) & within
        if box.area:
            found.append(box)
    return found


def lines(boxes: Sequence[Box]) -> list[Box]:
    """Joins boxes that stand beside each other on one line: the detector parts words that are set far apart."""
    found: list[Box] = []
    for box in sorted(boxes, key=lambda b: b.left):
        for i, other in enumerate(found):
            overlap = min(box.bottom, other.bottom) - max(box.top, other.top)
            low, high = sorted((box.height, other.height))
            gap = box.left - other.right
            if overlap > 0.6 * low and high < 1.6 * low and gap < 1.0 * high:
                found[i] = box | other
                break
        else:
            found.append(box)
    return found
