"""The pictures of each shot, where takes are too short."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.pacing import pacing
from vidprod.ops.slots import divided, hard, lengths

RATE = Fraction(30)


@given(
    style=st.sampled_from(["slow", "normal", "fast"]),
    pictures=st.integers(1, 2000),
    reach=st.lists(st.floats(0.2, 9), min_size=1, max_size=30),
    beats=st.lists(st.floats(0, 60), max_size=50),
)
def test_parts_fill_the_video(style: str, pictures: int, reach: list[float], beats: list[float]) -> None:
    plan = divided(pacing(style, pictures, RATE), RATE, reach, beats)
    shots = plan.shots()
    assert shots[0][0] == 0
    assert shots[-1][1] == pictures
    assert all(a < b for a, b in shots)
    for cut, (_, end), (begin, _) in zip(plan.cuts, shots, shots[1:], strict=False):
        assert begin == cut.at - cut.before <= cut.at + cut.after == end
    assert all(early[1] <= late[0] for early, late in zip(shots, shots[2:], strict=False))


def test_long_takes_leave_shots_whole() -> None:
    plan = pacing("normal", 600, RATE)
    assert divided(plan, RATE, [9.0] * len(plan.shots()), []) == plan
    # one long take is enough for one shot, and repeated for all
    assert divided(plan, RATE, [9.0], []) == plan


def test_shots_are_parted_as_often_as_it_takes_on_beats() -> None:
    plan = pacing("slow", 600, RATE)
    beats = [0.333 * at for at in range(61)]
    parted = divided(plan, RATE, [1.5], beats)
    assert max(lengths(parted, RATE)) < 1.5 * 1.35
    new = {cut.at for cut in parted.cuts} - {cut.at for cut in plan.cuts}
    assert new
    on = [at for at in new if min(abs(at / 30 - beat) for beat in beats) < 0.02]
    assert len(on) > len(new) / 2


def test_some_stay_whole() -> None:
    plan = pacing("slow", 600, RATE)
    parted = divided(plan, RATE, [1.5], [], whole=[1])
    assert plan.shots()[1] in parted.shots()
    assert plan.shots()[2] not in parted.shots()


def test_hard_cuts() -> None:
    plan = pacing("normal", 600, RATE)
    styles = ["basic", *["ink"] * (len(plan.cuts) - 1)]
    first, second = hard(plan, styles).cuts[:2]
    assert (first.at, first.before, first.after) == (plan.cuts[0].at, 0, 0)
    assert second == plan.cuts[1]
