from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.color_truth import delta_e
from vidprod.ops.log_curves import CURVES, HDR_CURVES, LOG_CURVES
from vidprod.ops.log_look import compress_gamut, log_lut, log_to_rec709, rec709_to_log, to_rec709, tone

DOUBLE = torch.float64


def signal(name: str, light: float) -> float:
    return float(CURVES[name].encode(torch.tensor(light, dtype=DOUBLE)))


@pytest.mark.parametrize(
    ("name", "light", "code"),
    [
        # Sony, Technical Summary: 10-bit codes of 0 %, 18 % and 90 % reflection
        ("slog3", 0.0, 95),
        ("slog3", 0.18, 420),
        ("slog3", 0.90, 598),
        # Panasonic, V-Log/V-Gamut Reference Manual: the same
        ("vlog", 0.0, 128),
        ("vlog", 0.18, 433),
        ("vlog", 0.90, 602),
        # ARRI, LogC4 specification: black is code 95, the brightest scene light 469.8 the largest
        ("logc4", 0.0, 95),
        ("logc4", 469.8, 1023),
        # ARRI, ALEXA Log C Curve: a grey card is 400 at every exposure index
        ("logc3", 0.18, 400),
        ("logc3", 0.0, 95),
        ("logc3", 55.1, 1023),
    ],
)
def test_published_codes(name: str, light: float, code: int) -> None:
    assert round(signal(name, light) * 1023) == code


@pytest.mark.parametrize(
    ("name", "light", "value"),
    [
        # colour-science 0.4.7: log_encoding_ARRILogC3(EI=800), log_encoding_ARRILogC4, log_encoding_SLog3, log_encoding_VLog
        ("logc3", 0.18, 0.391006832034084),
        ("logc3", 1.0, 0.570631558120417),
        ("logc3", -0.005, 0.065970725),
        ("logc4", 0.18, 0.278395836548265),
        ("logc4", 1.0, 0.427519364835306),
        ("slog3", 0.18, 0.410557184750733),
        ("slog3", 1.0, 0.596027343690123),
        ("slog3", 0.005, 0.125974),
        ("vlog", 0.18, 0.423311448760136),
        ("vlog", 1.0, 0.599117700158146),
        ("vlog", 0.005, 0.153),
        # ITU-R BT.2408, tables 1 and 2: a grey card and a white of 100 % in HLG and PQ
        ("hlg", 0.18, 0.378),
        ("hlg", 1.0, 0.75),
        ("pq", 0.18, 0.380),
        ("pq", 1.0, 0.581),
    ],
)
def test_values_of_others(name: str, light: float, value: float) -> None:
    digits = len(str(value).split(".")[1])
    assert signal(name, light) == pytest.approx(value, abs=0.6 * 10.0**-digits)


@pytest.mark.parametrize("name", CURVES)
def test_curves_rise_and_can_be_undone(name: str) -> None:
    curve = CURVES[name]
    low = 0.0 if curve in HDR_CURVES.values() else -0.01
    light = torch.cat([torch.linspace(low, 0.1, 500, dtype=DOUBLE), torch.linspace(0.1, 30, 500, dtype=DOUBLE)])
    encoded = curve.encode(light)
    assert bool((encoded.diff()[encoded.diff().abs() > 1e-12] > 0).all())
    # the published constants of V-Log do not meet exactly
    assert float((curve.decode(encoded) - light).abs().max()) < 1e-7


def test_published_matrices() -> None:
    """ARRI, "ALEXA Log C Curve", and the LogC4 specification: wide gamut to Rec.709."""
    wide_gamut_3 = [
        [1.617523, -0.537287, -0.080237],
        [-0.070573, 1.334613, -0.264040],
        [-0.021102, -0.226954, 1.248056],
    ]
    wide_gamut_4 = [
        [1.893123, -0.780882, -0.112242],
        [-0.205700, 1.340257, -0.134557],
        [-0.012706, -0.152185, 1.164891],
    ]
    for name, matrix in (("logc3", wide_gamut_3), ("logc4", wide_gamut_4)):
        ours = to_rec709(LOG_CURVES[name].primaries)
        assert torch.allclose(ours, torch.tensor(matrix, dtype=DOUBLE), atol=2e-6)


@pytest.mark.parametrize("name", CURVES)
def test_neutral_stays_neutral(name: str) -> None:
    greys = torch.linspace(-0.05, 1.05, 1500)[:, None].repeat(1, 3)
    shown = log_lut(CURVES[name])(greys)
    tint = shown.amax(-1) - shown.amin(-1)
    # nodes are computed in float64 and kept in float32
    assert float(tint.max()) < 1e-6
    assert bool((shown[:, 0].diff() >= 0).all())


@pytest.mark.parametrize("name", LOG_CURVES)
def test_a_grey_card_is_where_it_should_be(name: str) -> None:
    """At 0.4 of the signal, black at 0, and what is too bright at 1, whatever the camera."""
    curve = LOG_CURVES[name]
    light = torch.tensor([0.0, 0.18, curve.brightest], dtype=DOUBLE)[:, None].repeat(1, 3)
    recorded = curve.encode(light)
    if curve.data_codes:
        recorded = (recorded * 1023 - 64) / 876  # as a limited-range file is expanded
    shown = log_lut(curve)(recorded.float())[:, 0]
    assert shown.tolist() == pytest.approx([0.0, 0.4016, 1.0], abs=2.5e-3)
    full = log_to_rec709(curve.encode(light), curve, limited=False)[:, 0]
    assert full.tolist() == pytest.approx([0.0, 0.4016, 1.0], abs=1e-4)


def natural(name: str, count: int = 12000) -> Tensor:
    """Signals of scene colours: log-normal around a grey card with a spread of 1.9 stops, moderately coloured."""
    generator = torch.Generator().manual_seed(5)
    light = 0.18 * torch.exp(1.3 * torch.randn(count, 1, dtype=DOUBLE, generator=generator))
    curve = CURVES[name]
    recorded = curve.encode(light * torch.exp(0.25 * torch.randn(count, 3, dtype=DOUBLE, generator=generator)))
    return ((recorded * 1023 - 64) / 876 if curve.data_codes else recorded).clamp(0, 1)


@pytest.mark.parametrize("name", CURVES)
def test_the_table_is_as_good_as_the_formulae(name: str) -> None:
    colors = natural(name)
    exact = log_to_rec709(colors, CURVES[name])
    error = delta_e(log_lut(CURVES[name])(colors.float()).double().numpy(), exact.numpy())
    assert error.mean() <= 0.05
    assert np.percentile(error, 99) <= 0.2


def test_gamut_compression_is_smooth_and_leaves_what_is_inside() -> None:
    inside = torch.rand(500, 3, dtype=DOUBLE) * 0.8 + 0.2
    assert torch.equal(compress_gamut(inside), inside)
    # from grey through the edge of Rec.709 to far outside
    lowest = torch.linspace(1, -0.6, 2000, dtype=DOUBLE)
    colors = torch.stack([torch.ones_like(lowest), 0.5 + 0.5 * lowest, lowest], -1)
    done = compress_gamut(colors)
    assert torch.equal(done[:, 0], colors[:, 0])
    steps = done[:, 2].diff()
    assert bool((steps <= 0).all())
    assert float(steps.diff().abs().max()) < 3e-5
    assert float(done[lowest >= -0.24].min()) >= 0  # not yet the limit, which becomes 0
    for dark in (0.0, -0.01):
        assert bool(torch.isfinite(compress_gamut(torch.tensor([[dark, -0.02, -0.03]], dtype=DOUBLE))).all())


def test_the_tone_curve_has_toe_and_shoulder() -> None:
    light = torch.logspace(-3, 1.2, 200, dtype=DOUBLE)
    shown = tone(light, 16.0)
    slope = shown.log().diff() / light.log().diff()
    assert bool((shown.diff() > 0).all())
    assert float(slope[0]) == pytest.approx(1.18, abs=0.01)  # shadows fall faster than the light
    assert bool((slope.diff() < 0).all())
    assert float(slope[-1]) < 0.1


@pytest.mark.parametrize("name", LOG_CURVES)
def test_footage_can_be_turned_into_log_and_back(name: str) -> None:
    picture = torch.rand(2000, 3, dtype=DOUBLE) * 0.15 + torch.rand(2000, 1, dtype=DOUBLE) * 0.6 + 0.2
    curve = LOG_CURVES[name]
    assert float((log_to_rec709(rec709_to_log(picture, curve), curve) - picture).abs().max()) < 1e-3
