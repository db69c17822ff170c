"""Which picture of a video is seen at which time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray


def seen(
    pictures: Iterable[av.VideoFrame],
    seconds: NDArray[np.float64],
    *,
    time_base: Fraction,
    tolerance: float,
    snap: float,
) -> Iterator[tuple[av.VideoFrame, int]]:
    """Each picture that is seen at some of the times, and at how many.

    Args:
        pictures: in order, with `pts`.
        seconds: (n,) ascending. Before the first picture that one is seen, after the last one that.
        time_base: seconds per unit of `pts`.
        tolerance: seconds by which a picture may come later than it is seen.
        snap: seconds; where the first time is no further than that from the picture seen then, all times are moved so that they
            agree. Else every time might lie where one picture gives way to the next, and rounding would choose between them.

    Yields:
        (picture, times); the sum of the times is n, but for no pictures at all.
    """
    before: av.VideoFrame | None = None
    at = 0
    aligned = False
    for frame in pictures:
        if at == len(seconds):
            return
        assert frame.pts is not None, "the reader repairs absent pts"
        second = float(frame.pts * time_base)
        if before is not None:
            if not aligned and second > seconds[0] + tolerance:
                assert before.pts is not None
                off = float(before.pts * time_base) - seconds[0]
                if abs(off) <= snap:
                    seconds = seconds + off
                aligned = True
            count = int(np.searchsorted(seconds[at:], second - tolerance))
            if count:
                yield before, count
                at += count
        before = frame
    if before is not None and at < len(seconds):
        yield before, len(seconds) - at
