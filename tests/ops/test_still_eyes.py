"""What is seen in photographs: made ones, and real ones where they are at hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from vidprod.ops.harmonise import STUDIO
from vidprod.ops.shot_size import shot_size
from vidprod.ops.still_eyes import Background, Sight, StillEyes, presence
from vidprod.ops.still_framing import framing
from vidprod.ops.still_view import view_of
from vidprod.ops.subjects import Subject
from vidprod.ops.takes import takes_of_still


@pytest.fixture(scope="module")
def eyes() -> StillEyes:
    return StillEyes("cpu")


def product(height: int = 300, width: int = 400, level: int = 245) -> Tensor:
    """A red box on a studio background: the middle third of the width, the middle half of the height."""
    picture = torch.full((3, height, width), level, dtype=torch.uint8)
    picture[:, height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = torch.tensor([200, 30, 40])[:, None, None]
    return picture


def photograph(media: Path, name: str) -> Tensor:
    image = ImageOps.exif_transpose(Image.open(media / "photos" / name))
    if "A" in image.getbands():
        image = Image.alpha_composite(Image.new("RGBA", image.size, (230, 230, 228, 255)), image.convert("RGBA"))
    image.thumbnail((1024, 1024))
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def test_a_product_on_a_studio_background_is_the_subject(eyes: StillEyes) -> None:
    (take,) = takes_of_still(4, product(), eyes)
    assert (take.source, take.number, take.start, take.end) == (4, 0, 0.0, math.inf)
    assert take.still
    assert take.aspect == 400 / 300
    assert take.size == "none"
    assert (take.talk, take.calm) == (0, 1)
    assert 0 <= take.score <= 1
    assert np.linalg.norm(take.embedding) == pytest.approx(1)
    assert take.light[4] > STUDIO
    seen = eyes(product())
    assert seen.view.plain
    assert seen.view.subject == pytest.approx((1 / 3, 1 / 4, 2 / 3, 3 / 4), abs=0.02)
    # it is seen whole in frames in which it has no room, with bars that nobody sees
    for aspect in (1 / 3, 3.0):
        (point,) = take.path(0.0, 2.0, aspect, motion=-1)
        assert point.x <= 1 / 3
        assert point.x + point.w >= 2 / 3
        assert point.y <= 1 / 4
        assert point.y + point.h >= 3 / 4


def test_a_studio_background_may_have_any_colour_but_something_stands_before_it() -> None:
    assert Background.of(product(level=120).permute(1, 2, 0).numpy()).plain
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    assert not Background.of(noise).plain
    assert not Background.of(np.full((60, 80, 3), 255, np.uint8)).plain  # with nothing before it


def test_a_shadow_by_itself_is_no_part_of_a_product() -> None:
    picture = product(level=200).permute(1, 2, 0).numpy().copy()
    height, width = picture.shape[:2]
    alone = Background.of(picture).box()
    shadow = np.linspace(0.6, 0.9, height // 12)[:, None, None]
    place = slice(height * 10 // 12, height * 10 // 12 + len(shadow)), slice(width // 3, width * 2 // 3)
    picture[place] = (picture[place] * shadow).astype(np.uint8)
    assert Background.of(picture).box() == alone
    picture[place] = (40, 160, 60)  # another product
    assert Background.of(picture).box() != alone


@pytest.mark.parametrize("size", [(1, 1), (2, 3000), (700, 3)])
def test_any_picture_can_be_looked_at(eyes: StillEyes, size: tuple[int, int]) -> None:
    (take,) = takes_of_still(0, torch.full((3, *size), 255, dtype=torch.uint8), eyes)
    assert 0 <= take.score <= 1
    for aspect in (0.3, 1.0, 3.0):
        for point in take.path(0.0, 2.0, aspect, motion=3):
            assert 0 <= point.x <= point.x + point.w <= 1 + 1e-9
            assert 0 <= point.y <= point.y + point.h <= 1 + 1e-9


def test_eyes_work_on_any_device(device: torch.device) -> None:
    seen = StillEyes(device)(product().to(device))
    assert isinstance(seen, Sight)
    assert seen.view.plain


def test_nobody_there_counts_nothing() -> None:
    assert presence(()) == 0


@pytest.mark.needs_media
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("astronaut_512.png", "half"),
        ("tshirt_man_1200x1600.jpg", "half"),
        ("jeans_man_1200x1600.jpg", "half"),
        ("dress_1200x1600.jpg", "half"),
        ("cap_1200x1600.jpg", "detail"),
        ("lake_crater_4000x3000.jpg", "none"),
        ("islands_4000x3000.jpg", "none"),  # a sheep is seen in it, but not in its mirror image
    ],
)
def test_persons_in_real_photographs(media: Path, eyes: StillEyes, name: str, size: str) -> None:
    seen = eyes(photograph(media, name))
    assert shot_size(seen.subjects, seen.view.aspect) == size
    assert any(one.kind == "person" for one in seen.subjects) == (size != "none")
    if size == "none":
        assert not seen.subjects


@pytest.mark.needs_media
def test_a_row_of_bottles_on_a_banner_is_one_product(media: Path, eyes: StillEyes) -> None:
    (take,) = takes_of_still(0, photograph(media, "groceries_banner_1950x550.jpg"), eyes)
    for aspect in (9 / 16, 1.0, 16 / 9):
        for motion in range(4):
            for point in take.path(0.0, 3.0, aspect, motion=motion):
                assert point.x < 0.325
                assert point.x + point.w > 0.685


def person(left: float, top: float, right: float, bottom: float) -> Subject:
    return Subject(left, top, right, bottom, 0.9, "person", 0.8, 0)


def test_between_shoulders_a_head_from_behind_is_narrower_than_the_person() -> None:
    mass = np.ones((28, 48))
    bust, whole = (
        view_of(1200, 1600, mass, (one,), None, ()) for one in (person(0, 0.06, 0.95, 1), person(0.4, 0.1, 0.6, 0.9))
    )
    assert bust.subject == pytest.approx((0.1425, 0.06, 0.8075, 0.342))
    assert whole.subject == pytest.approx((0.4, 0.1, 0.6, 0.34))
    window, _ = framing(bust, 9 / 16)
    assert window.w == pytest.approx(0.75)  # no bars
    assert window.h == 1


@pytest.mark.needs_media
def test_a_face_is_whole_in_every_movement(media: Path, eyes: StillEyes) -> None:
    (take,) = takes_of_still(0, photograph(media, "astronaut_512.png"), eyes)
    for aspect in (1 / 3, 9 / 16, 1.0, 16 / 9, 3.0):
        for motion in range(4):
            for point in take.path(0.0, 3.0, aspect, motion=motion):
                assert point.x < 0.36
                assert point.x + point.w > 0.53
                assert point.y < 0.06
                assert point.y + point.h > 0.34


@pytest.mark.needs_media
@pytest.mark.parametrize("name", ["drink_alpha_2160.png", "sneaker_alpha_2160.png", "tote_1360x1190.png"])
def test_products_cut_out_stand_on_a_studio_background(media: Path, eyes: StillEyes, name: str) -> None:
    (take,) = takes_of_still(0, photograph(media, name), eyes)
    assert take.light[4] > STUDIO
    assert take.score > 0.6
