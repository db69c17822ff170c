"""A picture of a summary: the video as a strip, what its shots are worth, and what was picked and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from vidprod.errors import FileContent
from vidprod.media.previews import pictures_at
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.ops.board_drawing import (
    BAR,
    EDGE,
    INK,
    LINE,
    PAPER,
    PICK,
    SOFT,
    WIDTH,
    Card,
    Picture,
    across,
    card_row,
    clock,
    filled,
    font,
    ruler,
    saved,
)
from vidprod.ops.summary_plan import ScoredShot, SummaryPlan

PICKED, LEFT_OUT = 15, 10
"""Cards of either kind at most."""

_STRIP, _BARS = 84, 96  # heights


def storyboard(
    video: str | os.PathLike[str], plan: SummaryPlan | Mapping[str, Any], output: str | os.PathLike[str]
) -> None:
    """Draws the plan of a summary as a PNG.

    Args:
        video: the file that the plan is of.
        plan: as in `Result.plan`, edited or not.
        output: a .png file; an existing one is replaced.

    Raises:
        InvalidParameter: the plan is none.
        FileContent: the video has no pictures.
        InternalError: the file cannot be written.
    """
    plan = plan if isinstance(plan, SummaryPlan) else SummaryPlan.from_dict(plan)
    info = probe(Path(video))
    end = max([shot.end for shot in plan.shots] + [one.end for one in plan.segments])
    shots = plan.shots or (ScoredShot(0.0, end, 0.0),)
    picked, left_out = _cards(plan, shots)
    with VideoReader(info.path, info=info) as reader:
        tiles = _tiles(shots, end, info.display_width / info.display_height)
        times = [second for _, _, second in tiles] + [card.second for card in (*picked, *left_out)]
        pictures = pictures_at(reader, times, side=300)
    if not pictures:
        raise FileContent("the video has no picture")
    seconds = sum(one.end - one.start for one in plan.segments)
    taken = sum(any(_within(one.start, one.end, shot) for one in plan.segments) for shot in shots)
    title = f"{seconds:.1f} of {end:.1f} seconds"
    count = len(plan.segments)
    more = f"{count} segment{'s' * (count != 1)} from {taken} of {len(shots)} shot{'s' * (len(shots) != 1)}"
    # drawn on a sheet that is long enough, then cut off
    sheet = Image.new("RGB", (WIDTH, 900 + 500 * (PICKED + LEFT_OUT) // 3), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((EDGE, 30), title, INK, font(34))
    draw.text((EDGE, 76), more, SOFT, font(18))
    y = 118
    _strip(sheet, y, tiles, pictures, plan, end)
    y = _bars(draw, y + _STRIP + 26, shots, plan, end)
    heading = f"Picked, in the order of the summary{', the first of them' * (len(picked) == PICKED)}"
    y = card_row(sheet, y + 26, heading + _of(picked, count), picked, pictures[len(tiles) :], 5)
    if left_out:
        rest = pictures[len(tiles) + len(picked) :]
        heading = "Left out, best first" + _of(left_out, len(shots) - taken)
        y = card_row(sheet, y + 20, heading, left_out, rest, 7)
    saved(sheet, y + EDGE // 2, output)


def board(plan: SummaryPlan | Mapping[str, Any], paths: Sequence[Path], video: Path, output: Path) -> None:
    """`storyboard` as actions call it (`ActionSpec.storyboard`); a summary is drawn from its input, not from the result."""
    storyboard(paths[0], plan, output)


def _of(cards: Sequence[Card], total: int) -> str:
    return f"  ({len(cards)} of {total})" if total > len(cards) else ""


def _within(start: float, end: float, shot: ScoredShot) -> bool:
    return start < shot.end - 1e-3 and end > shot.start + 1e-3


def _cards(plan: SummaryPlan, shots: Sequence[ScoredShot]) -> tuple[list[Card], list[Card]]:
    picked: list[Card] = []
    for number, one in enumerate(plan.segments, 1):
        for shot in shots:  # a segment may go over several
            start, end = max(one.start, shot.start), min(one.end, shot.end)
            if end - start > 0.02 and len(picked) < PICKED:
                star = "  cover" if start <= plan.cover < end and plan.cover else ""
                text = f"{clock(start)} - {clock(end)}  ({end - start:.1f} s)"
                picked.append(Card((start + end) / 2, f"{number}{star}", (text, _why(shot))))
    others = [shot for shot in shots if not any(_within(one.start, one.end, shot) for one in plan.segments)]
    others.sort(key=lambda shot: -shot.score)
    left_out = [
        Card((shot.start + shot.end) / 2, "", (f"{clock(shot.start)}  ({shot.end - shot.start:.1f} s)", _why(shot)))
        for shot in others[:LEFT_OUT]
    ]
    return picked, left_out


def _why(shot: ScoredShot) -> str:
    return f"{shot.score:.2f}  {shot.reason}"


def _tiles(shots: Sequence[ScoredShot], end: float, shape: float) -> list[tuple[int, int, float]]:
    """(left, right, second) of the pictures of the strip: of each shot as many as fit."""
    wide = max(round(_STRIP * min(max(shape, 0.5), 2.4)), 1)
    tiles = []
    for shot in shots:
        left, right = across(shot.start, end), across(shot.end, end)
        if right - left < 3:
            continue
        count = max(round((right - left) / wide), 1)
        edges = np.linspace(left, right, count + 1).round().astype(int)
        step = (shot.end - shot.start) / count
        tiles += [(int(edges[at]), int(edges[at + 1]), shot.start + (at + 0.5) * step) for at in range(count)]
    return tiles


def _strip(
    sheet: Image.Image,
    y: int,
    tiles: Sequence[tuple[int, int, float]],
    pictures: Sequence[Picture],
    plan: SummaryPlan,
    end: float,
) -> None:
    """The whole video: what is picked in full colour with a line above and below, the rest pale."""
    strip = Image.new("RGB", (WIDTH, _STRIP), PAPER)
    for (left, right, _), picture in zip(tiles, pictures, strict=False):
        strip.paste(filled(picture, right - left, _STRIP), (left, 0))
    pale = Image.blend(strip, Image.new("RGB", strip.size, PAPER), 0.66)
    for one in plan.segments:
        left, right = across(one.start, end), max(across(one.end, end), across(one.start, end) + 2)
        pale.paste(strip.crop((left, 0, right, _STRIP)), (left, 0))
    sheet.paste(pale, (0, y))
    draw = ImageDraw.Draw(sheet)
    for one in plan.segments:
        left, right = across(one.start, end), max(across(one.end, end), across(one.start, end) + 2)
        draw.rectangle((left, y - 7, right - 1, y - 3), fill=PICK)
        draw.rectangle((left, y + _STRIP + 2, right - 1, y + _STRIP + 6), fill=PICK)


def _bars(draw: ImageDraw.ImageDraw, y: int, shots: Sequence[ScoredShot], plan: SummaryPlan, end: float) -> int:
    """What the shots are worth, over a scale of seconds; returns where it ends."""
    base = y + _BARS
    for level in (0.5, 1.0):
        draw.line((EDGE, base - level * _BARS, WIDTH - EDGE, base - level * _BARS), fill=LINE)
        draw.text((EDGE - 6, base - level * _BARS), f"{level:g}", SOFT, font(13), anchor="rm")
    for shot in shots:
        left, right = across(shot.start, end), across(shot.end, end)
        taken = any(_within(one.start, one.end, shot) for one in plan.segments)
        top = base - max(shot.score * _BARS, 1)
        draw.rectangle((left, top, max(right - 2, left), base), fill=PICK if taken else BAR)
    return ruler(draw, base + 1, end)
