"""Times of subtitles as an .srt file, which players and subtitle editors read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from vidprod.ops.text_plan import TextPlan

Entry = tuple[float, float, Sequence[str]]
"""Start and end in seconds, and the lines to be shown."""


def to_srt(plan: TextPlan) -> str:
    """The events of a plan, each line of text as "[subtitle N: box left,top,right,bottom]" in pixels; N counts from 1."""
    return srt(
        (
            event.start,
            event.end,
            [f"[subtitle {number}: box {b.left},{b.top},{b.right},{b.bottom}]" for b in event.boxes],
        )
        for number, event in enumerate(plan.events, 1)
    )


def srt(entries: Iterable[Entry]) -> str:
    """Numbered cues in order of time, none of which overlap: while several entries stand, one cue shows the lines of all.

    Times are rounded to milliseconds, and what then lasts no time is left out. Lines must not be empty, as an empty line ends a
    cue; empty text for no entries.
    """
    times = [(_milliseconds(start), _milliseconds(end), lines) for start, end, lines in entries]
    moments = sorted({moment for start, end, _ in times for moment in (start, end)})
    cues: list[tuple[int, int, list[str]]] = []
    for start, end in itertools.pairwise(moments):
        text = [line for first, last, lines in times if first <= start and end <= last for line in lines]
        if not text:
            continue
        if cues and cues[-1][1] == start and cues[-1][2] == text:
            cues[-1] = (cues[-1][0], end, text)
        else:
            cues.append((start, end, text))
    return "\n".join(
        f"{number}\n{timestamp(start)} --> {timestamp(end)}\n" + "\n".join(text) + "\n"
        for number, (start, end, text) in enumerate(cues, 1)
    )


def timestamp(milliseconds: int) -> str:
    """HH:MM:SS,mmm; the hours may have more digits."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{rest:03}"


def _milliseconds(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
