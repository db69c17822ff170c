"""The plan of a summary: shots and their scores, what is shown of them, and the cover."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from vidprod.errors import InvalidParameter, shown


@dataclass(frozen=True)
class ScoredShot:
    """One shot, in seconds; `score` 0..1 is what it is worth showing, `reason` what speaks for or against it most."""

    start: float
    end: float
    score: float
    reason: str = ""


@dataclass(frozen=True)
class Stretch:
    """What is shown: seconds of the source, half open. Both are taken to the nearest picture of the grid; it is one at least."""

    start: float
    end: float


@dataclass(frozen=True)
class SummaryPlan:
    """What a summary shows.

    Attributes:
        rate: pictures per second of the result, as a fraction, "30000/1001".
        shots: of the source.
        segments: in the order in which they are shown; may overlap, repeat or go back in time if you want them to.
        cover: seconds of the source at which the cover is taken.
        width, height: of the result, in pixels; None: the source's.
    """

    rate: str
    shots: tuple[ScoredShot, ...]
    segments: tuple[Stretch, ...]
    cover: float = 0.0
    width: int | None = None
    height: int | None = None

    def grid(self, first: Fraction | float = 0) -> tuple[tuple[int, int], ...]:
        """(first, stop) of every segment, in pictures of the result's rate; `first`: seconds at which the video's first is seen."""
        rate = Fraction(self.rate)
        points = [tuple(max(round((t - first) * rate), 0) for t in (one.start, one.end)) for one in self.segments]
        return tuple((a, max(b, a + 1)) for a, b in points)

    @property
    def frames(self) -> int:
        """Pictures of the result."""
        return sum(stop - first for first, stop in self.grid())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        known = {"rate", "shots", "segments", "cover", "width", "height"}
        if unknown := sorted(set(data) - known):
            raise InvalidParameter(f"{shown(unknown[0])} is not part of a plan of a summary")
        try:
            rate = Fraction(data.get("rate", ""))
            if not 1 <= rate <= 1000:
                raise ValueError
        except (ValueError, TypeError, ZeroDivisionError):
            raise InvalidParameter(
                f"rate is {shown(data.get('rate'))}, must be pictures per second, such as '25'"
            ) from None
        sizes = [data.get(key) for key in ("width", "height")]
        for key, size in zip(("width", "height"), sizes, strict=True):
            whole = isinstance(size, int) and not isinstance(size, bool) and 2 <= size <= 16384
            if size is not None and not whole:
                raise InvalidParameter(f"{key} is {shown(size)}, must be a whole number of pixels, or null")
        shots = tuple(
            ScoredShot(one["start"], one["end"], one.get("score", 0.0), one.get("reason", ""))
            for one in _times(data.get("shots", []), "shots", {"score", "reason"})
        )
        segments = tuple(Stretch(one["start"], one["end"]) for one in _times(data.get("segments"), "segments", set()))
        cover = data.get("cover", 0.0)
        if not _seconds(cover):
            raise InvalidParameter(f"cover is {shown(cover)}, must be seconds")
        plan = cls(str(rate), shots, segments, float(cover), *sizes)
        if not segments:
            raise InvalidParameter("segments is [], must hold at least one")
        return plan


def stretches(segments: tuple[tuple[int, int], ...], rate: Fraction, origin: float = 0.0) -> tuple[Stretch, ...]:
    """Segments in seconds that come back as the same pictures, the first of which is seen at `origin` seconds; those that touch
    are one."""
    joined: list[list[int]] = []
    for first, stop in segments:
        if joined and joined[-1][1] == first:
            joined[-1][1] = stop
        else:
            joined.append([first, stop])
    made = tuple(Stretch(round(origin + float(a / rate), 6), round(origin + float(b / rate), 6)) for a, b in joined)
    assert all(a.end <= b.start or a.start >= b.end for a, b in itertools.pairwise(made))
    return made


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _times(value: Any, name: str, more: set[str]) -> list[Mapping[str, Any]]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter(f"{name} is {shown(value)}, must be a list")
    for at, one in enumerate(value):
        if not isinstance(one, Mapping) or not {"start", "end"} <= set(one) <= {"start", "end"} | more:
            raise InvalidParameter(f"{name}[{at}] is {shown(one)}, must be an object with start and end")
        if not _seconds(one["start"]) or not _seconds(one["end"]) or one["end"] <= one["start"]:
            raise InvalidParameter(
                f"{name}[{at}]: start and end must be seconds, one after the other, got {shown(dict(one))}"
            )
    return list(value)
