"""What had better stay whole in a photograph: heads, products, lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.attention import trust
from vidprod.ops.reframing import HAIR
from vidprod.ops.still_framing import FREE, Box, Keep, StillView, area_of, around
from vidprod.ops.subjects import Subject, group_of

HEAD_PART = 0.3
"""Of a person's height: the head, where its face is not seen."""

HEAD_ACROSS = 0.7
"""Of the width of someone seen from the shoulders up, who is cut off by the lower border: the head."""

CHEST_PART = 0.25
"""Of a photograph's height: the neck and chest, or the shoes, of someone whose head is beyond its border."""

LEGS = 1.9
"""Height against width of what is mostly legs, where a person's head is beyond the border."""

LARGE = 0.02
"""Of a picture's area: things that are smaller may be cut."""

NEAR = 1.2
"""Of a thing's sides: so near to each other things of one kind are a group."""

INNER = 0.55
"""Of the sides of an animal that goes on beyond the picture's border: what must be seen of it."""

ROW = 3
"""Things from which on a group of them is what is sold."""

SMALL = 0.06
"""Of a picture's area: things that are larger are seen one by one."""

WORDY = 0.004
"""Of a picture's area: a line of text that is smaller may be cut."""

WEIGHTS: Mapping[str, float] = {
    "face": 1.0,
    "head": 0.7,
    "chest": 0.49,
    "body": 0.3,
    "product": 0.8,
    "thing": 0.6,
    "vehicle": 0.4,
    "text": 0.6,
}
"""How much it matters that something is not cut in two, 0..1; see `vidprod.ops.still_framing.STRICT`."""


def view_of(
    width: int,
    height: int,
    mass: NDArray[np.float64],
    found: Sequence[Subject],
    product: Box | None,
    text: Sequence[Box],
) -> StillView:
    """What the camera is to know of a photograph.

    Args:
        width, height: pixels.
        mass: (R, C) saliency.
        found: in it.
        product: before a studio background; None without one.
        text: lines of it.
    """
    keep: list[Keep] = []
    faces = [one for one in found if one.kind == "face"]
    persons = [one for one in found if one.kind == "person"]
    heads = [_head(face) for face in faces]
    unseen: Box | None = None  # a head from behind
    keep += [Keep(head, WEIGHTS["face"]) for head in heads]
    for one in persons:
        keep.append(Keep(one.box, WEIGHTS["body"] * trust(one)))
        # a head that the photograph cuts off is not there
        if one.top > FREE and not any(_above(face, one) for face in faces):
            unseen = _head_from_behind(one)
            keep.append(Keep(unseen, WEIGHTS["head"] * (0.5 + 0.5 * trust(one))))
        elif one.top <= FREE:
            # a garment without a head: of one from the neck on the upper part tells more, of trousers the shoes do
            legs = one.bottom - one.top >= LEGS * (one.right - one.left) * width / height
            side = 0.0 if legs else (one.right - one.left) / 4
            first, last = (one.bottom - CHEST_PART, one.bottom) if legs else (0.0, CHEST_PART)
            keep.append(Keep((one.left + side, max(first, 0.0), one.right - side, last), WEIGHTS["chest"]))
    animals = [one.box for one in found if group_of(one.kind) == "animal" and area_of(one.box) >= LARGE]
    # of one that goes on beyond the border the middle is what must be seen: the eyes
    keep += [Keep(_inner(box) if _open(box) else box, WEIGHTS["thing"]) for box in animals]
    vehicles = [one.box for one in found if group_of(one.kind) == "vehicle" and area_of(one.box) >= LARGE]
    keep += [Keep(box, WEIGHTS["vehicle"]) for box in vehicles]
    things = _groups([one for one in found if group_of(one.kind) == "object"])
    keep += things
    for box in text:
        worn = any(covered(box, one.box) > 0.5 for one in persons)
        keep.append(Keep(box, WEIGHTS["text"] * (0.5 if worn or _open(box) or area_of(box) < WORDY else 1.0)))
    subject: Box | None = None
    if heads:
        left, top, right, bottom = max(heads, key=area_of)
        more = 0.5 * (right - left)
        subject = max(left - more, 0.0), top, min(right + more, 1.0), min(bottom + 0.6 * (bottom - top), 1.0)
    elif product is not None:
        subject = product
        keep.append(Keep(product, WEIGHTS["product"]))
    elif unseen is not None:
        subject = unseen
    elif (things or animals or vehicles) and not persons:
        subject = max([*(one.box for one in things), *animals, *vehicles], key=area_of)
    return StillView(width, height, mass, tuple(keep), subject, product is not None)


def _groups(things: Sequence[Subject]) -> list[Keep]:
    """Things, and around small ones of one kind beside each other: a row of products is one. What is still small is left out."""
    groups: list[tuple[str, list[Box]]] = []
    for one in sorted(things, key=lambda thing: thing.left):
        wide, high = (NEAR * side for side in (one.right - one.left, one.bottom - one.top))
        reach = one.left - wide, one.top - high, one.right + wide, one.bottom + high
        near = [group for group in groups if group[0] == one.kind and _meet(around(group[1]), reach)]
        if area_of(one.box) >= SMALL:
            near = []
        groups = [group for group in groups if group not in near]
        groups.append((one.kind, [one.box, *(box for _, boxes in near for box in boxes)]))
    made = [Keep(around(boxes), WEIGHTS["product" if len(boxes) >= ROW else "thing"]) for _, boxes in groups]
    return [one for one in made if area_of(one.box) >= LARGE]


def _inner(box: Box) -> Box:
    wide, high = ((1 - INNER) / 2 * side for side in (box[2] - box[0], box[3] - box[1]))
    return box[0] + wide, box[1] + high, box[2] - wide, box[3] - high


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _open(box: Box) -> bool:
    """Whether it goes on beyond the picture's border."""
    return box[0] < FREE or box[1] < FREE or box[2] > 1 - FREE or box[3] > 1 - FREE


def covered(box: Box, other: Box) -> float:
    """The part of a box, 0..1, that lies in the other one."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    return max(wide, 0.0) * max(high, 0.0) / max(area_of(box), 1e-9)


def _head(face: Subject) -> Box:
    """A face with its hair."""
    wide, high = face.right - face.left, face.bottom - face.top
    return (
        max(face.left - 0.15 * wide, 0.0),
        max(face.top - HAIR * high, 0.0),
        min(face.right + 0.15 * wide, 1.0),
        min(face.bottom + 0.1 * high, 1.0),
    )


def _head_from_behind(person: Subject) -> Box:
    """The upper part of a person; shoulders that go down to the border are wider than the head, which is between them."""
    side = (1 - HEAD_ACROSS) / 2 * (person.right - person.left) if person.bottom > 1 - FREE else 0.0
    return person.left + side, person.top, person.right - side, person.top + HEAD_PART * (person.bottom - person.top)


def _above(face: Subject, person: Subject) -> bool:
    x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    return person.left <= x <= person.right and y <= (person.top + person.bottom) / 2
