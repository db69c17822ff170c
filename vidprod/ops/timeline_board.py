"""A picture of a short: what is seen when, over its beats, and where each shot comes from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from vidprod.errors import FileContent, InvalidFile, InvalidParameter
from vidprod.media.loudness import loudness
from vidprod.media.previews import pictures_at
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.still import over, read_still
from vidprod.ops.board_drawing import (
    EDGE,
    INK,
    LINE,
    PAPER,
    SOFT,
    WIDTH,
    Card,
    Picture,
    card_row,
    clock,
    filled,
    font,
    legible,
    saved,
    write,
)
from vidprod.ops.timeline import Timeline
from vidprod.ops.timeline_reading import timeline_of
from vidprod.ops.timeline_strip import BELOW, STRIP, Group, draw_beats, draw_joints, draw_strip, edges_of, tiles_of

CARDS, UNUSED = 140, 24
"""At most."""

TOP = 160
"""Row at which the strip of pictures begins."""

_NOTHING = np.full((90, 90, 3), LINE, np.uint8)
_BACKGROUND = (232, 232, 230)


def board(plan: Timeline | Mapping[str, Any], paths: Sequence[Path], video: Path, output: Path) -> None:
    """Draws a short as a PNG.

    Args:
        plan: as in `Result.plan`, edited or not.
        paths: the file of every source, in the same order. Of those that are not used pictures are shown.
        video: the short.
        output: a .png file; an existing one is replaced.

    Raises:
        InvalidParameter: the plan is none, or paths are not as many as its sources.
        InvalidFile: the short cannot be read.
        InternalError: the file cannot be written.
    """
    timeline = plan if isinstance(plan, Timeline) else timeline_of(plan)
    if len(paths) != len(timeline.sources):
        raise InvalidParameter(
            f"paths are {len(paths)}, must be {len(timeline.sources)}, one for each source of the plan"
        )
    groups = timeline.groups()
    end = timeline.shots[-1].out_end
    names = [legible(source.name, f"file {number}") for number, source in enumerate(timeline.sources, 1)]
    edges = edges_of(groups)
    tiles = tiles_of(edges, timeline.width / timeline.height)
    cards = _cards(timeline, groups[:CARDS], names)
    info = probe(video)
    with VideoReader(video, info=info) as reader:
        times = [second for _, _, second in tiles] + [card.second for card in cards]
        pictures = pictures_at(reader, times, side=300)
    if not pictures:
        raise FileContent(f"{video.name} has no picture")
    unused = [at for at in range(len(names)) if at not in _used(timeline)]
    columns = 5 if len(cards) <= 20 else 7
    # drawn on a sheet that is long enough, then cut off
    sheet = Image.new("RGB", (WIDTH, 900 + (len(cards) // columns + 1) * 560), PAPER)
    draw = ImageDraw.Draw(sheet)
    _title(draw, timeline, groups, names)
    draw_strip(sheet, TOP, tiles, pictures, edges, end)
    draw_joints(draw, TOP, timeline, groups, end)
    levels = loudness(video, end, start=info.start) if timeline.sound is not None else None
    y = draw_beats(draw, TOP + STRIP + BELOW, timeline, edges, None if levels is None else levels.level, end)
    left_out = f"  ({len(cards)} of {len(groups)})" if len(groups) > len(cards) else ""
    y = card_row(sheet, y + 30, f"Shots{left_out}", cards, pictures[len(tiles) :], columns, tallest=16 / 9)
    if unused:
        y = _unused(sheet, y + 10, timeline, unused, paths, names)
    saved(sheet, y + EDGE // 2, output)


def _title(draw: ImageDraw.ImageDraw, timeline: Timeline, groups: Sequence[Group], names: Sequence[str]) -> None:
    end = timeline.shots[-1].out_end
    draw.text((EDGE, 30), f"{end:.1f} seconds", INK, font(34))
    seen = {shot.source for shot in timeline.shots}
    there = sum(source.type != "audio" for source in timeline.sources)
    parts = [
        f"{_count(len(groups), 'shot')} from {len(seen)} of {_count(there, 'file')}",
        _count(len(timeline.transitions), "transition"),
        f"{timeline.width} x {timeline.height}",
    ]
    if len(timeline.beats) > 2:
        parts.append(f"{60 / median(b - a for a, b in itertools.pairwise(timeline.beats)):.0f} beats a minute")
    sound = timeline.sound
    if sound is None:
        parts.append("silent")
    elif sound.music is not None:
        parts.append(f"music {names[sound.music]}")
    else:
        parts.append("own sound")
    write(draw, (EDGE, 78), ",  ".join(parts), SOFT, 18, WIDTH - 2 * EDGE)


def _cards(timeline: Timeline, groups: Sequence[Group], names: Sequence[str]) -> list[Card]:
    styles = {timeline.point(one.out_start): one.style for one in timeline.transitions}
    edges = edges_of(timeline.groups())
    cover = timeline.cover
    cards = []
    for at, group in enumerate(groups):
        shot = group[0]
        before = groups[at - 1][0].out_end if at else 0.0
        after = min([one[0].out_start for one in groups[at + 1 : at + 2]] + [shot.out_end])
        seen = max(before, shot.out_start), after  # where no transition is
        star = "  cover" if edges[at] <= cover < edges[at + 1] else ""
        why = max(group, key=lambda one: one.score)
        told = f"{why.score:.2f}  {why.reason}" if why.score or why.reason else ""
        lines = (
            names[shot.source]
            if len(group) == 1
            else " + ".join(_short(names[one.source], len(group)) for one in group),
            f"{clock(shot.out_start)} - {clock(shot.out_end)}  ({shot.out_end - shot.out_start:.1f} s)",
            _what(timeline, group),
            told,
        )
        into = styles.get(timeline.point(shot.out_start), "") if at else ""
        cards.append(Card((seen[0] + seen[1]) / 2, f"{at + 1}{star}", lines, into))
    return cards


def _short(name: str, of: int) -> str:
    """The beginning of a name that shares its line with others."""
    stem, length = PurePath(name).stem, 34 // of - 3
    return stem if len(stem) <= length else f"{stem[:length]}.."


def _what(timeline: Timeline, group: Group) -> str:
    """What is done with it, and where in its file it is."""
    shot = group[0]
    if shot.effect == "puzzle":
        return f"puzzle {shot.layout}"
    if timeline.sources[shot.source].type == "image":
        return "photo, the camera moves" if shot.effect == "motion" else "photo"
    speed = (shot.end - shot.start) / (shot.out_end - shot.out_start)
    slow = f"  at {speed:.2g} x speed" if abs(speed - 1) > 0.02 else ""
    return f"from {clock(shot.start)} - {clock(shot.end)}{slow}"


def _used(timeline: Timeline) -> set[int]:
    sound = timeline.sound
    heard = set() if sound is None else {*(clip.source for clip in sound.clips), sound.music}
    return {shot.source for shot in timeline.shots} | {one for one in heard if one is not None}


def _unused(
    sheet: Image.Image, y: int, timeline: Timeline, unused: Sequence[int], paths: Sequence[Path], names: Sequence[str]
) -> int:
    """Small pictures of the files that are not in the short; returns where they end."""
    draw = ImageDraw.Draw(sheet)
    shown = unused[:UNUSED]
    rest = f"  ({len(shown)} of {len(unused)})" if len(unused) > len(shown) else ""
    draw.text((EDGE, y), f"Not used{rest}", INK, font(20))
    y += 36
    columns, gap = 12, 10
    wide = (WIDTH - 2 * EDGE - (columns - 1) * gap) // columns
    high = round(wide * 0.75)
    for at, number in enumerate(shown):
        left, top = EDGE + at % columns * (wide + gap), y + at // columns * (high + 28)
        source = timeline.sources[number]
        picture = _NOTHING if source.type == "audio" else _glimpse(paths[number], source.type == "image")
        pale = Image.blend(filled(picture, wide, high), Image.new("RGB", (wide, high), PAPER), 0.35)
        sheet.paste(pale, (left, top))
        if source.type == "audio":
            draw.text((left + wide / 2, top + high / 2), "sound", SOFT, font(13), anchor="mm")
        write(draw, (left, top + high + 5), names[number], SOFT, 12, wide)
    return y + -(-len(shown) // columns) * (high + 28)


def _glimpse(path: Path, still: bool) -> Picture:
    """One small picture of a file; nothing of one that cannot be read."""
    try:
        if still:
            found = read_still(path, side=200)
            picture = found.picture if found.alpha is None else over(found, _BACKGROUND)
            return picture.permute(1, 2, 0).numpy()
        with VideoReader(path) as reader:
            return next(iter(pictures_at(reader, [1.0], side=200)), _NOTHING)
    except InvalidFile:
        return _NOTHING


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
