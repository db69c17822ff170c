"""Which stretches of a piece of music are heard below a video, and where its beats are then.

The music begins on a downbeat where its beat is steady, not with a beatless introduction. Where it is shorter than the video it is
looped from a late downbeat back to an early one, so that the beat goes on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.ops.beats import BAR, Beats
from vidprod.ops.pacing import LEAST_CONFIDENCE
from vidprod.ops.timeline import MusicPiece

Floats = NDArray[np.float64]

CROSSFADE = 0.5
"""Seconds in which one piece fades into the next, around a downbeat."""

LONG_CROSSFADE = 1.5
"""Seconds of the same in music without beats, at most a third of it."""

LEAD = 0.03
"""Seconds by which the video begins before the downbeat: the attack itself is not faded in."""

SHORTEST_LOOP = 0.25
"""Seconds of music: less is heard once, as looped it would buzz."""

QUIET = 10.0
"""Decibels below the music's usual level: not worth beginning, or going on, with."""

LOOPED_BARS = 0.2
"""Of the music: what a loop may lose to begin with a downbeat. It is whole bars long in any case, if there is one."""

_DIGITS = 6
_NOTHING = 0.01  # seconds
_REGULAR = 0.15  # of a beat: intervals that differ more are breaks, or chance
_MATTERS = {
    "steady": 2.0,
    "downbeat": 1.0,
    "loud": 1.0,
    "loud start": 1.0,
    "ends a bar": 0.5,
    "ends a beat": 0.15,
    "late": 0.3,
}


@dataclass(frozen=True, eq=False)
class MusicPlan:
    """What is heard of the music.

    Attributes:
        pieces: in order; the first begins with the video, and the last ends with it unless the music is too short to be looped.
        beats: in seconds of the result, over all pieces; None without beats that can be cut on.
        on_beat: whether the video begins on a downbeat, or a beat.
    """

    pieces: tuple[MusicPiece, ...]
    beats: Beats | None
    on_beat: bool


def usable(beats: Beats | None) -> bool:
    """Whether there are beats, and not by chance."""
    return beats is not None and beats.confidence >= LEAST_CONFIDENCE and len(beats.seconds) > 1 and beats.tempo > 0


def music_plan(
    beats: Beats | None,
    music_seconds: float,
    seconds: float,
    level: Callable[[Floats], NDArray[np.floating]] | None = None,
) -> MusicPlan:
    """Fits music to a video.

    Args:
        beats: of the music.
        music_seconds: how long it lasts, at least 0.
        seconds: how long the video lasts, above 0.
        level: (n,) seconds of the music -> (n,) decibels, such as `Loudness.at`; tells quiet stretches from loud ones.

    Raises:
        ValueError: lengths out of range.
    """
    if music_seconds < 0 or seconds <= 0:
        raise ValueError(
            f"music must not last less than 0 s, nor the video 0 s or less, got {music_seconds} and {seconds}"
        )
    heard = beats if usable(beats) else None
    if music_seconds < _NOTHING:
        return MusicPlan((), None, False)
    if music_seconds >= seconds:
        start = 0.0 if heard is None else _start(heard, music_seconds, seconds, level)
        pieces = [MusicPiece(start, start + seconds, 0.0)]
        return _made(pieces, [], heard, seconds)
    if music_seconds < SHORTEST_LOOP:
        return _made([MusicPiece(0.0, music_seconds, 0.0)], [], heard, seconds)
    points = None if heard is None else _loop_points(heard, music_seconds, level)
    if points is None:
        return _looped_ends(heard, music_seconds, seconds)
    return _looped(points, heard, music_seconds, seconds)


def _start(
    beats: Beats, music_seconds: float, seconds: float, level: Callable[[Floats], NDArray[np.floating]] | None
) -> float:
    """The second at which the music had better begin; it is long enough."""
    times, strong = beats.seconds.numpy(), beats.downbeats.numpy()
    fits = (times >= LEAD) & (times - LEAD + seconds <= music_seconds)
    if not fits.any():
        return 0.0
    starts = times[fits] - LEAD
    ends = starts + seconds
    period = 60 / beats.tempo
    regular = np.concatenate([[0], np.cumsum(np.abs(np.diff(times) / period - 1) < _REGULAR)])
    inside = np.searchsorted(times, ends) - 1, np.searchsorted(times, starts)
    steady = (regular[inside[0].clip(0)] - regular[inside[1].clip(max=len(times) - 1)]) / max(seconds / period - 1, 1)
    worth = (
        _MATTERS["steady"] * steady.clip(0, 1)
        + _MATTERS["downbeat"] * strong[fits]
        - _MATTERS["late"] * starts / music_seconds
    )
    for name, marks in (("ends a bar", times[strong]), ("ends a beat", times)):
        if len(marks):
            worth += _MATTERS[name] * np.exp(-((np.abs(ends[:, None] - marks).min(1) / 0.05) ** 2))
    if level is not None:
        grid = np.arange(0.0, music_seconds, 0.1)
        power = np.concatenate([[0.0], np.cumsum(10 ** (np.asarray(level(grid), np.float64) / 10))])
        for name, length in (("loud", seconds), ("loud start", min(seconds, 2.0))):
            first = (starts / 0.1).astype(int).clip(0, len(grid) - 1)
            stop = np.maximum(((starts + length) / 0.1).astype(int).clip(max=len(grid)), first + 1)
            decibels = 10 * np.log10(np.maximum((power[stop] - power[first]) / (stop - first), 1e-8))
            worth += _MATTERS[name] * ((decibels - decibels.max()) / QUIET).clip(-2, 0)
    return float(starts[int(worth.argmax())])


def _loop_points(
    beats: Beats, music_seconds: float, level: Callable[[Floats], NDArray[np.floating]] | None
) -> tuple[float, float] | None:
    """Two seconds of the music that sound alike, a whole number of bars apart, or at least of beats; None where there are none."""
    times = beats.seconds.numpy()
    times = times[times < music_seconds]
    strong = beats.downbeats.numpy()[: len(times)]
    loud = np.ones(len(times), bool)
    if level is not None and len(times):
        levels = np.asarray(level(times + 0.1), np.float64)
        loud = levels >= np.median(levels) - QUIET
    best: tuple[float, float, float] | None = None
    for beats_apart in (BAR, 1):
        for first in np.flatnonzero(loud)[: 4 * BAR].tolist():
            for last in range(len(times) - 1, max(first, len(times) - 1 - 4 * BAR), -1):
                length = float(times[last] - times[first])
                if (last - first) % beats_apart or not loud[last] or length < max(0.4 * music_seconds, 2 * CROSSFADE):
                    continue
                worth = length / music_seconds + LOOPED_BARS * float(strong[first])
                if best is None or worth > best[0] + 1e-9:
                    best = worth, float(times[first]), float(times[last])
        if best is not None:
            return best[1], best[2]
    return None


def _looped(points: tuple[float, float], beats: Beats | None, music_seconds: float, seconds: float) -> MusicPlan:
    """From the second point back to the first one, as often as it takes."""
    first, last = points
    # Half of the fade lies before the downbeat, as far as there is music before the first and after the last.
    before = min(CROSSFADE / 2, first)
    after = min(CROSSFADE - before, music_seconds - last)
    before = min(CROSSFADE - after, first)
    start = max(first - LEAD, 0.0)
    pieces, seams = [MusicPiece(start, last + after, 0.0)], []
    seam = last - start
    while seam < seconds:
        if seconds - seam <= music_seconds - last:  # what follows the last downbeat is long enough
            break
        seams.append(seam)
        pieces.append(MusicPiece(first - before, last + after, seam - before))
        seam += last - first
    return _made(_ended(pieces, seconds), seams, beats, seconds)


def _looped_ends(beats: Beats | None, music_seconds: float, seconds: float) -> MusicPlan:
    """From the end back to the start."""
    fade = min(LONG_CROSSFADE, music_seconds / 3)
    count = int(np.ceil((seconds - fade) / (music_seconds - fade) - 1e-9))
    outs = [number * (music_seconds - fade) for number in range(max(count, 1))]
    pieces = _ended([MusicPiece(0.0, music_seconds, out) for out in outs], seconds)
    return _made(pieces, [out + fade / 2 for out in outs[1:]], beats, seconds)


def _ended(pieces: list[MusicPiece], seconds: float) -> list[MusicPiece]:
    """The last piece ends with the video, and none goes on after it."""
    last = pieces[-1]
    ended = [
        MusicPiece(one.start, min(one.end, one.start + seconds - one.out_start), one.out_start) for one in pieces[:-1]
    ]
    return [*ended, MusicPiece(last.start, last.start + seconds - last.out_start, last.out_start)]


def _made(pieces: list[MusicPiece], seams: list[float], beats: Beats | None, seconds: float) -> MusicPlan:
    """With the beats of each piece, from seam to seam."""
    rounded = tuple(
        MusicPiece(round(one.start, _DIGITS), round(one.end, _DIGITS), round(one.out_start, _DIGITS)) for one in pieces
    )
    if beats is None:
        return MusicPlan(rounded, None, False)
    period = 60 / beats.tempo
    times, strong = beats.seconds.numpy(), beats.downbeats.numpy()
    found: list[tuple[float, bool]] = []
    for piece, (begin, end) in zip(pieces, pairwise([0.0, *seams, seconds]), strict=True):
        out = times - piece.start + piece.out_start
        # Rounding must not lose the beat on the seam. The one before it belongs to the other piece.
        for when, bar in zip(out.tolist(), strong.tolist(), strict=True):
            if begin - 1e-6 <= when < end - 1e-6 and piece.start <= when - piece.out_start + piece.start < piece.end:
                if found and when - found[-1][0] < period / 3:
                    found.pop()
                found.append((max(when, 0.0), bar))
    made = Beats(
        torch.tensor([when for when, _ in found], dtype=torch.float64),
        torch.tensor([bar for _, bar in found], dtype=torch.bool),
        beats.tempo,
        beats.confidence,
    )
    on_beat = len(found) > 0 and found[0][0] <= 2 * LEAD
    return MusicPlan(rounded, made if usable(made) else None, on_beat)
