"""Whether a timeline can be shown at all: known before the first picture is made."""

from __future__ import annotations

from collections.abc import Sequence

from vidprod.errors import InvalidParameter, shown
from vidprod.media.probe import VideoInfo
from vidprod.ops.layouts import LAYOUTS
from vidprod.ops.timeline import Shot, Timeline
from vidprod.ops.transitions import STYLES

BEHIND = 2.0
"""Seconds for which the last picture of a video may be held."""


def check_timeline(timeline: Timeline, infos: Sequence[VideoInfo | None]) -> None:
    """Looks whether a timeline, which may have been edited, fits its sources.

    Args:
        timeline: what is to be seen.
        infos: of each source, what `probe` found; None for those that are no videos.

    Raises:
        InvalidParameter: a shot or a transition that cannot be shown; the message names it.
    """
    if not timeline.shots:
        raise InvalidParameter("shots must hold at least one")
    for at, shot in enumerate(timeline.shots):
        _check_shot(f"shots[{at}]", shot, timeline, infos)
    for at, span in enumerate(timeline.transitions):
        if span.style not in STYLES:
            raise InvalidParameter(
                f"transitions[{at}].style is {shown(span.style)}, must be one of {', '.join(STYLES)}"
            )
    number = 0
    for group in timeline.groups():
        _check_group(number, group)
        number += len(group)


def _check_shot(name: str, shot: Shot, timeline: Timeline, infos: Sequence[VideoInfo | None]) -> None:
    if not 0 <= shot.source < len(timeline.sources):
        raise InvalidParameter(f"{name}.source is {shot.source}, must be the number of a source, below {len(infos)}")
    source, info = timeline.sources[shot.source], infos[shot.source]
    if source.type == "audio" or (source.type == "video") != (info is not None):
        raise InvalidParameter(f"{name}.source is {shot.source}, {source.name}: it has no pictures")
    if not shot.out_end > shot.out_start:
        raise InvalidParameter(
            f"{name} is seen from {shot.out_start:g} to {shot.out_end:g}: it must end after it begins"
        )
    if not 0 <= shot.start <= shot.end:
        raise InvalidParameter(f"{name} shows {shot.start:g} to {shot.end:g} of its source: it must not run backwards")
    length = None if info is None else info.duration
    if length is not None and (shot.start >= length or shot.end > length + BEHIND):
        raise InvalidParameter(
            f"{name} shows {shot.start:g} to {shot.end:g} of {source.name}, which lasts for {length:.2f} seconds"
        )


def _check_group(number: int, group: Sequence[Shot]) -> None:
    puzzle = [shot.effect == "puzzle" for shot in group]
    if not any(puzzle):
        if len(group) > 1:
            raise InvalidParameter(
                f"shots[{number + 1}] is seen at the same time as the one before it, but not in a puzzle"
            )
        return
    layout = group[0].layout
    for at, shot in enumerate(group, number):
        if not puzzle[at - number] or shot.layout != layout:
            raise InvalidParameter(f"shots[{at}] must be a part of the same puzzle as the one before it")
    if layout not in LAYOUTS:
        raise InvalidParameter(f"shots[{number}].layout is {shown(layout)}, must be one of {', '.join(LAYOUTS)}")
    if sorted(shot.cell for shot in group) != list(range(LAYOUTS[layout])):
        raise InvalidParameter(
            f"shots[{number}] to [{number + len(group) - 1}] must fill cells 0 to {LAYOUTS[layout] - 1} of {layout}, each once"
        )
