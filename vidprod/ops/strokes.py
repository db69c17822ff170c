"""Which pixels a line of text covers: its strokes, with outline, shadow or the box behind them, and not more.

Every pixel that is masked has to be made up later, so a mask is grown only as far as the pictures show that something is there.
Two kinds of evidence, of which one is good where the other is bad:

* *the switch*: what changes from the picture before the text to the first with it (and at its end). Sharp where little moves.
* *the mean*: the text's pictures averaged, against what its surroundings suggest. Sharp where a lot moves, as the scene averages
  out and the text does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.ops.harmonic import harmonic
from vidprod.ops.text_boxes import Box

Picture = NDArray[np.uint8]  # (H, W, 3)
Mask = NDArray[np.bool_]  # (H, W)
Plane = NDArray[np.float32]  # (H, W)
Image = NDArray[np.float32]  # (H, W, 3)
Stack = NDArray[np.float32]  # (N, H, W, 3)

LEAST_RESPONSE = 12.0
"""Levels by which a stroke is brighter or darker than what is around it."""

SAME_COLOUR = 48.0
"""Levels by which pixels of one line differ at most in any component."""

FEW_ALIKE = 0.4
"""Part of the candidates below which their median colour tells nothing."""

HIDDEN = 30.0
"""Levels by which what is behind signs differs from them at most if they cannot be seen."""

HARDLY_ALIKE = 110.0
"""Levels by which strokes that are too thin to reach the line's colour may differ from it."""

LASTING = 0.6
"""Part of the pictures in which a pixel of a stroke is seen to be one."""

LEAST_CHANGE = 9.0
"""Levels by which the switch changes a pixel that text covers."""

DEEP = 30.0
"""Levels below which black hardly shows, and above 255 minus which white does not."""

QUIET = 5.0
"""Change of 80 % of the surroundings, up to which the switch is believed pixel by pixel."""

UNCHANGED = 0.15
"""Part of the pixels around the strokes that must change with a switch, where one can tell, if there is to be an outline."""

REACH = 0.22
"""How far outline and shadow may reach from the strokes, as a part of the line's height."""

STICKING_OUT = 0.08
"""How far an outline reaches beyond a rectangle that was found behind the text, as a part of the line's height."""

OF_ONE_SIGN, OF_ANY_SIGN = 4.0, 10.0
"""Levels above noise by which what belongs to the signs differs from what is expected there, if it is all darker, and if not."""

MARGIN = 1
"""Pixels added all around: compression and halved colour smear text into its neighbours."""


@dataclass(frozen=True)
class Strokes:
    """A line's mask.

    Attributes:
        area: where the mask lies in the region.
        mask: (area.height, area.width).
        core: the strokes themselves, of which the colour is that of the signs.
        colour: (3,) median of the signs, 0..255.
        boxed: whether there is a box behind the text.
        likeness: 0..1, how much the strokes are what writing is: of one colour, all the time, and new with the switch.
    """

    area: Box
    mask: Mask
    core: Mask
    colour: NDArray[np.float32]
    boxed: bool
    likeness: float

    def hidden(self, picture: Picture) -> bool:
        """Whether a picture (H, W, 3) has the colour of the signs wherever these are, so that nobody could tell them."""
        if self.boxed or not self.core.any():
            return False
        away = np.abs(picture[self.area.slices][self.core].astype(np.float32) - self.colour).max(1)
        return float(np.percentile(away, 80)) < HIDDEN


@dataclass(frozen=True)
class Switch:
    """Two pictures close in time: one without the text, one with it."""

    clean: Picture
    shown: Picture


def stroke_mask(shown: Sequence[Picture], box: Box, switches: Sequence[Switch], others: Sequence[Box] = ()) -> Strokes:
    """The mask of the line of text in `box`.

    Args:
        shown: (H, W, 3) pictures of the region from all over the time in which the text stands.
        box: what the detector says, in pixels of the region.
        switches: at the beginning and the end of that time, those that there are.
        others: boxes of lines that stand meanwhile, above or below: what is theirs is not this one's.
    """
    height, width = shown[0].shape[:2]
    area = box.grown(max(box.height, 12), max(round(0.8 * box.height), 12), Box(0, 0, width, height))
    inner = box.moved(-area.left, -area.top)
    stack: Stack = np.stack([picture[area.slices] for picture in shown]).astype(np.float32)
    mean: Image = stack.mean(0, dtype=np.float32)
    changes = [_change(switch, area) for switch in switches]
    own = _own(box, others, area)
    core, colour, likeness = _core(stack, inner, changes, own)
    if not core.any():
        return Strokes(area, core, core, colour, False, 0.0)
    reach = int(max(3, round(REACH * box.height)))
    far = (_distance(core) > reach + 4) & _outside(inner, area, 4)
    quiet = [
        (change, switch.clean[area.slices].astype(np.float32))
        for change, switch in zip(changes, switches, strict=True)
        if far.sum() > 50 and float(np.percentile(change[far], 80)) < QUIET
    ]
    foreign = np.zeros_like(core)
    if quiet:  # what did not change with the switch, and does not change otherwise, is no text
        foreign = (stack.std(0).max(2) < QUIET) & (np.max([change for change, _ in quiet], axis=0) < LEAST_CHANGE / 2)
    strange = foreign.copy()
    for change, clean in quiet:  # nor is what a stroke would have changed
        strange |= (change < LEAST_CHANGE / 2) & (np.abs(clean - colour).max(2) > SAME_COLOUR)
    if (core & ~strange).sum() > 0.3 * core.sum():
        core &= ~strange
    mask = (core | _grown(mean, core, reach, quiet, own)) & ~foreign
    near = (_distance(core) <= reach) | ~_outside(inner, area, 0)
    for change, _ in quiet:
        mask |= (change > LEAST_CHANGE) & near  # where nothing else moves, even white on white shows
    rectangle = _background_box(mean, switches, core, area, box.height)
    if rectangle is not None:  # which hides shadows; what of an outline sticks out is thin
        out = max(round(STICKING_OUT * box.height), 2)
        within = rectangle.grown(out, out, Box(0, 0, area.width, area.height))
        mask = (mask & _inside(within, area)) | core | _inside(rectangle, area)
    mask = _dilated(mask, MARGIN)
    return Strokes(area, mask, core, colour, rectangle is not None, likeness)


def _own(box: Box, others: Sequence[Box], area: Box) -> Mask:
    """What of the area is not another line's: rows between two lines belong to both, where they overlap half to each."""
    found = np.ones((area.height, area.width), bool)
    for other in others:
        if min(box.right, other.right) <= max(box.left, other.left):
            continue
        columns = slice(max(other.left - area.left, 0), max(other.right - area.left, 0))
        if other.top + other.bottom > box.top + box.bottom:
            found[max(max(other.top, (box.bottom + other.top) // 2) - area.top, 0) :, columns] = False
        else:
            found[: max(min(other.bottom, (box.top + other.bottom) // 2) - area.top, 0), columns] = False
    return found


def _distance(core: Mask) -> Plane:
    """Pixels from each pixel to the next one of the core."""
    return np.asarray(cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5)).astype(np.float32)


def _outside(inner: Box, area: Box, away: int) -> Mask:
    found = np.ones((area.height, area.width), bool)
    found[inner.grown(away, away, Box(0, 0, area.width, area.height)).slices] = False
    return found


def _inside(box: Box, area: Box) -> Mask:
    found = np.zeros((area.height, area.width), bool)
    found[box.slices] = True
    return found


def _dilated(mask: Mask, radius: int) -> Mask:
    size = 2 * radius + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def _change(switch: Switch, area: Box) -> Plane:
    difference = switch.shown[area.slices].astype(np.float32) - switch.clean[area.slices]
    found: Plane = np.abs(cv2.blur(difference, (3, 3))).max(2).astype(np.float32)
    return found


def _core(stack: Stack, inner: Box, changes: Sequence[Plane], own: Mask) -> tuple[Mask, NDArray[np.float32], float]:
    """Strokes of one colour, and the colour; bright ones, dark ones, or both where text and outline are of a kind."""
    mean, middle = stack.mean(0), np.median(stack, 0)
    size = max(round(0.45 * inner.height), 5) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
    inside = np.zeros(mean.shape[:2], bool)
    inside[inner.slices] = True
    inside &= own
    best: list[tuple[float, Mask, NDArray[np.float32]]] = []
    for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        # Of every picture on its own, so that text that changes its colour counts too.
        responses = np.stack([cv2.morphologyEx(one, how, kernel).max(2) for one in stack])
        response = responses.mean(0)
        level = max(LEAST_RESPONSE, 0.4 * float(np.percentile(response[inside], 95)))
        candidates = inside & (response > level)
        if candidates.sum() < 12:
            continue
        # A stroke stands out in every picture, but where what is behind it has its colour.
        colours = np.median(stack[:, candidates], 1)[:, None, None]
        there = (responses > level / 2) | (np.abs(stack - colours).max(3) < SAME_COLOUR)
        candidates &= there.mean(0) >= LASTING
        if candidates.sum() < 12:
            continue
        steady = np.abs(stack - middle).mean(0).max(2)
        colour = np.median(mean[candidates], 0)
        if (np.abs(mean[candidates] - colour).max(1) < SAME_COLOUR).mean() < FEW_ALIKE:  # mostly not strokes at all
            colour = np.median(mean[candidates & (steady <= np.percentile(steady[candidates], 40))], 0)
        near = np.abs(mean - colour).max(2) < SAME_COLOUR
        score = float((candidates & near).sum() / candidates.sum())  # of one colour all over
        score *= float(np.exp(-np.median(steady[candidates]) / 20))  # and all the time
        changed = [float((change[candidates] > LEAST_CHANGE).mean()) for change in changes]
        if changed:
            score *= max(changed)
        alike = candidates & ((np.abs(mean - colour).max(2) < HARDLY_ALIKE) | (steady > 20))
        best.append((score, _touched(alike, candidates & near), colour.astype(np.float32)))
    if not best:
        return np.zeros(mean.shape[:2], bool), np.zeros(3, np.float32), 0.0
    # Bright comes first: dark ones are as often the outline, or gaps between the strokes.
    chosen = best[0] if len(best) == 1 or best[0][0] > 0.6 * best[1][0] else best[1]
    return chosen[1], chosen[2], chosen[0]


def _touched(mask: Mask, seeds: Mask) -> Mask:
    """Connected parts of a mask of which at least a tenth are seeds: strokes too thin to show their colour hang on others."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels[mask], minlength=count)
    seeded = np.bincount(labels[mask & seeds], minlength=count)
    keep = seeded > 0.1 * sizes
    keep[0] = False
    found: Mask = keep[labels]
    return found


def _grown(mean: Image, core: Mask, reach: int, quiet: Sequence[tuple[Plane, Image]], own: Mask) -> Mask:
    """What lies around the core and differs from what the surroundings suggest, direction by direction."""
    distance = _distance(core)
    hole = torch.from_numpy((distance < reach + 2) | ~own)[None, None]
    smooth = harmonic(torch.from_numpy(mean).permute(2, 0, 1)[None] / 255, hole)[0].permute(1, 2, 0).numpy() * 255
    differs = np.abs(mean - smooth).max(2)
    dark = (mean - smooth).sum(2) < 0
    nearest, labels = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(core)
    origin = np.zeros((labels.max() + 1, 2), np.int32)
    origin[labels[rows, columns]] = np.stack([rows, columns], 1)
    y, x = np.mgrid[: core.shape[0], : core.shape[1]]
    angle = np.arctan2(y - origin[labels][..., 0], x - origin[labels][..., 1])
    sector = np.round(angle / (np.pi / 4)).astype(np.int32) % 8
    ring = (distance > reach + 3) & (distance < reach + 10)
    noise = float(np.median(np.abs(mean - cv2.GaussianBlur(mean, (0, 0), reach)).max(2)[ring])) if ring.any() else 4.0
    radii = []
    for direction in range(8):
        here = (sector == direction) & (nearest > 0)
        radius = 0
        for step in range(1, reach + 1):
            shell = here & own & (nearest > step - 0.5) & (nearest <= step + 0.5)
            if shell.sum() < 10:
                continue
            darker = float(dark[shell].mean())
            alike = abs(2 * darker - 1)  # an outline is all darker or all lighter; what is behind is both
            if float(np.percentile(differs[shell], 60)) <= noise + (OF_ONE_SIGN if alike > 0.6 else OF_ANY_SIGN):
                break
            changed = [
                float((change[told] > LEAST_CHANGE / 2).mean())
                for change, clean in quiet
                if (told := shell & _telling(clean, dark)).sum() >= 0.2 * shell.sum()
            ]
            if changed and max(changed) < UNCHANGED:
                break
            radius = step
        radii.append(radius)
    # An outline goes all around: where six directions show one, the background hides it in the other two.
    least = sorted(radii)[2]
    limit = np.array([max(radius, least) + 0.5 if max(radius, least) else 0.0 for radius in radii])
    found: Mask = nearest <= limit[sector]
    return found


def _telling(clean: Image, dark: Mask) -> Mask:
    """Where a switch shows what is darker, or else lighter, than its surroundings: not black on black, nor white on white."""
    level = clean.mean(2)
    found: Mask = np.where(dark, level > DEEP, level < 255 - DEEP)
    return found


def _background_box(mean: Image, switches: Sequence[Switch], core: Mask, area: Box, height: int) -> Box | None:
    """The rectangle behind the text, if there is one: edges on all four sides, within them all darker or all lighter."""
    rows, columns = np.flatnonzero(core.any(1)), np.flatnonzero(core.any(0))
    text = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    pictures = [mean]
    pictures += [s.shown[area.slices].astype(np.float32) - s.clean[area.slices] for s in switches]
    for picture in pictures:
        found = _rectangle(picture.mean(2), text, round(0.7 * height))
        if found is not None:
            return found
    return None


def _rectangle(plane: Plane, text: Box, reach: int) -> Box | None:
    def side(lines: Plane, start: int, step: int) -> tuple[int, float] | None:
        """Where along `lines` (position, along the side), going from `start`, the strongest edge of one sign is."""
        best: tuple[int, float] | None = None
        for at in range(start, start + step * reach, step):
            if not (0 <= at < len(lines) and 0 <= at + step < len(lines)):
                break
            edge = lines[at] - lines[at + step]  # inside minus outside
            strength = float(np.median(edge))
            straight = abs(strength) > 6 and float((np.sign(edge) == np.sign(strength)).mean()) > 0.85
            if straight and (best is None or abs(strength) > abs(best[1])):
                best = (at, strength)
        return best

    inset = round(0.2 * text.height)  # signs have no straight edges, so the search may begin within them
    reach += inset
    across = plane[:, text.left : text.right]
    top, bottom = side(across, text.top + inset, -1), side(across, text.bottom - 1 - inset, 1)
    if top is None or bottom is None or top[1] * bottom[1] <= 0:
        return None
    along = plane[top[0] : bottom[0] + 1].T
    left, right = side(along, text.left + inset, -1), side(along, text.right - 1 - inset, 1)
    strengths = [found[1] / top[1] if found is not None else 0.0 for found in (left, right)]
    if max(strengths) <= 0:
        return None
    edges = [found[0] if found is not None else 0 for found in (left, right)]
    # Where the box hardly shows on one side, it reaches as far as on the other.
    if strengths[0] < 0.4 * strengths[1]:
        edges[0] = min(edges[0] if left else text.left, max(text.left + text.right - 1 - edges[1], 0))
    elif strengths[1] < 0.4 * strengths[0]:
        edges[1] = max(edges[1], min(text.left + text.right - 1 - edges[0], plane.shape[1] - 1))
    found = Box(edges[0], top[0], edges[1] + 1, bottom[0] + 1)
    # Signs at its very edge are where the search begins, so that the edge may be taken for one of theirs.
    around = found | text
    return around if max(a.width - b.width + a.height - b.height for a, b in [(around, found)]) <= 2 * inset else found
