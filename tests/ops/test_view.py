"""Windows on pictures: in the right place to fractions of a pixel, the same in any batch, and as sharp when they move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import noise, psnr
from vidprod.ops.view import View, backdrop, continued, largest, plain_sides

Windows = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def windows(*rows: tuple[float, float, float, float], count: int = 1) -> Windows:
    """Evenly from row to row."""
    steps = np.linspace(0, len(rows) - 1, count if len(rows) > 1 else 1)
    table = np.array(rows)
    found = np.stack([np.interp(steps, np.arange(len(rows)), table[:, i]) for i in range(4)], 1)
    return found if len(rows) > 1 else np.tile(found, (count, 1))


def shown(picture: torch.Tensor, view: View, count: int) -> torch.Tensor:
    """(count, 3, H, W) of a still."""
    from vidprod.ops.reframe import scaled

    left, top, right, bottom = view.box
    part = picture[None, :, top:bottom, left:right].contiguous(memory_format=torch.channels_last)
    return view.frames([scaled(part, view.size)[0]], [0] * count, 0)


def ramp(height: int = 180, width: int = 320) -> torch.Tensor:
    """(3, H, W): red rises to the right, green downwards."""
    x = torch.linspace(0, 255, width).expand(height, width)
    y = torch.linspace(0, 255, height)[:, None].expand(height, width)
    return torch.stack([x, y, torch.full_like(x, 40)]).round().to(torch.uint8)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(32, 300), st.integers(32, 300), st.floats(0.4, 2.5))
def test_the_largest_part_has_the_frames_shape(height: int, width: int, high: int, wide: int, pixel: float) -> None:
    x, y, w, h = largest((height, width), (high, wide), pixel)
    assert max(w, h) == 1
    assert x == (1 - w) / 2
    assert y == (1 - h) / 2
    assert w * width * pixel / (h * height) == pytest.approx(wide / high)


def test_the_whole_picture_at_its_own_size_is_untouched() -> None:
    picture = noise(1, 48, 64)[0]
    view = View.of(windows((0, 0, 1, 1), count=3), (48, 64), (48, 64))
    assert view.still
    made = shown(picture, view, 3)
    assert torch.equal(made, picture.expand(3, -1, -1, -1))


@settings(max_examples=60)
@given(st.data())
def test_what_is_seen_lies_where_it_should(data: st.DataObject) -> None:
    """Any window, standing or moving, filling the frame or not: the colours in its middle are those of the picture's place."""
    size = data.draw(st.tuples(st.integers(33, 120), st.integers(33, 160)))
    rows = []
    for _ in range(data.draw(st.integers(1, 2))):
        w, h = data.draw(st.floats(0.2, 1)), data.draw(st.floats(0.2, 1))
        rows.append((data.draw(st.floats(0, 1)) * (1 - w), data.draw(st.floats(0, 1)) * (1 - h), w, h))
    path = windows(*rows, count=3)
    view = View.of(path, (180, 320), size)
    made = shown(ramp(), view, 3)
    assert made.shape == (3, 3, *size)
    for number, (x, y, w, h) in enumerate(path):
        left, top, width, height = view.places[number]
        row, column = int(top + height / 2), int(left + width / 2)
        across, down = (column + 0.5 - left) / width, (row + 0.5 - top) / height
        red, green = ((x + across * w) * 320 - 0.5) / 319 * 255, ((y + down * h) * 180 - 0.5) / 179 * 255
        # a level is 1.25 pixels across and 0.7 down; windows that stand still lie on whole ones
        assert abs(float(made[number, 0, row, column]) - red) < 2.5
        assert abs(float(made[number, 1, row, column]) - green) < 3.5


@pytest.mark.parametrize("zoomed", [False, True])
def test_slow_movements_go_by_fractions_of_a_pixel(zoomed: bool) -> None:
    """Where an edge lies in consecutive pictures is within a tenth of a pixel of where it should be."""
    x = torch.arange(640).expand(360, 640).float()
    picture = (((x - 300) / 16).clamp(0, 1) * 200 + 20).round().to(torch.uint8).expand(3, 360, 640)
    end = (0.31, 0.02, 0.36, 0.64) if zoomed else (0.305, 0, 0.4, 0.7111)
    path = windows((0.3, 0, 0.4, 0.7111), end, count=40)
    view = View.of(path, (360, 640), (128, 128))
    made = shown(picture, view, 40)[:, 0, 64].float()
    places = [float(np.interp(120, row.numpy(), np.arange(128))) for row in made]
    edge = 300 + 16 * 100 / 200 + 0.5
    wanted = [(edge - x0 * 640) / (w * 640) * 128 - 0.5 for x0, _, w, _ in path]
    np.testing.assert_allclose(places, wanted, atol=0.09)


def test_moving_pictures_are_equally_sharp_wherever_they_lie() -> None:
    """Detail as fine as the frame can show, moved by an eighth of a pixel at a time."""
    detail = noise(1, 600, 600)[0]
    path = windows((0.1, 0.1, 0.5, 0.5), (0.1 + 16 * 0.125 / 128 * 0.5, 0.1, 0.5, 0.5), count=17)
    made = shown(detail, View.of(path, (600, 600), (128, 128)), 17).float()
    spread = made.flatten(1).std(1)
    assert float(spread.max() / spread.min()) < 1.01


def test_windows_of_very_different_sizes_do_not_alias() -> None:
    """Seen from afar, black and white stripes are grey."""
    stripes = torch.zeros(3, 600, 600, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    view = View.of(windows((0, 0, 1, 1), (0.4, 0.4, 0.1, 0.1), count=5), (600, 600), (60, 60))
    assert view.samples > 1
    first = shown(stripes, view, 1)[0].float()
    assert float(first.std()) < 6


def test_a_place_that_moves_has_soft_edges() -> None:
    """From bars to a filled frame: the bars become narrower a little at a time, not by whole pixels."""
    white = torch.full((3, 90, 160), 255, dtype=torch.uint8)
    view = View.of(windows((0, 0, 1, 1), (0.05, 0, 0.9, 1), count=30), (90, 160), (160, 160))
    made = shown(white, view, 30).float()
    covered = made[:, 0, :, 80].sum(1) / 255
    backs = made[:, 0, 0, 80] / 255
    heights = (covered - 160 * backs) / (1 - backs)
    np.testing.assert_allclose(heights, view.places[:, 3], atol=0.1)
    assert len({round(float(height), 2) for height in heights}) > 20


@settings(max_examples=15)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.booleans())
def test_batches_do_not_show(lengths: list[int], bars: bool) -> None:
    count = sum(lengths)
    path = windows((0, 0, 1, 1) if bars else (0, 0, 0.5, 1), (0.2, 0.1, 0.4, 0.8), count=count + 1)
    view = View.of(path, (40, 72), (36, 33))
    plates = list(noise(3, *view.size))
    which = [number % 3 for number in range(count)]
    whole = view.frames(plates, which, 0)
    parts, at = [], 0
    for length in lengths:
        parts.append(view.frames(plates, which[at : at + length], at))
        at += length
    assert torch.equal(torch.cat(parts), whole)


def test_a_backdrop_is_the_picture_blurred_and_darker() -> None:
    made = backdrop(ramp()[None], 200, 200)[0].float()
    assert made.shape == (3, 200, 200)
    assert (made[0].diff(dim=1).abs() < 4).all()
    assert float(made[0].mean()) == pytest.approx(0.84 * 127.5, abs=2)
    assert float(made[0, 100, 10]) < float(made[0, 100, 190])


@pytest.mark.parametrize("upright", [True, False])
def test_a_plain_background_goes_on_in_the_bars(upright: bool) -> None:
    picture = torch.full((3, 90, 60), 220, dtype=torch.uint8)
    picture[:, :, 30:] = 214
    picture[:, 30:60, 20:40] = 20  # the product
    assert plain_sides(picture) == (True,) * 4
    assert plain_sides(ramp()) is None
    cut = picture.clone()
    cut[:, :20, 20:30] = 20
    assert plain_sides(cut) == (False, True, True, True)
    given = picture if upright else picture.transpose(1, 2)
    frame = (160, 60) if upright else (60, 160)
    made = continued(given[None], 40 if upright else 0, 0 if upright else 40, frame)[0]
    made = made if upright else made.transpose(1, 2)
    assert (made[:, 40:130] == picture).all()
    assert (made[:, :40, :28] == 220).all()
    assert (made[:, 130:, 32:] == 214).all()


def test_on_a_gpu_without_one(fake_cuda: torch.device) -> None:
    for path in (
        windows((0, 0, 1, 1), count=4),
        windows((0, 0, 0.5, 0.9), (0.3, 0, 0.5, 0.9), count=4),
        windows((0, 0, 1, 1), (0.1, 0, 0.8, 1), count=4),
    ):
        view = View.of(path, (90, 160), (120, 100))
        plates = [torch.zeros(3, *view.size, dtype=torch.uint8, device=fake_cuda) for _ in range(2)]
        made = view.frames(plates, [0, 0, 1, 1], 0)
        assert made.shape == (4, 3, 120, 100)
        assert made.dtype == torch.uint8
        assert made.device == plates[0].device


@pytest.mark.needs_cuda
def test_a_gpu_gives_the_same_pictures() -> None:
    picture = ramp()
    for path in (
        windows((0, 0, 1, 1), (0.1, 0, 0.8, 1), count=6),
        windows((0, 0, 0.5, 0.9), (0.3, 0, 0.5, 0.9), count=6),
    ):
        view = View.of(path, (180, 320), (120, 100))
        assert psnr(shown(picture, view, 6), shown(picture.cuda(), view, 6).cpu()) > 45
