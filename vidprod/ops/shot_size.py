"""How much of a person a picture shows: all of them, a half, or a detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from vidprod.ops.subjects import Subject

Size = Literal["full", "half", "detail", "none"]
"""Head to feet, more or less; half of that; less: a face, a garment from near; nobody, or someone far away."""

SIZES: tuple[Size, ...] = get_args(Size)

FAR = 0.2
"""Of the picture's height: persons who are smaller are part of a scenery."""

TINY_FACE = 0.06
"""The same for faces of whom the body was not found."""

FULL, HALF = 7.0, 3.0
"""Heights of a face, chin to forehead, from its top on: a whole body has about 10, one to the hips 5."""

SLIM, ALL_SEEN, BROAD = 2.3, 1.6, 1.35
"""Height of a person against the width, where there is no face: at least that of a whole body; the same where the box goes
on beyond neither the upper nor the lower border; at most that of a close view."""

NEAR = 0.5
"""Of the picture's height: persons who are smaller are not seen closely."""

EDGE = 0.03
"""Of the picture: a box so near to its border goes on beyond it."""


def shot_size(subjects: Sequence[Subject], aspect: float) -> Size:
    """What is seen of the largest person.

    Args:
        subjects: of one picture.
        aspect: its width / height, as seen.
    """
    persons = [one for one in subjects if one.kind == "person" and one.bottom - one.top >= FAR]
    faces = [one for one in subjects if one.kind == "face" and one.bottom - one.top >= TINY_FACE]
    if not persons:
        return _below(max(faces, key=_area), 1.0) if faces else "none"
    person = max(persons, key=_area)
    own = [face for face in faces if _within(face, person)]
    if own:
        return _below(max(own, key=_area), person.bottom)
    slim = (person.bottom - person.top) / max((person.right - person.left) * aspect, 1e-6)
    open_above, open_below = person.top < EDGE, person.bottom > 1 - EDGE
    if slim >= (SLIM if open_above or open_below else ALL_SEEN) and not (open_above and open_below):
        return "full"
    return "detail" if slim < BROAD and person.bottom - person.top >= NEAR else "half"


def usual_size(samples: Sequence[Sequence[Subject]], aspect: float) -> Size:
    """The size that most pictures of a shot have; someone who is seen in a third of them counts."""
    found = [shot_size(subjects, aspect) for subjects in samples]
    with_someone = [size for size in found if size != "none"]
    if 3 * len(with_someone) < len(found) or not with_someone:
        return "none"
    return max(SIZES, key=lambda size: sum(one == size for one in with_someone))


def _below(face: Subject, bottom: float) -> Size:
    """By how far a body goes on below the top of its face."""
    heads = (bottom - face.top) / max(face.bottom - face.top, 1e-6)
    if heads >= FULL:
        return "full"
    return "half" if heads >= HALF else "detail"


def _within(face: Subject, person: Subject) -> bool:
    x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    return person.left <= x <= person.right and person.top - EDGE <= y <= (person.top + person.bottom) / 2 + EDGE


def _area(one: Subject) -> float:
    return (one.right - one.left) * (one.bottom - one.top)
