"""Transitions in which the pictures themselves move, blur or break up."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.transition_canvas import (
    Canvas,
    Draw,
    at_columns,
    bump,
    ease,
    ease_strongly,
    mirror,
    ramp,
    scaled_about_centre,
    wide,
)

GLITCH_STEPS = 12
"""How often a glitch jumps."""


def slow(canvas: Canvas) -> Draw:
    """A dissolve in which both pictures come a little closer."""

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        pace = ease(progress)
        return torch.lerp(
            scaled_about_centre(a, 1 + 0.06 * pace), scaled_about_centre(b, 1.06 - 0.06 * pace), wide(pace)
        )

    return draw


def shift(canvas: Canvas) -> Draw:
    """The new picture pushes the old one out: to the left, or by the seed to the right, up or down."""
    vertical, backward = canvas.seed % 4 >= 2, canvas.turned()

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        if vertical:
            a, b = a.transpose(2, 3), b.transpose(2, 3)
        size = a.shape[3]
        pace = ease_strongly(progress)[:, None]
        strip = torch.cat([b, a] if backward else [a, b], 3)
        start = (1 - pace if backward else pace) * size
        seen = at_columns(strip, start + torch.arange(size, device=a.device))
        return seen.transpose(2, 3) if vertical else seen

    return draw


def fast(canvas: Canvas) -> Draw:
    """A whip pan: the camera tears away to the side, blurred as by an open shutter, and lands on the new picture."""
    backward = canvas.turned()

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        if backward:
            a, b = a.flip(3), b.flip(3)
        width = a.shape[3]
        pace = ease_strongly(progress)
        speed = 16 * (progress * (1 - progress)).square()  # 1 in the middle
        blur = 1 + speed * (0.6 * width)  # pixels of exposure
        # Between the two a mirrored copy of each passes by, so that the pan goes on for three pictures and has no hard edge.
        place = torch.arange(width, device=a.device)
        start = (pace * (3 * width))[:, None]
        reach = int(0.3 * width) + 2
        # Windows differ from picture to picture in where they begin, not in how wide they are.
        first = start.floor() - reach
        window = first.long() + torch.arange(width + 2 * reach + 1, device=a.device)
        # 0..w: a; w..2w: a mirrored; 2w..3w: b mirrored; 3w..4w: b
        panel = torch.div(window, width, rounding_mode="floor")
        local = mirror(window, width)
        # Four panels in a row: b starts at an odd one and must not be mirrored there.
        local = torch.where(panel >= 2, width - 1 - local, local)
        index = torch.where(panel >= 2, local + width, local)
        pair = torch.cat([a, b], 3)
        strip = pair.gather(3, index[:, None, None, :].expand(*a.shape[:3], -1))
        # The mean over any stretch is a difference of two sums: the blur costs the same however long it is.
        sums = F.pad(strip, (1, 0)).cumsum(3)
        middle = start - first + place + 0.5
        half = (blur / 2)[:, None]
        seen = at_columns(sums, middle + half) - at_columns(sums, middle - half)
        seen = seen / wide(blur)
        return seen.flip(3) if backward else seen

    return draw


def zoom(canvas: Canvas) -> Draw:
    """The camera rushes into the old picture and out of that rush into the new one."""

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        into = progress.square() * progress
        rest = (1 - progress).square() * (1 - progress)
        mixed = torch.lerp(
            scaled_about_centre(a, 1 + 1.4 * into),
            scaled_about_centre(b, 1 - 0.45 * rest),
            wide(ramp(progress, 0.32, 0.68)),
        )
        # Averaging with itself, 1, 2, 4 and 8 steps larger, is an average of sixteen: a blur along the rays.
        step = 0.36 * bump(progress) / 15
        for times in (1, 2, 4, 8):
            mixed = torch.lerp(mixed, scaled_about_centre(mixed, (1 + step) ** times), 0.5)
        return mixed

    return draw


def mosaic(canvas: Canvas) -> Draw:
    """Tiles grow, turn to the new picture one by one, and shrink."""
    short = min(canvas.height, canvas.width)
    order = canvas.random(64, 64, salt=1)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        largest = short / 9
        # The sizes are whole pixels, so that no tile is wider than its neighbours.
        size = (largest ** bump(progress)).round().clamp_min(1)
        (left, right, x), (top, bottom, y) = _tiles(canvas.width, size), _tiles(canvas.height, size)
        turn = order[y.remainder(64)[:, :, None], x.remainder(64)[:, None, :]][:, None]
        turned = ramp(wide(progress) - 0.32 * turn, 0.30, 0.38)
        mixed = torch.lerp(a, b, turned)
        return _means(_means(mixed, left, right).transpose(2, 3), top, bottom).transpose(2, 3)

    return draw


def _tiles(length: int, size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each pixel of a side: the first one of its tile, the one after its last, and the tile's number; (N, length) int64."""
    side = size.long()[:, None]
    offset = (length - side) // 2 % side  # a tile in the middle
    tile = torch.div(torch.arange(length, device=size.device) - offset, side, rounding_mode="floor")
    left = tile * side + offset
    return left.clamp_min(0), (left + side).clamp_max(length), tile


def _means(x: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """(N, C, H, W): the mean of columns left..right - 1, each (N, W)."""
    sums = F.pad(x, (1, 0)).cumsum(3)
    low, high = (sums.gather(3, edge[:, None, None, :].expand_as(x)) for edge in (left, right))
    return (high - low) / (right - left)[:, None, None, :]


def glitch(canvas: Canvas) -> Draw:
    """Bands and blocks jump sideways in steps, colours come apart, and each lands on the new picture."""
    height, width = canvas.height, canvas.width
    steps = GLITCH_STEPS + 1
    rows = torch.arange(height, device=canvas.device)
    # Bands of uneven height: places are cut at random heights, others in each step.
    cuts = canvas.random(steps, 22, salt=1).square().sort(1).values * height
    flip = canvas.random(steps, 1, salt=2) < 0.5
    cuts = torch.where(flip, height - cuts.flip(1), cuts)
    band = (rows[None, :, None] >= cuts[:, None, :]).sum(2)  # (steps, H)
    jump = canvas.random(steps, 23, salt=3) - 0.5
    jump = torch.where(canvas.random(steps, 23, salt=4) > 0.5, jump, torch.zeros_like(jump))
    lands = _landing(canvas)
    # Blocks of an eighth of the shorter side.
    side = max(min(height, width) // 10, 1)
    down, across = -(-height // side), -(-width // (2 * side))
    odd = canvas.random(steps, down, across, salt=6)
    block_y, block_x = rows // side, torch.arange(width, device=canvas.device) // (2 * side)
    columns = torch.arange(width, device=canvas.device)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        strength = wide(bump(progress))
        step = (progress * GLITCH_STEPS).floor().long().clamp(0, GLITCH_STEPS)
        which = band[step]  # (N, H)
        moved = jump[step].gather(1, which)[:, None, :, None] * (0.3 * strength)
        block = odd[step][:, block_y][:, :, block_x][:, None]
        moved = moved + torch.where(block > 0.93, 0.4 * strength * (block - 0.965) / 0.035, torch.zeros_like(block))
        new = (lands < wide(ramp(progress, 0.1, 0.9))) != ((block < 0.05) & (strength > 0.2))
        apart = torch.tensor([-0.012, 0.0, 0.012], device=a.device).view(1, 3, 1, 1)
        apart = apart * strength * (0.4 + 1.2 * lands)
        index = columns + ((moved + apart) * width).round().long()
        index = mirror(index, width) + new * width
        seen: Tensor = torch.cat([a, b], 3).gather(3, index)
        return seen

    return draw


def _landing(canvas: Canvas) -> Tensor:
    """(1, 1, H, 1) in 0..1: when each row lands, in bands of uneven height, as many at any time as at any other."""
    places = (torch.arange(25, device=canvas.device) + 2 * canvas.random(25, salt=5)) / 26
    edges = (places.sort().values * canvas.height).round()
    band = (torch.arange(canvas.height, device=canvas.device)[:, None] >= edges).sum(1)
    order = canvas.random(26, salt=7).argsort()
    size = torch.zeros(26, device=canvas.device).index_add(0, band, torch.ones(canvas.height, device=canvas.device))
    until = size[order].cumsum(0)
    when = torch.empty_like(until).scatter(0, order, (until - size[order] / 2) / canvas.height)
    return when[band].view(1, 1, -1, 1)
