from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.flow import (
    affine_flow,
    box,
    compose,
    dense_motion,
    global_motion,
    inside,
    local_mean,
    luma,
    positions,
    sample,
    warp,
)

HEIGHT, WIDTH = 96, 256


def scene(height: int = HEIGHT + 80, width: int = WIDTH + 80, seed: int = 0) -> Tensor:
    """(1, 1, H, W) texture of all sizes, levels of 255."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 1, height, width)
    for size in (4, 8, 16, 32):
        coarse = torch.randn(1, 1, height // size + 2, width // size + 2, generator=generator)
        total += F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False) * (8 + size / 2)
    return (total + 128).clamp(0, 255)


def view(picture: Tensor, motion: Tensor) -> Tensor:
    """What a camera at `motion` sees: pixel p shows the scene at motion(p), 40 pixels in."""
    flow = affine_flow(motion, HEIGHT, WIDTH) + positions(HEIGHT, WIDTH, motion.device) + 40
    return sample(picture, flow, mode="bicubic")


def moved_by(dx: float, dy: float, *, turn: float = 0.0, zoom: float = 1.0) -> Tensor:
    cos = torch.cos(torch.tensor(turn)) * zoom
    sin = torch.sin(torch.tensor(turn)) * zoom
    return torch.tensor([[[cos, -sin, dx], [sin, cos, dy]]])


def lettering() -> Tensor:
    """(1, 1, H, W): 0 where strokes would be, 1 elsewhere."""
    known = torch.ones(1, 1, HEIGHT, WIDTH)
    for left in range(40, 216, 22):
        known[..., 40:62, left : left + 6] = 0
        known[..., 48:54, left : left + 16] = 0
    return known


def drawn(picture: Tensor, known: Tensor) -> Tensor:
    return torch.where(known > 0, picture, torch.full_like(picture, 255.0))


STILL = moved_by(0, 0)


def test_box_is_a_mean() -> None:
    x = torch.rand(2, 3, 20, 31)
    assert torch.allclose(box(x, 2), F.avg_pool2d(x, 5, 1, 2), atol=1e-5)


def test_luma_of_grey_is_grey() -> None:
    assert luma(torch.full((1, 3, 4, 4), 77, dtype=torch.uint8)).flatten().tolist() == pytest.approx([77.0] * 16)


def test_local_mean_leaves_out_what_has_no_weight() -> None:
    x = torch.full((1, 1, 32, 32), 10.0)
    x[..., 10:14, :] = 1000.0
    weight = torch.ones_like(x)
    weight[..., 10:14, :] = 0
    mean, _ = local_mean(x, weight, 3)
    assert mean.min() > 9.9
    assert mean.max() < 10.1


def test_warp_reads_where_the_flow_points() -> None:
    x = torch.arange(20.0).view(1, 1, 1, 20).repeat(1, 1, 5, 1)
    flow = torch.zeros(1, 2, 5, 20)
    flow[:, 0] = 2.5
    assert warp(x, flow)[0, 0, 2, :10].tolist() == pytest.approx([i + 2.5 for i in range(10)], abs=1e-4)
    assert inside(flow, 5, 20)[0, 0, 0].tolist() == [1.0] * 17 + [0.0] * 3


def test_first_one_motion_then_the_other() -> None:
    motion = moved_by(5, -3, turn=0.1, zoom=1.2)
    then = moved_by(-2, 7, turn=-0.3)
    point = torch.tensor([11.0, 13.0, 1.0])
    first = torch.cat([motion[0] @ point, torch.ones(1)])
    assert torch.allclose(compose(motion, then)[0] @ point, then[0] @ first, atol=1e-4)


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize(
    "motion",
    [moved_by(1.5, -0.7), moved_by(-6.3, 2.2, turn=0.01), moved_by(3, 1, zoom=1.02)],
    ids=["slow", "turning", "nearing"],
)
def test_global_motion_in_spite_of_text(motion: Tensor, fine: bool) -> None:
    known = lettering()
    a, b = drawn(view(scene(), motion), known), drawn(view(scene(), STILL), known)
    found = global_motion(a, b, known, known, fine=fine)
    error = (affine_flow(found, HEIGHT, WIDTH) - affine_flow(motion, HEIGHT, WIDTH)).abs()
    assert error.mean() < (0.1 if fine else 0.2)


@pytest.mark.parametrize(("dx", "dy"), [(38.0, 0.0), (-30.0, 14.0)])
def test_a_jump_is_found_without_a_start(dx: float, dy: float) -> None:
    whole = torch.ones(1, 1, HEIGHT, WIDTH)
    found = global_motion(view(scene(), moved_by(dx, dy)), view(scene(), STILL), whole, whole)
    assert found[0, :, 2].tolist() == pytest.approx([dx, dy], abs=0.5)


def test_pairs_do_not_disturb_each_other() -> None:
    whole = torch.ones(2, 1, HEIGHT, WIDTH)
    a = torch.cat([view(scene(), moved_by(4, 1)), view(scene(seed=1), moved_by(-3, 2))])
    b = torch.cat([view(scene(), STILL), view(scene(seed=1), STILL)])
    together = global_motion(a, b, whole, whole)
    alone = torch.cat([global_motion(a[i : i + 1], b[i : i + 1], whole[:1], whole[:1]) for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-3)


def test_nothing_to_see_is_no_motion() -> None:
    flat, whole = torch.full((1, 1, HEIGHT, WIDTH), 90.0), torch.ones(1, 1, HEIGHT, WIDTH)
    assert torch.allclose(global_motion(flat, flat, whole, whole), STILL, atol=1e-3)
    hidden = torch.zeros_like(whole)
    assert torch.isfinite(global_motion(scene()[..., :HEIGHT, :WIDTH], flat, hidden, hidden)).all()


def test_another_scene_does_not_make_it_run_away() -> None:
    whole = torch.ones(1, 1, HEIGHT, WIDTH)
    found = global_motion(view(scene(), STILL), view(scene(seed=5), STILL), whole, whole, start=STILL)
    assert torch.isfinite(found).all()
    assert (affine_flow(found, HEIGHT, WIDTH)).abs().max() < WIDTH


def test_dense_motion_bends() -> None:
    """A motion that no affine one describes, with text that stands still on both pictures."""
    at = positions(HEIGHT, WIDTH, torch.device("cpu"))
    bend = torch.cat([2.0 * torch.sin(at[:, 1:] / 20), 1.0 * torch.cos(at[:, :1] / 30)], 1)
    known = lettering()
    clean = sample(scene(), at + bend + 40, mode="bicubic")
    a, b = drawn(clean, known), drawn(view(scene(), STILL), known)
    guess = torch.where(known > 0, a, torch.full_like(a, 128.0))
    flow, more = dense_motion(a, b, known, known, torch.zeros_like(bend), guess=guess)
    error = (flow - bend).pow(2).sum(1, keepdim=True).sqrt()[..., 8:-8, 8:-8]
    hole = (known == 0)[..., 8:-8, 8:-8]
    assert error[~hole].mean() < 0.5
    assert error[hole].mean() < 1.0  # it takes the motion around it, though what is drawn there stands still
    assert torch.allclose(flow, more, atol=1e-4)  # it started from nothing


def test_dense_motion_goes_on_from_its_start() -> None:
    motion = moved_by(9.4, -4.0)
    whole = torch.ones(1, 1, HEIGHT, WIDTH)
    a, b = view(scene(), motion), view(scene(), STILL)
    start = affine_flow(moved_by(8.5, -3.5), HEIGHT, WIDTH)
    flow, more = dense_motion(a, b, whole, whole, start, guess=a)
    wanted = affine_flow(motion, HEIGHT, WIDTH)
    assert (flow - wanted)[..., 16:-16, 16:-16].abs().mean() < 0.15
    assert more.abs().mean() < 1.5


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    a, known = (torch.empty(3, 1, 60, 100, device=fake_cuda) for _ in range(2))
    motion = global_motion(a, a, known, known, fine=True)
    assert (motion.shape, motion.dtype, motion.device.type) == ((3, 2, 3), torch.float32, "cuda")
    flow, more = dense_motion(a, a, known, known, affine_flow(motion, 60, 100), guess=a[:1])
    assert (flow.shape, more.shape, flow.device.type) == ((3, 2, 60, 100), (3, 2, 60, 100), "cuda")


@pytest.mark.needs_cuda
def test_cuda_finds_what_the_cpu_finds() -> None:
    known = lettering()
    a, b = drawn(view(scene(), moved_by(4.2, 1.3)), known), drawn(view(scene(), STILL), known)
    there = global_motion(*(x.cuda() for x in (a, b, known, known)), fine=True).cpu()
    assert torch.allclose(there, global_motion(a, b, known, known, fine=True), atol=0.05)
