from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidprod.ops.strokes import Strokes, Switch, stroke_mask
from vidprod.ops.text_boxes import Box

from .text import Pictures, Plane, letters, over, scenery, subtitle

TEXT = "Have you seen my keys?"
BOX = Box(52, 146, 318, 178)


def judge(found: Strokes, alpha: Plane) -> tuple[float, float]:
    """Part of the text that was missed, and part of the mask that lies more than two pixels from it."""
    mask = np.zeros(alpha.shape, bool)
    mask[found.area.slices] = found.mask
    near = cv2.dilate(alpha, np.ones((5, 5), np.uint8)) > 0.02
    text = alpha > 0.1
    return float((text & ~mask).sum() / text.sum()), float((mask & ~near).sum() / max(mask.sum(), 1))


def burned(style: str, *, speed: float) -> tuple[Pictures, Pictures, Plane]:
    """Pictures with text on the middle ones, the same without, and its alpha."""
    clean = scenery(26, speed=speed)
    pictures = clean.copy()
    inside = pictures[3:23]
    alpha = letters(TEXT, 180, 320, x=60, baseline=168)
    if style == "outline":
        alpha = subtitle(inside, TEXT)
    elif style == "yellow":
        over(inside, alpha, (255, 225, 0))
    elif style == "dark":
        over(inside, alpha, (10, 10, 20))
    elif style == "shadow":
        shadow = 0.6 * cv2.GaussianBlur(np.roll(alpha, (2, 2), (0, 1)), (0, 0), 1.0)
        over(inside, shadow, (0, 0, 0))
        over(inside, alpha, (255, 255, 255))
        alpha = np.maximum(alpha, shadow)
    else:
        rectangle = np.zeros_like(alpha)
        rectangle[146:178, 46:319] = 0.6
        over(inside, rectangle, (0, 0, 0))
        over(inside, alpha, (255, 255, 255))
        alpha = np.maximum(alpha, rectangle)
    return pictures, clean, alpha


@pytest.mark.parametrize("speed", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("style", ["outline", "yellow", "dark", "shadow", "box"])
def test_masks_fit_the_text(style: str, speed: float) -> None:
    pictures, _, alpha = burned(style, speed=speed)
    switches = [Switch(pictures[2], pictures[3]), Switch(pictures[23], pictures[22])]
    found = stroke_mask(list(pictures[3:23:2]), BOX, switches)
    missed, excess = judge(found, alpha)
    assert missed < 0.02
    assert excess < 0.2
    assert found.boxed is (style == "box")


def test_a_mask_without_any_switch() -> None:
    """Text from the first picture to the last: only the mean tells."""
    pictures, _, alpha = burned("outline", speed=4.0)
    missed, excess = judge(stroke_mask(list(pictures[3:23:2]), BOX, []), alpha)
    assert missed < 0.02
    assert excess < 0.25


def test_the_colour_is_that_of_the_signs() -> None:
    pictures, _, _ = burned("yellow", speed=4.0)
    red, green, blue = stroke_mask(list(pictures[3:23:2]), BOX, [Switch(pictures[2], pictures[3])]).colour
    assert red > 200
    assert green > 170
    assert blue < 110


def test_a_box_without_anything_in_it_has_no_mask() -> None:
    flat = np.full((60, 200, 3), 120, np.uint8)
    found = stroke_mask([flat] * 3, Box(20, 20, 180, 44), [])
    assert not found.mask.any()
    assert found.likeness == 0


def test_what_stands_still_beside_the_text_is_left_alone() -> None:
    """A dark post within the detector's box, in a still shot."""
    pictures = np.repeat(scenery(1, seed=2), 20, 0)
    pictures[:, 140:180, 40:48] = 15
    before = pictures[:1].copy()
    alpha = subtitle(pictures, TEXT)
    found = stroke_mask(list(pictures[::3]), Box(36, 146, 318, 178), [Switch(before[0], pictures[0])])
    mask = np.zeros(alpha.shape, bool)
    mask[found.area.slices] = found.mask
    assert mask[140:180, 41:47].mean() < 0.1
    assert judge(found, alpha)[0] < 0.02


def test_texture_of_one_shot_does_not_count() -> None:
    """A line that stands over four shots, of which one is full of bright specks."""
    shots = np.concatenate([scenery(5, seed=3 + i) for i in range(4)])
    specks = np.random.default_rng(0).random((180, 320)) > 0.93
    shots[15:, specks] = 250
    alpha = subtitle(shots, TEXT)
    missed, excess = judge(stroke_mask(list(shots[::2]), BOX, []), alpha)
    assert missed < 0.02
    assert excess < 0.2


def test_a_black_shadow_is_found_though_the_text_came_on_black() -> None:
    pictures, _, alpha = burned("shadow", speed=4.0)
    black = np.zeros_like(pictures[0])
    shown = black.copy()[None]
    over(shown, letters(TEXT, 180, 320, x=60, baseline=168), (255, 255, 255))
    found = stroke_mask(list(pictures[3:23:2]), BOX, [Switch(black, shown[0])])
    assert judge(found, alpha)[0] < 0.03


def test_another_line_close_by_is_not_part_of_the_mask() -> None:
    pictures = scenery(20, speed=4.0) // 3 + np.uint8(50)
    alpha = subtitle(pictures, TEXT)
    subtitle(pictures, "Close the window", baseline=144)
    shown, box, other = list(pictures[::2]), Box(52, 132, 318, 178), Box(52, 122, 250, 150)
    far = np.zeros(alpha.shape, bool)
    far[:139] = True

    def beyond(found: Strokes) -> int:
        mask = np.zeros(alpha.shape, bool)
        mask[found.area.slices] = found.mask
        return int((mask & far).sum())

    found = stroke_mask(shown, box, [], [other])
    assert judge(found, alpha)[0] < 0.02
    assert beyond(found) < 0.3 * beyond(stroke_mask(shown, box, []))
