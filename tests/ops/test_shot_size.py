from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.shot_size import FAR, SIZES, Size, shot_size, usual_size
from vidprod.ops.subjects import WEIGHTS, Subject, group_of

PORTRAIT, WIDE = 3 / 4, 16 / 9


def found(kind: str, left: float, top: float, right: float, bottom: float) -> Subject:
    return Subject(left, top, right, bottom, 0.9, kind, WEIGHTS[group_of(kind)], -1)


FACE = found("face", 0.45, 0.1, 0.55, 0.2)


@pytest.mark.parametrize(
    ("subjects", "aspect", "size"),
    [
        ((found("person", 0.3, 0.05, 0.7, 0.95), FACE), PORTRAIT, "full"),
        ((found("person", 0.3, 0.05, 0.7, 0.65), FACE), PORTRAIT, "half"),
        ((found("person", 0.0, 0.0, 1.0, 1.0), found("face", 0.3, 0.2, 0.7, 0.7)), PORTRAIT, "detail"),
        ((found("face", 0.3, 0.2, 0.7, 0.7),), PORTRAIT, "detail"),  # whose body was not found
        ((found("person", 0.45, 0.1, 0.55, 0.9),), WIDE, "full"),  # from behind
        ((found("person", 0.02, 0.0, 0.98, 0.99),), PORTRAIT, "half"),  # a shirt, without the head
        ((found("person", 0.0, 0.06, 0.96, 0.99),), PORTRAIT, "detail"),  # a cap, from behind
        ((found("person", 0.45, 0.4, 0.5, 0.55),), WIDE, "none"),  # far away
        ((found("dog", 0.1, 0.1, 0.9, 0.9),), WIDE, "none"),
        ((), WIDE, "none"),
    ],
)
def test_how_much_is_seen(subjects: tuple[Subject, ...], aspect: float, size: Size) -> None:
    assert shot_size(subjects, aspect) == size


def test_the_largest_person_counts_and_only_their_own_face() -> None:
    near, far = found("person", 0.0, 0.0, 0.5, 1.0), found("person", 0.8, 0.3, 0.85, 0.6)
    of_the_far_one = found("face", 0.81, 0.3, 0.84, 0.37)
    assert shot_size((near, far, of_the_far_one), WIDE) == shot_size((near,), WIDE)


def test_a_shot_has_the_size_of_most_of_its_pictures_and_needs_a_third_with_someone() -> None:
    full, detail = (found("person", 0.45, 0.1, 0.55, 0.9),), (found("face", 0.3, 0.2, 0.7, 0.7),)
    assert usual_size([full, full, detail], WIDE) == "full"
    assert usual_size([full, (), ()], WIDE) == "full"
    assert usual_size([full, (), (), ()], WIDE) == "none"
    assert usual_size([], WIDE) == "none"


@given(st.lists(st.tuples(*[st.floats(0, 0.5)] * 2, *[st.floats(0.5, 1)] * 2), max_size=3), st.floats(0.3, 3))
def test_any_finds_have_a_size(boxes: list[tuple[float, float, float, float]], aspect: float) -> None:
    subjects = [found(kind, *box) for kind, box in zip(("person", "face", "person"), boxes, strict=False)]
    assert shot_size(subjects, aspect) in SIZES
    if any(bottom - top >= FAR for _, top, _, bottom in boxes):
        assert shot_size(subjects, aspect) != "none"
