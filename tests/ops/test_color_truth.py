from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.color import METHODS, errors, ffmpeg, flicker, rules
from benchmarks.color_scenes import Scene, coded
from benchmarks.color_truth import delta_e_lab
from benchmarks.color_truth import lab as exact_lab
from tests.ops.test_grade import landscape
from vidprod.ops.lab import difference, lab
from vidprod.weights.tools.color_faults import FAULTS, Fault

# Test data of Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula" (2005), table 1.
PAIRS = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (56, -27, -3), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.441), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), PAIRS)
def test_published_pairs(first: tuple[float, ...], second: tuple[float, ...], expected: float) -> None:
    a, b = np.array(first, float), np.array(second, float)
    assert float(delta_e_lab(a, b)) == pytest.approx(expected, abs=1e-4)
    assert float(delta_e_lab(b, a)) == pytest.approx(expected, abs=1e-4)


def test_both_kinds_of_lab_agree() -> None:
    colors = torch.rand(200, 3, dtype=torch.float64)
    assert np.allclose(lab(colors).numpy(), exact_lab(colors.numpy()), atol=1e-3)
    assert np.allclose(exact_lab(np.ones(3)), [100, 0, 0], atol=1e-3)


def test_the_simple_difference_is_near_the_exact_one() -> None:
    first = lab(torch.rand(500, 3, dtype=torch.float64))
    second = first + torch.randn(500, 3, dtype=torch.float64) * 2
    simple, exact = difference(first, second).numpy(), delta_e_lab(first.numpy(), second.numpy())
    assert np.corrcoef(simple, exact)[0, 1] > 0.8
    assert float(difference(first, first).max()) < 0.01


@pytest.mark.parametrize("kind", FAULTS)
@given(seed=st.integers(0, 1000))
def test_faults_stay_in_range_and_only_untouched_is_none(kind: str, seed: int) -> None:
    colors = np.random.default_rng(1).random((50, 3))
    spoilt = FAULTS[kind](np.random.default_rng(seed))(colors)
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1
    assert np.allclose(spoilt, colors) == (kind == "untouched")


def test_a_stop_is_twice_the_light() -> None:
    assert np.allclose(Fault(stops=-1)(np.full(3, 0.5)) ** 2.4, 0.5**2.4 / 2)


def scene(count: int) -> Scene:
    pictures = landscape(7, count).permute(0, 2, 3, 1).contiguous().numpy()
    return Scene("landscape", "drawn", pictures)


def test_filters_and_rules_that_do_nothing() -> None:
    pictures = scene(2).pictures
    assert np.array_equal(ffmpeg("normalize", "strength=0")(pictures), pictures)
    assert np.array_equal(ffmpeg("colorlevels", multiple=64)(pictures), pictures)
    assert np.array_equal(rules(0.0, dead_zone=True)(pictures), pictures)


def test_coding_costs_little() -> None:
    pictures = scene(3).pictures
    assert np.abs(coded(pictures).astype(int) - pictures).mean() < 4


def test_a_stretch_takes_back_a_flat_profile() -> None:
    found = errors(scene(1), {name: METHODS[name] for name in ("nothing", "stretch", "vidprod")})
    assert found["untouched"]["nothing"] == 0
    assert found["flat profile"]["stretch"] < 0.7 * found["flat profile"]["nothing"]
    assert found["under-exposed"]["vidprod"] < 0.7 * found["under-exposed"]["nothing"]


def test_one_table_does_not_flicker() -> None:
    pictures = scene(4).pictures.copy()
    pictures[2:] = pictures[2:] // 2
    changing = Scene("changing", "drawn", pictures)
    assert flicker(changing, METHODS["vidprod"]) == 0
    assert flicker(changing, METHODS["ffmpeg normalize, joint"]) > 0.05
