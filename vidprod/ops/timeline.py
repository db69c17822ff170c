"""The plan of GenerateVideo: what is seen and heard at which time. A plain list that can be read, edited and rendered again.

Times are seconds. `start` and `end` are of a source; `out_start` and `out_end` of the result. All are taken to the nearest picture
of the result when they are rendered.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.camera_path import interpolated
from vidprod.ops.reframe_plan import PathPoint

Floats = NDArray[np.float64]
Kind = Literal["video", "audio", "image"]
Effect = Literal["none", "motion", "puzzle"]

LOUDNESS = -16.0
"""LUFS of the result: what EBU R 128 s2 and AES TD1008 recommend for streams."""


@dataclass(frozen=True)
class Source:
    """One input file.

    Attributes:
        name: as the user calls it.
        type: what it holds.
        background: red, green and blue, 0..255, of what is behind a picture that is transparent in parts; None otherwise.
    """

    name: str
    type: Kind
    background: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Shot:
    """A source, for a while.

    Attributes:
        source: number of the source, from 0.
        start, end: what is seen of it. Of a photograph seconds since it is seen, 0 and its length. Where that is longer than the
            time it is seen for, it is shown faster; where it is shorter, slower.
        out_start, out_end: when it is seen, its parts of transitions included.
        effect: "none"; "motion", a photograph over which the camera moves; "puzzle", one of several that are seen together: they
            follow each other in the list, with the same times.
        path: the visible window by seconds of the source, as in the plan of ChangeVideoSize; it glides from point to point, slowly
            at both ends. Empty: the largest part in the middle.
        layout: of a puzzle, one of `vidprod.ops.layouts.LAYOUTS`.
        cell: of a puzzle, number of the part of that layout that it fills.
        gamma: exponents for red, green and blue, 1 for no change: what matches its colours to the others', black and white kept.
        score: what it is worth showing, 0..1.
        reason: why it was chosen.
    """

    source: int
    start: float
    end: float
    out_start: float
    out_end: float
    effect: Effect = "none"
    path: tuple[PathPoint, ...] = ()
    layout: str = ""
    cell: int = 0
    gamma: tuple[float, float, float] = (1.0, 1.0, 1.0)
    score: float = 0.0
    reason: str = ""

    def source_seconds(self, out: Floats) -> Floats:
        """(n,) seconds of the result -> seconds of the source that are seen then."""
        speed = (self.end - self.start) / (self.out_end - self.out_start)
        return self.start + (out - self.out_start) * speed

    def windows(self, seconds: Floats) -> Floats:
        """(n,) seconds of the source -> (n, 4) x, y, w, h of the visible window, as parts of the picture.

        Raises:
            ValueError: the shot has no path.
        """
        if not self.path:
            raise ValueError("a shot without a path has no windows")
        times = np.array([point.t for point in self.path])
        values = np.array([[p.x, p.y, p.w, p.h] for p in self.path])
        return np.stack([interpolated(times, values[:, i], seconds) for i in range(4)], 1)


@dataclass(frozen=True)
class TransitionSpan:
    """From one shot to the next: exactly where both are seen.

    Attributes:
        style: one of `vidprod.ops.transitions.STYLES`.
        out_start, out_end: seconds of the result; the beat is in the middle.
        seed: of what is random in it.
    """

    style: str
    out_start: float
    out_end: float
    seed: int = 0


@dataclass(frozen=True)
class MusicPiece:
    """A stretch of the music, `start` to `end`, from `out_start` of the result on. Where two overlap, one fades into the other."""

    start: float
    end: float
    out_start: float


@dataclass(frozen=True)
class ClipSound:
    """The own sound of a clip: from `start` of the source on, between `out_start` and `out_end`; music is ducked below it."""

    source: int
    start: float
    out_start: float
    out_end: float


@dataclass(frozen=True)
class Soundtrack:
    """What is heard.

    Attributes:
        music: number of the source; None for no music.
        pieces: of the music, in order.
        clips: own sound of the sources.
        duck: decibels by which music is lowered under a clip's sound.
        loudness: LUFS of the whole, EBU R 128; None leaves it as it is.
        fade_in, fade_out: seconds.
    """

    music: int | None = None
    pieces: tuple[MusicPiece, ...] = ()
    clips: tuple[ClipSound, ...] = ()
    duck: float = -12.0
    loudness: float | None = LOUDNESS
    fade_in: float = 0.1
    fade_out: float = 1.5


@dataclass(frozen=True)
class Timeline:
    """A short.

    Attributes:
        width, height: of the result, in pixels.
        rate: pictures per second of the result, as a fraction, "30000/1001".
        sources: the input files.
        shots: in order; the first begins at 0, and each begins before the one before it ends, or just then.
        transitions: in order, one wherever two shots overlap.
        beats: seconds of the result.
        downbeats: those beats that begin a bar.
        pulses: when the picture swells for a moment, and falls back.
        sound: None for a silent result.
        cover: seconds of the result at which the cover is taken.
    """

    width: int
    height: int
    rate: str
    sources: tuple[Source, ...]
    shots: tuple[Shot, ...]
    transitions: tuple[TransitionSpan, ...] = ()
    beats: tuple[float, ...] = ()
    downbeats: tuple[float, ...] = ()
    pulses: tuple[float, ...] = ()
    sound: Soundtrack | None = None
    cover: float = 0.0

    def point(self, second: float) -> int:
        """Number of the picture of the result at a time."""
        return round(Fraction(second).limit_denominator(10**6) * Fraction(self.rate))

    @property
    def pictures(self) -> int:
        """Of the result."""
        return self.point(self.shots[-1].out_end)

    def groups(self) -> tuple[tuple[Shot, ...], ...]:
        """The shots, those of a puzzle together."""
        keyed = itertools.groupby(self.shots, key=lambda shot: (shot.out_start, shot.out_end))
        return tuple(tuple(members) for _, members in keyed)
