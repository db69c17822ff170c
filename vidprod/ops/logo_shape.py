"""The outline of a logo by its colours and its letters: what is left where nothing moves, so that nothing else tells."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.logo_prediction import Mask, bounds
from vidprod.ops.strokes import stroke_mask
from vidprod.ops.text_boxes import TextDetector

_AROUND = 14  # pixels around the box that show what the background looks like
_ROUNDS = 4
_SHOWN = 12  # pictures from which letters are made out
_MOST_GROWN = 1.3  # times the area of thickened strokes; a mask that is larger holds what is between them
_TEXT_WIDTH = 640  # at which text is looked for


@functools.cache
def _detector() -> TextDetector:
    return TextDetector(width=_TEXT_WIDTH)


def written(pictures: Tensor, hole: Mask) -> Mask:
    """The strokes of what is written on most of (N, 3, H, W) uint8 pictures, (H, W), where it lies mostly in `hole`."""
    mean = pictures.float().mean(0, keepdim=True).round().to(pictures.dtype)
    found = np.zeros_like(hole)
    step = max(len(pictures) // _SHOWN, 1)
    shown = [np.ascontiguousarray(p) for p in pictures[::step].permute(0, 2, 3, 1).numpy()]
    for box in _detector().boxes(mean)[0]:
        if hole[box.slices].mean() > 0.5:
            strokes = stroke_mask(shown, box, [])
            # What lies behind the letters is told by its colour (`cut_out`), if it is of the logo at all.
            plain = cv2.dilate(strokes.core.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            too_much = strokes.boxed or strokes.mask.sum() > _MOST_GROWN * plain.sum()
            found[strokes.area.slices] |= plain if too_much else strokes.mask
    return found


def cut_out(picture: NDArray[np.float32], hole: Mask, guess: Mask) -> Mask:
    """The pixels of a logo.

    Args:
        picture: (3, H, W), in levels; the mean of many, in which the logo is sharp.
        hole: (H, W), where the logo is; all around it there is none.
        guess: (H, W), where it seems to be, much of it right.

    Returns:
        (H, W) within `hole`, with one pixel around for what coding smears.
    """
    part = bounds(hole, _AROUND).slices
    labels = np.full(hole.shape, cv2.GC_BGD, np.uint8)
    labels[hole] = cv2.GC_PR_BGD
    labels[guess & hole] = cv2.GC_PR_FGD
    labels = np.ascontiguousarray(labels[part])
    image = np.ascontiguousarray(picture.transpose(1, 2, 0)[part].round().clip(0, 255).astype(np.uint8))
    if not (labels == cv2.GC_PR_FGD).any() or (labels == cv2.GC_PR_FGD).all():
        return guess & hole
    cv2.setRNGSeed(1)  # the colours are clustered from random starts, and one video must give one result
    cv2.grabCut(image, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    shape = np.zeros(hole.shape, np.uint8)
    shape[part] = labels & 1
    return (cv2.dilate(shape, np.ones((3, 3), np.uint8)) > 0) & hole
