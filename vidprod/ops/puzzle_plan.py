"""Which takes are seen side by side, in which layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.casting import Scene, quality, reach, talks
from vidprod.ops.layouts import LAYOUTS, Cell, cells
from vidprod.ops.selection import ALIKE
from vidprod.ops.takes import Take

Floats = NDArray[np.float64]

EVERY = 4
"""Shots, about, of which one is a puzzle."""

LEAST_TAKES = 3
"""Different ones that there must be."""

_POOL = 12  # takes that are looked at
_FULL = 0.55  # width by height of what a whole person takes up


@dataclass(frozen=True)
class Puzzle:
    """Takes side by side: `members` are their numbers, in the order of the layout's cells."""

    layout: str
    members: tuple[int, ...]


def puzzle_places(lengths: Sequence[float]) -> list[int]:
    """Numbers of the shots that become puzzles: neither the first, the last, nor neighbours; long ones rather than short ones."""
    count = len(lengths)
    if count < LEAST_TAKES:
        return []
    places: list[int] = []
    for number in range(max(round(count / EVERY), 1)):
        middle = min(2 + number * EVERY, count - 2)
        around = [place for place in (middle - 1, middle, middle + 1) if 1 <= place <= count - 2]
        free = [place for place in around if not places or place > places[-1] + 1]
        if free:
            places.append(max(free, key=lambda place: (round(lengths[place], 3), place == middle, -place)))
    return places


def puzzle_pool(takes: Sequence[Take], length: float) -> list[int]:
    """Numbers of the takes that may be seen in a puzzle of that length: good ones, nobody talks in them. Empty if too few."""
    bad = quality(takes)
    found = [
        number for number, take in enumerate(takes) if bad[number] == 0 and not talks(take) and reach(take) >= length
    ]
    return found if len(found) >= LEAST_TAKES else []


def puzzle(
    takes: Sequence[Take],
    pool: Sequence[int],
    uses: Sequence[float],
    alike: Floats,
    size: tuple[int, int],
    scene: Scene,
    before: Sequence[str] = (),
) -> Puzzle | None:
    """The puzzle that suits best.

    Args:
        takes: all of them.
        pool: numbers of those that may be in it.
        uses: of every take, how often it is seen otherwise.
        alike: (N, N) likeness of the takes.
        size: height and width of the frame.
        scene: "costume" prefers persons.
        before: layouts of earlier puzzles.

    Returns:
        None where the pool holds too few that differ.
    """
    best: tuple[float, Puzzle] | None = None
    ranked = sorted(pool, key=lambda number: (uses[number], -takes[number].score, number))[:_POOL]
    for layout in LAYOUTS:
        places = cells(layout, *size)
        members: list[int] = []
        price = 0.0
        for cell in places:
            options = [(_price(takes, n, cell, members, uses, alike, scene), n) for n in ranked if n not in members]
            options = [one for one in options if one[0] < math.inf]
            if not options:
                break
            cost, number = min(options)
            members.append(number)
            price += cost / len(places)
        if len(members) < len(places):
            continue
        price += 0.3 * list(before[-2:]).count(layout) + 0.5 * (layout in before[-1:]) - 0.05 * len(places)
        if best is None or price < best[0] - 1e-9:
            best = price, Puzzle(layout, tuple(members))
    return None if best is None else best[1]


def _price(
    takes: Sequence[Take],
    number: int,
    cell: Cell,
    members: Sequence[int],
    uses: Sequence[float],
    alike: Floats,
    scene: Scene,
) -> float:
    """Of a take in a cell: what is cut off of it, how often it was seen, and how it goes with the others."""
    take = takes[number]
    if any(alike[number, one] >= ALIKE for one in members):
        return math.inf
    shape = min(take.aspect, _FULL) if take.size == "full" else take.aspect
    price = abs(math.log(shape * cell.height / cell.width)) - 0.6 * take.score + 0.8 * uses[number]
    price += 0.4 * (scene == "costume" and take.size == "none")
    for one in members:
        other = takes[one]
        if take.light[5] and other.light[5]:
            price += 0.6 * abs(sum(take.light[:3]) - sum(other.light[:3])) / 3 / len(members)
        price += 0.15 * ((take.still != other.still) + ((take.size == "none") != (other.size == "none"))) / len(members)
    same_video = any(take.source == takes[one].source for one in members)
    return price + 0.8 * same_video + 0.8 * max((float(alike[number, one]) for one in members), default=0.0)
