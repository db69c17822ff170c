from __future__ import annotations

import numpy as np
import pytest

from vidprod.ops.scopes import HEIGHT, strip, vectorscope, waveform


def flat(*colour: int) -> np.ndarray:
    return np.full((40, 60, 3), colour, np.uint8)


@pytest.mark.parametrize("level", [0, 64, 200, 255])
def test_a_flat_grey_is_a_white_line_at_its_level(level: int) -> None:
    scope = waveform(flat(level, level, level), width=64, height=256)
    brightest = scope.astype(int).sum(2).mean(1).argmax()
    assert abs(int(brightest) - (255 - level)) <= 1
    assert len(set(scope[brightest, 30])) == 1


def test_channels_have_their_colours() -> None:
    scope = waveform(flat(200, 120, 40), width=64, height=256)
    for channel, level in enumerate((200, 120, 40)):
        assert scope[255 - level, 30].argmax() == channel


def test_grey_is_the_middle_and_red_is_up() -> None:
    size = 180
    ink = vectorscope(flat(128, 128, 128), size=size).astype(int).sum(2)
    assert ink[size // 2 - 2 : size // 2 + 2, size // 2 - 2 : size // 2 + 2].max() > 300
    red = vectorscope(flat(150, 60, 60), size=size).astype(int)
    grey = vectorscope(flat(128, 128, 128), size=size).astype(int)
    y, x = np.unravel_index(np.abs(red - grey).sum(2)[: size // 2 - 8].argmax(), (size // 2 - 8, size))
    assert x < size // 2
    assert y < size // 2


def test_strip_has_a_row_for_each_shot() -> None:
    one = strip([(flat(10, 20, 30), flat(30, 20, 10), "first")])
    two = strip([(flat(10, 20, 30), flat(30, 20, 10), "first"), (flat(1, 2, 3), flat(3, 2, 1), "second")])
    assert one.dtype == np.uint8
    assert two.shape == (2 * one.shape[0], *one.shape[1:])
    assert one.shape[0] > HEIGHT


def test_an_empty_strip_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        strip([])
