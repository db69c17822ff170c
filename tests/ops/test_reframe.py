from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import noise, psnr
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.ops.reframe import Layout, Reframe, blurred_cover
from vidprod.ops.reframe_plan import Fill, PathPoint, ReframePlan, ShotTimes, Windows

RATE = 25
COLOUR = Fill("color")


def plan(
    width: int,
    height: int,
    *windows: tuple[float, float, float, float],
    fill: Fill = COLOUR,
    length: float = 1.0,
) -> ReframePlan:
    """One shot; the windows are spread over it evenly."""
    step = length / max(len(windows) - 1, 1)
    path = tuple(PathPoint(i * step, *window) for i, window in enumerate(windows))
    return ReframePlan(width, height, (ShotTimes(0.0, length),), path, fill)


def frames(data: torch.Tensor, first: int = 0) -> Frames:
    return Frames(data, tuple(range(first, first + len(data))), Fraction(1, RATE), first)


def card(height: int = 90, width: int = 160) -> torch.Tensor:
    """(1, 3, H, W): red rises to the right, green downwards; smooth, so that any good filter gives the same."""
    x = torch.linspace(0, 255, width).expand(height, width)
    y = torch.linspace(0, 255, height)[:, None].expand(height, width)
    return torch.stack([x, y, torch.full_like(x, 40)])[None].round().to(torch.uint8)


def all_of(data: torch.Tensor, op: Reframe) -> torch.Tensor:
    return op(frames(data), slice(0, len(data)))


WHOLE = (0.0, 0.0, 1.0, 1.0)


def test_the_whole_picture_at_its_own_size_is_untouched() -> None:
    data = noise(3, 48, 64)
    assert torch.equal(all_of(data, Reframe(plan(64, 48, WHOLE))), data)


def test_a_window_in_the_middle_fills_the_frame() -> None:
    made = all_of(card(), Reframe(plan(90, 160, (0.3417, 0, 0.3164, 1))))
    assert made.shape == (1, 3, 160, 90)
    red = made[0, 0, 80].float()
    assert red[0] == pytest.approx(255 * 0.345, abs=3)
    assert red[-1] == pytest.approx(255 * 0.655, abs=3)


@pytest.mark.parametrize("kind", ["color", "image"])
def test_what_is_left_free_is_filled(kind: str) -> None:
    fill = Fill("color", 10, 200, 30) if kind == "color" else Fill("image")
    background = None if kind == "color" else blurred_cover(card()[0], 100, 100)
    made = all_of(card(), Reframe(plan(100, 100, WHOLE, fill=fill), background=background))[0]
    assert made.shape == (3, 100, 100)
    bars = torch.cat([made[:, :20], made[:, -20:]], 1)
    if kind == "color":
        assert (bars == torch.tensor([10, 200, 30])[:, None, None]).all()
    else:
        assert background is not None
        assert torch.equal(made[:, :20], background[:, :20])
    inner = made[:, 24:76].float()
    assert inner[0, 26, 0] < 5
    assert inner[0, 26, -1] > 250


def test_stretching_leaves_no_bar() -> None:
    made = all_of(card(), Reframe(plan(100, 100, WHOLE, fill=Fill("stretch"))))[0].float()
    assert made[0, 50, 0] < 5
    assert made[0, 50, -1] > 250
    assert made[1, 0, 50] < 5
    assert made[1, -1, 50] > 250


def test_pixels_that_are_not_square_are_seen_as_they_are() -> None:
    layout = Layout.of(160 * 2 / 90, 320, 320, "color")
    assert (layout.width, layout.height) == (320, 90)
    made = all_of(
        card(), Reframe(plan(320, 320, WHOLE, fill=Fill("color", 255, 255, 255)), sample_aspect_ratio=Fraction(2))
    )
    assert (made[0, 2] == 255).float().mean() == pytest.approx(230 / 320, abs=0.01)


@given(st.floats(0.1, 10), st.integers(32, 200), st.integers(32, 200))
def test_a_layout_lies_in_the_middle_and_keeps_the_shape(aspect: float, width: int, height: int) -> None:
    layout = Layout.of(aspect, width, height, "image")
    assert layout.left >= 0
    assert layout.top >= 0
    assert layout.left + layout.width <= width
    assert layout.top + layout.height <= height
    assert layout.width == width or layout.height == height
    assert abs(2 * layout.left + layout.width - width) <= 1
    if layout.width >= 20 and layout.height >= 20:
        assert layout.width / layout.height == pytest.approx(aspect, rel=0.12)


def test_a_slow_pan_moves_by_fractions_of_a_pixel() -> None:
    """Where a moving edge lies in the result is within a tenth of a pixel of where it should be."""
    x = torch.arange(160).expand(90, 160).float()
    edge = ((x - 60) / 8).clamp(0, 1) * 200 + 20
    data = edge.expand(1, 3, 90, 160).round().to(torch.uint8).repeat(26, 1, 1, 1)
    op = Reframe(plan(100, 200, (0.2, 0, 0.28, 1.0), (0.22, 0, 0.28, 1.0)))
    made = all_of(data, op)[:, 0, 100].float()
    places = [float(np.interp(120, row.numpy(), np.arange(100))) for row in made]
    windows = Windows(plan(100, 200, (0.2, 0, 0.28, 1.0), (0.22, 0, 0.28, 1.0)))
    for index, place in enumerate(places):
        x0 = windows.at(index / RATE)[0] * 160
        scale = 0.28 * 160 / 100
        expected = (64.0 - x0 + 0.5) / scale - 0.5
        assert place == pytest.approx(expected, abs=0.12)


@settings(max_examples=20)
@given(st.integers(1, 7), st.integers(0, 1000))
def test_batches_do_not_show(batch: int, seed: int) -> None:
    data = noise(14, 40, 72, seed=seed)
    two = ReframePlan(
        48,
        48,
        (ShotTimes(0, 0.2), ShotTimes(0.2, 0.56)),
        (PathPoint(0, 0.1, 0, 0.5, 1), PathPoint(0.2, 0.5, 0, 0.5, 1), PathPoint(0.56, 0.0, 0, 0.5, 1)),
        Fill("color"),
    )
    whole = all_of(data, Reframe(two))
    op = Reframe(two)
    parts = [op(frames(data[i : i + batch], i), slice(0, len(data[i : i + batch]))) for i in range(0, 14, batch)]
    assert torch.equal(torch.cat(parts), whole)
    # the first shot stands still, and nothing glides across the cut
    assert torch.equal(whole[0], all_of(data[:1], Reframe(plan(48, 48, (0.1, 0, 0.5, 1))))[0])


def test_the_cover_is_the_picture_of_its_time() -> None:
    data = noise(10, 32, 32)
    op = Reframe(plan(32, 32, WHOLE), cover=0.2)
    made = all_of(data, op)
    assert op.covered is not None
    assert torch.equal(op.covered, made[5])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_depths_agree(dtype: torch.dtype) -> None:
    data = card()
    deep = (data.to(torch.int32) * 257).to(torch.uint16)
    one = all_of(data, Reframe(plan(90, 160, (0.3, 0, 0.3, 1), (0.4, 0, 0.3, 1))))
    other = all_of(deep if dtype == torch.uint16 else data, Reframe(plan(90, 160, (0.3, 0, 0.3, 1), (0.4, 0, 0.3, 1))))
    assert other.dtype == dtype
    values = other.to(torch.int32) // (257 if dtype == torch.uint16 else 1)
    assert psnr(one, values) > 45


def test_on_a_gpu_without_one(fake_cuda: torch.device) -> None:
    data = torch.zeros(4, 3, 90, 160, dtype=torch.uint8, device=fake_cuda)
    for kind in ("color", "stretch"):
        for windows in ([WHOLE], [(0.1, 0.0, 0.3, 1.0), (0.5, 0.0, 0.3, 1.0)]):
            op = Reframe(plan(100, 200, *windows, fill=Fill(kind)))
            made = all_of(data, op)
            assert made.shape == (4, 3, 200, 100)
            assert made.device == data.device
            assert made.dtype == torch.uint8


@pytest.mark.needs_cuda
def test_a_gpu_gives_the_same_picture() -> None:
    data = card().repeat(3, 1, 1, 1)
    for windows in ([WHOLE], [(0.1, 0.0, 0.3, 1.0), (0.5, 0.0, 0.3, 1.0)]):
        one = all_of(data, Reframe(plan(100, 200, *windows)))
        other = all_of(data.cuda(), Reframe(plan(100, 200, *windows))).cpu()
        assert (one.int() - other.int()).abs().max() <= 2


GOOD = {
    "width": 100,
    "height": 200,
    "shots": [{"start": 0, "end": 2}],
    "path": [{"t": 0, "x": 0.1, "y": 0, "w": 0.5, "h": 1}],
    "fill": {"type": "color", "r": 1},
}


def test_plans_come_back_from_json() -> None:
    import json
    from dataclasses import asdict

    found = ReframePlan.from_dict(GOOD)
    assert found.fill == Fill("color", 1, 0, 0)
    assert ReframePlan.from_dict(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 31}, "width is 31, must be a whole number from 32 to 2160"),
        ({"shots": []}, "shots and path must hold at least one entry each"),
        ({"path": [{"t": 0}]}, r"path\[0\] is .* must be an object with h, t, w, x, y"),
        ({"path": [{"t": 0, "x": 0.6, "y": 0, "w": 0.5, "h": 1}]}, r"path\[0\] must be a part of the picture"),
        ({"path": [{"t": 0, "x": 0, "y": 0, "w": 0, "h": 1}]}, r"path\[0\] must be a part of the picture"),
        ({"path": [{"t": "a", "x": 0, "y": 0, "w": 1, "h": 1}]}, r"path\[0\].t is 'a', must be seconds"),
        ({"fill": {"type": "blur"}}, "fill.type is 'blur', must be one of image, color, stretch"),
        ({"fill": {"r": 256}}, "fill.r is 256"),
        ({"zoom": 2}, "'zoom' is not part of a plan"),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        ReframePlan.from_dict({**GOOD, **change})
