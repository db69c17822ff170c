"""What is worth showing: a score for every moment of a video, and the segments that make its summary.

Every feature is compared with the rest of the same video, so the weights mean the same for a dark film and a bright one. They are
set by hand, and told in `WEIGHTS`: no data set of product videos is at hand to learn them from.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidprod.media.loudness import Loudness
from vidprod.ops.attention import Attention
from vidprod.ops.quality import Quality
from vidprod.ops.selection import ALIKE, Lengths, Segment, select
from vidprod.ops.summary_plan import ScoredShot, SummaryPlan, stretches

Floats = NDArray[np.float64]
Kind = Literal["ecommerce", "film"]

WEIGHTS: Mapping[Kind, Mapping[str, float]] = {
    "ecommerce": {
        "sharpness": 1.0,
        "colour": 0.6,
        "focus": 0.8,
        "subjects": 0.5,
        "size": 0.4,
        "calm": 0.6,
        "exposure": 0.4,
        "typical": 0.3,
        "loudness": 0.0,
        "novelty": 0.0,
    },
    "film": {
        "sharpness": 0.3,
        "colour": 0.2,
        "focus": 0.3,
        "subjects": 1.0,
        "size": 0.2,
        "calm": -0.5,
        "exposure": 0.3,
        "typical": 0.2,
        "loudness": 0.6,
        "novelty": 0.3,
    },
}
"""Of every feature in the score: see `features`."""

SHAKING = 2.5
"""Standard deviations of movement from which on more is no longer liveliness but shaking."""

ACT = 10.0
"""Seconds of a film's summary for each of which one act of the film must be shown."""

BLURRED = 0.3
"""Of the video's usual sharpness: pictures below are out of focus."""

BAD = ("", "frozen", "shaky", "blurred", "a transition", "black")
"""What may be wrong with a picture; later ones are shown only when all others do not suffice."""

SLIDES = 0.3
"""Part of a video's pictures, without black ones and transitions, from which on those that stand still are its nature: slides."""

LAST_RESORT = 0.05
"""Of its score: what a picture with something wrong is worth."""

LONG_TAKE = 60.0
"""Seconds of a film's take from which on it counts as several, half as long each: a lecture is more than its best moment."""

USUAL = 0.9
"""Product of the vectors of two shots that have nothing in common, at most."""

REACH, EFFORT = 0.3, 0.1
"""Seconds that a segment may be shifted to begin and end in pauses, and how much quieter (see `Loudness.talk_at`) that must be."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A video on a grid of N pictures of equal length.

    Attributes:
        rate: pictures per second.
        score: (N,) 0..1.
        bad: (N,) what is wrong with a picture: a number in `BAD`.
        parts: contributions to the score, by feature, (N,) each.
    """

    rate: Fraction
    score: Floats
    bad: NDArray[np.int64]
    parts: Mapping[str, Floats]


def features(attention: Attention, quality: Quality, sound: Loudness | None) -> dict[str, Floats]:
    """Of T samples, (T,) each: plain numbers in units of their own; more is more."""
    at = attention.seconds
    change = np.interp(at, quality.seconds, _smooth(quality.change))
    light = np.interp(at, quality.seconds, quality.light)
    embedding = attention.embedding.astype(np.float64)
    likeness = embedding @ embedding.mean(0) if len(at) else np.zeros(0)
    moved = np.concatenate([[0.0], np.linalg.norm(np.diff(embedding, axis=0), axis=1)]) if len(at) else np.zeros(0)
    people = [sum(one.weight for one in found if one.weight >= 0.5) for found in attention.subjects]
    size = [
        max(((one.right - one.left) * (one.bottom - one.top) for one in found), default=0.0)
        for found in attention.subjects
    ]
    return {
        "sharpness": np.log(np.interp(at, quality.sample_seconds, quality.sharpness) + 0.02)
        if len(at)
        else np.zeros(0),
        "colour": np.interp(at, quality.sample_seconds, quality.colourfulness) if len(at) else np.zeros(0),
        "focus": attention.focus.astype(np.float64),
        "subjects": np.minimum(np.array(people), 2.0),
        "size": np.sqrt(np.array(size)),
        "calm": -np.log(change + 0.5),
        "exposure": -np.abs(light - 118) / 60,
        "typical": likeness,
        "loudness": np.zeros(len(at)) if sound is None else sound.at(at).astype(np.float64),
        "novelty": moved,
    }


def scored(
    attention: Attention, quality: Quality, sound: Loudness | None, kind: Kind, rate: Fraction, count: int
) -> Scored:
    """Scores a grid of `count` pictures, the first of which is the video's first."""
    grid = _first(quality) + np.arange(count) / float(rate)
    at = attention.seconds
    parts: dict[str, Floats] = {}
    total = np.zeros(len(at))
    for name, values in features(attention, quality, sound).items():
        weight = WEIGHTS[kind][name]
        if weight and len(at):
            deviation = _standard(values)
            if name == "calm" and weight < 0:  # films want movement, but nobody wants shaking
                deviation = -np.where(-deviation > SHAKING, 2 * SHAKING + deviation, -deviation)
            total += weight * deviation
            parts["movement" if name == "calm" and weight < 0 else name] = np.interp(grid, at, weight * deviation)
    score = 1 / (1 + np.exp(-total / 2)) if len(at) else np.zeros(0)
    line = np.interp(grid, at, score) if len(at) else np.zeros(count)
    bad = faults(attention, quality, grid)
    return Scored(rate, np.where(bad > 0, LAST_RESORT * line, line), bad, parts)


def _first(quality: Quality) -> float:
    return float(quality.seconds[0]) if len(quality.seconds) else 0.0


def faults(attention: Attention, quality: Quality, grid: Floats) -> NDArray[np.int64]:
    """(N,) what is wrong with the pictures at some times (N,): numbers in `BAD`."""
    found = np.zeros(len(quality.seconds), np.int64)
    if not len(found):
        return np.full(len(grid), BAD.index("black"))
    frozen, rest = quality.frozen(), ~quality.empty()
    for transition in attention.shots.transitions:
        rest[transition.first : transition.stop] = False
    if frozen[rest].sum() < SLIDES * rest.sum():
        found[frozen] = BAD.index("frozen")
    found[quality.shaken()] = BAD.index("shaky")
    if len(quality.sharpness):
        # that of the sample before: there is one after each cut, and the next one may be of another shot
        last = np.searchsorted(quality.sample_seconds, quality.seconds + 1e-6, side="right").clip(1) - 1
        sharp = quality.sharpness[last]
        found[sharp < BLURRED * float(np.median(quality.sharpness))] = BAD.index("blurred")
    for transition in attention.shots.transitions:
        found[transition.first : transition.stop] = BAD.index("a transition")
    found[quality.empty()] = BAD.index("black")
    number = np.searchsorted(quality.seconds, grid + 1e-6, side="right").clip(1, len(found)) - 1
    own: NDArray[np.int64] = found[number]
    return own


def ranges(found: Scored, attention: Attention, first_second: float, *, worst: int = 0) -> list[tuple[int, int, int]]:
    """(first, stop, number of the shot) of what may be shown: in no picture more is wrong than `worst`."""
    count = len(found.score)
    made: list[tuple[int, int, int]] = []
    for number, shot in enumerate(attention.shots.shots):
        first, stop = (max(min(round((t - first_second) * found.rate), count), 0) for t in (shot.start, shot.end))
        inside = np.concatenate([[False], found.bad[first:stop] <= worst, [False]])
        edges = np.flatnonzero(np.diff(inside.astype(np.int8)))
        made += [(first + int(a), first + int(b), number) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return made


def _usable(found: Scored, attention: Attention, first: float, wanted: int) -> list[tuple[int, int, int]]:
    """Ranges that are enough, with as little wrong in them as can be."""
    for worst in range(len(BAD)):
        usable = ranges(found, attention, first, worst=worst)
        if sum(stop - first for first, stop, _ in usable) >= wanted:
            return usable
    return [(0, len(found.score), 0)]


def _takes(usable: Sequence[tuple[int, int, int]], length: int) -> list[tuple[int, int, int]]:
    """Ranges longer than `length` in equal parts about half as long, each a take of its own; takes are numbered anew."""
    made: list[tuple[int, int, int]] = []
    number, before = -1, -1
    for first, stop, shot in usable:
        parts = 1 if stop - first <= length else round((stop - first) / (length / 2))
        edges = np.linspace(first, stop, parts + 1).round().astype(int)
        for a, b in itertools.pairwise(edges):
            number += shot != before or parts > 1
            made.append((int(a), int(b), number))
        before = shot if parts == 1 else -1
    return made


def summarise(
    attention: Attention,
    quality: Quality,
    sound: Loudness | None,
    *,
    kind: Kind,
    rate: Fraction,
    count: int,
    wanted: int,
    size: tuple[int | None, int | None] = (None, None),
) -> SummaryPlan:
    """Makes the plan.

    Args:
        attention, quality: of the video.
        sound: from the first picture on.
        kind: for whom.
        rate: pictures per second of the result.
        count: pictures of the video at that rate.
        wanted: pictures of the summary.
        size: width and height of the result.
    """
    found = scored(attention, quality, sound, kind, rate, count)
    wanted = max(1, min(wanted, count))
    first = _first(quality)
    usable = _usable(found, attention, first, wanted)
    if kind == "film":
        usable = _takes(usable, max(round(LONG_TAKE * rate), 2))
    lengths = Lengths.of(float(rate), longest=5.0 if kind == "ecommerce" else 4.0)
    acts = max(1, min(round(wanted / float(rate) / ACT + 0.5), 6)) if kind == "film" else 1
    chosen = select(
        [(first, stop) for first, stop, _ in usable],
        found.score,
        wanted,
        lengths,
        rate=float(rate),
        likeness=likeness(attention, usable, rate, first),
        acts=acts,
        takes=[take for _, _, take in usable],
    )
    if sound is not None:
        chosen = in_pauses(chosen, [(a, b) for a, b, _ in usable], sound, float(rate))
    segments = stretches(tuple((one.first, one.stop) for one in chosen), rate, first)
    shots = _scored_shots(found, attention, first, chosen)
    cover = round(first + _cover(found, chosen), 3) if kind == "ecommerce" else 0.0  # films have none
    return SummaryPlan(str(rate), shots, segments, cover, *size)


def in_pauses(
    chosen: Sequence[Segment], usable: Sequence[tuple[int, int]], sound: Loudness, rate: float
) -> tuple[Segment, ...]:
    """Shifts segments, up to `REACH` seconds, so that they begin and end where less is said. Lengths stay as they are.

    Those that touch each other stay: a shift would make a cut where there is none.
    """
    reach = round(REACH * rate)
    moved: list[Segment] = []
    for at, one in enumerate(chosen):
        low, high = usable[one.source]
        if moved:
            low = max(low, moved[-1].stop)
        if at + 1 < len(chosen):
            high = min(high, chosen[at + 1].first)
        joined = (at and chosen[at - 1].stop == one.first) or (
            at + 1 < len(chosen) and chosen[at + 1].first == one.stop
        )
        shifts = np.arange(max(low - one.first, -reach), min(high - one.stop, reach) + 1)
        if len(shifts) > 1 and not joined:
            talk = sum(sound.talk_at((edge + shifts) / rate) for edge in (one.first, one.stop))
            cost = talk + EFFORT * np.abs(shifts) / max(reach, 1)
            shift = int(shifts[cost.argmin()])
            one = Segment(one.first + shift, one.stop + shift, one.source)
        moved.append(one)
    return tuple(moved)


def likeness(
    attention: Attention, usable: Sequence[tuple[int, int, int]], rate: Fraction, first_second: float
) -> Floats:
    """(K, K) of ranges of different takes, 0..1; ranges of one take are not held against each other."""
    vectors = []
    for first, stop, _ in usable:
        part = attention.within(first_second + first / float(rate), first_second + stop / float(rate))
        own = attention.embedding[part].astype(np.float64)
        mean = own.mean(0) if len(own) else np.zeros(attention.embedding.shape[1])
        vectors.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
    matrix = np.stack(vectors)
    alike: Floats = matrix @ matrix.T
    takes = np.array([take for _, _, take in usable])
    alike[takes[:, None] == takes[None]] = 0
    # Vectors of this network lie close together; what is at the median says nothing, unless there is hardly anything else.
    apart = alike[takes[:, None] != takes[None]]
    base = min(float(np.median(apart)), USUAL) if len(apart) else 0.0
    scaled: Floats = ((alike - base) / (1 - base)).clip(0, 1)
    return scaled


def _scored_shots(
    found: Scored, attention: Attention, first_second: float, chosen: Sequence[Segment]
) -> tuple[ScoredShot, ...]:
    count = len(found.score)
    shown = np.zeros(count, bool)
    for one in chosen:
        shown[one.first : one.stop] = True
    shots = attention.shots.shots
    inside = []
    for shot in shots:
        first = max(min(round((shot.start - first_second) * found.rate), count - 1), 0)
        inside.append((first, max(min(round((shot.end - first_second) * found.rate), count), first + 1)))
    alike = likeness(attention, [(a, b, at) for at, (a, b) in enumerate(inside)], found.rate, first_second)
    made = []
    for at, (shot, (first, stop)) in enumerate(zip(shots, inside, strict=True)):
        bad = found.bad[first:stop]
        taken = shown[first:stop]
        part = np.arange(first, stop)[taken] if taken.any() else np.arange(first, stop)
        # what speaks for it where it is shown, what speaks against it where it is not
        means = {name: float(values[part].mean()) for name, values in found.parts.items()}
        most = (max if taken.any() else min)(means, key=lambda name: means[name], default="")
        reason = f"{'good' if means[most] > 0 else 'poor'} {most}" if most else ""
        twins = [i for i in range(len(shots)) if alike[at, i] >= ALIKE and shown[slice(*inside[i])].any()]
        if (bad > 0).mean() > 0.5:
            reason = BAD[int(np.bincount(bad[bad > 0]).argmax())]
        elif twins and not taken.any():
            reason = f"like the one at {shots[twins[0]].start:.1f} s"
        score = float(found.score[first:stop].mean())
        made.append(ScoredShot(round(shot.start, 6), round(shot.end, 6), round(score, 3), reason))
    return tuple(made)


def _cover(found: Scored, chosen: Sequence[Segment]) -> float:
    """Seconds from the first picture to the best one that is shown, not right beside a cut."""
    best, at = -1.0, 0
    margin = max(round(0.2 * found.rate), 1)
    for one in chosen:
        inner = np.arange(one.first, one.stop)
        inner = inner[margin:-margin] if len(inner) > 2 * margin else inner[len(inner) // 2 :][:1]
        worth = found.score[inner]
        if worth.max() > best:
            best, at = float(worth.max()), int(inner[worth.argmax()])
    return round(at / float(found.rate), 3)


def _standard(values: Floats) -> Floats:
    """In standard deviations from the mean, at most 3; nought where all are the same."""
    spread = float(values.std())
    return ((values - values.mean()) / spread).clip(-3, 3) if spread > 1e-9 else np.zeros(len(values))


def _smooth(values: NDArray[np.float32], size: int = 7) -> Floats:
    """Medians over a few pictures: a cut is no movement."""
    if len(values) < size:
        return values.astype(np.float64)
    padded = np.pad(values.astype(np.float64), size // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, size), axis=1))
