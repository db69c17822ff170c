from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprod.ops.camera_path import LONGEST, camera_path, interpolated, jerk
from vidprod.ops.crop_window import Band, Fit, Profile, good_enough, visible_part

CELLS = 96
STEP = 0.2


def times(count: int) -> np.ndarray:
    return np.arange(count) * STEP


def bump(at: float, size: float = 0.08) -> np.ndarray:
    cells = (np.arange(CELLS) + 0.5) / CELLS
    return np.exp(-(((cells - at) / size) ** 2))


def profile(centres: list[float], *, noise: float = 0.0, seed: int = 0) -> Profile:
    rng = np.random.default_rng(seed)
    return Profile.of(np.stack([bump(c) for c in centres]) + noise * rng.random((len(centres), CELLS)))


masses = st.integers(0, 10_000).map(
    lambda seed: np.random.default_rng(seed).random((7, CELLS)) ** 8 + np.random.default_rng(seed + 1).random((7, 1))
)
aspects = st.floats(0.2, 5)


@given(aspects, aspects)
def test_a_fit_fills_the_new_shape(source: float, target: float) -> None:
    fit = Fit.of(source, target)
    assert 0 < fit.least <= 1
    seen = source * fit.least if fit.axis == "x" else source / fit.least
    assert seen == pytest.approx(target)


@given(masses, st.floats(0.1, 0.95))
def test_the_visible_part_shrinks_with_tightness(mass: np.ndarray, least: float) -> None:
    fit = Fit("x", least)
    parts = [visible_part(Profile.of(mass), fit, t) for t in np.linspace(0, 1, 11)]
    assert parts[0] == 1
    assert parts[-1] == pytest.approx(least)
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(parts))


def test_a_wide_subject_keeps_its_room_until_the_tightest() -> None:
    one = Profile.of(np.stack([bump(0.5, 0.02)] * 5), np.array([[t, 0.2, 0.8, 1.0, 1.0] for t in range(5)]))
    fit = Fit("x", 0.3)
    assert visible_part(one, fit, 0.9) >= 0.6
    assert visible_part(one, fit, 1.0) == pytest.approx(0.3)


@given(masses, st.floats(0.1, 0.95))
def test_kept_is_what_lies_inside(mass: np.ndarray, width: float) -> None:
    one = Profile.of(mass)
    places = np.linspace(0, 1 - width, 13)
    kept = one.kept(places, width)
    cells = np.arange(CELLS) / CELLS
    for k, place in enumerate(places):
        overlap = (np.minimum(cells + 1 / CELLS, place + width) - np.maximum(cells, place)).clip(0) * CELLS
        np.testing.assert_allclose(kept[:, k], one.mass @ overlap, atol=1e-9)


def test_a_subject_is_not_cut_in_two() -> None:
    """A bright spot on the left tempts the window to cut the person; whole or not at all is better."""
    mass = np.stack([bump(0.28, 0.03) + 0.2 * bump(0.62, 0.1)] * 3)
    person = np.array([[t, 0.5, 0.74, 0.5, 1.0] for t in range(3)])
    width = 0.4
    band = good_enough(Profile.of(mass, person), width)
    for start in (*band.low, *band.best, *band.high):
        inside = (min(0.74, start + width) - max(0.5, start)) / 0.24
        assert inside < 0.15 or inside > 0.85


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.2, 0.9))
def test_a_path_stays_inside_and_near_its_band(seed: int, count: int, width: float) -> None:
    rng = np.random.default_rng(seed)
    centres = (0.5 + np.cumsum(rng.normal(0, 0.03, count))).clip(0, 1)
    one = profile(list(centres))
    path = camera_path(good_enough(one, width), width, times(count))
    assert len(path.places) in (1, count)
    assert (path.places >= 0).all()
    assert (path.places <= 1 - width + 1e-9).all()


def test_a_subject_that_stays_gets_a_still_camera() -> None:
    rng = np.random.default_rng(3)
    centres = list(0.7 + 0.02 * rng.standard_normal(50))
    path = camera_path(good_enough(profile(centres, noise=0.05), 0.4), 0.4, times(50))
    assert path.still
    assert path.at(np.array([0.0, 3.3, 20.0])) == pytest.approx(path.places[0])
    assert 0.4 < path.places[0] < 0.6


def test_nothing_to_see_is_seen_from_the_middle() -> None:
    path = camera_path(good_enough(Profile.of(np.zeros((20, CELLS))), 0.4), 0.4, times(20))
    assert path.still
    assert path.places[0] == pytest.approx(0.3, abs=0.02)


def test_a_subject_that_walks_is_followed_evenly() -> None:
    centres = list(np.linspace(0.15, 0.85, 60))
    path = camera_path(good_enough(profile(centres), 0.3), 0.3, times(60))
    assert not path.still
    middles = path.places + 0.15
    assert np.abs(middles - np.array(centres).clip(0.15, 0.85)).max() < 0.1
    assert jerk(path.places, STEP) < 0.3


@pytest.mark.parametrize("every", [0.5, 1.3, "any"])
def test_how_often_it_was_looked_does_not_matter(every: float | str) -> None:
    """A walk looked at twice a second, rarely, or at any times makes about the same even pan."""
    seconds = (
        np.sort(np.random.default_rng(0).uniform(0, 12, 25)) if every == "any" else np.arange(0, 12.01, float(every))
    )
    centres = np.interp(seconds, [0, 12], [0.15, 0.85])
    path = camera_path(good_enough(profile(list(centres)), 0.3), 0.3, seconds)
    at = np.arange(seconds[0], seconds[-1], STEP)
    places = path.at(at)
    assert np.abs(places + 0.15 - np.interp(at, [0, 12], [0.15, 0.85]).clip(0.15, 0.85)).max() < 0.12
    assert jerk(places, STEP) < 0.3


def test_restless_centres_do_not_make_a_restless_camera() -> None:
    rng = np.random.default_rng(0)
    centres = np.linspace(0.3, 0.7, 80) + 0.05 * rng.standard_normal(80)
    band = good_enough(profile(list(centres)), 0.4)
    path = camera_path(band, 0.4, times(80))
    assert jerk(path.places, STEP) < jerk(band.best, STEP) / 10
    assert (np.diff(path.places) > -1e-6).all()  # it drifts one way, and never back


def test_a_long_shot_is_solved_in_pieces_that_fit_together() -> None:
    count = 2 * LONGEST + 40
    centres = 0.5 + 0.3 * np.sin(np.arange(count) / 40)
    path = camera_path(good_enough(profile(list(centres)), 0.3), 0.3, times(count))
    assert len(path.places) == count
    assert np.abs(np.diff(path.places)).max() < 0.03
    assert np.abs(path.places + 0.15 - centres).max() < 0.12


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_interpolation_goes_through_its_points_and_not_beyond(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 2, count))
    places = rng.random(count)
    np.testing.assert_allclose(interpolated(times, places, times), places, atol=1e-9)
    at = np.linspace(times[0] - 1, times[-1] + 1, 200)
    found = interpolated(times, places, at)
    assert (found[at < times[0]] == pytest.approx(places[0])) if (at < times[0]).any() else True
    for moment, value in zip(at, found, strict=True):
        part = int(np.clip(np.searchsorted(times, moment, side="right") - 1, 0, max(count - 2, 0)))
        low, high = sorted((places[part], places[min(part + 1, count - 1)]))
        assert low - 1e-9 <= value <= high + 1e-9


def test_interpolation_agrees_with_scipy() -> None:
    from scipy.interpolate import PchipInterpolator

    rng = np.random.default_rng(1)
    times, places = np.cumsum(rng.uniform(0.1, 1, 9)), rng.random(9)
    at = np.linspace(times[1], times[-2], 50)  # at the ends scipy takes another slope
    ours = interpolated(times, places, at)
    theirs = PchipInterpolator(times, places)(at)
    inner = (at > times[1]) & (at < times[-2])
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-9)


def test_bands_can_be_cut() -> None:
    band = good_enough(profile([0.2, 0.5, 0.8]), 0.4)
    assert isinstance(band[1:], Band)
    assert len(band[1:].best) == 2
