"""Which pictures to read ahead: those after an event that stands longer than a `TemporalFill` looks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from vidprod.ops.temporal_fill import REACH
from vidprod.ops.temporal_window import GUARD, MEAN_OF


@dataclass(frozen=True)
class Pin:
    """Pictures to hand to `TemporalFill.pin`.

    Attributes:
        before: it has to be done before this picture is pushed.
        first, stop: the numbers of the pictures, half open, at most `MEAN_OF`.
    """

    before: int
    first: int
    stop: int


def pinned(
    events: Sequence[tuple[int, int]],
    count: int,
    *,
    cuts: Sequence[int] = (),
    transitions: Sequence[tuple[int, int]] = (),
    reach: int = REACH,
) -> list[Pin]:
    """The clean pictures after every event that its first pictures cannot see by themselves.

    Args:
        events: (first, stop) of the pictures that show each, half open, in any order; they may overlap.
        count: pictures of the video.
        cuts, transitions, reach: as given to `TemporalFill`.

    Returns:
        in the order in which they are needed; nothing for an event that ends with its shot, or that others follow too closely.
    """
    edges = sorted({*cuts, *(edge for interval in transitions for edge in interval)})
    written = _joined([(first - GUARD, stop + GUARD) for first, stop in events])
    found = []
    for at, (first, stop) in enumerate(written):
        begun = bisect_right(edges, stop - 1)
        before = max(first + GUARD, edges[begun - 1] if begun else 0)
        following = written[at + 1][0] if at + 1 < len(written) else count
        last = min(stop + MEAN_OF, following, count, *edges[begun : begun + 1])
        if stop - before > reach and last > stop and not any(a < last and stop < b for a, b in transitions):
            found.append(Pin(before, stop, last))
    return found


def _joined(intervals: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals that overlap or touch made one, ascending."""
    found: list[tuple[int, int]] = []
    for first, stop in sorted(intervals):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((first, stop))
    return found
