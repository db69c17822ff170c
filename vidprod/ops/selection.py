"""Chooses the parts of a video that make a summary of an exact length.

Everything is counted in whole pictures, so the length is exact, not about right. What may be shown comes as ranges of pictures
(shots without their bad pictures) and a score for every picture; out come disjoint segments in the order of the video.

A knapsack over the ranges chooses among windows of each (https://arxiv.org/abs/1502.01866 does so with whole shots), where a range
that is like a better one counts less; then segments grow picture by picture until the length is right.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALIKE = 0.9
"""Likeness from which on two ranges show the same thing, and only the better one is wanted."""

REPEATED = 0.01
"""Of what a range is worth by itself: what is left of it, or less, where a better one shows the same."""

STEPS = 5
"""Lengths of a window, per second, that are tried."""


@dataclass(frozen=True, order=True)
class Segment:
    """Pictures `first` to `stop`, half open; they lie in range number `source` of those given."""

    first: int
    stop: int
    source: int = 0

    def __len__(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True)
class Lengths:
    """In pictures: how long a segment is at least, and how long it had better be at most."""

    shortest: int
    longest: int

    @classmethod
    def of(cls, rate: float, shortest: float = 0.8, longest: float = 4.0) -> Lengths:
        """From seconds, at `rate` pictures a second."""
        return cls(max(math.ceil(shortest * rate - 1e-6), 1), max(round(longest * rate), 1))


@dataclass(frozen=True)
class _Window:
    """A part of a range, and what it is worth."""

    length: int
    value: float
    first: int


def select(
    ranges: Sequence[tuple[int, int]],
    score: Floats,
    wanted: int,
    lengths: Lengths,
    *,
    rate: float,
    likeness: Floats | None = None,
    acts: int = 1,
    takes: Sequence[int] | None = None,
) -> tuple[Segment, ...]:
    """The segments.

    Args:
        ranges: (first, stop) of what may be shown: rising, disjoint, not empty.
        score: (N,) at least 0, of every picture of the video.
        wanted: pictures in the summary, at least 1.
        lengths: of segments. A summary that is shorter than the shortest is one window.
        rate: pictures a second.
        likeness: (K, K) of the ranges, 1 for equal ones.
        acts: parts of the video, equally long, each of which had better be in the summary.
        takes: of each range, what it is a part of; two segments of one take would be a jump cut, and are only made when
            nothing else is left. By default every range is a take of its own.

    Returns:
        Disjoint segments in order, each inside its range, `wanted` pictures together; all ranges whole where they hold no more.
        Ranges that repeat better ones, and those shorter than a segment should be, only serve where the others do not suffice.
    """
    if wanted < 1:
        raise ValueError(f"a summary of {wanted} pictures makes no sense")
    sizes = np.array([stop - first for first, stop in ranges])
    if sizes.sum() <= wanted:
        return tuple(Segment(first, stop, at) for at, (first, stop) in enumerate(ranges))
    sums = np.concatenate([[0.0], np.cumsum(score, dtype=np.float64)])
    if wanted <= lengths.shortest:
        return (_best_window(ranges, sums, wanted),)
    worth = _discounted(ranges, sums, likeness)
    fresh, long = worth > REPEATED, sizes >= lengths.shortest
    best: tuple[Segment, ...] = ()
    for allowed in (fresh & long, fresh, long, fresh | True):
        if sizes[allowed].sum() < wanted:
            continue
        numbers: list[int] = np.flatnonzero(allowed).tolist()
        own = [ranges[at] for at in numbers]
        value = worth[numbers] * _for_every_act(own, sums, acts)
        take = [at if takes is None else takes[at] for at in numbers]
        chosen = _chosen(own, score, sums, wanted, lengths, value, take, rate)
        found = tuple(Segment(one.first, one.stop, numbers[one.source]) for one in chosen)
        if not best or min(map(len, found)) > min(map(len, best)):
            best = found
        if min(map(len, best)) >= lengths.shortest:
            break
    return best


def _chosen(
    ranges: Sequence[tuple[int, int]],
    score: Floats,
    sums: Floats,
    wanted: int,
    lengths: Lengths,
    worth: Floats,
    takes: Sequence[int],
    rate: float,
) -> list[Segment]:
    """Segments of ranges that hold at least `wanted` pictures."""
    widest: dict[int, int] = {}
    for take, (first, stop) in zip(takes, ranges, strict=True):
        widest[take] = max(widest.get(take, 0), stop - first)
    longest = _level(list(widest.values()), wanted, lengths.longest)
    lengths = Lengths(lengths.shortest, longest)
    windows = [_windows(first, stop, sums, lengths, rate) for first, stop in ranges]
    chosen = _knapsack(windows, worth, takes, wanted, max(round(rate / STEPS), 1))
    return _grown(chosen, ranges, score, wanted, lengths, worth, takes)


def _level(sizes: Sequence[int], wanted: int, least: int) -> int:
    """The length, `least` or more, at which one window of each size is enough for `wanted` pictures, as far as can be."""
    low, high = least, max(least, *sizes)
    while low < high:
        middle = (low + high) // 2
        if sum(min(size, middle) for size in sizes) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def _best_window(ranges: Sequence[tuple[int, int]], sums: Floats, wanted: int) -> Segment:
    """The best window of a length; where no range holds it, of the longest range and what lies beside it."""
    best: tuple[float, Segment] | None = None
    for at, (first, stop) in enumerate(ranges):
        if stop - first < wanted:
            continue
        values = sums[first + wanted : stop + 1] - sums[first : stop + 1 - wanted]
        start = first + int(values.argmax())
        if best is None or values.max() > best[0]:
            best = float(values.max()), Segment(start, start + wanted, at)
    if best is not None:
        return best[1]
    at, (first, stop) = max(enumerate(ranges), key=lambda item: item[1][1] - item[1][0])
    start = max(min(first, len(sums) - 1 - wanted), 0)
    return Segment(start, start + wanted, at)


def _windows(first: int, stop: int, sums: Floats, lengths: Lengths, rate: float) -> list[_Window]:
    """The best window of each length in a range."""
    size = stop - first
    shortest, longest = min(lengths.shortest, size), min(lengths.longest, size)
    step = max(round(rate / STEPS), 1)
    found = []
    for length in sorted({*range(shortest, longest + 1, step), longest}):
        values = sums[first + length : stop + 1] - sums[first : stop + 1 - length]
        start = int(values.argmax())
        found.append(_Window(length, float(values[start]), first + start))
    return found


def _discounted(ranges: Sequence[tuple[int, int]], sums: Floats, likeness: Floats | None) -> Floats:
    """(K,) factors, 0..1: less for ranges like better ones, next to nothing for those that show the same."""
    worth = np.ones(len(ranges))
    if likeness is None:
        return worth
    mean = [(sums[stop] - sums[first]) / (stop - first) for first, stop in ranges]
    seen: list[int] = []
    for at in np.argsort(np.negative(mean), kind="stable"):
        if seen:
            most = float(likeness[at, seen].max())
            worth[at] = REPEATED / 10 if most >= ALIKE else 1 - 0.5 * max(most, 0.0)
        seen.append(int(at))
    return worth


def _for_every_act(ranges: Sequence[tuple[int, int]], sums: Floats, acts: int) -> Floats:
    """(K,) factors that make the best range of every act win."""
    factor = np.ones(len(ranges))
    edges = np.linspace(0, len(sums) - 1, acts + 1)
    for low, high in itertools.pairwise(edges):
        inside = [at for at, (first, stop) in enumerate(ranges) if low <= (first + stop) / 2 < high]
        if acts > 1 and inside:
            mean = [(sums[ranges[at][1]] - sums[ranges[at][0]]) / (ranges[at][1] - ranges[at][0]) for at in inside]
            factor[inside[int(np.argmax(mean))]] = 100.0
    return factor


def _knapsack(
    windows: list[list[_Window]], worth: Floats, takes: Sequence[int], wanted: int, unit: int
) -> list[Segment]:
    """At most one window of each take, as valuable together as can be; never more than `wanted` pictures."""
    room = wanted // unit
    value = np.zeros(room + 1)
    options: dict[int, list[tuple[_Window, int]]] = {}  # of each take: windows and the range they lie in
    for at, own in enumerate(windows):
        options.setdefault(takes[at], []).extend((window, at) for window in own)
    taken: list[NDArray[np.int32]] = []
    for several in options.values():
        best, which = value.copy(), np.full(room + 1, -1, np.int32)
        for number, (window, at) in enumerate(several):
            units = -(-window.length // unit)
            if units > room:
                continue
            with_it = value[: room + 1 - units] + worth[at] * (window.value + 1e-9)
            better = with_it > best[units:]
            best[units:][better] = with_it[better]
            which[units:][better] = number
        value = best
        taken.append(which)
    chosen = []
    left = int(value.argmax())
    for several, which in zip(reversed(options.values()), reversed(taken), strict=True):
        number = int(which[left])
        if number >= 0:
            window, at = several[number]
            chosen.append(Segment(window.first, window.first + window.length, at))
            left -= -(-window.length // unit)
    return sorted(chosen)


def _grown(
    chosen: list[Segment],
    ranges: Sequence[tuple[int, int]],
    score: Floats,
    wanted: int,
    lengths: Lengths,
    worth: Floats,
    takes: Sequence[int],
) -> list[Segment]:
    """Adds pictures until there are `wanted`: at the ends of segments first, then from ranges that have none yet."""
    parts = {one.source: one for one in chosen}
    missing = wanted - sum(map(len, chosen))
    missing = _extended(parts, ranges, score, missing, lengths.longest)
    order = sorted(set(range(len(ranges))) - set(parts), key=lambda at: -worth[at] * _mean(score, ranges[at]))
    shown = {takes[at] for at in parts}
    for at in order:
        if not missing:
            break
        if takes[at] in shown:
            continue
        first, stop = ranges[at]
        if stop - first < lengths.shortest:
            continue
        length = min(stop - first, max(missing, lengths.shortest), max(lengths.longest, lengths.shortest))
        if length > missing:  # others make room, as far as they can
            freed = _shortened(parts, score, length - missing, lengths.shortest)
            if freed < length - missing:
                _extended(parts, ranges, score, freed, 2**62)
                continue
            missing += freed
        values = np.convolve(score[first:stop], np.ones(length), "valid")
        start = first + int(values.argmax())
        parts[at] = Segment(start, start + length, at)
        shown.add(takes[at])
        missing -= length
    missing = _extended(parts, ranges, score, missing, 2**62)
    for at in order:  # what is left are scraps
        if missing and at not in parts:
            first, stop = ranges[at]
            length = min(stop - first, missing)
            parts[at] = Segment(first, first + length, at)
            missing -= length
    return sorted(parts.values())


def _mean(score: Floats, part: tuple[int, int]) -> float:
    return float(score[part[0] : part[1]].mean())


def _extended(
    parts: dict[int, Segment], ranges: Sequence[tuple[int, int]], score: Floats, missing: int, longest: int
) -> int:
    """Grows segments by the best pictures beside them; returns how many are still missing."""
    if missing <= 0:
        return missing
    heap: list[tuple[float, int, bool]] = []

    def offer(at: int, left: bool) -> None:
        one, (first, stop) = parts[at], ranges[at]
        if len(one) < longest and (one.first > first if left else one.stop < stop):
            heapq.heappush(heap, (-float(score[one.first - 1 if left else one.stop]), at, left))

    for at in list(parts):
        offer(at, True)
        offer(at, False)
    while missing and heap:
        _, at, left = heapq.heappop(heap)
        one = parts[at]
        if len(one) >= longest:
            continue
        parts[at] = Segment(one.first - left, one.stop + (not left), at)
        missing -= 1
        offer(at, left)
    return missing


def _shortened(parts: dict[int, Segment], score: Floats, surplus: int, shortest: int) -> int:
    """Takes off the worst pictures at the ends; returns how many could be taken."""
    taken = 0
    while taken < surplus:
        able = [one for one in parts.values() if len(one) > shortest]
        if not able:
            break
        one = min(able, key=lambda s: min(score[s.first], score[s.stop - 1]))
        left = bool(score[one.first] < score[one.stop - 1])
        parts[one.source] = Segment(one.first + left, one.stop - (not left), one.source)
        taken += 1
    return taken
