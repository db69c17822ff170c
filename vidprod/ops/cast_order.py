"""The order in which takes are seen.

Every order has a price: neighbours that look alike or come from the same source, takes that are too short for their shot, and what
the scene asks for. A greedy order is improved by exchanging two takes at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.takes import Take

Floats = NDArray[np.float64]

TOO_SHORT = 8.0
"""Price of a take that cannot fill its shot."""

GROUPED = 0.6
"""Likeness from which on two takes show the same garment."""

LATER = 0.35
"""What it may cost to show two moments of a video in the order in which they were recorded."""

LEAVING = 0.5
"""Price of every place by which a take is away from where the scene wants it."""

HOOK = 0.1
"""By how much a moment of the only video must be better than its first to be shown before it."""

_MOST = 128  # shots: more are not improved pair by pair, which takes long
_ROUNDS = 5
_PASSES = 12
_SIZES = ("full", "half", "detail", "none")


def ordered(
    takes: Sequence[Take],
    chosen: Sequence[int],
    lengths: Sequence[float],
    scene: str,
    alike: Floats,
    moments: Sequence[int],
    reach: Sequence[float],
    runs: Sequence[int],
) -> list[int]:
    """Numbers of takes in the order of the shots.

    Args:
        takes: all of them.
        chosen: numbers of those that are seen, one for each shot, in any order; more than once if need be.
        lengths: seconds of the shots.
        scene: "general" or "costume".
        alike: (N, N) likeness of the takes.
        moments: of each take, how often it can be seen without seeing the same.
        reach: of each take, seconds of the longest shot that it can fill.
        runs: of each take, a number shared by those that continue each other.
    """
    counts: dict[int, int] = {}
    items: list[tuple[int, int, int]] = []  # take, how often all of it was seen before, and number of the moment
    for number in chosen:
        items.append((number, *divmod(counts.get(number, 0), moments[number])))
        counts[number] = counts.get(number, 0) + 1
    prices = _Prices(takes, items, lengths, alike, reach)
    if len({takes[number].source for number, _, _ in items}) == 1:
        begin = _one_video(takes, items, runs)
        prices.keep(begin, apart=False)
        order = prices.improved(begin, fixed=0)
    elif scene == "costume":
        begin = _costume(takes, items, alike)
        prices.keep(begin, apart=True)
        order = prices.improved(begin, fixed=0)
    else:
        order = prices.improved(prices.greedy(), fixed=1)
        order = prices.in_time(order)
    return [items[at][0] for at in order]


class _Prices:
    """What it costs to have items at places, and beside each other."""

    def __init__(
        self,
        takes: Sequence[Take],
        items: Sequence[tuple[int, int, int]],
        lengths: Sequence[float],
        alike: Floats,
        reach: Sequence[float],
    ) -> None:
        self._count = count = len(items)
        numbers = np.array([number for number, _, _ in items])
        own = [takes[number] for number in numbers]
        self.source = np.array([take.source for take in own])
        self.begin = np.array([take.start if not take.still else 0.0 for take in own])
        self.round = np.array([again for _, again, _ in items])
        self.moment = np.array([moment for _, _, moment in items])
        still = np.array([take.still for take in own])
        score = np.array([take.score for take in own])
        calm = np.array([take.calm for take in own])
        length = np.array(lengths)
        self._same_take = same_take = numbers[:, None] == numbers[None]
        same_source = self.source[:, None] == self.source[None]
        same_kind = still[:, None] == still[None]
        rare = still if still.sum() * 2 < count else ~still
        both_rare = rare[:, None] & rare[None] & bool(rare.sum() * 3 < count)
        near = alike[np.ix_(numbers, numbers)]
        self._next = near + 0.6 * same_source + 1.5 * same_take + 0.15 * same_kind
        self._after_next = 0.4 * near + 0.25 * same_source + 0.6 * same_take + 0.2 * both_rare
        far = np.array([reach[number] for number in numbers])
        lasts = np.array([np.inf if take.still else take.end - take.start for take in own])
        part = np.arange(count) / max(count - 1, 1)
        usual = length / length.mean() - 1
        self._place = (
            TOO_SHORT * (far[:, None] < length[None] - 1e-6)
            + 0.8 * (1 - lasts[:, None] / length[None]).clip(0, 1)
            - 0.4 * (calm[:, None] - 0.5) * usual[None]
            + 0.3 * score[:, None] * part[None]
            + 2.0 * self.round[:, None] * (1 - part[None])
        )
        self._place[:, -1] -= 1.2 * score + 0.8 * calm
        self._place[:, 0] -= 4.0 * score + 0.2 * ~still - 4.0

    def keep(self, order: Sequence[int], apart: bool) -> None:
        """From now on it costs to leave `order`; hardly anything but shots that are too long is a reason to.

        Args:
            order: of the items.
            apart: whether two moments of a take had better not follow each other.
        """
        wanted = np.empty(self._count)
        wanted[list(order)] = np.arange(self._count)
        short = np.where(self._place >= TOO_SHORT, TOO_SHORT, 0.0)
        self._place = short + LEAVING * np.abs(wanted[:, None] - np.arange(self._count)[None])
        self._next = 1.5 * self._same_take * apart
        self._after_next = np.zeros_like(self._next)

    def greedy(self) -> list[int]:
        """The best one first, a good calm one last, and in between what costs least beside those before."""
        left = list(range(self._count))
        order = [min(left, key=lambda at: float(self._place[at, 0]))]
        left.remove(order[0])
        if not left:
            return order
        # the last one is chosen early: the strongest would be used up
        last = min(left, key=lambda at: float(self._place[at, -1] + self._next[at, order[0]]))
        left.remove(last)
        while left:
            options = np.array(left)
            price = self._place[options, len(order)] + self._next[order[-1], options]
            if len(order) > 1:
                price = price + self._after_next[order[-2], options]
            earlier = (self.source[options][:, None] == self.source[options][None]) & (
                self.begin[options][:, None] > self.begin[options][None]
            )
            price = price + 0.3 * earlier.any(1)
            best = int(options[int(price.argmin())])
            order.append(best)
            left.remove(best)
        return [*order, last]

    def price(self, orders: NDArray[np.int64]) -> Floats:
        """(..., n) orders -> (...) what they cost."""
        total: Floats = (
            self._place[orders, np.arange(orders.shape[-1])].sum(-1)
            + self._next[orders[..., :-1], orders[..., 1:]].sum(-1)
            + self._after_next[orders[..., :-2], orders[..., 2:]].sum(-1)
        )
        return total

    def improved(self, order: Sequence[int], *, fixed: int) -> list[int]:
        """Exchanges two as long as that pays; the first `fixed` stay where they are."""
        now = np.array(order, np.int64)
        count = len(now)
        cost = float(self.price(now))
        for _ in range(_ROUNDS if count <= _MOST else 0):
            before = cost
            for at in range(fixed, count - 1):
                # `at` exchanged with each one after it
                orders = np.repeat(now[None], count - at - 1, 0)
                rows = np.arange(count - at - 1)
                orders[:, at] = now[at + 1 :]
                orders[rows, at + 1 + rows] = now[at]
                costs = self.price(orders)
                best = int(costs.argmin())
                if costs[best] < cost - 1e-9:
                    now, cost = orders[best].copy(), float(costs[best])
            if cost > before - 1e-9:
                break
        return [int(at) for at in now]

    def in_time(self, order: Sequence[int]) -> list[int]:
        """Moments of one video in the order in which they were recorded, where that costs next to nothing; the first shot stays."""
        now = np.array(order, np.int64)
        for _ in range(min(len(now), _PASSES)):
            changed = False
            latest: dict[int, int] = {}
            for place in range(1, len(now)):
                source = int(self.source[now[place]])
                other = latest.get(source)
                if other is not None and self._key(now[other]) > self._key(now[place]):
                    cost = float(self.price(now))
                    now[other], now[place] = now[place], now[other]
                    if self.price(now) <= cost + LATER:
                        changed = True
                    else:
                        now[other], now[place] = now[place], now[other]
                latest[source] = place
            if not changed:
                break
        return [int(at) for at in now]

    def _key(self, item: int) -> tuple[int, float, int]:
        return int(self.round[item]), float(self.begin[item]), int(self.moment[item])


def _one_video(takes: Sequence[Take], items: Sequence[tuple[int, int, int]], runs: Sequence[int]) -> list[int]:
    """As it was recorded; only a much better moment from another shot may come before the rest."""
    order = sorted(range(len(items)), key=lambda at: (items[at][1], takes[items[at][0]].start, items[at][2]))
    first = items[order[0]][0]
    best = max(order, key=lambda at: takes[items[at][0]].score)
    number = items[best][0]
    if takes[number].score > takes[first].score + HOOK and runs[number] != runs[first]:
        order.remove(best)
        order.insert(0, best)
    return order


def _costume(takes: Sequence[Take], items: Sequence[tuple[int, int, int]], alike: Floats) -> list[int]:
    """Garment after garment, each from full to detail; what shows no person comes last, and repetitions after all else."""
    numbers = sorted({number for number, _, _ in items})
    group = {number: number for number in numbers}
    for a, b in itertools.combinations(numbers, 2):
        same_video = takes[a].source == takes[b].source
        if alike[a, b] >= (0.5 * GROUPED if same_video else GROUPED):
            old, new = group[b], group[a]
            group = {number: new if one == old else one for number, one in group.items()}
    size = {number: _SIZES.index(takes[number].size) for number in numbers}
    nobody = _SIZES.index("none")
    rank: dict[int, tuple[int, float]] = {}
    for name in set(group.values()):
        members = [number for number in numbers if group[number] == name]
        first = min(size[number] for number in members)
        rank[name] = first, -max(takes[number].score for number in members if size[number] == first)

    def key(at: int) -> tuple[object, ...]:
        number, again, moment = items[at]
        take, place = takes[number], rank[group[number]]
        return again, place[0] == nobody, moment, place, group[number], size[number], -take.score, take.source, number

    return sorted(range(len(items)), key=key)
