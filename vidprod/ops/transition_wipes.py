"""Transitions in which each place turns from the old picture to the new one at its own time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.transition_canvas import Canvas, Draw, bump, diagonal, ease, even, ramp, reveal, wide

SLATS = 8
"""Of a shutter, along the longer side."""

STROKES = 5
"""Of a brush."""


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
    """Strokes of a dry brush, to and fro from the top."""
    rows, columns = canvas.rows(), canvas.columns()
    short = min(canvas.height, canvas.width)
    wave = canvas.noise(2.5, 2, octaves=2, salt=1)
    bristles = canvas.noise(3, 120 * canvas.height / short, octaves=2, salt=2)
    hair = canvas.noise(1, 60 * canvas.height / short, octaves=2, salt=3)
    down = (rows + 0.05 * (wave - 0.5)) * STROKES + 0.18 * (bristles - 0.5)
    stroke = down.floor().clamp(0, STROKES - 1)
    rightward = stroke.remainder(2) == (1 if canvas.turned() else 0)
    along = torch.where(rightward, columns, 1 - columns)
    # The brush is raised a little before its end, where single bristles run out.
    tip = along * 0.72 + 0.28 * (0.75 * hair + 0.25 * bristles)
    field = (stroke + tip * 1.35) / (STROKES + 0.35)
    low, high = field.amin(), field.amax()
    field = (field - low) / (high - low).clamp_min(1e-6)

    def draw(a: Tensor, b: Tensor, progress: Tensor) -> Tensor:
        return torch.lerp(a, b, reveal(field, progress, 0.012))

    return draw


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
