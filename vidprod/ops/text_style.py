"""What this film's subtitles look like, so that other text is left alone: signs in the scene, credits, labels.

A line of an overlay betrays itself by how it comes and goes: from one picture to the next, whole, while what is around it stays,
or by standing on while the scene is cut. Such lines are *proven*. Text of the scene comes and goes with its shot, or drifts into
and out of legibility. Whatever is not proven has to look like what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from vidprod.ops.bitmask import BitMask
from vidprod.ops.text_boxes import Box

HIGHEST = 0.17
"""Height of a line at most, as a part of the picture's."""

WIDE = 1.6
"""Width by height of a line that is taken for text without another one like it."""

FEW = 3
"""Proven events up to which nothing can be said about what is usual in this film."""

CENTRED = 0.08
"""How far from the middle, as a part of the width, a line may stand that nothing else speaks for."""

ALIGNED = 0.04
"""How far apart, as a part of the width, middles or left ends of lines that are set alike may be."""

SAME_COLOUR = 90.0
"""Levels by which colours of one style differ at most in any component; what is behind thin strokes shines through."""

LOST = 1.0
"""Seconds for which nothing may be seen of a line that stands all the same."""

ABOUT = 0.5
"""Seconds by which the ends of two lines of one subtitle may seem to differ if they are not plain."""

SAME_SIGNS = 0.6
"""Part of the pixels of two lines' strokes that both have if they are the same writing."""


class End(Enum):
    """How a line comes or goes."""

    SWITCH = "switch"
    EDGE = "edge"  # with its shot, or with the film
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Line:
    """A line of text that was followed from beginning to end.

    Attributes:
        first, stop: pictures, half open.
        start, end: the same in seconds.
        box: where it stands.
        mask: pixels that it covers, with all that belongs to it.
        colour: of the strokes, R, G, B in 0..255.
        came, left: how it begins and ends.
        crossed: whether a cut went by while it stood.
        signs: pixels of the strokes alone.
        unseen: whether before and after it nobody could tell it, as what is behind has its colour.
    """

    first: int
    stop: int
    start: float
    end: float
    box: Box
    mask: BitMask
    colour: tuple[float, float, float]
    came: End
    left: End
    crossed: bool
    signs: BitMask
    unseen: tuple[bool, bool] = (False, False)

    @property
    def proven(self) -> bool:
        """Whether it must be an overlay."""
        return self.crossed or End.SWITCH in (self.came, self.left)

    @property
    def wide(self) -> bool:
        """Whether it is clearly wider than high; a line of one sign or two has to look like others."""
        return self.box.width > WIDE * self.box.height


def subtitles(lines: Sequence[Line], size: tuple[int, int]) -> tuple[list[list[Line]], list[list[Line]]]:
    """Lines put together to events: those that are subtitles, and those that are not.

    Args:
        lines: in any order.
        size: width and height of the picture.
    """
    events: list[list[Line]] = []
    others: list[list[Line]] = []
    groups = together(without_doubles(rejoined([line for line in lines if line.box.height <= HIGHEST * size[1]])))
    proven = [group for group in groups if any(line.proven and line.wide for line in group)]
    for group in groups:
        sure = group in proven
        alike = sum(
            any(agreement(a, b, size[0]) >= 3 and (sure or (a.wide and beside(a, b))) for a in group for b in other)
            for other in proven
            if other is not group
        )
        if sure:
            fits = alike > 0 or len(proven) <= FEW
        elif proven:
            fits = alike > 0
        else:
            fits = all(line.came is line.left is End.EDGE and line.wide for line in group) and (
                abs(middle(group) / size[0] - 0.5) < CENTRED
            )
        (events if fits else others).append(group)
    return events, others


def middle(group: Sequence[Line]) -> float:
    """Column of the middle of several lines."""
    box = Box.around(line.box for line in group)
    return (box.left + box.right) / 2


def beside(one: Line, other: Line) -> bool:
    """Whether two lines stand on the same height."""
    return abs(one.box.bottom - other.box.bottom) < 0.5 * min(one.box.height, other.box.height)


def agreement(one: Line, other: Line, width: int) -> int:
    """In how many of four respects two lines look alike: height, baseline, alignment, colour."""
    low, high = sorted((one.box.height, other.box.height))
    centres = abs((one.box.left + one.box.right) - (other.box.left + other.box.right)) / 2
    return sum(
        (
            high < 1.5 * low,
            beside(one, other),
            min(centres, abs(one.box.left - other.box.left)) < ALIGNED * width,
            max(abs(a - b) for a, b in zip(one.colour, other.colour, strict=True)) < SAME_COLOUR,
        )
    )


def rejoined(lines: Sequence[Line]) -> list[Line]:
    """Lines that were lost for a moment and found again, as what was behind them had their colour, as one."""
    found: list[Line] = []
    for line in sorted(lines, key=lambda line: line.first):
        for i, other in enumerate(found):
            gone = line.start - other.end
            lost = other.left is End.UNCLEAR or other.unseen[1]
            back = line.came is End.UNCLEAR or line.unseen[0]
            if -0.1 < gone <= LOST and lost and back and _same(other, line):
                found[i] = _both(other, line)
                break
        else:
            found.append(line)
    return found


def _accompanies(line: Line, other: Line) -> bool:
    """Whether two lines are of one subtitle: the end of one that fades is known about only."""
    starts, stops = abs(other.first - line.first), abs(other.stop - line.stop)
    if starts <= 2 and stops <= 2:
        return True
    away, box = line.box.height, line.box
    near = Box(box.left - away, box.top - away, box.right + away, box.bottom + away)
    return (
        (starts <= 2 or (line.came is End.UNCLEAR and abs(line.start - other.start) <= ABOUT))
        and (stops <= 2 or (line.left is End.UNCLEAR and abs(line.end - other.end) <= ABOUT))
        and (near & other.box).area > 0
        and max(abs(a - b) for a, b in zip(line.colour, other.colour, strict=True)) < SAME_COLOUR / 2
    )


def _same(one: Line, other: Line) -> bool:
    """Whether two lines say the same at the same place."""
    area = one.signs.box | other.signs.box
    common = one.signs.box & other.signs.box
    if common.area < 0.5 * area.area:
        return False
    masks = np.zeros((2, area.height, area.width), bool)
    for mask, line in zip(masks, (one, other), strict=True):
        line.signs.paint(mask, (area.left, area.top))
    return float((masks[0] & masks[1]).sum()) > SAME_SIGNS * float((masks[0] | masks[1]).sum())


def _both(one: Line, other: Line) -> Line:
    area = one.mask.box | other.mask.box
    mask = np.zeros((area.height, area.width), bool)
    for line in (one, other):
        line.mask.paint(mask, (area.left, area.top))
    return replace(
        one,
        stop=other.stop,
        end=other.end,
        box=one.box | other.box,
        mask=BitMask.pack(mask, area.left, area.top),
        left=other.left,
        unseen=(one.unseen[0], other.unseen[1]),
        crossed=one.crossed or other.crossed,
    )


def without_doubles(lines: Sequence[Line]) -> list[Line]:
    """Drops what was followed twice: a line at the place of another one, within its time."""
    found: list[Line] = []
    for line in sorted(lines, key=lambda line: (not line.proven, line.first - line.stop)):
        for other in found:
            common = min(line.stop, other.stop) - max(line.first, other.first)
            if common > 0.5 * (line.stop - line.first) and line.box.covered_by(other.box) > 0.5:
                break
        else:
            found.append(line)
    return found


def together(lines: Sequence[Line]) -> list[list[Line]]:
    """Groups of lines that come and go at the same pictures, as far as that is known of them."""
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.first, line.stop, line.box.top)):
        for group in groups:
            if any(_accompanies(line, other) for other in group):
                group.append(line)
                break
        else:
            groups.append([line])
    return groups
