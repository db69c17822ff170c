from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.pulse import SWELL, swelling, tightened


def test_a_pulse_rises_at_once_and_falls_back() -> None:
    seconds = (np.arange(60) + 0.5) / 30
    swell = swelling(seconds, np.array([1.0]))
    assert (swell[seconds < 1] == 1).all()
    assert SWELL * 0.8 < swell.max() - 1 <= SWELL
    assert int(swell.argmax()) in (30, 31)
    assert (np.diff(swell[31:]) <= 0).all()
    assert (swell[seconds > 1.2] - 1 < SWELL / 10).all()
    assert (swell[seconds > 1.45] == 1).all()


@given(st.lists(st.floats(0, 5), max_size=8), st.lists(st.floats(0, 5), min_size=1, max_size=8))
def test_pulses_do_not_add_up(pulses: list[float], seconds: list[float]) -> None:
    swell = swelling(np.array(seconds), np.array(pulses))
    assert swell.shape == (len(seconds),)
    assert ((swell >= 1) & (swell <= 1 + SWELL)).all()
    if not pulses:
        assert (swell == 1).all()


@given(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 0.5), st.floats(0.1, 0.5), st.floats(1, 1 + SWELL))
def test_a_tightened_window_stays_within_and_about_its_middle(
    x: float, y: float, w: float, h: float, swell: float
) -> None:
    window = np.array([[x, y, w, h]])
    ((left, top, wide, high),) = tightened(window, np.array([swell]))
    assert left >= x
    assert top >= y
    assert left + wide <= x + w + 1e-12
    assert top + high <= y + h + 1e-12
    np.testing.assert_allclose([wide * swell, high * swell], [w, h])
    np.testing.assert_allclose([left + wide / 2, top + high / 2], [x + w / 2, y + h / 2])
