from __future__ import annotations

import numpy as np
import pytest

from vidprod.ops.text_boxes import Box
from vidprod.ops.text_tracks import Template, boundary, switched

from .text import Pictures, scenery, subtitle

TEXT = "Don't worry, it'll be all right"
BOX = Box(14, 146, 306, 178)


def burned(opacities: list[float], *, speed: float = 3.0, text: str = TEXT) -> Pictures:
    pictures = scenery(len(opacities), speed=speed)
    for i, opacity in enumerate(opacities):
        subtitle(pictures[i : i + 1], text, x=20, opacity=opacity)
    return pictures


@pytest.mark.parametrize("speed", [0.0, 0.3, 3.0, 20.0])
def test_presence_is_one_with_the_text_and_nothing_without(speed: float) -> None:
    pictures = burned([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], speed=speed)
    template = Template.of([pictures[i] for i in (4, 7, 10)], BOX)
    levels = np.array([template.presence(picture) for picture in pictures])
    assert levels[3:12] == pytest.approx(1, abs=0.08)
    assert levels[[0, 1, 2, 12, 13]] == pytest.approx(0, abs=0.12)


def test_presence_tells_how_far_a_fade_has_come() -> None:
    opacities = [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]
    pictures = burned(opacities)
    template = Template.of([pictures[i] for i in (5, 7, 9)], BOX)
    assert [template.presence(p) for p in pictures] == pytest.approx(opacities, abs=0.1)


def test_another_sentence_at_the_same_place_is_absent() -> None:
    pictures = burned([1] * 6)
    other = burned([1], text="Hurry, they'll be here any time")
    assert Template.of(list(pictures[::2]), BOX).presence(other[0]) < 0.3


@pytest.mark.parametrize("fade", [0, 1, 4, 8])
def test_boundaries_are_exact(fade: int) -> None:
    ramp = [(i + 1) / (fade + 1) for i in range(fade)]
    opacities = [0.0] * 5 + ramp + [1.0] * 12 + ramp[::-1] + [0.0] * 5
    pictures = burned(opacities)
    middle = 5 + fade + 6
    template = Template.of([pictures[i] for i in (middle - 4, middle, middle + 4)], BOX)

    def presence(number: int) -> float:
        return template.presence(pictures[number])

    first, last = boundary(presence, middle, 0), boundary(presence, middle, len(opacities) - 1)
    assert (first, last) == (5, len(opacities) - 6)
    assert switched(presence, first, first - 1)
    assert switched(presence, last, last + 1)


def test_what_wanes_unevenly_has_not_been_switched() -> None:
    levels = [0.0, 0.25, 0.3, 0.32, 0.7, 0.75, 1.0, 1.0]
    assert not switched(lambda n: levels[n], 1, 0)
    assert not switched(lambda n: 1.0, 3, 2)  # it is there outside, too
    assert switched(lambda n: [0.0, 1.0, 1.0][n], 1, 0)


def test_a_boundary_is_not_sought_beyond_what_is_known() -> None:
    assert boundary(lambda n: 1.0, 7, 3) == 3
    assert boundary(lambda n: 1.0, 7, 7) == 7


def test_a_flat_box_has_no_presence() -> None:
    flat = np.full((40, 80, 3), 90, np.uint8)
    assert Template.of([flat], Box(0, 0, 80, 40)).presence(flat) == 0
