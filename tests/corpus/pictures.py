"""Pictures whose content can be checked: a smooth moving pattern in colour under a strip that spells the picture's number.

Pictures are float32 R'G'B' in 0..1, shape (H, W, 3). The strip is neutral grey and fills the top quarter: a light cell, a
dark cell and `BITS` cells with the number in binary, most significant bit first. Below it colours glide; their amplitude
is such that a wrong matrix or range costs more than the tolerance of the tests (see `test_the_yardstick`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Painter = Callable[[int, int, int], Array]

BITS = 10
CELLS = BITS + 2
LIGHT, DARK = 0.8, 0.2


@lru_cache(maxsize=1024)
def picture(number: int, width: int, height: int) -> Array:
    """The picture with this number, (height, width, 3), read only."""
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    # A period below 96 pixels would be too fine for subsampled chroma.
    u, v = 2 * np.pi * x / max(width, 96), 2 * np.pi * y / max(height, 96)
    step = 2 * np.pi * number
    rise = np.clip(y / height * 8 - 2.5, 0, 1)  # no colour at the strip, all of it a little below
    rise = rise * rise * (3 - 2 * rise)
    hue = u + v / 2 + step / 23  # opposite phases keep the colours strong, which shows a wrong matrix
    red, green, blue = (
        0.5 + rise * (0.38 * np.sin(hue + third * 2 * np.pi / 3) + 0.1 * np.sin(v - step / 17 + third))
        for third in range(3)
    )
    image = np.stack(np.broadcast_arrays(red, green, blue), axis=-1).astype(np.float32)
    if width >= CELLS:
        image[: height // 4] = _strip(number, width)[None, :, None]
    image.setflags(write=False)
    return image


def _strip(number: int, width: int) -> Array:
    cells = [1, 0] + [number >> (BITS - 1 - i) & 1 for i in range(BITS)]
    return np.array([LIGHT if cells[x * CELLS // width] else DARK for x in range(width)], dtype=np.float32)


def grey(number: int, width: int, height: int) -> Array:
    """`picture` as a camera without colour sees it (luma of BT.601)."""
    luma = picture(number, width, height) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.repeat(luma[..., None], 3, axis=-1)


def field(number: int, width: int, height: int) -> Array:
    """`picture` with the number of the frame that both fields belong to: colours move on, the strip waits."""
    image = picture(number, width, height).copy()
    image[: height // 4] = _strip(number // 2 * 2, width)[None, :, None]
    return image


def poster(number: int, width: int, height: int) -> Array:
    """`picture` with six levels per channel, so that 216 colours hold it exactly."""
    return (np.round(picture(number, width, height) * 5) / 5).astype(np.float32)


def read_number(image: Array) -> int:
    """The number that the strip of `image` spells, -1 if it cannot be read."""
    height, width = image.shape[:2]
    rows = image[height // 16 : max(height // 16 + 1, height // 4 - height // 16)]
    luma = rows.mean(axis=(0, 2))
    edges = [cell * width // CELLS for cell in range(CELLS + 1)]
    margins = [(b - a) // 4 for a, b in itertools.pairwise(edges)]
    cells = [
        float(luma[a + m : b - m].mean()) for a, b, m in zip(edges, edges[1:], margins, strict=False) if b - m > a + m
    ]
    if len(cells) < CELLS or cells[0] - cells[1] < (LIGHT - DARK) / 2:
        return -1
    threshold = (cells[0] + cells[1]) / 2
    return int("".join("1" if cell > threshold else "0" for cell in cells[2:]), 2)


def psnr(a: Array, b: Array) -> float:
    """Peak signal to noise ratio in dB of two pictures in 0..1; 99 at most."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if error < 1e-9 else -10 * float(np.log10(error))
