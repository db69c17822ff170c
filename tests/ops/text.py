"""Pictures with text on them, drawn without any font file."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]  # (N, H, W, 3)
Plane = NDArray[np.float32]

FACE = cv2.FONT_HERSHEY_DUPLEX


def scenery(count: int, height: int = 180, width: int = 320, *, speed: float = 3.0, seed: int = 0) -> Pictures:
    """A landscape of soft shapes and some texture that passes at `speed` pixels a picture."""
    rng = np.random.default_rng(seed)
    length = width + int(speed * count) + 8
    wide = cv2.resize(rng.uniform(30, 200, (8, length // 24, 3)).astype(np.float32), (length, height))
    texture = cv2.GaussianBlur(rng.normal(0, 40, (height, length, 3)).astype(np.float32), (0, 0), 2.5)
    wide = np.asarray(wide, np.float32) + np.asarray(texture, np.float32)
    starts = [int(speed * i) for i in range(count)]
    return np.stack([np.clip(wide[:, s : s + width], 0, 255).astype(np.uint8) for s in starts])


def letters(text: str, height: int, width: int, *, x: int, baseline: int, scale: float = 0.7, thick: int = 1) -> Plane:
    """Alpha (height, width) of a line of text, with soft edges."""
    large = np.zeros((height * 4, width * 4), np.uint8)
    at = x * 4, baseline * 4
    cv2.putText(large, text, at, FACE, scale * 4, 255, thick * 4 + 2, cv2.LINE_AA)
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def over(pictures: Pictures, alpha: Plane, colour: tuple[int, int, int], opacity: float = 1.0) -> None:
    """Lays a colour over pictures, in place."""
    lay(pictures, alpha[..., None] * np.array(colour, np.float32), alpha, opacity)


def lay(pictures: Pictures, colours: NDArray[np.float32], alpha: Plane, opacity: float) -> None:
    """Lays a picture, multiplied by its alpha already, over pictures, in place."""
    pictures[:] = np.clip(pictures * (1 - opacity * alpha[..., None]) + opacity * colours + 0.5, 0, 255).astype(
        np.uint8
    )


def subtitle(pictures: Pictures, text: str, *, x: int = 60, baseline: int = 168, opacity: float = 1.0) -> Plane:
    """White text with a black outline over pictures, in place; returns its alpha."""
    height, width = pictures.shape[1:3]
    fill = letters(text, height, width, x=x, baseline=baseline)
    outline = np.asarray(cv2.dilate(fill, np.ones((3, 3), np.uint8)), np.float32)
    lay(pictures, np.repeat(255 * fill[..., None], 3, 2), outline, opacity)
    return outline
