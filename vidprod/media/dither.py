"""Blue-noise thresholds: how values between two levels are written without bands, and without a pattern that the eye finds.

Instead of rounding, a value is raised to the level above where its fraction exceeds the threshold of its place. The mean over an
area stays right to a fraction of a level, and a value that is a level already never changes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

SIDE = 64
"""Rows and columns after which the mask repeats."""

_SIGMA = 1.5
_SEED = 1


@cache
def blue_noise() -> npt.NDArray[np.float32]:
    """(SIDE, SIDE) thresholds, each of (k + 0.5) / SIDE ** 2 once, always the same ones; never write into the result.

    Void and cluster: R. Ulichney, "The void-and-cluster method for dither array generation", SPIE 1913, 1993. Takes a few
    tenths of a second once per process.
    """
    bump = _bump()
    rows, columns = np.divmod(np.random.default_rng(_SEED).permutation(SIDE * SIDE)[: SIDE * SIDE // 10], SIDE)
    ones = np.zeros((SIDE, SIDE), bool)
    ones[rows, columns] = True
    energy = np.zeros((SIDE, SIDE))
    for place in zip(rows, columns, strict=True):
        energy += _moved(bump, place)

    def put(place: tuple[int, int], value: bool) -> None:
        nonlocal energy
        ones[place] = value
        energy = energy + _moved(bump, place) if value else energy - _moved(bump, place)

    # Even out the start: move the point of the tightest cluster into the largest void until that is the same place.
    while True:
        cluster = _first(np.where(ones, energy, -np.inf))
        put(cluster, False)
        void = _first(np.where(ones, -np.inf, -energy))
        put(void, True)
        if void == cluster:
            break
    start, start_energy, count = ones.copy(), energy.copy(), int(ones.sum())
    rank = np.zeros((SIDE, SIDE), np.int64)
    for number in range(count - 1, -1, -1):
        cluster = _first(np.where(ones, energy, -np.inf))
        put(cluster, False)
        rank[cluster] = number
    ones, energy = start, start_energy
    for number in range(count, SIDE * SIDE):
        void = _first(np.where(ones, -np.inf, -energy))
        put(void, True)
        rank[void] = number
    return ((rank + 0.5) / (SIDE * SIDE)).astype(np.float32)


def thresholds(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(height, width) float32 in 0..1, both exclusive: the mask, repeated."""
    mask = torch.from_numpy(blue_noise()).to(device)
    return mask.repeat(-(-height // SIDE), -(-width // SIDE))[:height, :width]


def _bump() -> npt.NDArray[np.float64]:
    at = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
    bump: npt.NDArray[np.float64] = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * _SIGMA**2))
    return bump


def _moved(bump: npt.NDArray[np.float64], place: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.roll(bump, place, (0, 1))


def _first(values: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Where the largest value is; rounding must not decide between equal ones, or machines would differ."""
    row, column = divmod(int(np.round(values, 9).argmax()), SIDE)
    return row, column
