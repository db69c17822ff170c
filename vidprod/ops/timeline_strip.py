"""A short by time: its pictures in a row, how it goes from shot to shot, and the beats below."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vidprod.ops.board_drawing import (
    BAR,
    EDGE,
    INK,
    LINE,
    PAPER,
    PICK,
    SOFT,
    WIDTH,
    Picture,
    across,
    filled,
    font,
    ruler,
)
from vidprod.ops.timeline import Shot, Timeline

STRIP = 104
"""Height of the pictures."""

BELOW = 18
"""Room between them and the beats."""

_BEATS = 76  # height
_LABELS = 2  # lines of names of transitions
_QUIET = -50.0  # decibels; drawn as nothing

Group = tuple[Shot, ...]


def edges_of(groups: Sequence[Group]) -> list[float]:
    """Seconds at which shots are taken to change: in the middle of transitions. First and last are the short's ends."""
    joints = [(after[0].out_start + before[0].out_end) / 2 for before, after in itertools.pairwise(groups)]
    return [0.0, *joints, groups[-1][0].out_end]


def tiles_of(edges: Sequence[float], shape: float) -> list[tuple[int, int, float]]:
    """(left, right, second) of the pictures of the strip: of each shot as many as fit."""
    wide = max(round(STRIP * min(max(shape, 0.5), 2.4)), 1)
    tiles = []
    for start, stop in itertools.pairwise(edges):
        left, right = across(start, edges[-1]), across(stop, edges[-1])
        if right - left < 3:
            continue
        count = max(round((right - left) / wide), 1)
        columns = np.linspace(left, right, count + 1).round().astype(int)
        step = (stop - start) / count
        tiles += [(int(columns[at]), int(columns[at + 1]), start + (at + 0.5) * step) for at in range(count)]
    return tiles


def draw_strip(
    sheet: Image.Image,
    y: int,
    tiles: Sequence[tuple[int, int, float]],
    pictures: Sequence[Picture],
    edges: Sequence[float],
    end: float,
) -> None:
    """The short, shots numbered and parted by thin gaps."""
    draw = ImageDraw.Draw(sheet)
    for (left, right, _), picture in zip(tiles, pictures, strict=False):
        sheet.paste(filled(picture, right - left, STRIP), (left, y))
    for number, (start, stop) in enumerate(itertools.pairwise(edges), 1):
        left, right = across(start, end), across(stop, end)
        if number > 1:
            draw.rectangle((left - 1, y, left, y + STRIP - 1), fill=PAPER)
        text = str(number)
        wide = round(font(13).getlength(text)) + 8
        if right - left > wide + 4:
            draw.rectangle((left + 1, y, left + wide, y + 17), fill=INK)
            draw.text((left + 5, y + 2), text, (255, 255, 255), font(13))


def draw_joints(draw: ImageDraw.ImageDraw, y: int, timeline: Timeline, groups: Sequence[Group], end: float) -> None:
    """Above the strip: a bar over each transition with its name, a tick at each cut."""
    taken = [0.0] * _LABELS  # how far each line of names is full
    for one in timeline.transitions:
        left, right = across(one.out_start, end), max(across(one.out_end, end), across(one.out_start, end) + 2)
        draw.rectangle((left, y - 8, right, y - 4), fill=PICK)
        wide = font(13).getlength(one.style)
        at = min(max((left + right) / 2 - wide / 2, EDGE), WIDTH - EDGE - wide)
        line = next((line for line in range(_LABELS) if taken[line] <= at), None)
        if line is not None:
            draw.text((at, y - 26 - 16 * line), one.style, PICK, font(13))
            taken[line] = at + wide + 8
    for before, after in itertools.pairwise(groups):
        if timeline.point(after[0].out_start) >= timeline.point(before[0].out_end):
            x = across(after[0].out_start, end)
            draw.rectangle((x - 1, y - 8, x, y - 2), fill=INK)


def draw_beats(
    draw: ImageDraw.ImageDraw,
    y: int,
    timeline: Timeline,
    edges: Sequence[float],
    level: NDArray[np.float32] | None,
    end: float,
) -> int:
    """How loud it is, with beats and bars through it, over a scale of seconds; returns where it ends."""
    high = _BEATS if level is not None or timeline.beats or timeline.downbeats else 8
    middle = y + high // 2
    if level is not None and len(level):
        columns = np.arange(EDGE, WIDTH - EDGE)
        bounds = (np.arange(len(columns) + 1) / len(columns) * len(level)).astype(int)
        for x, (first, stop) in zip(columns.tolist(), itertools.pairwise(bounds.tolist()), strict=True):
            loudest = float(level[first : max(stop, first + 1)].max())
            half = round(max(1 - loudest / _QUIET, 0) ** 1.5 * (_BEATS / 2 - 6))
            draw.line((x, middle - half, x, middle + half), fill=LINE)
    bars = {round(second, 3) for second in timeline.downbeats}
    for second in sorted({round(second, 3) for second in timeline.beats} | bars):
        if second < end:
            x, bar = across(second, end), second in bars
            half = _BEATS // 2 - 6 if bar else _BEATS // 4
            draw.rectangle((x - bar, middle - half, x, middle + half), fill=INK if bar else BAR)
    for second in timeline.pulses:
        if second < end:
            x = across(second, end)
            draw.ellipse((x - 4, y + high - 7, x + 3, y + high), fill=PICK)
    for second in edges[1:-1]:
        x = across(second, end)
        draw.polygon(((x - 5, y - 8), (x + 4, y - 8), (x - 0.5, y)), fill=PICK)
    y = ruler(draw, y + high + 8, end)
    parts = ["triangles: where shots change"]
    if timeline.beats or timeline.downbeats:
        parts.append("lines: beats, thick where a bar begins")
    if timeline.pulses:
        parts.append("dots: the picture swells")
    if level is not None:
        parts.append("grey: how loud it is")
    draw.text((WIDTH - EDGE, y + 6), ",  ".join(parts), SOFT, font(13), anchor="rt")
    return y
