"""How much is spoken, by how the loudness goes up and down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidprod.media.loudness import STEP, Loudness

Floats = NDArray[np.float64]

SPEECH, SWING = (0.35, 0.65), (2.2, 4.0)
"""Part of the energy that is in the band of speech, and decibels by which the level swings within half a second: what nobody speaks
with, and what is all speech."""

_QUICK, _SLOW = 3, 25  # steps of loudness: syllables are slower than the one and quicker than the other
_SILENT, _QUIET = -60.0, -45.0  # decibels


def talk_between(sound: Loudness, start: float, end: float) -> float:
    """How much is spoken between two times, 0..1: loud enough, in the band of speech, and up and down with its syllables.

    Music has its pauses filled, or its energy in the bass; noise does not go up and down.
    """
    first, stop = (min(max(round(t / STEP), 0), len(sound.level)) for t in (start, end))
    if stop - first < _SLOW:
        return 0.0
    level = np.maximum(sound.level[first:stop].astype(np.float64), _SILENT)
    syllables = _smooth(level, _QUICK) - _smooth(level, _SLOW)
    swing = np.sqrt(_smooth(syllables**2, 2 * _SLOW))
    heard = level > _QUIET
    if not heard.any():
        return 0.0
    in_band, swinging = (
        ((value - low) / (high - low)).clip(0, 1)
        for value, (low, high) in ((sound.speech[first:stop], SPEECH), (swing, SWING))
    )
    # pauses belong to what is said around them
    said = np.where(heard, in_band * swinging, 0.0)
    return float(min(said.sum() / max(heard.sum(), 0.4 * len(heard)), 1.0))


def _smooth(values: Floats, size: int) -> Floats:
    padded = np.pad(values, (size // 2, size - 1 - size // 2), mode="edge")
    found: Floats = np.convolve(padded, np.full(size, 1 / size), mode="valid")
    return found
