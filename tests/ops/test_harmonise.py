from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.harmonise import LEAST, MOST, TINT, harmonise
from vidprod.ops.takes import NOTHING, Take


def take(source: int, *light: float) -> Take:
    """With mean red, green and blue, and, if told, the spread of luma and the part of a studio background."""
    full = (*light, *(0.12, 0.0)[max(len(light) - 3, 0) :], 1.0) if light else NOTHING
    return Take(source, 0, 0.0, 5.0, 0.5, np.full(256, 1 / 16), "none", False, 1.5, 0.0, "", light=full)


GREY = [take(number, 0.45, 0.45, 0.45) for number in range(4)]
means = st.floats(0.0, 1.0)


def test_what_is_too_dark_gets_lighter_and_what_is_too_bright_darker() -> None:
    found = harmonise([*GREY, take(7, 0.2, 0.2, 0.2), take(8, 0.75, 0.75, 0.75)])
    assert max(found[7, 0]) < 0.97
    assert min(found[8, 0]) > 1.03
    assert found[0, 0] == pytest.approx((1, 1, 1), abs=0.01)


def test_small_differences_are_left() -> None:
    found = harmonise([*GREY, take(7, 0.4, 0.4, 0.4)])
    assert found[7, 0] == pytest.approx((1, 1, 1), abs=0.01)


def test_a_sunset_stays_warm() -> None:
    found = harmonise([*GREY, take(7, 0.62, 0.45, 0.3)])
    red, green, blue = (mean**gamma for mean, gamma in zip((0.62, 0.45, 0.3), found[7, 0], strict=True))
    assert red > green > blue
    assert (red - blue) / (0.62 - 0.3) > 0.8


def test_a_picture_with_shadows_and_lights_is_exposed_right() -> None:
    found = harmonise([*GREY, take(7, 0.75, 0.75, 0.75, 0.3)])
    assert found[7, 0] == (1, 1, 1)


def test_a_night_stays_one() -> None:
    assert harmonise([*GREY, take(7, 0.05, 0.05, 0.05)])[7, 0] == (1, 1, 1)


def test_studio_backgrounds_and_unknown_light_are_left_alone_and_do_not_count() -> None:
    studio = [take(number, 0.9, 0.9, 0.9, 0.1, 0.95) for number in range(10, 20)]
    found = harmonise([*GREY, *studio, take(30)])
    assert {found[one.source, 0] for one in (*studio, take(30))} == {(1.0, 1.0, 1.0)}
    assert found[0, 0] == (1, 1, 1)


def test_no_strength_and_a_single_take_change_nothing() -> None:
    dark = take(7, 0.2, 0.2, 0.2)
    assert set(harmonise([*GREY, dark], strength=0).values()) == {(1.0, 1.0, 1.0)}
    assert harmonise([dark]) == {(7, 0): (1.0, 1.0, 1.0)}
    assert harmonise([]) == {}
    with pytest.raises(ValueError, match=r"0\.\.1, got 2"):
        harmonise(GREY, strength=2)


@given(st.lists(st.tuples(means, means, means, st.floats(0, 0.5)), min_size=1, max_size=8), st.floats(0, 1))
def test_exponents_are_gentle(lights: list[tuple[float, float, float, float]], strength: float) -> None:
    takes = [take(number, *light) for number, light in enumerate(lights)]
    found = harmonise(takes, strength=strength)
    assert len(found) == len(takes)
    for exponents in found.values():
        assert min(exponents) >= LEAST - 1e-3
        assert max(exponents) <= MOST + 1e-3
        assert max(exponents) - min(exponents) <= 2 * TINT * MOST + 1e-3
