"""The logarithmic curves that cameras record with, and the primaries that go with each.

Scene light is linear with 0.18 for a grey card at the right exposure. A signal is a share of the largest code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class LogCurve:
    """How one maker's cameras store scene light.

    Attributes:
        name: as `vidprod` calls it.
        title: as the maker does.
        encode: scene light -> signal.
        decode: signal -> scene light.
        primaries: CIE 1931 xy of R, G and B; the white is D65 for all.
        data_codes: whether the maker states the curve in shares of all codes (code / 1023), which a limited-range file holds
            as they are; otherwise a limited-range file has signal 0 at black (64 of 1023) and 1 at white (940).
        brightest: the scene light that is shown as white.
    """

    name: str
    title: str
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    primaries: Chromaticities
    data_codes: bool = False
    brightest: float = 16.0


# ARRI, "ALEXA Log C Curve: Usage in VFX", 2012/2017: the parameters for EI 800.
_LC3_CUT, _LC3_A, _LC3_B, _LC3_C, _LC3_D, _LC3_E, _LC3_F = (
    0.010591,
    5.555556,
    0.052272,
    0.247190,
    0.385537,
    5.367655,
    0.092809,
)


def logc3_encode(light: Tensor) -> Tensor:
    """ARRI LogC3 at EI 800."""
    curve = _LC3_C * torch.log10((_LC3_A * light + _LC3_B).clamp(min=1e-10)) + _LC3_D
    return torch.where(light > _LC3_CUT, curve, _LC3_E * light + _LC3_F)


def logc3_decode(signal: Tensor) -> Tensor:
    """Inverse of `logc3_encode`."""
    curve = (10.0 ** ((signal - _LC3_D) / _LC3_C) - _LC3_B) / _LC3_A
    return torch.where(signal > _LC3_E * _LC3_CUT + _LC3_F, curve, (signal - _LC3_F) / _LC3_E)


# ARRI, "LogC4 Logarithmic Color Space: Specification", 2022.
_LC4_A = (2.0**18 - 16) / 117.45
_LC4_B = (1023 - 95) / 1023
_LC4_C = 95 / 1023
_LC4_S = 7 * math.log(2) * 2.0 ** (7 - 14 * _LC4_C / _LC4_B) / (_LC4_A * _LC4_B)
_LC4_T = (2.0 ** (14 * (-_LC4_C / _LC4_B) + 6) - 64) / _LC4_A


def logc4_encode(light: Tensor) -> Tensor:
    """ARRI LogC4."""
    curve = (torch.log2((_LC4_A * light + 64).clamp(min=1e-10)) - 6) / 14 * _LC4_B + _LC4_C
    return torch.where(light >= _LC4_T, curve, (light - _LC4_T) / _LC4_S)


def logc4_decode(signal: Tensor) -> Tensor:
    """Inverse of `logc4_encode`."""
    curve = (2.0 ** (14 * (signal - _LC4_C) / _LC4_B + 6) - 64) / _LC4_A
    return torch.where(signal >= 0, curve, signal * _LC4_S + _LC4_T)


# Sony, "Technical Summary for S-Gamut3.Cine/S-Log3 and S-Gamut3/S-Log3".
_SL3_CUT_LIGHT, _SL3_CUT = 0.01125, 171.2102946929


def slog3_encode(light: Tensor) -> Tensor:
    """Sony S-Log3, for reflection."""
    curve = (420 + torch.log10(((light + 0.01) / (0.18 + 0.01)).clamp(min=1e-10)) * 261.5) / 1023
    return torch.where(light >= _SL3_CUT_LIGHT, curve, (light * (_SL3_CUT - 95) / _SL3_CUT_LIGHT + 95) / 1023)


def slog3_decode(signal: Tensor) -> Tensor:
    """Inverse of `slog3_encode`."""
    curve = 10.0 ** ((signal * 1023 - 420) / 261.5) * (0.18 + 0.01) - 0.01
    return torch.where(signal >= _SL3_CUT / 1023, curve, (signal * 1023 - 95) * _SL3_CUT_LIGHT / (_SL3_CUT - 95))


# Panasonic, "V-Log/V-Gamut Reference Manual", 2014.
_VL_CUT_LIGHT, _VL_CUT, _VL_B, _VL_C, _VL_D = 0.01, 0.181, 0.00873, 0.241514, 0.598206


def vlog_encode(light: Tensor) -> Tensor:
    """Panasonic V-Log."""
    curve = _VL_C * torch.log10((light + _VL_B).clamp(min=1e-10)) + _VL_D
    return torch.where(light >= _VL_CUT_LIGHT, curve, 5.6 * light + 0.125)


def vlog_decode(signal: Tensor) -> Tensor:
    """Inverse of `vlog_encode`."""
    return torch.where(signal >= _VL_CUT, 10.0 ** ((signal - _VL_D) / _VL_C) - _VL_B, (signal - 0.125) / 5.6)


# ITU-R BT.2100 HLG. Its scene light is scaled so that signal 0.75 is a white of 100 % reflectance (ITU-R BT.2408); the grey card
# then lies at 0.38, as there.
_HLG_A = 0.17883277
_HLG_B, _HLG_C = 1 - 4 * _HLG_A, 0.5 - _HLG_A * math.log(4 * _HLG_A)
_HLG_WHITE = 12 / (math.exp((0.75 - _HLG_C) / _HLG_A) + _HLG_B)


def hlg_encode(light: Tensor) -> Tensor:
    """ITU-R BT.2100 HLG."""
    share = light / _HLG_WHITE
    curve = _HLG_A * torch.log((12 * share - _HLG_B).clamp(min=1e-10)) + _HLG_C
    return torch.where(share > 1 / 12, curve, (3 * share.clamp(min=0)).sqrt())


def hlg_decode(signal: Tensor) -> Tensor:
    """Inverse of `hlg_encode`."""
    curve = (torch.exp((signal - _HLG_C) / _HLG_A) + _HLG_B) / 12
    return _HLG_WHITE * torch.where(signal > 0.5, curve, signal.clamp(min=0) ** 2 / 3)


# SMPTE ST 2084 (PQ) states light of the display. What scene it stands for is taken from a display of 1000 cd/m2 with the system
# gamma of 1.2 that ITU-R BT.2100 gives for it, so that PQ and HLG versions of one programme come out alike.
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_PQ_PEAK, _PQ_DISPLAY, _PQ_GAMMA = 10000.0, 1000.0, 1.2


def pq_encode(light: Tensor) -> Tensor:
    """SMPTE ST 2084, by way of a reference display."""
    shown = (light.clamp(min=0) / _HLG_WHITE) ** _PQ_GAMMA * (_PQ_DISPLAY / _PQ_PEAK)
    power = shown**_PQ_M1
    return ((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2


def pq_decode(signal: Tensor) -> Tensor:
    """Inverse of `pq_encode`."""
    power = signal.clamp(min=0) ** (1 / _PQ_M2)
    shown = ((power - _PQ_C1).clamp(min=0) / (_PQ_C2 - _PQ_C3 * power)) ** (1 / _PQ_M1)
    return _HLG_WHITE * (shown * (_PQ_PEAK / _PQ_DISPLAY)) ** (1 / _PQ_GAMMA)


_BT2020: Chromaticities = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
_ARRI_WIDE_GAMUT_3: Chromaticities = ((0.6840, 0.3130), (0.2210, 0.8480), (0.0861, -0.1020))
_ARRI_WIDE_GAMUT_4: Chromaticities = ((0.7347, 0.2653), (0.1424, 0.8576), (0.0991, -0.0308))
_S_GAMUT3_CINE: Chromaticities = ((0.766, 0.275), (0.225, 0.800), (0.089, -0.087))
_V_GAMUT: Chromaticities = ((0.730, 0.280), (0.165, 0.840), (0.100, -0.030))

_CURVES = (
    LogCurve("logc3", "ARRI LogC3 EI 800 / ARRI Wide Gamut 3", logc3_encode, logc3_decode, _ARRI_WIDE_GAMUT_3),
    LogCurve("logc4", "ARRI LogC4 / ARRI Wide Gamut 4", logc4_encode, logc4_decode, _ARRI_WIDE_GAMUT_4),
    LogCurve("slog3", "Sony S-Log3 / S-Gamut3.Cine", slog3_encode, slog3_decode, _S_GAMUT3_CINE, data_codes=True),
    LogCurve("vlog", "Panasonic V-Log / V-Gamut", vlog_encode, vlog_decode, _V_GAMUT, data_codes=True),
)
_HDR = (
    LogCurve("hlg", "ITU-R BT.2100 HLG", hlg_encode, hlg_decode, _BT2020, brightest=_HLG_WHITE),
    LogCurve("pq", "ITU-R BT.2100 PQ", pq_encode, pq_decode, _BT2020, brightest=_HLG_WHITE),
)
LOG_CURVES: Mapping[str, LogCurve] = MappingProxyType({curve.name: curve for curve in _CURVES})
"""The curves of cameras, by name."""

HDR_CURVES: Mapping[int, LogCurve] = MappingProxyType({18: _HDR[0], 16: _HDR[1]})
"""The signals of HDR video, by their numbers in files (AVColorTransferCharacteristic)."""

CURVES: Mapping[str, LogCurve] = MappingProxyType({**LOG_CURVES, **{curve.name: curve for curve in _HDR}})
"""All of them by name."""
