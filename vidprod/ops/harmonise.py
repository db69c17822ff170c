"""Brings the colours of takes from different sources a little nearer to each other, so that a cut does not jar.

Only by exponents, one for each channel: black stays black and white stays white. Most of it is brightness; the colour of the
light is what a sunset is about, and skin, so it is hardly touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.takes import Take

Floats = NDArray[np.float64]

LEAST, MOST = 0.89, 1.12
"""Exponents."""

USUAL = 0.25
"""Difference of two takes, in logarithms of logarithms, up to which it is nobody's fault."""

TINT = 0.04
"""By how much the exponents of a take may differ from their mean, at most."""

TINTED = 0.3
"""Part of a difference in colour that counts, against one in brightness."""

STUDIO = 0.5
"""Part of a border that is a studio background, from which on a photograph is left as it is: products have their own colours."""

FLAT, CONTRASTY = 0.16, 0.3
"""Standard deviations of luma: up to the one a picture may be too dark or too bright as a whole; from the other on it has shadows
and lights where they belong."""

NIGHT, DIM = 0.06, 0.18
"""Means of luma: a picture as dark as the one is meant to be; from the other on it may be just too dark."""

_DARKEST, _BRIGHTEST = 0.05, 0.95  # means that are counted
_LUMA = np.array([0.299, 0.587, 0.114])

SAME = (1.0, 1.0, 1.0)


def harmonise(takes: Sequence[Take], *, strength: float = 0.5) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Exponents for red, green and blue (levels of 0..1 to the power of them), by source and number of the take.

    Args:
        takes: what is shown.
        strength: 0 leaves everything as it is, 1 goes all the way to the median as far as the limits allow.

    Raises:
        ValueError: a strength outside 0..1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be in 0..1, got {strength}")
    counted = [take for take in takes if take.light[5] > 0 and take.light[4] < STUDIO]
    made = {(take.source, take.number): SAME for take in takes}
    if len(counted) < 2 or strength == 0:
        return made
    # v ** g has the mean m ** g, nearly: in logarithms of logarithms an exponent is a shift
    places = {(take.source, take.number): _place(take) for take in counted}
    need = {(take.source, take.number): _need(take) for take in counted}
    middle = np.median(np.array(list(places.values())), 0)
    for key, place in places.items():
        shift = strength * need[key] * (middle - place)
        even = float(shift.mean())
        even = float(np.sign(even)) * max(abs(even) - strength * need[key] * USUAL, 0.0)
        tint = (TINTED * (shift - shift.mean())).clip(-TINT, TINT)
        exponents = np.exp(_soft(even, math.log(LEAST) + TINT, math.log(MOST) - TINT) + tint)
        made[key] = (round(float(exponents[0]), 4), round(float(exponents[1]), 4), round(float(exponents[2]), 4))
    return made


def _soft(value: float, low: float, high: float) -> float:
    """Held between two limits around 0, without a corner."""
    limit = high if value > 0 else -low
    return limit * math.tanh(value / limit)


def _place(take: Take) -> Floats:
    found: Floats = np.log(-np.log(np.array(take.light[:3]).clip(_DARKEST, _BRIGHTEST)))
    return found


def _need(take: Take) -> float:
    """How likely its brightness is a matter of exposure, not of what it shows, 0..1."""
    flat = (CONTRASTY - take.light[3]) / (CONTRASTY - FLAT)
    lit = (float(_LUMA @ np.array(take.light[:3])) - NIGHT) / (DIM - NIGHT)
    return min(max(flat, 0.0), 1.0) * min(max(lit, 0.0), 1.0)
