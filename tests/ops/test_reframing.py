from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.subjects import subject
from vidprod.ops.attention import CELLS, Attention
from vidprod.ops.crop_window import Fit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.reframing import cover_time, path, times_of
from vidprod.ops.shots import Shot, ShotPlan, Transition
from vidprod.ops.subjects import Subject

RATE = 10
WIDE = Fit.of(16 / 9, 9 / 16)


def bump(at: float, size: float = 0.04) -> np.ndarray:
    cells = (np.arange(CELLS) + 0.5) / CELLS
    row = np.exp(-(((cells - at) / size) ** 2))
    made: np.ndarray = row / row.sum()
    return made


def shots(*edges: float, transitions: tuple[Transition, ...] = ()) -> ShotPlan:
    made = (Shot(a, b, round(a * RATE), round(b * RATE)) for a, b in itertools.pairwise(edges))
    return ShotPlan(tuple(made), transitions)


def attention(
    rows: list[np.ndarray], plan: ShotPlan, *, every: float = 0.5, subjects: list[tuple[Subject, ...]] | None = None
) -> Attention:
    made = np.array(rows, np.float32)
    count = len(rows)
    return Attention(
        np.arange(count, dtype=np.float64) * every,
        made,
        made,
        np.linspace(0.2, 0.4, count).astype(np.float32),
        np.zeros((count, 256), np.float16),
        tuple(subjects or [()] * count),
        plan,
    )


def middles(points: tuple[PathPoint, ...]) -> list[float]:
    return [point.x + point.w / 2 for point in points]


def test_each_shot_has_a_window_of_its_own_and_nothing_of_the_other() -> None:
    found = attention([bump(0.3)] * 6 + [bump(0.7)] * 6, shots(0, 3, 6))
    points = path(found, WIDE, 1.0)
    assert [point.t for point in points] == [0.0, 3.0]
    assert middles(points) == pytest.approx([0.3, 0.7], abs=0.08)


def test_a_dissolve_is_left_to_the_shots_on_either_side() -> None:
    rows = [bump(0.3)] * 5 + [bump(0.9)] * 2 + [bump(0.5)] * 5
    mixed = (Transition(24, 36, "dissolve"),)
    points = path(attention(rows, shots(0, 3, 6, transitions=mixed)), WIDE, 1.0)
    assert middles(points) == pytest.approx([0.3, 0.5], abs=0.1)


def test_a_shot_that_was_not_looked_at_shows_the_middle() -> None:
    found = attention([bump(0.3)] * 4, shots(0, 2.0, 2.1, 2.2))
    points = path(found, WIDE, 0.6)
    assert [point.t for point in points] == [0.0, 2.0, 2.1]
    assert middles(points)[1:] == pytest.approx([0.5, 0.5], abs=1e-4)


def test_high_pictures_are_cropped_above_and_below() -> None:
    fit = Fit.of(9 / 16, 16 / 9)
    (point,) = path(attention([bump(0.3)] * 4, shots(0, 2)), fit, 1.0)
    assert (point.x, point.w) == (0, 1)
    assert point.h == pytest.approx(fit.least, abs=1e-4)
    assert point.y + point.h / 2 == pytest.approx(0.3, abs=0.08)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1), st.floats(0.3, 3), st.floats(0.3, 3))
def test_windows_lie_within_the_picture(seed: int, count: int, tightness: float, source: float, target: float) -> None:
    rng = np.random.default_rng(seed)
    rows = [bump(float(rng.random()), 0.02 + 0.2 * float(rng.random())) for _ in range(count)]
    finds = [tuple(subject(0.8 * float(rng.random()), 0.3, kind=kind) for kind in ("face", "car")) for _ in rows]
    found = attention(rows, shots(0, count / 2), subjects=finds)
    for point in path(found, Fit.of(source, target), tightness):
        assert point.x >= 0
        assert point.y >= 0
        assert point.x + point.w <= 1 + 1e-9
        assert point.y + point.h <= 1 + 1e-9
        assert point.w == 1 or point.h == 1


def test_two_who_are_far_apart_widen_the_window_and_a_large_vehicle_does_not() -> None:
    both = [subject(0.1, 0.3, 0.1, kind="face"), subject(0.8, 0.3, 0.1, kind="face")]
    rows = [bump(0.15) / 2 + bump(0.85) / 2] * 4
    (two,) = path(attention(rows, shots(0, 2), subjects=[tuple(both)] * 4), WIDE, 0.6)
    assert two.w > 0.7
    assert two.x < 0.13
    assert two.x + two.w > 0.87
    rows = [bump(0.5, 0.1)] * 4
    for kind, wide in (("bus", False), ("face", True)):
        finds: list[tuple[Subject, ...]] = [(subject(0.2, 0.2, 0.6, kind=kind),)] * 4
        (one,) = path(attention(rows, shots(0, 2), subjects=finds), WIDE, 0.6)
        assert (one.w >= 0.6) == wide, kind


def test_heads_are_not_cut_off() -> None:
    """What draws looks is the chest; the window shows the head as well, where it would cut it otherwise."""
    fit = Fit.of(9 / 16, 16 / 9)
    rows = [bump(0.33, 0.1)] * 4
    (free,) = path(attention(rows, shots(0, 2)), fit, 1.0)
    assert free.y > 0.15
    (person,) = path(attention(rows, shots(0, 2), subjects=[(subject(0.1, 0.1, 0.85),)] * 4), fit, 1.0)
    assert person.y < 0.13
    rows = [bump(0.4, 0.1)] * 4
    (free,) = path(attention(rows, shots(0, 2)), fit, 1.0)
    (hair,) = path(attention(rows, shots(0, 2), subjects=[(subject(0.4, 0.22, 0.2, kind="face"),)] * 4), fit, 1.0)
    assert hair.y < 0.22 < free.y


def test_the_cover_shows_somebody_in_the_longest_shot() -> None:
    plan = shots(0, 2, 6, 7)
    finds: list[tuple[Subject, ...]] = [()] * 14
    finds[7] = (subject(0.3, 0.3, 0.4, kind="face"),)
    finds[12] = (subject(0.1, 0.1, 0.8, kind="face"),)
    assert cover_time(attention([bump(0.5)] * 14, plan, subjects=finds)) == 3.5
    assert cover_time(attention([bump(0.5)] * 14, shots())) == 0


def test_the_plan_tells_the_times_of_shots() -> None:
    assert [(one.start, one.end) for one in times_of(shots(0, 1.5, 3))] == [(0, 1.5), (1.5, 3)]
