"""Shots of the same scene, found by their descriptors and brought together by part of the way to one of them.

A match at full strength is harmful, because what differs between two shots is partly their content: `MATCH` was measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vidprod.errors import InvalidParameter
from vidprod.ops.grade_look import unpack
from vidprod.ops.grade_plan import GAMMA, LIMITS, LUMA, GradedShot, GradePlan, Look

SIMILAR = 0.7
"""Least product of two descriptors for which shots count as the same scene."""

MATCH: Mapping[str, float] = {"light": 0.8, "balance": 0.8, "saturation": 0.3}
"""Share of the measured difference that is taken out."""

DEAD = (0.15, 0.08, 0.05, 0.08)
"""Differences that are left, since good shots differ as much: stops of light, of red over blue and of green, and log2 of chroma.
Twice as large ones count in full."""

WITHIN_A_VIDEO = 2.0
"""How much larger that is between shots of one video, which its maker has seen side by side."""

DARKEN = 0.5
"""Stops of darkening that may take white with them; the rest leaves white where it is."""

MOST_STOPS = 1.0
"""Of light, and of red over blue, that a match changes at most."""


_COLOURFUL = 0.02  # `Look.chroma` from which on footage has colours


def scenes(looks: Sequence[Look | None], similar: float = SIMILAR) -> tuple[tuple[int, ...], ...]:
    """Groups of the numbers of shots that show the same scene, each of at least two.

    Average linkage: the two groups that are closest on average are joined as long as they are similar enough.
    """
    known = [i for i, look in enumerate(looks) if look is not None and look.descriptor]
    if len(known) < 2:
        return ()
    unpacked = [unpack(look.descriptor) for look in looks if look is not None and look.descriptor]
    lengths = {len(vector) for vector in unpacked}
    if len(lengths) > 1:
        raise InvalidParameter(f"plan: descriptors must all be of one length, got {sorted(lengths)}")
    vectors = torch.stack(unpacked)
    near = vectors @ vectors.T
    groups = [[i] for i in range(len(known))]
    sums = near.clone()
    sums.fill_diagonal_(-math.inf)
    sizes = torch.ones(len(known))
    while True:
        mean = sums / (sizes[:, None] * sizes[None])
        best = int(mean.argmax())
        a, b = divmod(best, len(known))
        if float(mean[a, b]) < similar:
            break
        groups[a] += groups[b]
        groups[b] = []
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        sums[a, a] = -math.inf
        sums[b] = sums[:, b] = -math.inf
        sizes[a] += sizes[b]
    return tuple(tuple(sorted(known[i] for i in group)) for group in groups if len(group) > 1)


def match(shots: tuple[GradedShot, ...], *, caution: float = 1.0) -> tuple[GradedShot, ...]:
    """Shots whose scenes occur more than once, with their grades moved towards the one of the scene's reference.

    The reference is the shot whose colours after its grade are the middle of the group's; it stays as it is. `caution` is a factor
    on `DEAD`.
    """
    result = list(shots)
    for group in scenes([shot.look for shot in shots]):
        looks = [after(shots[i]) for i in group]
        chosen = reference(looks)
        for k, i in enumerate(group):
            if k != chosen:
                result[i] = towards(shots[i], looks[k], looks[chosen], caution=caution)
    return tuple(result)


def group(plans: Sequence[GradePlan]) -> tuple[GradePlan, ...]:
    """The plans of several videos, with shots of the same scene in any of them matched."""
    every = match(tuple(shot for plan in plans for shot in plan.shots))
    parts, at = [], 0
    for plan in plans:
        parts.append(GradePlan(every[at : at + len(plan.shots)]))
        at += len(plan.shots)
    return tuple(parts)


def reference(looks: Sequence[Sequence[float]]) -> int:
    """Number of the one that is nearest to the middle of them all."""
    every = torch.tensor(looks)
    return int((every - every.median(0).values).abs().sum(1).argmin())


def after(shot: GradedShot) -> tuple[float, float, float, float]:
    """Luminance, red over blue, and red and blue over green in stops, and log2 of chroma: of a shot after its grade, about."""
    look = shot.look
    assert look is not None
    red, green, blue = look.light
    luminance = sum(w * v for w, v in zip(LUMA, look.light, strict=True)) + shot.exposure
    luminance -= GAMMA * math.log2(shot.white)
    chroma = math.log2(max(look.chroma, 1e-3) * max(shot.saturation, 1e-2))
    return luminance, red - blue + shot.temperature, (red + blue) / 2 - green + shot.tint, chroma


def towards(
    shot: GradedShot,
    own: Sequence[float],
    other: Sequence[float],
    strengths: Mapping[str, float] = MATCH,
    *,
    caution: float = 1.0,
) -> GradedShot:
    """The shot with its grade moved from `own` colours (as `after` gives them) part of the way towards `other` ones."""
    light, warm, magenta, chroma = (
        (b - a) * min(max(abs(b - a) / (dead * caution) - 1, 0.0), 1.0)
        for a, b, dead in zip(own, other, DEAD, strict=True)
    )

    def bounded(value: float, strength: float, most: float) -> float:
        return max(-most, min(most, value * strength))

    stops = bounded(light, strengths["light"], MOST_STOPS)
    changes: dict[str, float] = {}
    through_white = max(stops, -DARKEN)  # as the aperture would
    changes["white"] = max(shot.white * 2 ** (-through_white / GAMMA), shot.black + 0.1)
    changes["exposure"] = shot.exposure + stops - through_white
    if shot.look is None or shot.look.chroma >= _COLOURFUL:  # black-and-white stays so
        changes["temperature"] = shot.temperature + bounded(warm, strengths["balance"], MOST_STOPS)
        changes["tint"] = shot.tint + bounded(magenta, strengths["balance"], MOST_STOPS / 2)
        changes["saturation"] = shot.saturation * 2 ** bounded(chroma, strengths["saturation"], 0.5)
    kept: dict[str, Any] = {
        name: round(max(LIMITS[name][0], min(LIMITS[name][1], value)), 4) for name, value in changes.items()
    }
    return dataclasses.replace(shot, **kept)
