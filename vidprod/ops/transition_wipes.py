"""Transitions in which each place turns from the old picture to the new one at its own time."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.transition_canvas import Canvas, Draw, bump, diagonal, ease, even, ramp, reveal, wide

SLATS = 8
"""Of a shutter, along the longer side."""

STROKES = 5
"""Of a brush."""

_SLANT = 0.13  # of its strokes, radians


def basic(canvas: Canvas) -> Draw:
    """A cut in the middle."""

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        return torch.where(wide(progress) < 0.5, a, b)

    return draw


def normal(canvas: Canvas) -> Draw:
    """A dissolve."""

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        return torch.lerp(a, b, ease(wide(progress)))

    return draw


def ink(canvas: Canvas) -> Draw:
    """Drops of the new picture spread like ink in paper, with a dark rim where they are still wet."""
    rows, columns = canvas.rows(), canvas.columns()
    short = min(canvas.height, canvas.width)
    bleed = canvas.noise(5 * canvas.width / short, 5 * canvas.height / short, octaves=5, salt=1)
    drops = canvas.random(5, 3, salt=2)
    nearest = torch.full_like(bleed, torch.inf)
    for number in range(len(drops)):
        # A drop in each part of the picture, so that none stays dry to the end.
        x = ((number % 3) + 0.15 + 0.7 * drops[number, 0]) / 3
        y = (number // 3 + 0.15 + 0.7 * drops[number, 1]) / 2
        away = torch.sqrt(((columns - x) * canvas.width / short) ** 2 + ((rows - y) * canvas.height / short) ** 2)
        nearest = torch.minimum(nearest, away + 0.25 * drops[number, 2])
    field = nearest + 0.45 * (bleed - 0.5)
    low, high = field.amin(), field.amax()
    field = even((field - low) / (high - low).clamp_min(1e-6))

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        wet = reveal(field, progress, 0.06)
        rim = reveal(field, progress, 0.16) - wet.square()
        shade = 1 - 0.5 * bump(progress).view(-1, 1, 1, 1).sqrt() * rim.clamp_min(0)
        return torch.lerp(a, b, wet).mul_(shade)

    return draw


def shutter(canvas: Canvas) -> Draw:
    """Slats open one after the other, each with a thin shadow ahead of it."""
    upright = (canvas.width >= canvas.height) != canvas.turned()
    place, size = (canvas.columns(), canvas.width) if upright else (canvas.rows(), canvas.height)
    slat = (place * SLATS).floor()
    field = 0.62 * (place * SLATS - slat) + 0.38 * slat / (SLATS - 1)
    pixel = 0.62 * SLATS / size  # how much the field changes from one pixel to the next
    soft = max(1.5 * pixel, 1e-3)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        pace = ease(progress)
        open_ = reveal(field, pace, soft)
        shadow = (reveal(field, pace, 0.12) - open_).clamp_min(0)
        return torch.lerp(a * (1 - 0.45 * shadow * wide(bump(progress)).sqrt()), b, open_)

    return draw


def mask(canvas: Canvas) -> Draw:
    """A circle opens from the middle, with a soft shadow around it."""
    short = min(canvas.height, canvas.width)
    x = (canvas.columns() - 0.5) * canvas.width / short
    y = (canvas.rows() - 0.5) * canvas.height / short
    radius = torch.sqrt(x * x + y * y) / diagonal(canvas)
    soft = max(1.5 / (short * diagonal(canvas)), 0.004)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        pace = ease(progress)
        inside = reveal(radius, pace, soft)
        shadow = (reveal(radius, pace, 0.14) - inside).clamp_min(0)
        return torch.lerp(a * (1 - 0.4 * shadow * wide(bump(progress)).sqrt()), b, inside)

    return draw


def brush(canvas: Canvas) -> Draw:
    """Strokes of a broad brush, to and fro and a little slanted, that run dry towards their ends and are gone over once more."""
    # Bristles are no finer than this on larger pictures.
    part = min(1080 / min(canvas.height, canvas.width), 1.0)
    height, width = (max(round(part * size), 1) for size in (canvas.height, canvas.width))
    field = even(_painted(Canvas(height, width, canvas.seed, canvas.device)))
    if part < 1:
        field = F.interpolate(field, (canvas.height, canvas.width), mode="bilinear", align_corners=False)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        return torch.lerp(a, b, reveal(field, progress, 0.03))

    return draw


def _painted(canvas: Canvas) -> Tensor:
    """(1, 1, H, W) in 0..1: when paint comes to each place."""
    short = min(canvas.height, canvas.width)
    slant = -_SLANT if canvas.turned() else _SLANT
    cos, sin = math.cos(slant), math.sin(slant)
    x = (canvas.columns() - 0.5) * canvas.width / short
    y = (canvas.rows() - 0.5) * canvas.height / short
    wide_, high = ((canvas.width * c + canvas.height * s) / short for c, s in ((cos, abs(sin)), (abs(sin), cos)))
    # 0..1 along the strokes and across them; the corners are where these end.
    along = (x * cos + y * sin) / wide_ + 0.5
    across = (y * cos - x * sin) / high + 0.5
    paper = Canvas(max(round(high * short), 1), max(round(wide_ * short) // 4, 1), canvas.seed, canvas.device)
    places = torch.stack([along[0, 0], across[0, 0]], -1)[None] * 2 - 1

    def streaks(cells_along: float, cells_across: float, salt: int) -> Tensor:
        """Noise that is drawn out along the strokes, spread evenly over 0..1."""
        drawn = even(paper.noise(cells_along, cells_across * high, octaves=2, salt=salt))
        return F.grid_sample(drawn, places, mode="bilinear", padding_mode="border", align_corners=False)

    sway = streaks(3, 1.5, 1)
    bristles, fine, tips = streaks(2.5, 60, 2), streaks(4, 200, 3), streaks(1.2, 110, 4)
    hair = 0.55 * bristles + 0.45 * fine
    place = across * STROKES + 0.3 * (sway - 0.5)
    field = torch.full_like(place, torch.inf)
    for number in range(-1, STROKES + 1):
        forward = (number % 2 == 0) != canvas.turned()
        way = along if forward else 1 - along
        # From the middle of this stroke, 1 where the next ones begin: bristles are sparse out there, and at its end.
        off = 2 * (place - number - 0.5).abs()
        sparse = ramp(off, 0.5, 1.5) * 1.2 + 0.6 * way.square()
        late = ramp(hair - 1.1 + sparse, 0.0, 0.3)
        when = number + 1.5 * way + 0.3 * tips + 0.15 * bristles
        field = torch.minimum(field, when + 1.6 * late + 50 * (off > 1.6))
    low, high_ = field.amin(), field.amax()
    return (field - low) / (high_ - low).clamp_min(1e-6)


def wind(canvas: Canvas) -> Draw:
    """Gusts blow the new picture in from one side, in streaks."""
    columns = 1 - canvas.columns() if canvas.turned() else canvas.columns()
    short = min(canvas.height, canvas.width)
    rows = canvas.height / short
    gusts = canvas.noise(1.5, 5 * rows, octaves=2, salt=1)
    streaks = canvas.noise(2, 80 * rows, octaves=3, salt=2)
    field = 0.58 * columns + 0.17 * gusts + 0.25 * streaks
    low, high = field.amin(), field.amax()
    field = (field - low) / (high - low).clamp_min(1e-6)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        return torch.lerp(a, b, reveal(field, progress, 0.22))

    return draw


def smog(canvas: Canvas) -> Draw:
    """Fog drifts in, as bright as the pictures are, and clears on the new one."""
    # Fog has no detail: a quarter of the size will do.
    small = Canvas(max(canvas.height // 4, 1), max(canvas.width // 4, 1), canvas.seed, canvas.device)
    short = min(small.height, small.width)
    across, down = 3 * small.width / short, 3 * small.height / short
    near = even(small.noise(across, down, octaves=4, salt=1))
    far = even(small.noise(across, down, octaves=4, salt=2))
    size = (canvas.height, canvas.width)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        time = wide(progress)
        drift = torch.lerp(near, far, ease(time))
        thick = wide(bump((progress * 1.15 - 0.075).clamp(0, 1)))
        cover = (0.88 * ramp(drift * 0.75 + thick, 0.55, 1.45)) * ramp(thick, 0, 0.25)
        turned = reveal(drift, ramp(progress, 0.25, 0.75), 0.6)
        both = F.interpolate(torch.cat([cover, turned], 1), size, mode="bilinear", align_corners=False)
        clear = torch.lerp(a, b, both[:, 1:])
        # A white fog between two dark shots would be a flash.
        light = torch.lerp(a.mean((1, 2, 3), keepdim=True), b.mean((1, 2, 3), keepdim=True), ease(time))
        return torch.lerp(clear, (0.5 * light + 118).expand_as(clear), both[:, :1])

    return draw
