"""A picture that swells for a moment, as if the music had pushed it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SWELL = 0.04
"""By how much the picture is enlarged at most."""

ATTACK = 0.04
"""Seconds until then: one picture or two."""

DECAY = 0.06
"""Seconds in which a swell falls to 1 / e; after 0.2 nothing of it can be seen."""

_END = 0.4  # seconds after which it counts as over


def swelling(seconds: Floats, pulses: Floats) -> Floats:
    """(n,) times -> by what the picture is enlarged then, 1 for not at all; of pulses that overlap the strongest counts.

    Nothing happens before a pulse, and nothing more than 0.4 seconds after it.
    """
    since = seconds[:, None] - pulses[None, :]
    rise = (since / ATTACK).clip(0, 1)
    fall = np.exp(-(since - ATTACK).clip(0) / DECAY)
    shape = np.where((since > 0) & (since < _END), rise * fall, 0.0)
    found: Floats = 1 + SWELL * shape.max(axis=1, initial=0.0)
    return found


def tightened(windows: Floats, swell: Floats) -> Floats:
    """(n, 4) x, y, w, h -> the windows about the same middles in which the picture is enlarged by (n,) `swell`."""
    size = windows[:, 2:] / swell[:, None]
    return np.concatenate([windows[:, :2] + (windows[:, 2:] - size) / 2, size], 1)
