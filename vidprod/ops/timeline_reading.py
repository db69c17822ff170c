"""Reads the plan of GenerateVideo from what JSON holds, written by `plan_to_dict`, edited, or made by hand."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, cast, get_args

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.layouts import LAYOUTS
from vidprod.ops.plan_values import Entry
from vidprod.ops.reframe_plan import LARGEST, SMALLEST, PathPoint
from vidprod.ops.timeline import (
    LOUDNESS,
    ClipSound,
    Effect,
    Kind,
    MusicPiece,
    Shot,
    Soundtrack,
    Source,
    Timeline,
    TransitionSpan,
)
from vidprod.ops.transitions import STYLES

LONGEST = 3600
"""Seconds of a short at most."""

PLAIN = "normal"
"""Style of transitions that a plan leaves open."""

_SMALLEST_WINDOW = 0.01  # of either side of the picture
_RATE = re.compile(r"\d{1,7}(/\d{1,7}|\.\d{1,6})?")
_SHOT = "source", "start", "end", "out_start", "out_end"
_MORE = "effect", "path", "layout", "cell", "gamma", "score", "reason"

Groups = Sequence[Sequence[tuple[str, Shot]]]


def timeline_of(data: Mapping[str, Any]) -> Timeline:
    """The timeline that JSON holds.

    Width, height, rate, sources and shots are needed, and of a shot its source and its four times. All else has defaults: a
    transition that is not told of is "normal", and music without pieces is heard from its beginning.

    Args:
        data: as `plan_to_dict` writes a `Timeline`.

    Raises:
        InvalidParameter: naming what is wrong, and what is allowed.
    """
    plan = Entry(
        data,
        "",
        ("width", "height", "rate", "sources", "shots"),
        ("transitions", "beats", "downbeats", "pulses", "sound", "cover"),
    )
    width, height = (plan.whole(key, None, SMALLEST, LARGEST) for key in ("width", "height"))
    rate = _rate(plan)
    sources = tuple(_source(one) for one in plan.entries("sources", ("name", "type"), ("background",), least=1))
    shots = [(one.name, _shot(one, sources)) for one in plan.entries("shots", _SHOT, _MORE, least=1)]
    bare = Timeline(width, height, rate, sources, tuple(shot for _, shot in shots))
    groups = _groups(shots)
    _check_order(bare, groups)
    length = bare.shots[-1].out_end
    return Timeline(
        width,
        height,
        rate,
        sources,
        bare.shots,
        _transitions(plan, bare, groups),
        plan.rising("beats"),
        plan.rising("downbeats"),
        plan.rising("pulses"),
        _sound(plan, sources, length),
        plan.seconds("cover", most=length),
    )


def _rate(plan: Entry) -> str:
    value = plan.get("rate")
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not _RATE.fullmatch(text) or text.endswith("/0") or not 1 <= Fraction(text) <= 1000:
        raise InvalidParameter(f"rate is {shown(value)}, must be pictures per second, such as '25' or '30000/1001'")
    return text


def _source(one: Entry) -> Source:
    background = one.get("background")
    if background is not None:
        background = tuple(round(level) for level in one.numbers("background", 3, 0, 255, ()))
    return Source(one.text("name"), cast(Kind, one.choice("type", get_args(Kind))), background)


def _shot(one: Entry, sources: Sequence[Source]) -> Shot:
    source = one.whole("source", None, 0, len(sources) - 1)
    if sources[source].type == "audio":
        raise InvalidParameter(f"{one.called('source')} is {source}, which is sound and cannot be seen")
    start, end, out_start, out_end = (one.seconds(key) for key in ("start", "end", "out_start", "out_end"))
    red, green, blue = one.numbers("gamma", 3, 0.2, 5, (1.0, 1.0, 1.0))
    shot = Shot(
        source,
        start,
        end,
        out_start,
        out_end,
        effect=cast(Effect, one.choice("effect", get_args(Effect), "none")),
        path=_path(one),
        layout=one.text("layout"),
        cell=one.whole("cell", 0, 0, max(LAYOUTS.values()) - 1),
        gamma=(red, green, blue),
        score=one.number("score", 0.0, 0, 1),
        reason=one.text("reason"),
    )
    for key, low, high in (("", start, end), ("out_", out_start, out_end)):
        if high <= low:
            raise InvalidParameter(f"{one.called(f'{key}end')} is {high:g}, must be later than {key}start, {low:g}")
    if shot.effect == "puzzle":
        one.choice("layout", tuple(LAYOUTS))
    elif shot.layout or shot.cell:
        raise InvalidParameter(
            f"{one.name} has a layout or a cell, which only a shot with the effect 'puzzle' has, not one with {shot.effect!r}"
        )
    return shot


def _path(shot: Entry) -> tuple[PathPoint, ...]:
    points: list[PathPoint] = []
    for one in shot.entries("path", ("t", "x", "y", "w", "h")):
        x, y = (one.number(key, 0, 0, 1) for key in ("x", "y"))
        w, h = (one.number(key, 0, _SMALLEST_WINDOW, 1) for key in ("w", "h"))
        point = PathPoint(one.seconds("t"), x, y, w, h)
        if x + w > 1 + 1e-6 or y + h > 1 + 1e-6:
            raise InvalidParameter(f"{one.name} reaches beyond the picture: x + w is {x + w:g}, y + h {y + h:g}")
        if points and point.t <= points[-1].t:
            raise InvalidParameter(f"{one.called('t')} is {point.t:g}, must be later than {points[-1].t:g} before it")
        points.append(point)
    return tuple(points)


def _groups(shots: Sequence[tuple[str, Shot]]) -> Groups:
    """The shots that are seen together; all of them must be cells of one puzzle."""
    keyed = itertools.groupby(shots, key=lambda one: (one[1].out_start, one[1].out_end))
    groups = [list(members) for _, members in keyed]
    for group in groups:
        name, first = group[0]
        if any(shot.effect != "puzzle" for _, shot in group):
            if len(group) > 1:
                raise InvalidParameter(
                    f"{name} and {group[1][0]} are seen at the same time, but are not both of a puzzle"
                )
            continue
        layouts = {shot.layout for _, shot in group}
        if len(layouts) > 1:
            raise InvalidParameter(
                f"{name} and those after it are one puzzle, but have {' and '.join(sorted(layouts))}"
            )
        cells, count = [shot.cell for _, shot in group], LAYOUTS[first.layout]
        if sorted(cells) != list(range(count)):
            raise InvalidParameter(
                f"{name}: cells of a puzzle {first.layout!r} must be {', '.join(map(str, range(count)))}, each once, "
                f"with the same out_start and out_end; got {', '.join(map(str, cells))}"
            )
    return groups


def _check_order(bare: Timeline, groups: Groups) -> None:
    """By pictures, as that is what times are taken to."""
    longest = bare.shots[-1].out_end
    if longest > LONGEST:
        raise InvalidParameter(f"{groups[-1][0][0]}.out_end is {longest:g}, must be at most {LONGEST}")
    spans = [(name, *_span(bare, shot)) for (name, shot), *_ in groups]
    if spans[0][1]:
        raise InvalidParameter(f"shots[0].out_start is {bare.shots[0].out_start:g}, must be 0")
    for name, start, end in spans:
        if end <= start:
            raise InvalidParameter(f"{name} is seen for less than one picture, 1/{bare.rate} seconds")
    for (before, start, end), (name, next_start, next_end) in itertools.pairwise(spans):
        if next_start > end:
            raise InvalidParameter(f"between {before} and {name} nothing is seen; one must begin before the other ends")
        if next_start <= start or next_end <= end:
            raise InvalidParameter(f"{name} must begin after {before} begins, and end after it ends")
    for (before, _, end), _, (name, start, _) in zip(spans, spans[1:], spans[2:], strict=False):
        if start < end:
            raise InvalidParameter(f"{name} begins before {before} ends; at most two shots may overlap at a time")


def _span(bare: Timeline, one: Shot | TransitionSpan) -> tuple[int, int]:
    return bare.point(one.out_start), bare.point(one.out_end)


def _transitions(plan: Entry, bare: Timeline, groups: Groups) -> tuple[TransitionSpan, ...]:
    """One for each overlap; those that are absent are plain ones."""
    overlaps = {}
    for before, after in itertools.pairwise(groups):
        span = TransitionSpan(PLAIN, after[0][1].out_start, before[0][1].out_end)
        first, stop = _span(bare, span)
        if stop > first:
            overlaps[first, stop] = span
    told: dict[tuple[int, int], TransitionSpan] = {}
    for one in plan.entries("transitions", ("style", "out_start", "out_end"), ("seed",)):
        span = TransitionSpan(
            one.choice("style", tuple(STYLES)),
            one.seconds("out_start"),
            one.seconds("out_end"),
            one.whole("seed", 0, 0, 2**63 - 1),
        )
        key = _span(bare, span)
        if key not in overlaps:
            there = [found for (first, stop), found in overlaps.items() if first < key[1] and stop > key[0]]
            where = (
                f"there they overlap from {there[0].out_start:g} to {there[0].out_end:g}" if there else "none do there"
            )
            raise InvalidParameter(
                f"{one.name} is from {span.out_start:g} to {span.out_end:g}, must be exactly where two shots overlap; {where}"
            )
        if told and key <= max(told):
            raise InvalidParameter(f"{one.name} is not after the one before it")
        told[key] = span
    return tuple(told.get(key, plain) for key, plain in overlaps.items())


def _sound(plan: Entry, sources: Sequence[Source], length: float) -> Soundtrack | None:
    if plan.get("sound") is None:
        return None
    keys = "music", "pieces", "clips", "duck", "loudness", "fade_in", "fade_out"
    sound = Entry(plan.get("sound"), "sound", (), keys)
    music = None if sound.get("music") is None else _heard(sound, "music", sources)
    pieces = _pieces(sound, length)
    if music is None and pieces:
        raise InvalidParameter("sound.pieces is a list of pieces, but sound.music is null")
    if music is not None and "pieces" not in sound:
        pieces = (MusicPiece(0.0, length, 0.0),)
    loudness = LOUDNESS if "loudness" not in sound else sound.get("loudness")
    return Soundtrack(
        music,
        pieces,
        _clips(sound, sources, length),
        sound.number("duck", -12.0, -60, 0),
        None if loudness is None else sound.number("loudness", LOUDNESS, -70, -5),
        sound.seconds("fade_in", 0.1),
        sound.seconds("fade_out", 1.5),
    )


def _pieces(sound: Entry, length: float) -> tuple[MusicPiece, ...]:
    pieces: list[MusicPiece] = []
    for one in sound.entries("pieces", ("start", "end", "out_start")):
        piece = MusicPiece(one.seconds("start"), one.seconds("end"), one.seconds("out_start"))
        if piece.end <= piece.start:
            raise InvalidParameter(f"{one.called('end')} is {piece.end:g}, must be later than start, {piece.start:g}")
        if pieces and piece.out_start <= pieces[-1].out_start:
            raise InvalidParameter(
                f"{one.called('out_start')} is {piece.out_start:g}, must be later than {pieces[-1].out_start:g} before it"
            )
        if len(pieces) > 1 and piece.out_start < _piece_end(pieces[-2]) - 1e-3:
            raise InvalidParameter(f"{one.name} begins before the last but one ends; at most two pieces may overlap")
        pieces.append(piece)
    return tuple(piece for piece in pieces if piece.out_start < length)  # the rest was left from a longer short


def _piece_end(piece: MusicPiece) -> float:
    return piece.out_start + piece.end - piece.start


def _clips(sound: Entry, sources: Sequence[Source], length: float) -> tuple[ClipSound, ...]:
    clips = []
    for one in sound.entries("clips", ("source", "start", "out_start", "out_end")):
        out_start, out_end = one.seconds("out_start"), one.seconds("out_end")
        if out_end <= out_start:
            raise InvalidParameter(
                f"{one.called('out_end')} is {out_end:g}, must be later than out_start, {out_start:g}"
            )
        clips.append(ClipSound(_heard(one, "source", sources), one.seconds("start"), out_start, out_end))
    return tuple(clip for clip in clips if clip.out_start < length)


def _heard(one: Entry, key: str, sources: Sequence[Source]) -> int:
    source = one.whole(key, None, 0, len(sources) - 1)
    if sources[source].type == "image":
        raise InvalidParameter(f"{one.called(key)} is {source}, which is a picture and cannot be heard")
    return source
