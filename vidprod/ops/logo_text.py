"""Watermarks that hardly anything tells from what lies around them, found by their being text.

On a plain or black background nothing moves around a logo, so that its edges are not the only ones that stay. But text that stays
in one place through several scenes has been laid over them. In front of a camera that stands still there is only one scene.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.text_boxes import Box, TextDetector

SAMPLES = 24
"""Pictures in which text is looked for."""

LEAST_SCENES = 3.0
"""Different scenes that the pictures must be worth."""

MOST_LASTING = 0.55
"""Part of the energy of all slopes that may be there in their mean: more means a still picture, whatever else changes."""

LEAST_COVER = 0.66
"""Part of the samples in which there must be text at a place."""

LEAST_EDGES = 0.1
"""Part of the pixels of a text's box that must lie on edges that stay: subtitles stand in one place too, but they change."""

LEAST_COHERENCE = 0.68
"""Part of the energy of the slopes in the box that is there in their mean; on a plain background, the part of the video that
shows the text."""

_HEIGHT = 0.02, 0.12  # of a line of text, against the picture's
_SMALL = 36, 64  # size at which scenes are compared
_FAINT = 60.0  # slopes of a picture that shows next to nothing, such as a black one, in levels


def written_boxes(
    pictures: Tensor,
    lasting: NDArray[np.float32],
    energy: NDArray[np.float32],
    edge: NDArray[np.bool_],
    device: torch.device | str = "cpu",
) -> list[Box]:
    """Boxes of (N, 3, H, W) uint8 pictures that show the same text through several scenes.

    Args:
        pictures: samples from all over a video.
        lasting: (H, W), energy of the mean slopes.
        energy: (H, W), mean energy of the slopes.
        edge: (H, W), where an edge stays on most pictures.
        device: where text is looked for.
    """
    if float(lasting.sum()) > MOST_LASTING * float(energy.sum()) or scenes(pictures) < LEAST_SCENES:
        return []
    height, width = pictures.shape[2:]
    whole = Box(0, 0, width, height)
    found = []
    for box in _texts(pictures, device):
        where = box.slices
        if edge[where].mean() < LEAST_EDGES or lasting[where].sum() < LEAST_COHERENCE * energy[where].sum():
            continue
        found.append(_with_mark(box, edge, whole))
    return found


def scenes(pictures: Tensor) -> float:
    """How many different scenes (N, 3, H, W) pictures are worth; brighter or darker, a scene stays the same."""
    small = F.adaptive_avg_pool2d(pictures.float().mean(1, keepdim=True), _SMALL)[:, 0]
    across, down = small[:, :, 1:] - small[:, :, :-1], small[:, 1:] - small[:, :-1]
    slopes = torch.cat([across.flatten(1), down.flatten(1)], 1)
    slopes = slopes / slopes.norm(dim=1, keepdim=True).clamp(min=_FAINT)
    alike = (slopes @ slopes.T).clamp(min=0).square()
    return 1 / max(float(alike.mean()), 1 / len(pictures))


def _texts(pictures: Tensor, device: torch.device | str) -> list[Box]:
    """Boxes in which most of the pictures show a line of text."""
    height, width = pictures.shape[2:]
    detector = TextDetector(device, width=width)
    some = pictures[torch.linspace(0, len(pictures) - 1, min(SAMPLES, len(pictures))).long()]
    low, high = (part * height for part in _HEIGHT)
    cover = np.zeros((height, width), np.float32)
    for part in some.split(4):
        for boxes in detector.boxes(part):
            here = np.zeros((height, width), bool)
            for box in boxes:
                if box.height <= high:
                    here[box.slices] = True
            cover += here
    often = (cover >= LEAST_COVER * len(some)).astype(np.uint8)
    places = cv2.connectedComponentsWithStats(often)[2][1:].tolist()
    return [Box(x, y, x + w, y + h) for x, y, w, h, _ in places if low <= h <= high and w >= h]


def _with_mark(text: Box, edge: NDArray[np.bool_], whole: Box) -> Box:
    """The edges of a line of text, and of a mark that stands right beside it."""
    size = max(3, text.height // 2) | 1
    joined = cv2.morphologyEx(edge.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    labels, stats = cv2.connectedComponentsWithStats(joined)[1:3]
    box: Box | None = None
    for label in (
        np.unique(labels[text.slices])[1:] if labels[text.slices].min() == 0 else np.unique(labels[text.slices])
    ):
        x, y, w, h = (int(v) for v in stats[label][:4])
        part = Box(x, y, x + w, y + h)
        # What is much larger than the text is no mark of it.
        if h <= 2 * text.height and w <= text.width + 6 * text.height:
            box = part if box is None else box | part
    return (text if box is None else box) & whole
