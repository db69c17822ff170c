from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from vidprod.errors import InvalidParameter
from vidprod.ops.logo_matte import Matte, estimate, surroundings
from vidprod.ops.text_boxes import Box

from .logo_pictures import BOTTOM, LEFT, RIGHT, TOP, burned, logo, moving, still

BOX = Box(LEFT - 3, TOP - 3, RIGHT + 3, BOTTOM + 3)


def matte_of(alpha: float, count: int = 60) -> Matte:
    cover, colour = logo()
    found = estimate(burned(moving(count), cover, colour, alpha), BOX)
    assert found is not None
    return found


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.7])
def test_alpha_and_colour_of_a_translucent_logo(alpha: float) -> None:
    cover, colour = logo()
    found = matte_of(alpha)
    assert found.kind == "unblend"
    true = (cover * alpha)[found.box.slices].numpy()
    solid = true > 0.95 * alpha
    assert np.median(np.abs(found.alpha - true)[solid]) < 0.04
    assert found.strength == pytest.approx(alpha, abs=0.05)
    light = (colour * cover * alpha)[:, *found.box.slices].numpy()
    assert np.median(np.abs(found.colour - light)[:, solid]) < 8
    # the support: all of the logo, and little else
    assert found.support[true > 0.1 * alpha].mean() > 0.97
    assert found.support[true == 0].sum() < 0.6 * (true > 0).sum()


def test_the_box_is_told_in_the_pictures_coordinates() -> None:
    cover, colour = logo()
    pictures = burned(moving(40), cover, colour, 0.6)
    here = estimate(pictures, BOX)
    there = estimate(pictures, BOX, origin=(1000, 200))
    assert here is not None
    assert there is not None
    assert there.box == here.box.moved(1000, 200)


def test_an_opaque_logo_is_not_unblended() -> None:
    found = matte_of(1.0)
    assert (found.kind, found.reason) == ("inpaint", "the logo is opaque")


def test_nothing_is_unblended_where_nothing_moves() -> None:
    cover, colour = logo()
    found = estimate(burned(still(40), cover, colour, 0.5), BOX)
    assert found is not None
    assert (found.kind, found.reason.split(",")[0]) == ("inpaint", "the background hardly changes")
    assert found.unblend_error.min() > 1000
    true = cover[found.box.slices].numpy()
    assert found.support[true > 0.5].mean() > 0.9


def test_nothing_is_unblended_in_a_slide_show() -> None:
    cover, colour = logo()
    slides = moving(4).repeat_interleave(12, dim=0)
    found = estimate(burned(slides, cover, colour, 0.5), BOX)
    assert found is not None
    assert (found.kind, found.reason.split(" to ")[0]) == ("inpaint", "there are too few different pictures")


def test_a_logo_that_changes_is_not_unblended() -> None:
    cover, colour = logo()
    pictures = moving(60)
    shown, hidden = burned(pictures, cover, colour, 0.9), pictures.round().to(torch.uint8)
    blinking = torch.where((torch.arange(60) % 2 == 0)[:, None, None, None], shown, hidden)
    found = estimate(blinking, BOX)
    assert found is not None
    assert (found.kind, found.reason) == ("inpaint", "the logo itself changes")
    assert found.support[cover[found.box.slices].numpy() > 0.5].mean() > 0.9


def test_no_more_than_the_box_is_touched() -> None:
    cover, colour = logo()
    half = Box(LEFT - 3, TOP - 3, LEFT + 30, BOTTOM + 3)
    found = estimate(burned(moving(40), cover, colour, 0.8), half)
    assert found is not None
    columns = np.flatnonzero(found.support.any(0)) + found.box.left
    assert columns.max() < half.right


def test_where_there_is_no_logo_little_or_nothing_is_found() -> None:
    found = estimate(moving(60).round().to(torch.uint8), BOX)
    assert found is None or found.support.sum() < 0.05 * BOX.area


def test_a_box_that_fills_the_picture_is_taken() -> None:
    cover, colour = logo()
    found = estimate(burned(moving(40), cover, colour, 1.0), Box(0, 0, *reversed(cover.shape)))
    assert found is not None  # nothing beside it to compare with


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="no pictures of"):
        estimate(torch.zeros(3, 3, 20, 20, dtype=torch.uint8), Box(30, 0, 40, 10))


def test_surroundings_have_room_and_end_with_the_picture() -> None:
    view = surroundings(Box(10, 10, 60, 30), Box(0, 0, 640, 360))
    assert (view.left, view.top) == (0, 0)
    assert view.right >= 60 + 50
    assert view.bottom >= 30 + 50


def test_it_survives_json() -> None:
    found = matte_of(0.5, count=30)
    back = Matte.unpacked(json.loads(json.dumps(found.packed())))
    assert (back.kind, back.reason, back.box, back.structure) == (found.kind, found.reason, found.box, found.structure)
    assert np.array_equal(back.support, found.support)
    assert np.abs(back.alpha - found.alpha).max() < 1e-3
    assert np.abs(back.colour - found.colour).max() < 0.2
    assert np.allclose(back.unblend_error, found.unblend_error, rtol=0.05)
    assert np.allclose(back.inpaint_error, found.inpaint_error, rtol=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"planes": "eJwDAAAAAAE="}, "planes of a logo must be"),
        ({"planes": "!"}, "planes of a logo cannot be read"),
        ({"errors": "eJwDAAAAAAE="}, "planes of a logo must be"),
        ({"box": [5, 5, 5, 9]}, "a logo of 0x4 pixels"),
    ],
)
def test_a_damaged_one_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Matte.unpacked(matte_of(0.5, count=20).packed() | change)
