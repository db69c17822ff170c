"""The outline of a logo in one sharp picture, by its colours: what is left where nothing moves, so that nothing else tells."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidprod.ops.logo_prediction import Mask, bounds

_AROUND = 14  # pixels around the box that show what the background looks like
_ROUNDS = 4


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
