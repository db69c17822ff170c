"""The pictures of each shot of a short: the cuts of its pacing, and more where all takes are too short."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction

from vidprod.ops.pacing import Cut, Pacing

SHORTEST = 0.3
"""Seconds of a part of a shot."""


def hard(plan: Pacing, styles: Sequence[str]) -> Pacing:
    """Without any overlap where the style is a cut, or there is no room for more."""
    cuts = [
        replace(cut, before=0, after=0) if style == "basic" or not cut.before or not cut.after else cut
        for cut, style in zip(plan.cuts, styles, strict=True)
    ]
    return Pacing(plan.pictures, tuple(cuts))


def lengths(plan: Pacing, rate: Fraction) -> list[float]:
    """Seconds of the shots, their parts of transitions included."""
    return [float((stop - first) / rate) for first, stop in plan.shots()]


def divided(
    plan: Pacing, rate: Fraction, reach: Sequence[float], beats: Sequence[float], whole: Collection[int] = ()
) -> Pacing:
    """Parts shots for which no take is long enough: by hard cuts, on beats where there are any.

    Args:
        plan: of the shots.
        rate: pictures a second.
        reach: of the takes that there are, each as often as it may be seen: seconds of the longest shot it can fill.
        beats: seconds of the result.
        whole: numbers of shots that stay as they are.
    """
    shots = plan.shots()
    numbers = sorted((n for n in range(len(shots)) if n not in whole), key=lambda n: (shots[n][0] - shots[n][1], n))
    longest = sorted(reach, reverse=True)
    more: list[Cut] = []
    for at, number in enumerate(numbers):
        first, stop = shots[number]
        length = float((stop - first) / rate)
        has = longest[at % len(longest)]
        if length <= has + 1e-9 or length < 2 * SHORTEST:
            continue
        parts = min(math.ceil(length / max(has, SHORTEST)), stop - first)
        # Hard cuts must not lie in transitions.
        low = first if number == 0 else plan.cuts[number - 1].at + plan.cuts[number - 1].after
        high = stop if number == len(shots) - 1 else plan.cuts[number].at - plan.cuts[number].before
        places = {first + round((stop - first) * part / parts) for part in range(1, parts)}
        for place in sorted(places):
            near = [
                round(Fraction(beat) * rate)
                for beat in beats
                if abs(beat - float(place / rate)) < 0.15 * length / parts
            ]
            cut = min(near, key=lambda beat: abs(beat - place), default=place)
            if low < cut < high and all(cut != one.at for one in more):
                more.append(Cut(cut, 0, 0, False))
    return Pacing(plan.pictures, tuple(sorted((*plan.cuts, *more), key=lambda cut: cut.at)))
