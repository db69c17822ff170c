"""What a moment is worth showing, on scales that are the same for all videos and photographs.

The score of a summary compares a picture with the rest of its own video; here pictures of different files are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vidprod.media.loudness import Loudness
from vidprod.ops.attention import Attention
from vidprod.ops.quality import Quality
from vidprod.ops.still_eyes import presence
from vidprod.ops.summary import features

Floats = NDArray[np.float64]

SCALES: Mapping[str, tuple[float, float, float]] = {
    "sharpness": (-1.9, 0.0, 1.0),
    "colour": (5.0, 60.0, 0.6),
    "focus": (0.15, 0.45, 0.8),
    "subject": (0.0, 0.7, 1.2),
    "calm": (-3.0, -0.5, 0.8),
    "exposure": (-1.1, -0.2, 0.6),
}
"""Of the features of `vidprod.ops.summary.features`, and of the subject (`presence`): the value that counts nothing, the one that
counts in full, and the weight. Set by hand, on videos and photographs of products, persons and places."""

FINE = 450.0
"""Root of a picture's pixels from which on it is fine enough; with fewer the score falls, by the square root."""


def absolute(attention: Attention, quality: Quality, sound: Loudness | None) -> dict[str, Floats]:
    """Of T samples, (T,) each: what every feature contributes to the score; their sum is 0..1."""
    found = features(attention, quality, sound)
    found["subject"] = np.array([presence(subjects) for subjects in attention.subjects], np.float64)
    return contributions({name: found[name] for name in SCALES})


def contributions(found: Mapping[str, Floats]) -> dict[str, Floats]:
    """Features as parts of the score."""
    total = sum(weight for _, _, weight in SCALES.values())
    made = {}
    for name, (nothing, full, weight) in SCALES.items():
        made[name] = weight / total * ((found[name] - nothing) / (full - nothing)).clip(0, 1)
    return made


def fineness(width: int, height: int) -> float:
    """What a score is multiplied by for the number of pixels, 0..1."""
    return min(math.sqrt(math.sqrt(width * height) / FINE), 1.0)


def praise(parts: Mapping[str, float]) -> str:
    """The feature that comes nearest to its full weight."""
    total = sum(weight for _, _, weight in SCALES.values())
    shares = {name: value * total / SCALES[name][2] * SCALES[name][2] ** 0.5 for name, value in parts.items()}
    return f"good {max(shares, key=lambda name: shares[name])}"
