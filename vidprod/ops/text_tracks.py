"""Follows one line of text through time: is it (still, already) there, and on exactly which pictures?

What an overlay has and a scene has not: it stands still to the pixel while everything beneath it changes. So a line is described
by its fine structure (the picture minus its blurred self), averaged over several pictures, in which the scene averages out; and a
picture shows the line to the degree in which its own fine structure agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidprod.ops.text_boxes import Box

Picture = NDArray[np.uint8]  # (H, W, 3)
Detail = NDArray[np.float32]  # (h, w, 3), levels of 255

LEAST_CONTRAST = 14.0
"""Levels of 255 by which structure must stand out to count."""

PRESENT = 0.5
"""Presence from which on a line is taken to be there; hard switches go from 0 to 1 within a picture."""

FULL = 0.85
"""Presence below which a line at its first or last certain picture may be fading."""

FAINT = 0.06
"""Presence at which a fading line ends, where what is behind it moves."""

LEAST_FAINT = 0.02
"""The same where it does not."""

LEAST_FALL = 0.004
"""By which presence falls from picture to picture at least while a line fades."""

RIM = 0.22
"""Part of the height of the detector's box, above and below, in which there is hardly any text."""

MOST_FADING = 32
"""Pictures that a fade takes at most."""

PROBES = 8
"""Pictures beyond the last certain one that are asked what is there without the line."""

MOST_REST = 0.35
"""Presence that a scene without the line may have; more of it is the line itself."""

EVEN = 0.03
"""By which presence differs at most between pictures without the line, if they are to tell what remains of it."""

NEARLY = 0.65
"""Presence of a line that was half hidden and is switched off."""

CLIFF = 4.0
"""Times by which presence falls faster, where a line is switched off that was half hidden, than it did before."""

SWITCHED_OFF = 0.3
"""Presence above which a line is not quite gone: more than a switch leaves."""


def detail(picture: Picture, box: Box) -> Detail:
    """Fine structure of a part of a picture: what a blur of half the box's height takes away."""
    size = max(box.height // 2, 5) | 1
    pad = size // 2
    wide = box.grown(pad, pad, Box(0, 0, picture.shape[1], picture.shape[0]))
    part = picture[wide.slices].astype(np.float32)
    fine = part - cv2.blur(part, (size, size), borderType=cv2.BORDER_REPLICATE)
    inner = box.moved(-wide.left, -wide.top)
    return np.ascontiguousarray(fine[inner.slices])


@dataclass(frozen=True)
class Template:
    """Fine structure of a line of text, and where it is strong enough to tell.

    Attributes:
        box: where it stands, in pixels of the region.
        mean: over the pictures it was made of.
        weight: 1 where the structure is strong, else 0.
    """

    box: Box
    mean: Detail
    weight: Detail

    @classmethod
    def of(cls, pictures: Sequence[Picture], box: Box) -> Template:
        """From pictures that all show the line."""
        mean: Detail = np.stack([detail(picture, box) for picture in pictures]).mean(0)
        strength = np.abs(mean).max(2)
        # Not the rows at the edges, where a box behind the text ends: it may stay while the text changes.
        rim = round(RIM * box.height)
        strength[:rim] = strength[box.height - rim :] = 0
        level = max(LEAST_CONTRAST, 0.35 * float(np.percentile(strength, 95)))
        weight = np.broadcast_to((strength > level).astype(np.float32)[..., None], mean.shape)
        return cls(box, mean, weight)

    def presence(self, picture: Picture) -> float:
        """About 1 where the picture shows the line as the template does, about 0 where it does not.

        The median over blocks as wide as the line is high, so that what passes behind or changes in places does not matter.
        """
        weighted = self.weight * self.mean
        agree = (weighted * detail(picture, self.box)).sum((0, 2))
        own = (weighted * self.mean).sum((0, 2))
        starts = np.arange(0, len(own), max(self.box.height, 8))
        agree, own = np.add.reduceat(agree, starts), np.add.reduceat(own, starts)
        strong = own > 0.2 * own.max(initial=0)
        if not own.max(initial=0) > 0:
            return 0.0
        return float(np.median(agree[strong] / own[strong]))


def above_rest(presence: Callable[[int], float], inside: int, outermost: int) -> tuple[Callable[[int], float], float]:
    """Presence less what remains of it once the line is gone, of a still scene that the template has something of.

    Args:
        presence, inside, outermost: as for `boundary`.

    Returns:
        The new presence, and what of it is seen for sure.
    """
    away = outermost - inside
    if abs(away) < PROBES:
        return presence, FAINT
    found = sorted(presence(inside + round(away * (i + 1) / PROBES)) for i in range(PROBES))
    noise = found[PROBES // 4] - found[0]
    rest = found[PROBES // 4] if noise < EVEN else found[0]  # not what belongs to a long fade
    faint = min(max(noise, LEAST_FAINT), FAINT)
    if not 0 < rest < MOST_REST:
        return presence, faint
    return lambda number: (presence(number) - rest) / (1 - rest), faint


def boundary(presence: Callable[[int], float], inside: int, outermost: int, faint: float = FAINT) -> int:
    """The last picture, going from `inside` towards `outermost`, that still shows the line.

    Args:
        presence: of a picture by number, relative to the fully visible line.
        inside: number of a picture that shows it.
        outermost: number of the last picture to try.
        faint: presence at which a fading line ends.
    """
    step = 1 if outermost >= inside else -1
    at = inside
    while at != outermost and presence(at + step) >= PRESENT:
        at += step
    value = presence(at)
    before = (presence(at - 2 * step) - value) / 2
    cliff = at != outermost and value - presence(at + step) > CLIFF * max(before, 2 * EVEN)
    # Switched, not faded: a little on the next picture is a trace left by compression.
    if value >= FULL or (cliff and value > NEARLY):
        half = presence(at + step) if at != outermost else 0.0
        beyond = presence(at + 2 * step) if outermost not in (at, at + step) else 0.0
        return at + step if half > SWITCHED_OFF and beyond < half - 0.2 else at
    fall = 0.0
    while at != outermost:
        following = presence(at + step)
        # What is less than half a step of an even fade is a trace.
        if following < max(faint, 0.4 * fall) or following > value - LEAST_FALL:
            break
        at, value, fall = at + step, following, value - following
    return at


def switched(presence: Callable[[int], float], last: int, outside: int) -> bool:
    """Whether a line comes or goes as overlays do: from all to nothing within a picture, or evenly over several.

    Args:
        presence: as for `boundary`.
        last: the outermost picture that shows it.
        outside: the picture next to it that does not.
    """
    if abs(presence(outside)) > SWITCHED_OFF:
        return False
    step = last - outside
    levels = [presence(last)]
    while levels[-1] < FULL and len(levels) < MOST_FADING:
        levels.append(presence(last + step * len(levels)))
    rises = np.diff([0.0, *levels])
    return bool(levels[-1] >= FULL and rises[:-1].max(initial=0) < 3 * max(float(rises[:-1].min(initial=1)), 0.04))
