"""From the cuts of a short to its shots: which takes, which seconds of them, and through which windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from vidprod.ops.beats import Beats
from vidprod.ops.casting import Part, Scene, choose_shots, likeness, moments, reach, runs, windows
from vidprod.ops.harmonise import harmonise
from vidprod.ops.layouts import cells
from vidprod.ops.pacing import Pacing
from vidprod.ops.puzzle_plan import Puzzle, puzzle, puzzle_places, puzzle_pool
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.slots import divided, lengths
from vidprod.ops.takes import Take
from vidprod.ops.timeline import Effect, Shot

CLOSER, CLOSER_PERSON = 0.9, 0.8
"""Of its window: what is seen of a video's moment when it comes again, or where a cut leads on to the next moment. With persons it
may be less; elsewhere there may be writing near the border."""

DIGITS = 6
"""Of seconds: they come back as the same picture."""

# Of photographs, one after the other: nearer, farther, along, nearer, farther, back.
_FIRST_MOTIONS = (0, 1, 2, 0, 1, 6)
# Of the same photograph again: a closer view by turns with the whole.
_MORE_MOTIONS = (3, 2, 7, 1, 3, 6, 7, 0)


def shot_slots(
    plan: Pacing, takes: Sequence[Take], rate: Fraction, beats: Beats | None, puzzles: bool, own: bool
) -> tuple[Pacing, list[int]]:
    """The shots, parted where all takes are too short, and the numbers of those that become puzzles."""
    sizes = lengths(plan, rate)
    places = [place for place in puzzle_places(sizes) if puzzles and puzzle_pool(takes, sizes[place])]
    usual = float(np.median(sizes))
    far = [reach(take, own) for take in takes for _ in range(moments(take, usual, own))]
    marks = [] if beats is None else beats.seconds.tolist()
    parted = divided(plan, rate, far, marks, places)
    kept = [parted.shots().index(plan.shots()[place]) for place in places]
    return parted, kept


@dataclass(frozen=True)
class Slot:
    """What is seen in a shot: one part, or those of a puzzle; `chain` counts the shots before it that it continues."""

    parts: tuple[Part, ...]
    layout: str = ""
    chain: int = 0


def cast(
    plan: Pacing,
    places: Sequence[int],
    takes: Sequence[Take],
    rate: Fraction,
    scene: Scene,
    size: tuple[int, int],
    own: bool,
) -> list[Puzzle]:
    """The takes of each shot; a shot of one take has no layout. `size`: height and width; `own`: whether their sound is heard."""
    sizes = lengths(plan, rate)
    alike = likeness(takes)
    single = [at for at in range(len(sizes)) if at not in places]
    chosen = choose_shots(takes, [sizes[at] for at in single], scene, alike, own)
    made = {at: Puzzle("", (number,)) for at, number in zip(single, chosen, strict=True)}
    uses = Counter(chosen)
    for at in places:
        # what was just seen, or comes next, had better not be in it
        beside = Counter(number for near in range(at - 3, at + 4) if near in made for number in made[near].members)
        seen = [uses[number] + beside[number] for number in range(len(takes))]
        before = [made[other].layout for other in places if other in made]
        found = puzzle(takes, puzzle_pool(takes, sizes[at]), seen, alike, size, scene, before)
        if found is None:
            continue
        made[at] = found
        uses.update(found.members)
    if len(made) < len(sizes):  # the others are plain shots
        return cast(plan, [at for at in places if at in made], takes, rate, scene, size, own)
    return [made[at] for at in range(len(sizes))]


def chains_of(takes: Sequence[Take], roles: Sequence[Puzzle]) -> list[int]:
    """Of each shot, how many before it show the same shot of the same video, one right after the other."""
    group = runs(takes)
    found: list[int] = []
    for number, role in enumerate(roles):
        before = roles[number - 1] if number else None
        goes_on = (
            before is not None
            and not role.layout
            and not before.layout
            and group[role.members[0]] == group[before.members[0]]
            and not takes[role.members[0]].still
        )
        found.append(found[-1] + 1 if goes_on else 0)
    return found


def filled(
    takes: Sequence[Take], roles: Sequence[Puzzle], chains: Sequence[int], sizes: Sequence[float], own: bool
) -> list[Slot]:
    """What is seen of the takes in shots of these seconds; `chains` as from `chains_of`."""
    single = [at for at, role in enumerate(roles) if not role.layout]
    parts = windows(takes, [roles[at].members[0] for at in single], [sizes[at] for at in single], own)
    plain = dict(zip(single, parts, strict=True))
    return [
        Slot((plain[at],), chain=chains[at])
        if at in plain
        else Slot(tuple(_member(takes[number], number, sizes[at]) for number in role.members), role.layout)
        for at, role in enumerate(roles)
    ]


def _member(take: Take, number: int, length: float) -> Part:
    if take.still:
        return Part(number, 0.0, round(length, DIGITS))
    start = take.best(length)
    start = round(max(min(start, take.end - length), take.start), DIGITS)
    return Part(number, start, min(round(start + length, DIGITS), take.end))


class Design:
    """From parts of takes to shots."""

    def __init__(self, takes: Sequence[Take], width: int, height: int, rate: Fraction, smart: bool) -> None:
        self._takes = takes
        self._width, self._height, self._rate, self._smart = width, height, rate, smart

    def second(self, picture: int) -> float:
        """Of the result."""
        return round(float(picture / self._rate), DIGITS)

    def shots(self, plan: Pacing, slots: Sequence[Slot]) -> tuple[Shot, ...]:
        """The shots of all slots, in order."""
        used = dict.fromkeys(part.take for slot in slots for part in slot.parts)
        gammas = harmonise([self._takes[number] for number in used])
        made: list[Shot] = []
        photos = 0
        for number, (slot, (first, stop)) in enumerate(zip(slots, plan.shots(), strict=True)):
            places = cells(slot.layout, self._height, self._width) if slot.layout else ()
            for cell, part in enumerate(slot.parts):
                take = self._takes[part.take]
                shape = places[cell].width / places[cell].height if places else self._width / self._height
                motion = 0
                if take.still and not slot.layout:
                    motion = _FIRST_MOTIONS[photos % len(_FIRST_MOTIONS)]
                    if part.use:
                        motion = _MORE_MOTIONS[(part.use - 1) % len(_MORE_MOTIONS)]
                    photos += 1
                path = take.path(part.start, part.end, shape, motion=motion if self._smart else -1)
                if not take.still and (part.again + slot.chain) % 2:
                    path = closer(path, CLOSER if take.size == "none" else CLOSER_PERSON)
                effect: Effect = "motion" if take.still and self._smart else "none"
                made.append(
                    Shot(
                        source=take.source,
                        start=part.start,
                        end=part.end,
                        out_start=self.second(first),
                        out_end=self.second(stop),
                        effect="puzzle" if slot.layout else effect,
                        path=path,
                        layout=slot.layout,
                        cell=cell,
                        gamma=gammas.get((take.source, take.number), (1.0, 1.0, 1.0)),
                        score=round(float(take.score), 4),
                        reason=_reason(part, take, number, len(slots), slot.layout),
                    )
                )
        return tuple(made)


def closer(path: Sequence[PathPoint], part: float) -> tuple[PathPoint, ...]:
    """A part of the same windows, about the same middle, or a little higher: that is where heads are."""
    rest = 1 - part
    return tuple(
        replace(
            point,
            x=round(float(point.x + rest / 2 * point.w), 5),
            y=round(float(point.y + rest / 3 * point.h), 5),
            w=round(float(part * point.w), 5),
            h=round(float(part * point.h), 5),
        )
        for point in path
    )


def _reason(part: Part, take: Take, number: int, count: int, layout: str) -> str:
    role = "opens" if number == 0 else "closes" if number == count - 1 else layout and "side by side"
    again = "again" if part.again else "another moment" if part.use else ""
    size = take.size if take.size != "none" else ""
    return ", ".join(word for word in (role, again, size, take.reason) if word)
