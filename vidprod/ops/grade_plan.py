"""What a grade is: a few physically named numbers per shot, and the function from colours to colours that they stand for."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from vidprod.errors import InvalidParameter
from vidprod.ops.lut import Lut3D

GAMMA = 2.4
"""Exponent of a Rec.709 display (ITU-R BT.1886): light = code ** GAMMA."""

LUMA = (0.2126, 0.7152, 0.0722)
PIVOT = 0.48
"""Code value that `contrast` leaves where it is: middle grey, 18 % of white's light."""

PARAMETERS = ("exposure", "temperature", "tint", "contrast", "saturation", "black", "white")
NEUTRAL = (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0)
"""Values of `PARAMETERS` that change nothing."""

LIMITS: dict[str, tuple[float, float]] = {
    "exposure": (-3.0, 3.0),
    "temperature": (-2.0, 2.0),
    "tint": (-1.0, 1.0),
    "contrast": (0.6, 1.4),
    "saturation": (0.0, 2.5),
    "black": (-0.2, 0.6),
    "white": (0.2, 1.4),
}
"""Least and greatest value of each parameter."""

_DARKEST = 1e-4  # bounds the slope of a root at black, for those who differentiate


@dataclass(frozen=True)
class Look:
    """What a shot looks like before it is graded, for finding shots like it and for matching them.

    Attributes:
        light: mean of log2 of the light of R, G and B, in stops below white.
        spread: standard deviation of log2 of the luminance, in stops.
        chroma: usual distance from grey over the usual luma.
        descriptor: unit vector that is close for shots of the same scene, whatever the camera's settings, as
            `grade_look.pack` writes it; empty if not known.
    """

    light: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spread: float = 1.0
    chroma: float = 0.0
    descriptor: str = ""


@dataclass(frozen=True)
class GradedShot:
    """One shot and its grade. The defaults of the parameters change nothing.

    Attributes:
        start: seconds from the start of the video.
        end: where the next shot starts, in seconds.
        first: number of its first picture.
        stop: number of the picture after its last one.
        exposure: stops of light added to shadows and middle tones (-3..3); black and white stay.
        temperature: stops that red gains over blue (-2..2): above 0 is warmer.
        tint: stops that red and blue gain over green (-1..1): above 0 is more magenta.
        contrast: slope of the curve at middle grey (0.6..1.4).
        saturation: factor on the distance from grey (0..2.5).
        black: code value (0..1) that becomes black (-0.2..0.6).
        white: code value (0..1) that becomes white (0.2..1.4), at least 0.1 above `black`.
        confidence: how far the measured errors were trusted (0..1); for information.
        look: the shot's colours before grading, as measured; None where a plan was written by hand.
    """

    start: float
    end: float
    first: int
    stop: int
    exposure: float = 0.0
    temperature: float = 0.0
    tint: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    black: float = 0.0
    white: float = 1.0
    confidence: float = 1.0
    look: Look | None = None

    def __post_init__(self) -> None:
        if not (self.first < self.stop and self.start < self.end):
            raise InvalidParameter(f"plan: shot {self.first}..{self.stop} must end after its start")
        for name, (least, greatest) in LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= greatest):
                raise InvalidParameter(f"plan: {name} must be within {least}..{greatest}, got {value}")
        if self.white - self.black < 0.1:
            raise InvalidParameter(
                f"plan: white must be at least 0.1 above black, got black {self.black} and white {self.white}"
            )

    @property
    def changes_nothing(self) -> bool:
        """Whether every parameter has its default."""
        return tuple(getattr(self, name) for name in PARAMETERS) == NEUTRAL


@dataclass(frozen=True)
class GradePlan:
    """The grade of a video: its shots, in order and without gaps."""

    shots: tuple[GradedShot, ...] = ()

    def __post_init__(self) -> None:
        for a, b in itertools.pairwise(self.shots):
            if a.stop != b.first:
                raise InvalidParameter(f"plan: a shot stops at picture {a.stop}, the next one begins at {b.first}")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        try:
            shots = tuple(_shot(values) for values in data["shots"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidParameter(f"plan: not a plan of grades ({type(error).__name__}: {error})") from None
        return cls(shots)


def _shot(values: dict[str, Any]) -> GradedShot:
    values = dict(values)
    look = values.pop("look", None)
    if look is not None:
        light = tuple(map(float, look["light"]))
        if len(light) != 3:
            raise ValueError(f"light must have 3 values, got {len(light)}")
        look = Look(
            (light[0], light[1], light[2]), float(look["spread"]), float(look["chroma"]), str(look["descriptor"])
        )
    first, stop = int(values.pop("first")), int(values.pop("stop"))
    return GradedShot(first=first, stop=stop, look=look, **{name: float(value) for name, value in values.items()})


def grade(colors: Tensor, shot: GradedShot) -> Tensor:
    """Applies a shot's grade, exactly.

    Args:
        colors: (..., 3) floats, R'G'B' code values of a Rec.709 display over 0..1.
        shot: the parameters.

    Returns:
        The same shape and dtype, within 0..1.
    """
    if shot.changes_nothing:
        return colors.clamp(0, 1)
    values = [getattr(shot, name) for name in PARAMETERS]
    return apply(colors.reshape(-1, 3), colors.new_tensor(values)).reshape(colors.shape)


def grade_lut(shot: GradedShot, size: int = 33) -> Lut3D:
    """The grade as a table of `size` nodes along each axis: R'G'B' code values of a Rec.709 display in and out."""
    return Lut3D.of(lambda colors: grade(colors, shot), size)


def apply(colors: Tensor, parameters: Tensor) -> Tensor:
    """Grades many colours by one or more sets of parameters; can be differentiated by both.

    In this order: white balance on light, then on code values black and white, exposure, contrast, saturation.

    Args:
        colors: (..., n, 3) code values in 0..1.
        parameters: (..., 7) in the order of `PARAMETERS`.

    Returns:
        (..., n, 3) within 0..1.
    """
    exposure, temperature, tint, contrast, saturation, black, white = parameters[..., None, None].unbind(-3)
    x = colors.clamp(0, 1) * gains(temperature, tint) ** (1 / GAMMA)
    x = ((x - black) / (white - black)).clamp(0, 1)
    x = add_contrast(expose(x, exposure), contrast)
    luma = (x * x.new_tensor(LUMA)).sum(-1, keepdim=True)
    return (luma + (x - luma) * saturation).clamp(0, 1)


def gains(temperature: Tensor, tint: Tensor) -> Tensor:
    """(..., 1) stops -> (..., 3) factors on the light of R, G and B that keep the luminance of grey."""
    logs = torch.cat([temperature / 2 + tint / 3, -2 * tint / 3, -temperature / 2 + tint / 3], -1)
    raw = torch.exp2(logs)
    return raw / (raw * raw.new_tensor(LUMA)).sum(-1, keepdim=True)


def expose(codes: Tensor, stops: Tensor) -> Tensor:
    """Multiplies the light of dark tones by 2 ** stops and lets it roll off to white, which stays. Inverse: -stops."""
    factor = torch.exp2(stops)
    light = codes.clamp(min=_DARKEST) ** GAMMA
    return (light * factor / (1 + light * (factor - 1))) ** (1 / GAMMA) * (codes > 0)


def add_contrast(codes: Tensor, slope: Tensor) -> Tensor:
    """A smooth S through black, `PIVOT` and white, which stay, with the given slope at the pivot."""
    return codes + (slope - 1) / (PIVOT * (1 - PIVOT)) * codes * (1 - codes) * (codes - PIVOT)
