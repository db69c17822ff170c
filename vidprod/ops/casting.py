"""Which take is seen in which shot of a short, and which seconds of it.

Variety goes before repetition: every good take is seen before one is seen again, then other moments of long takes, then poor
takes, and only then the same moment once more, from closer. Takes that look alike count as the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.cast_order import ordered
from vidprod.ops.selection import ALIKE
from vidprod.ops.summary import USUAL
from vidprod.ops.takes import Take

Floats = NDArray[np.float64]
Scene = Literal["general", "costume"]

SLOWEST = 0.5
"""Speed at which a take is seen that is too short, at least."""

HELD = 0.25
"""Seconds: a take that lasts less is held like a photograph, at any speed."""

TALKS = 0.5
"""`Take.talk` from which on somebody talks: what is said is heard, at its own speed."""

POOR = 0.5
"""Of the median score: takes below only serve where the others do not suffice."""

HOPELESS = 0.1
"""Of the best score: what is below is seen after every other take was seen twice."""

SLOWER = 0.8
"""Speed down to which a take is slowed rather than seen twice."""

LAPPED = 1.1
"""Times its length that a take may be seen at its own speed: each moment begins a little before the end of the one before."""

TOUCHING = 0.05
"""Seconds between two takes of a video that are parts of one."""

_DIGITS = 6
_OTHER = 0.5, 0.0, 1.0  # where in what is to spare a moment lies when it comes again


@dataclass(frozen=True)
class Part:
    """What is seen of a take.

    Attributes:
        take: its number among the takes.
        start, end: seconds of the source; of a still 0 and the length of the shot.
        use: how often the take was seen before.
        again: how often this moment was, about.
    """

    take: int
    start: float
    end: float
    use: int = 0
    again: int = 0


def duration(take: Take) -> float:
    """Usable seconds; infinite for stills."""
    return math.inf if take.still else max(take.end - take.start, 0.0)


def talks(take: Take) -> bool:
    """Whether somebody talks in it, seen or not."""
    return take.talk >= TALKS


def reach(take: Take, own: bool = False) -> float:
    """Seconds of the longest shot that it can fill; `own`: its sound is heard, so it cannot be slowed."""
    length = duration(take)
    if length < HELD:
        return math.inf
    return length if own or talks(take) else length / SLOWEST


def moments(take: Take, length: float, own: bool = False) -> int:
    """How often a take can be seen for about so many seconds without seeing the same."""
    return 1 if take.still else max(int(_room(take, own) / length + 1e-6), 1)


def _room(take: Take, own: bool) -> float:
    """Seconds for which it can be seen before anything of it comes again."""
    return duration(take) * (LAPPED if own or talks(take) else 1 / SLOWER)


def runs(takes: Sequence[Take]) -> list[int]:
    """Of each take, a number that it shares with those of the same shot of the same video; every still has its own."""
    found = list(range(len(takes)))
    order = sorted(found, key=lambda at: (takes[at].source, takes[at].start))
    for a, b in itertools.pairwise(order):
        one, two = takes[a], takes[b]
        if one.source == two.source and not one.still and not two.still and two.start - one.end < TOUCHING:
            found[b] = found[a]
    return found


def joined(takes: Sequence[Take], lengths: Sequence[float], own: bool = False) -> list[Take]:
    """The takes, those that go on without a break as one, if there are less good moments than shots of these seconds.

    So a video that is only just long enough is seen from its beginning to its end, not some parts of it twice.
    """
    usual = float(np.median(lengths))
    bad = quality(takes)
    if sum(moments(take, usual, own) for take, one in zip(takes, bad, strict=True) if one == 0) >= len(lengths):
        return list(takes)
    groups: dict[int, list[Take]] = {}
    for run, take in zip(runs(takes), takes, strict=True):
        groups.setdefault(run, []).append(take)
    return [_one(sorted(group, key=lambda take: take.start)) for group in groups.values()]


def _one(parts: Sequence[Take]) -> Take:
    first = parts[0]
    if len(parts) == 1:
        return first
    share = np.array([duration(part) for part in parts]) / max(sum(duration(part) for part in parts), 1e-9)
    vector = sum(part.embedding * weight for part, weight in zip(parts, share, strict=True))
    main = parts[int(share.argmax())]
    return replace(
        first,
        end=parts[-1].end,
        score=float(share @ [part.score for part in parts]),
        embedding=vector / max(float(np.linalg.norm(vector)), 1e-9),
        size=main.size,
        talk=float(share @ [part.talk for part in parts]),
        calm=float(share @ [part.calm for part in parts]),
        reason=main.reason,
        light=main.light,
        line=(np.concatenate([part.line[0] for part in parts]), np.concatenate([part.line[1] for part in parts])),
    )


def likeness(takes: Sequence[Take]) -> Floats:
    """(N, N) 0..1 of every two takes: 0 for what is as usual among them, 1 for the same."""
    vectors = np.stack([np.asarray(take.embedding, np.float64) for take in takes])
    product: Floats = vectors @ vectors.T
    # Vectors of this network lie close together; what is at the median says nothing, unless there is hardly anything else.
    apart = product[~np.eye(len(takes), dtype=bool)]
    base = min(float(np.median(apart)), USUAL) if len(apart) else 0.0
    alike: Floats = ((product - base) / (1 - base)).clip(0, 1)
    np.fill_diagonal(alike, 1.0)
    return alike


def quality(takes: Sequence[Take]) -> NDArray[np.int64]:
    """(N,) 0 good, 1 poor, 2 hopeless takes."""
    score = np.array([take.score for take in takes])
    found: NDArray[np.int64] = (score < POOR * np.median(score)).astype(np.int64) + (score < HOPELESS * score.max())
    return found


def pick(
    takes: Sequence[Take], wanted: int, length: float, scene: Scene, alike: Floats, own: bool = False
) -> list[int]:
    """The takes of `wanted` shots that last about `length` seconds: numbers, some of them more than once where they must be."""
    count = len(takes)
    score = np.array([take.score for take in takes])
    bad = quality(takes)
    still = np.array([take.still for take in takes])
    sources = np.array([take.source for take in takes])
    sizes = np.array([take.size for take in takes])
    often = np.array([moments(take, length, own) for take in takes])
    worth = (score + 0.05) * np.array([_fit(take, length, own) for take in takes])
    if scene == "costume" and (sizes != "none").any():
        worth *= np.where(sizes == "none", 0.7, 1.0)
    # Both kinds, where there are both: each at least a third.
    films, photos = int(often[~still & (bad == 0)].sum()), int((still & (bad == 0)).sum())
    share = min(max(films / max(films + photos, 1), 0.35), 0.65) if films and photos else float(films > 0)
    uses = np.zeros(count, np.int64)
    near = np.zeros(count)
    chosen: list[int] = []
    while len(chosen) < wanted:
        taken = np.array(chosen, np.int64)
        rounds = uses // often
        fresh = uses == 0
        level = np.where(rounds == 0, np.where(fresh & (near < ALIKE), 0, 1), 2 + rounds)
        level = np.where(
            bad == 1, np.maximum(level, 2) + rounds, np.where(bad == 2, np.maximum(level, 4) + 2 * rounds, level)
        )
        value = (
            worth
            * (1 - 0.5 * near)
            * 0.8 ** np.bincount(sources[taken], minlength=sources.max() + 1)[sources]
            * 0.7**uses
        )
        if scene == "costume":
            value *= 0.85 ** np.array([(sizes[taken] == size).sum() for size in sizes])
        if films and photos:
            full = (~still[taken]).sum() >= share * wanted, still[taken].sum() >= (1 - share) * wanted
            value *= np.where(still, 0.5 if full[1] else 1.0, 0.5 if full[0] else 1.0)
        best = int(np.lexsort((-value, level))[0])
        chosen.append(best)
        uses[best] += 1
        near = np.maximum(near, np.where(np.arange(count) == best, 0.0, alike[best]))
    return chosen


def choose_shots(
    takes: Sequence[Take], lengths: Sequence[float], scene: Scene, alike: Floats | None = None, own: bool = False
) -> list[int]:
    """The number of a take for each shot.

    Args:
        takes: at least one.
        lengths: seconds of the shots, their parts of transitions included.
        scene: "general" opens with the best take and closes with a calm one; "costume" shows each garment from full to detail.
        alike: of the takes, see `likeness`, which is worked out if it is not given.
        own: whether the takes' own sound is heard.

    Raises:
        ValueError: there are no takes.
    """
    if not takes:
        raise ValueError("there must be at least one take")
    if not lengths:
        return []
    alike = likeness(takes) if alike is None else alike
    usual = float(np.median(lengths))
    chosen = pick(takes, len(lengths), usual, scene, alike, own)
    often = [moments(take, usual, own) for take in takes]
    far = [reach(take, own) for take in takes]
    return ordered(takes, chosen, lengths, scene, alike, often, far, runs(takes))


def windows(takes: Sequence[Take], sequence: Sequence[int], lengths: Sequence[float], own: bool = False) -> list[Part]:
    """What is seen of each take, each time: different moments, in order, as far as it is long enough."""
    made: dict[int, Part] = {}
    for number in dict.fromkeys(sequence):
        take = takes[number]
        places = [place for place, one in enumerate(sequence) if one == number]
        if take.still:
            for use, place in enumerate(places):
                made[place] = Part(number, 0.0, round(lengths[place], _DIGITS), use, use)
            continue
        # As many moments as fit beside each other; then the same again.
        most = _room(take, own)
        rounds: list[list[int]] = [[]]
        for place in places:
            if rounds[-1] and sum(lengths[one] for one in (*rounds[-1], place)) > most + 1e-6:
                rounds.append([])
            rounds[-1].append(place)
        use = 0
        for again, members in enumerate(rounds):
            seen = _moments_of(take, [lengths[one] for one in members], again)
            for place, (start, end) in zip(members, seen, strict=True):
                made[place] = Part(number, start, end, use, again)
                use += 1
    return [made[place] for place in range(len(sequence))]


def _moments_of(take: Take, lengths: Sequence[float], again: int) -> list[tuple[float, float]]:
    """The best stretch of each part of a take; the parts are as long as what is seen of them asks for."""
    total = sum(lengths)
    if duration(take) < total <= LAPPED * duration(take) and len(lengths) > 1:
        # all of it: slower by so little it would judder
        lap = (total - duration(take)) / (len(lengths) - 1)
        begins = [take.start + sum(lengths[:at]) - at * lap for at in range(len(lengths))]
        return [
            (round(begin, _DIGITS), min(round(begin + length, _DIGITS), take.end))
            for begin, length in zip(begins, lengths, strict=True)
        ]
    found, begin = [], take.start
    for number, length in enumerate(lengths, 1):
        end = take.end if number == len(lengths) else begin + duration(take) * length / total
        spare = end - begin - length
        if spare <= 0:  # all of it, slower
            found.append((round(begin, _DIGITS), min(round(end, _DIGITS), take.end)))
        else:
            start = replace(take, start=begin, end=end).best(length)
            if again:  # not the very same
                start = begin + spare * _OTHER[again % len(_OTHER)]
            start = round(max(min(start, end - length), begin), _DIGITS)
            found.append((start, min(round(start + length, _DIGITS), take.end)))
        begin = end
    return found


def _fit(take: Take, length: float, own: bool) -> float:
    if reach(take, own) < length:
        return 0.5
    return 1.0 if duration(take) >= length else 0.85
