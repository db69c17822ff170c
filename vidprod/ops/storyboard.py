"""A picture of a summary: the video as a strip, what its shots are worth, and what was picked and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidprod.errors import FileContent
from vidprod.media.pending import PendingFile
from vidprod.media.previews import pictures_at
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.ops.summary_plan import ScoredShot, SummaryPlan

WIDTH = 1400
"""Pixels."""

PICKED, LEFT_OUT = 15, 10
"""Cards of either kind at most."""

_EDGE, _GAP = 40, 14
_STRIP, _BARS = 84, 96  # heights
_PAPER, _INK, _SOFT, _PICK = (250, 250, 248), (28, 30, 34), (132, 134, 140), (226, 92, 30)
_LINE, _BAR = (222, 222, 218), (190, 192, 196)
_ROUND = 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600  # seconds between ticks

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class _Card:
    """A picture with three lines below."""

    second: float
    head: str
    lines: tuple[str, str]


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
    sheet = Image.new("RGB", (WIDTH, 900 + 500 * (PICKED + LEFT_OUT) // 3), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_EDGE, 30), title, _INK, _font(34))
    draw.text((_EDGE, 76), more, _SOFT, _font(18))
    y = 118
    _strip(sheet, y, tiles, pictures, plan, end)
    y = _bars(draw, y + _STRIP + 26, shots, plan, end)
    y = _row(
        sheet,
        y + 26,
        f"Picked, in the order of the summary{', the first of them' * (len(picked) == PICKED)}",
        picked,
        pictures[len(tiles) :],
        5,
        len(plan.segments),
    )
    if left_out:
        rest = pictures[len(tiles) + len(picked) :]
        unseen = len(shots) - taken
        y = _row(sheet, y + 20, "Left out, best first", left_out, rest, 7, unseen)
    pending = PendingFile(output)
    try:
        with pending.reported(), pending.temporary.open("wb") as file:
            sheet.crop((0, 0, WIDTH, y + _EDGE // 2)).quantize(192, dither=Image.Dither.NONE).save(
                file, "png", optimize=True
            )
        pending.commit()
    finally:
        pending.discard()


def _within(start: float, end: float, shot: ScoredShot) -> bool:
    return start < shot.end - 1e-3 and end > shot.start + 1e-3


def _cards(plan: SummaryPlan, shots: Sequence[ScoredShot]) -> tuple[list[_Card], list[_Card]]:
    picked: list[_Card] = []
    for number, one in enumerate(plan.segments, 1):
        for shot in shots:  # a segment may go over several
            start, end = max(one.start, shot.start), min(one.end, shot.end)
            if end - start > 0.02 and len(picked) < PICKED:
                star = "  cover" if start <= plan.cover < end and plan.cover else ""
                text = f"{_clock(start)} - {_clock(end)}  ({end - start:.1f} s)"
                picked.append(_Card((start + end) / 2, f"{number}{star}", (text, _why(shot))))
    others = [shot for shot in shots if not any(_within(one.start, one.end, shot) for one in plan.segments)]
    others.sort(key=lambda shot: -shot.score)
    left_out = [
        _Card((shot.start + shot.end) / 2, "", (f"{_clock(shot.start)}  ({shot.end - shot.start:.1f} s)", _why(shot)))
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
        left, right = _x(shot.start, end), _x(shot.end, end)
        if right - left < 3:
            continue
        count = max(round((right - left) / wide), 1)
        edges = np.linspace(left, right, count + 1).round().astype(int)
        step = (shot.end - shot.start) / count
        tiles += [(int(edges[at]), int(edges[at + 1]), shot.start + (at + 0.5) * step) for at in range(count)]
    return tiles


def _x(second: float, end: float) -> int:
    return _EDGE + round(max(second, 0) / max(end, 1e-9) * (WIDTH - 2 * _EDGE))


def _strip(
    sheet: Image.Image,
    y: int,
    tiles: Sequence[tuple[int, int, float]],
    pictures: Sequence[Picture],
    plan: SummaryPlan,
    end: float,
) -> None:
    """The whole video: what is picked in full colour with a line above and below, the rest pale."""
    strip = Image.new("RGB", (WIDTH, _STRIP), _PAPER)
    for (left, right, _), picture in zip(tiles, pictures, strict=False):
        strip.paste(_filled(picture, right - left, _STRIP), (left, 0))
    pale = Image.blend(strip, Image.new("RGB", strip.size, _PAPER), 0.66)
    for one in plan.segments:
        left, right = _x(one.start, end), max(_x(one.end, end), _x(one.start, end) + 2)
        pale.paste(strip.crop((left, 0, right, _STRIP)), (left, 0))
    sheet.paste(pale, (0, y))
    draw = ImageDraw.Draw(sheet)
    for one in plan.segments:
        left, right = _x(one.start, end), max(_x(one.end, end), _x(one.start, end) + 2)
        draw.rectangle((left, y - 7, right - 1, y - 3), fill=_PICK)
        draw.rectangle((left, y + _STRIP + 2, right - 1, y + _STRIP + 6), fill=_PICK)


def _bars(draw: ImageDraw.ImageDraw, y: int, shots: Sequence[ScoredShot], plan: SummaryPlan, end: float) -> int:
    """What the shots are worth, over a scale of seconds; returns where it ends."""
    base = y + _BARS
    for level in (0.5, 1.0):
        draw.line((_EDGE, base - level * _BARS, WIDTH - _EDGE, base - level * _BARS), fill=_LINE)
        draw.text((_EDGE - 6, base - level * _BARS), f"{level:g}", _SOFT, _font(13), anchor="rm")
    for shot in shots:
        left, right = _x(shot.start, end), _x(shot.end, end)
        taken = any(_within(one.start, one.end, shot) for one in plan.segments)
        top = base - max(shot.score * _BARS, 1)
        draw.rectangle((left, top, max(right - 2, left), base), fill=_PICK if taken else _BAR)
    draw.line((_EDGE, base + 1, WIDTH - _EDGE, base + 1), fill=_SOFT)
    step = next((step for step in _ROUND if end / step <= 14), 7200)
    for second in range(0, int(end) + 1, step):
        draw.line((_x(second, end), base + 1, _x(second, end), base + 6), fill=_SOFT)
        draw.text((_x(second, end), base + 9), _clock(second, 0), _SOFT, _font(14), anchor="mt")
    return base + 30


def _row(
    sheet: Image.Image,
    y: int,
    title: str,
    cards: Sequence[_Card],
    pictures: Sequence[Picture],
    columns: int,
    total: int,
) -> int:
    """Cards in rows; returns where they end."""
    draw = ImageDraw.Draw(sheet)
    rest = f"  ({len(cards)} of {total})" if total > len(cards) else ""
    draw.text((_EDGE, y), title + rest, _INK, _font(20))
    y += 36
    wide = (WIDTH - 2 * _EDGE - (columns - 1) * _GAP) // columns
    shape = pictures[0].shape[0] / pictures[0].shape[1] if len(pictures) else 1
    high = round(wide * min(max(shape, 0.4), 1.2))
    small = 15 if columns <= 5 else 13
    for at, (card, picture) in enumerate(zip(cards, pictures, strict=False)):
        left = _EDGE + at % columns * (wide + _GAP)
        top = y + at // columns * (high + 3 * small + 16)
        sheet.paste(_filled(picture, wide, high), (left, top))
        if card.head:
            box = draw.textbbox((left + 9, top + 5), card.head, font=_font(16))
            draw.rectangle((left, top, box[2] + 8, top + 28), fill=_PICK)
            draw.text((left + 9, top + 5), card.head, (255, 255, 255), _font(16))
        draw.text((left, top + high + 6), card.lines[0], _INK, _font(small))
        draw.text((left, top + high + 9 + small), card.lines[1], _SOFT, _font(small))
    return y + -(-len(cards) // columns) * (high + 3 * small + 16)


def _filled(picture: Picture, width: int, height: int) -> Image.Image:
    """The middle of a picture in another shape."""
    image = Image.fromarray(picture)
    scale = max(width / image.width, height / image.height)
    big = image.resize(
        (max(round(image.width * scale), width), max(round(image.height * scale), height)), Image.Resampling.LANCZOS
    )
    left, top = (big.width - width) // 2, (big.height - height) // 2
    return big.crop((left, top, left + width, top + height))


def _clock(second: float, digits: int = 1) -> str:
    minutes, rest = divmod(round(second, digits), 60)
    return f"{int(minutes)}:{rest:0{3 + digits if digits else 2}.{digits}f}"


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
