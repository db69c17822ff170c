"""Faults of footage, made in light, with known truth: what the grading network is trained and measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Colors = NDArray[np.float64]  # (..., 3) R'G'B' in 0..1

GAMMA = 2.4
LUMA = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Fault:
    """What a camera or its operator did wrong, in light.

    Attributes:
        warmth: stops that red gained over blue.
        green: stops that green gained over red and blue.
        stops: of exposure; what goes above white is clipped.
        veil: light of white added evenly (haze, flare), the rest scaled to fit.
        airlight: (3,) colour of the veil.
        lift: code value of black after a flat picture profile; `top` that of white.
        top: see `lift`.
        saturation: factor on the distance from the luminance.
    """

    warmth: float = 0.0
    green: float = 0.0
    stops: float = 0.0
    veil: float = 0.0
    airlight: tuple[float, float, float] = (1.0, 1.0, 1.0)
    lift: float = 0.0
    top: float = 1.0
    saturation: float = 1.0

    def __call__(self, colors: Colors) -> Colors:
        """Spoils (..., 3) code values."""
        light = np.clip(colors, 0, 1) ** GAMMA
        gains = 2.0 ** np.array([self.warmth / 2, self.green, -self.warmth / 2])
        light = light * (gains / (gains @ LUMA)) * 2.0**self.stops
        light = light * (1 - self.veil) + self.veil * np.array(self.airlight)
        luma = (light @ LUMA)[..., None]
        light = np.clip(luma + (light - luma) * self.saturation, 0, 1)
        spoilt: Colors = self.lift + (self.top - self.lift) * light ** (1 / GAMMA)
        return spoilt


Draw = Callable[[np.random.Generator], Fault]


def _sign(random: np.random.Generator, low: float, high: float) -> float:
    return float(random.uniform(low, high) * random.choice([-1, 1]))


def _cast(random: np.random.Generator) -> Fault:
    return Fault(warmth=_sign(random, 0.4, 1.2), green=float(random.uniform(-0.2, 0.2)))


def _under(random: np.random.Generator) -> Fault:
    return Fault(stops=-float(random.uniform(0.7, 2.2)))


def _over(random: np.random.Generator) -> Fault:
    return Fault(stops=float(random.uniform(0.5, 1.3)))


def _haze(random: np.random.Generator) -> Fault:
    return Fault(veil=float(random.uniform(0.03, 0.15)), airlight=(0.92, 1.0, float(random.uniform(1.0, 1.15))))


def _flat(random: np.random.Generator) -> Fault:
    return Fault(lift=float(random.uniform(0.06, 0.2)), top=float(random.uniform(0.75, 0.93)))


def _pale(random: np.random.Generator) -> Fault:
    return Fault(saturation=float(random.uniform(0.4, 0.75)))


def _mixed(random: np.random.Generator) -> Fault:
    cast, exposure, flat, pale = (
        _cast(random),
        random.choice([-1.2, -0.8, -0.4, 0.4, 0.7]),
        _flat(random),
        _pale(random),
    )
    return Fault(
        warmth=cast.warmth / 1.5,
        green=cast.green,
        stops=float(exposure),
        veil=float(random.uniform(0, 0.05)),
        lift=flat.lift / 1.5,
        top=min(flat.top * 1.05, 1.0),
        saturation=(1 + pale.saturation) / 2,
    )


FAULTS: Mapping[str, Draw] = MappingProxyType(
    {
        "untouched": lambda random: Fault(),
        "cast": _cast,
        "under-exposed": _under,
        "over-exposed": _over,
        "haze": _haze,
        "flat profile": _flat,
        "pale": _pale,
        "mixed": _mixed,
    }
)
"""Kinds of faults, each drawn at random."""
