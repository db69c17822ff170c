"""Motion between pictures with holes: one affine motion for all, then a displacement for every pixel; batched over pairs.

Displacements are in pixels, (N, 2, H, W) as (dx, dy): pixel (x, y) of `a` is found at (x + dx, y + dy) in `b`. A motion is
(N, 2, 3), p -> A p + t in the same pixels. `known` is (N, 1, H, W) float32, 0 in holes (text drawn over the picture) and 1
elsewhere: what is in a hole never counts, and a hole takes the motion of what surrounds it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 3
"""Radius of the square over which `small_motion` fits one displacement, in pixels of each level."""

_FLAT = 10.0
"""Squared gradient, in levels of 255, below which a place does not say where it moved."""

_SPREAD = 3
"""Radius, in half-size pixels, over which a hole takes the displacements around it (twice, so nearly a Gaussian)."""


def luma(x: Tensor) -> Tensor:
    """(N, 3, H, W) of any type, R'G'B' -> (N, 1, H, W) float32 in the same levels."""
    red, green, blue = x.to(torch.float32).split(1, dim=1)
    shade: Tensor = 0.299 * red + 0.587 * green + 0.114 * blue
    return shade


def positions(height: int, width: int, device: torch.device) -> Tensor:
    """(1, 2, H, W) float32: the (x, y) of every pixel."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def sample(x: Tensor, at: Tensor, *, mode: str = "bilinear") -> Tensor:
    """(N, C, H, W) float32 read at the places (x, y) of `at` (N, 2, H', W'); the edge is repeated beyond the picture."""
    height, width = x.shape[-2:]
    gx = at[:, 0] * (2 / max(width - 1, 1)) - 1
    gy = at[:, 1] * (2 / max(height - 1, 1)) - 1
    return F.grid_sample(x, torch.stack([gx, gy], -1), mode=mode, padding_mode="border", align_corners=True)


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """(N, C, H, W) float32 read where `flow` (N, 2, H', W') points, bilinearly."""
    return sample(x, flow + positions(flow.shape[-2], flow.shape[-1], flow.device))


def inside(flow: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, H, W) float32: 1 where `flow` stays within a picture of that size."""
    at = flow + positions(flow.shape[-2], flow.shape[-1], flow.device)
    x, y = at[:, :1], at[:, 1:]
    return ((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)).to(torch.float32)


def box(x: Tensor, radius: int) -> Tensor:
    """Mean over a square of side 2 * radius + 1; beyond the edge there are zeros. (N, C, H, W) float32."""
    side = 2 * radius + 1
    if x.device.type != "cpu":
        return F.avg_pool2d(x, side, 1, radius)
    for dim, pad in ((2, (0, 0, radius + 1, radius)), (3, (radius + 1, radius))):  # pooling is slow on the CPU
        sums = F.pad(x, pad).cumsum(dim)
        x = sums.narrow(dim, side, x.shape[dim]) - sums.narrow(dim, 0, x.shape[dim])
    return x / side**2


def local_mean(x: Tensor, weight: Tensor, radius: int, *, by: int = 2) -> tuple[Tensor, Tensor]:
    """Weighted mean around every pixel, reckoned at a fraction of the size.

    Args:
        x: (N, C, H, W) float32.
        weight: (N, 1, H, W) float32, 0 for what must not count.
        radius: of the square, applied twice, in pixels of the reduced picture.
        by: the reduction.

    Returns:
        the mean (N, C, h, w) and the mean weight (N, 1, h, w), `by` times smaller, rounded up.
    """
    both = F.avg_pool2d(torch.cat([x * weight, weight], 1), by, ceil_mode=True)
    both = box(box(both, radius), radius)
    return both[:, :-1] / (both[:, -1:] + 1e-4), both[:, -1:]


def matched(b: Tensor, a: Tensor, known_b: Tensor, known_a: Tensor) -> Tensor:
    """`b` with the mean and the spread of `a`, (N, 1, H, W) each: brightness that changes is no motion."""

    def usual(x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        count = known.sum((2, 3), keepdim=True).clamp_min(1)
        mean: Tensor = (x * known).sum((2, 3), keepdim=True) / count
        spread: Tensor = (((x - mean) * known).pow(2).sum((2, 3), keepdim=True) / count).sqrt()
        return mean, spread

    mean_a, spread_a = usual(a, known_a)
    mean_b, spread_b = usual(b, known_b)
    return (b - mean_b) * ((spread_a + 1) / (spread_b + 1)).clamp(0.5, 2) + mean_a


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along x and y of (N, C, H, W)."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return gx, gy


def affine_flow(motion: Tensor, height: int, width: int) -> Tensor:
    """(N, 2, 3) motions as fields (N, 2, H, W)."""
    return _affine_at(motion, positions(height, width, motion.device))


def compose(first: Tensor, then: Tensor) -> Tensor:
    """The motion (..., 2, 3) that does `first` and then `then`."""
    turn = then[..., :2]
    return torch.cat([turn @ first[..., :2], turn @ first[..., 2:] + then[..., 2:]], dim=-1)


def global_motion(
    a: Tensor, b: Tensor, known_a: Tensor, known_b: Tensor, *, start: Tensor | None = None, fine: bool = False
) -> Tensor:
    """The affine motion from `a` to `b` that most of the picture follows.

    Args:
        a, b: (N, 1, H, W) float32 luma, levels of 255.
        known_a, known_b: (N, 1, H, W).
        start: (N, 2, 3) where to begin; without it phase correlation is asked for a first displacement.
        fine: to look at half the size too, not only at a quarter and an eighth; a third slower.

    Returns:
        (N, 2, 3) float32.
    """
    count, _, height, width = a.shape
    still = torch.eye(2, 3, device=a.device).repeat(count, 1, 1)
    levels = {by: (*_reduced(a, known_a, by), *_reduced(b, known_b, by)) for by in (8, 4, 2)}
    if start is None:
        x, y, wx, wy = (levels[4][i] for i in (0, 2, 1, 3))
        moved = still.clone()
        moved[:, :, 2] = 4 * _shift(x, y, (wx > 0.5).to(x.dtype), (wy > 0.5).to(y.dtype))
        better = _misfit(x, y, wx, wy, moved, 4) < 0.8 * _misfit(x, y, wx, wy, still, 4)
        start = torch.where(better[:, None, None], moved, still)
    motion = start
    scale = max(height, width)
    # Straight motion where the picture does not say more.
    stay = torch.tensor([1.0, 1.0, 1e-3, 1.0, 1.0, 1e-3], device=a.device)
    back = torch.tensor([1 / scale, 1 / scale, 1.0], device=a.device)
    for by, rounds in ((8, 3), (4, 3), (2, 2))[: 3 if fine else 2]:
        x, wx, y, wy = levels[by]
        at = _centres(x, by)
        gx, gy = gradient(x)
        basis = torch.cat([at / scale, torch.ones_like(at[:, :1])], 1).flatten(2)
        rows = torch.cat([gx.flatten(2) * basis, gy.flatten(2) * basis], 1) / by
        believed = (wx * (wx > 0.5)).flatten(2)
        yw = torch.cat([y, wy], 1)
        for _ in range(rounds):
            flow = _affine_at(motion, at) / by
            moved = warp(yw, flow)
            delta = (moved[:, :1] - x).flatten(2)
            weight = believed * (moved[:, 1:] * inside(flow, y.shape[-2], y.shape[-1])).flatten(2)
            # Half of the picture may move otherwise.
            usual = (delta.abs() * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp_min(1.0)
            weight = weight / (1 + (delta / (1.5 * usual + 1.0)) ** 2) ** 2
            weighted = rows * weight
            normal = weighted @ rows.transpose(1, 2)
            pull = weighted @ delta.transpose(1, 2)
            size = normal.diagonal(dim1=1, dim2=2).mean(1, keepdim=True) * 1e-3 + 1e-3
            step = torch.linalg.solve(normal + torch.diag_embed(stay * size), -pull)[..., 0]
            motion = motion + step.view(count, 2, 3) * back
    # What has run away (a flat picture, another scene) is no better than where it began. At less than half the size a step by
    # part of a pixel may look worse though it is right, and a slow pan would be taken for a still camera.
    x, wx, y, wy = levels[2]
    worse = ~(_misfit(x, y, wx, wy, motion, 2) <= _misfit(x, y, wx, wy, start, 2))
    return torch.where(worse[:, None, None], start, motion)


def dense_motion(
    a: Tensor, b: Tensor, known_a: Tensor, known_b: Tensor, start: Tensor, *, guess: Tensor
) -> tuple[Tensor, Tensor]:
    """Where every pixel of `a` is in `b`, refining `start`.

    Args:
        a, b: (N, 1, H, W) float32 luma, levels of 255; `b` may be of another size.
        known_a, known_b: (N, 1, ...) like `a` and `b`.
        start: (N, 2, H, W) first guess, usually the global motion.
        guess: (N or 1, 1, H, W) luma of `a` with its holes filled somehow, for where neither picture is known.

    Returns:
        the displacements and what was added to `start`, both (N, 2, H, W).
    """
    seen = warp(torch.cat([b, known_b], 1), start)
    sure = (seen[:, 1:] > 0.99).to(a.dtype) * inside(start, b.shape[-2], b.shape[-1])
    # Each picture's holes show the other one, so that there they seem to follow `start`, and not to stand still.
    left = torch.where(known_a > 0, a, torch.where(sure > 0, seen[:, :1], guess))
    right = torch.where(sure > 0, seen[:, :1], left)
    more = small_motion(left, right)
    both = known_a * sure
    around, _ = local_mean(more, both, _SPREAD)
    more = torch.where(both > 0, more, _resized(around, a.shape[-2], a.shape[-1]))
    return more + warp(start, more), more


def small_motion(a: Tensor, b: Tensor) -> Tensor:
    """Small displacements from `a` to `b`, (N, 1, H, W) float32 of one size: least squares in windows, coarse to fine.

    Returns:
        (N, 2, H, W) float32.
    """
    flow = torch.zeros(len(a), 2, 1, 1, device=a.device)
    for by, rounds in ((4, 3), (2, 2), (1, 1)):
        x = F.avg_pool2d(a, by, ceil_mode=True)
        y = F.avg_pool2d(b, by, ceil_mode=True)
        flow = _resized(flow, x.shape[-2], x.shape[-1])
        gx, gy = gradient(x)
        squares = torch.cat([gx * gx, gx * gy, gy * gy, torch.ones_like(x)], 1)
        for _ in range(rounds):
            delta = warp(y, flow / by) - x
            # What fits badly should not pull its neighbours along.
            weight = inside(flow / by, y.shape[-2], y.shape[-1]) / (1 + (delta / 20) ** 2)
            sums = box(torch.cat([squares, gx * delta, gy * delta], 1) * weight, WINDOW)
            xx, xy, yy, count, xd, yd = sums.split(1, dim=1)
            stay = _FLAT * count + 1e-2
            xx, yy = xx + stay, yy + stay
            det = xx * yy - xy * xy
            step = torch.cat([xy * yd - yy * xd, xy * xd - xx * yd], 1) / det
            trusted = weight + 0.02
            flow = box((flow + by * step.clamp(-1.0, 1.0)) * trusted, 2) / box(trusted, 2)
    return flow


def _reduced(x: Tensor, known: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """Picture and weights at a fraction of the size; what is not known does not count."""
    if by == 1:
        return x, known
    weight = F.avg_pool2d(known, by, ceil_mode=True)
    return F.avg_pool2d(x * known, by, ceil_mode=True) / weight.clamp_min(1e-3), weight


def _resized(flow: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False)


def _centres(x: Tensor, by: int) -> Tensor:
    """Where the pixels of a reduced picture are in the whole one."""
    return positions(x.shape[-2], x.shape[-1], x.device) * by + (by - 1) / 2


def _affine_at(motion: Tensor, at: Tensor) -> Tensor:
    flat = at.flatten(2)
    return (motion[:, :, :2] @ flat + motion[:, :, 2:] - flat).view(len(motion), 2, at.shape[-2], at.shape[-1])


def _misfit(a: Tensor, b: Tensor, known_a: Tensor, known_b: Tensor, motion: Tensor, by: int) -> Tensor:
    """Mean error (N,) of pictures reduced by `by` under motions of the whole ones."""
    flow = _affine_at(motion, _centres(a, by)) / by
    moved = warp(torch.cat([b, known_b], 1), flow)
    weight = known_a * moved[:, 1:] * inside(flow, b.shape[-2], b.shape[-1])
    error = (moved[:, :1] - a).abs().clamp_max(40) * weight  # clamped: what moves otherwise does not decide
    mean: Tensor = (error.sum((1, 2, 3)) + 1.0) / weight.sum((1, 2, 3)).clamp_min(0.2 * a[0].numel())
    return mean


def _shift(a: Tensor, b: Tensor, known_a: Tensor, known_b: Tensor) -> Tensor:
    """The displacement (N, 2) in whole pixels that brings most of `a` onto `b`: phase correlation."""
    height, width = a.shape[-2:]
    # A soft frame, or the picture's borders would be its strongest edges; twice the height, or what leaves at the bottom
    # would come in at the top.
    frame = torch.hann_window(height + 2, False, device=a.device)[1:-1, None].sqrt()
    frame = frame * torch.hann_window(width + 2, False, device=a.device)[None, 1:-1].sqrt()

    def spectrum(x: Tensor, known: Tensor) -> Tensor:
        mean = (x * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
        waves: Tensor = torch.fft.rfft2((x - mean) * known * frame, s=(2 * height, width))
        return waves

    cross = spectrum(b, known_b) * spectrum(a, known_a).conj()
    peaks = torch.fft.irfft2(cross / cross.abs().clamp_min(1e-6) ** 0.8, s=(2 * height, width))
    best = peaks.flatten(1).argmax(1)
    dy, dx = best // width, best % width
    dy = torch.where(dy > height, dy - 2 * height, dy)
    dx = torch.where(dx > width // 2, dx - width, dx)
    return torch.stack([dx, dy], 1).to(torch.float32)
