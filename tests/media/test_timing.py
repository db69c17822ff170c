"""Time bases without drift, and the repair of times."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from vidprod.media.timing import PtsRepair, rescale

BASES = st.builds(Fraction, st.integers(1, 1001), st.integers(1, 90000))
MS = Fraction(1, 1000)


@given(st.integers(-(10**12), 10**12), BASES, BASES)
def test_rescale_rounds_to_nearest(ticks: int, source: Fraction, target: Fraction) -> None:
    exact = ticks * source / target
    assert abs(rescale(ticks, source, target) - exact) <= Fraction(1, 2)
    assert rescale(-ticks, source, target) == -rescale(ticks, source, target)


@given(st.integers(-(10**9), 10**9), BASES, st.integers(1, 1000))
def test_rescale_to_a_finer_clock_and_back(ticks: int, source: Fraction, finer: int) -> None:
    assert rescale(rescale(ticks, source, source / finer), source / finer, source) == ticks


def _repair(
    times: list[int | None], *, step: int = 40, origin: int = 0, container: str = ""
) -> tuple[list[int], PtsRepair]:
    repair = PtsRepair(origin=origin, step=step, time_base=MS, container=container)
    return [repair(t) for t in times], repair


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=100))
def test_any_times_come_out_increasing(times: list[int | None]) -> None:
    for container in ("", "mpegts"):
        found, _ = _repair(times, container=container)
        assert all(a < b for a, b in itertools.pairwise(found))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=100), st.integers(-(2**31), 2**31))
def test_sound_times_pass_unchanged(gaps: list[int], origin: int) -> None:
    times = [origin + t for t in itertools.accumulate(gaps, initial=0)]
    found, repair = _repair([*times], origin=origin)
    assert found == [t - origin for t in times]
    assert (repair.repaired, repair.splices) == (0, 0)


def test_absent_times_continue_at_the_rate() -> None:
    assert _repair([None, None, 100, None, 200])[0] == [0, 40, 100, 140, 200]


def test_a_clock_that_stands_still_is_replaced_by_the_rate() -> None:
    assert _repair([0] * 5)[0] == [0, 40, 80, 120, 160]


def test_a_splice_keeps_the_length_of_both_parts() -> None:
    part = [*range(1000, 2000, 40)]
    found, repair = _repair([*part, *part, *part], origin=1000)
    assert found == [*range(0, 3000, 40)]
    assert (repair.repaired, repair.splices) == (0, 2)


def test_a_small_step_back_does_not_move_what_follows() -> None:
    assert _repair([0, 40, 30, 120, 160])[0] == [0, 40, 41, 120, 160]


def test_a_wrong_leap_does_not_move_what_follows() -> None:
    assert _repair([0, 40, 5000, 120, 160, 6000])[0] == [0, 40, 5000, 5001, 5002, 6000]


def test_a_long_still_is_kept() -> None:
    assert _repair([0, 40, 60_000, 60_040])[0] == [0, 40, 60_000, 60_040]


def test_a_leap_of_a_broadcast_clock_is_closed() -> None:
    assert _repair([0, 40, 90_000, 90_040, 160, 200], container="mpegts")[0] == [0, 40, 80, 120, 160, 200]
