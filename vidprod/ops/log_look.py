"""From a camera's log signal to a picture for a Rec.709 display: decode, change of primaries, gamut compression, tone curve.

Every step keeps R = G = B equal, so greys stay grey; tables made of it with tetrahedral interpolation do so as well.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from vidprod.ops.log_curves import Chromaticities, LogCurve
from vidprod.ops.lut import Lut1D, Lut3D, LutChain, Triple

SIZE = 65
"""Nodes along each axis of the tables."""

BT709: Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
WHITE = (0.3127, 0.3290)  # D65, of all the colour spaces here

GREY = 0.18
GREY_SHOWN = 0.112
"""Light of the display (1 is white) for a grey card; 0.4 of the signal."""
TOE = 1.18
"""Exponent of the tone curve; above 1 it has a toe, which holds shadows down as film does."""
DISPLAY_GAMMA = 2.4  # ITU-R BT.1886

# LogC4 keeps 13 stops above the grey card, of which the display gets six: nodes go where the picture is. The share of the axis
# that follows the shown brightness; more of it makes common colours more exact and blinding saturated ones less.
_SHAPED = {"logc4": 0.6}
_SHAPER_SAMPLES = 1024

# Gamut compression: distances from the grey axis, as shares of the largest component, above the first number are compressed so
# that the second becomes 1, the edge of what Rec.709 can show. The form is that of the ACES reference gamut compression; but it
# works on light of the display. On scene light, where the largest component may be 16, it would lift the smallest one of a
# bright orange far up and make it pink.
_COMPRESSED_FROM, _COMPRESSED_LIMIT, _COMPRESSED_POWER = 0.95, 1.3, 1.2


def log_to_rec709(signal: Tensor, curve: LogCurve, *, limited: bool = True) -> Tensor:
    """The exact function that `log_lut` samples.

    Args:
        signal: (..., 3) R'G'B' as decoded from a file, expanded to 0..1.
        curve: what the camera recorded with.
        limited: whether the file has limited range; matters for curves that are stated in codes.

    Returns:
        (..., 3) R'G'B' for a BT.1886 display, in 0..1.
    """
    if curve.data_codes and limited:
        signal = (64 + 876 * signal) / 1023
    matrix = to_rec709(curve.primaries).to(signal.device, signal.dtype)
    light = compress_gamut(tone(curve.decode(signal) @ matrix.T, curve.brightest))
    shown: Tensor = light.clamp(0, 1) ** (1 / DISPLAY_GAMMA)
    return shown


def rec709_to_log(picture: Tensor, curve: LogCurve, *, limited: bool = True) -> Tensor:
    """What a camera would have recorded of a scene that `log_to_rec709` shows so; exact but for compressed and clipped colours.

    For test material: it turns ordinary footage into log footage.
    """
    light = _untone(picture.clamp(0, 1) ** DISPLAY_GAMMA, curve.brightest)
    matrix = torch.linalg.inv(to_rec709(curve.primaries)).to(picture.device, picture.dtype)
    signal = curve.encode(light @ matrix.T)
    return (signal * 1023 - 64) / 876 if curve.data_codes and limited else signal


def log_lut(curve: LogCurve, *, limited: bool = True, size: int = SIZE) -> LutChain:
    """`log_to_rec709` as a table; behind a shaper for curves whose upper third is brighter than anything that is shown."""
    black = _recorded_black(curve, limited)
    share = _SHAPED.get(curve.name, 0.0)
    if not share:
        table = Lut3D.of(
            lambda signal: log_to_rec709(signal, curve, limited=limited), size, domain_min=_start(black, size)
        )
        return LutChain(table=table, title=curve.title)
    signals = torch.linspace(0, 1, _SHAPER_SAMPLES, dtype=torch.float64)
    light = curve.decode(signals).clamp(min=0)
    shown = (tone(light, curve.brightest) / tone(light[-1], curve.brightest)) ** (1 / DISPLAY_GAMMA)
    shaper = Lut1D((share * shown + (1 - share) * signals).float()[:, None].repeat(1, 3))
    places = shaper.table[:, 0].double().numpy()

    def unshaped(colors: Tensor) -> Tensor:
        signal = torch.from_numpy(np.interp(colors.numpy(), places, signals.numpy()))
        return log_to_rec709(signal, curve, limited=limited)

    shaped_black = float(np.interp(black, signals.numpy(), places))
    return LutChain(shaper, Lut3D.of(unshaped, size, domain_min=_start(shaped_black, size)), curve.title)


def _recorded_black(curve: LogCurve, limited: bool) -> float:
    """The signal, expanded to 0..1, of no light at all."""
    signal = float(curve.encode(torch.zeros(1, dtype=torch.float64)))
    return (signal * 1023 - 64) / 876 if curve.data_codes and limited else signal


def _start(black: float, size: int) -> Triple:
    """Where a table must begin for a node to lie on black: the picture rises so steeply there that it would be lifted."""
    node = math.ceil(black * (size - 1) - 1e-6)
    share = node / (size - 1)
    start = min((black - share) / (1 - share), 0.0)
    return start, start, start


def tone(light: Tensor, brightest: float) -> Tensor:
    """Scene light -> light of the display: steep in the middle, a toe below and a long shoulder, 1 at `brightest`.

    Negative components, of colours that Rec.709 cannot show, come out as negative.
    """
    half, scale = _tone_parameters(brightest)
    size = light.abs()
    return light.sign() * (size / (size + half)) ** TOE * scale


def _untone(shown: Tensor, brightest: float) -> Tensor:
    half, scale = _tone_parameters(brightest)
    share = (shown / scale) ** (1 / TOE)
    return share / (1 - share) * half


@cache
def _tone_parameters(brightest: float) -> tuple[float, float]:
    """The half point and the scale for which `GREY` becomes `GREY_SHOWN`, and `brightest` becomes 1."""
    # scale is 1 / share(brightest), so only the half point has to be sought: a larger one makes grey darker
    low, high = 1e-4, 100.0
    for _ in range(100):
        half = math.sqrt(low * high)
        shown = (GREY / (GREY + half) * (brightest + half) / brightest) ** TOE
        low, high = (half, high) if shown > GREY_SHOWN else (low, half)
    return half, ((brightest + half) / brightest) ** TOE


def compress_gamut(light: Tensor) -> Tensor:
    """Pulls light that Rec.709 cannot show towards the grey axis, smoothly, so that no component stays far below 0.

    Colours well inside and the largest component of all stay as they are.
    """
    largest = light.amax(-1, keepdim=True)
    size = largest.abs().clamp(min=1e-9)
    distance = (largest - light) / size
    over = (distance - _COMPRESSED_FROM).clamp(min=0)
    span, power = _COMPRESSED_LIMIT - _COMPRESSED_FROM, _COMPRESSED_POWER
    scale = span / (((1 - _COMPRESSED_FROM) / span) ** -power - 1) ** (1 / power)
    compressed = _COMPRESSED_FROM + over / (1 + (over / scale) ** power) ** (1 / power)
    return torch.where(over > 0, largest - compressed * size, light)


def to_rec709(primaries: Chromaticities) -> Tensor:
    """(3, 3) float64: linear RGB of some primaries -> of Rec.709. No adaptation: the white is the same."""
    matrix: Tensor = torch.linalg.solve(to_xyz(BT709), to_xyz(primaries))
    return matrix


def to_xyz(primaries: Chromaticities) -> Tensor:
    """(3, 3) float64: linear RGB with D65 -> CIE XYZ (SMPTE RP 177)."""
    columns = torch.tensor([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries], dtype=torch.float64).T
    x, y = WHITE
    white = torch.tensor([x / y, 1.0, (1 - x - y) / y], dtype=torch.float64)
    strengths: Tensor = torch.linalg.solve(columns, white)
    return columns * strengths
