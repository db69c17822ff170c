from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.models.subjects import golden
from tests.ops.subjects import subject
from vidprod.ops.subjects import (
    WEIGHTS,
    Subject,
    SubjectDetection,
    SubjectSample,
    SubjectTracking,
    group_of,
    likeness,
)
from vidprod.ops.things import NAMES


def tracked(samples: Sequence[Sequence[Subject]], *, cuts: Sequence[int] = ()) -> list[SubjectSample]:
    """What comes of finds on successive samples, half a second apart; `cuts` number the first samples of shots."""
    tracking, out = SubjectTracking(), list[SubjectSample]()
    for number, finds in enumerate(samples):
        if number in cuts:
            out += tracking.cut()
        out += tracking.add(number / 2, finds)
    return out + tracking.cut()


def test_seen_once_is_not_seen() -> None:
    out = tracked([[], [subject(0.1, 0.1)], [], [], [subject(0.1, 0.1)], []])
    assert [len(sample.subjects) for sample in out] == [0] * 6
    assert [sample.seconds for sample in out] == [0, 0.5, 1, 1.5, 2, 2.5]


def test_seen_twice_of_three_counts_from_the_first_on_and_the_gap_is_filled() -> None:
    first, second = subject(0.1, 0.1, score=0.8), subject(0.2, 0.2, score=0.6)
    out = tracked([[], [first], [], [second], []])
    assert [len(sample.subjects) for sample in out] == [0, 1, 1, 1, 0]
    (missed,) = out[2].subjects
    assert missed.box == pytest.approx((0.15, 0.15, 0.35, 0.35))
    assert missed.score == 0.6
    assert len({sample.subjects[0].track for sample in out[1:4]}) == 1


def test_gone_for_two_samples_is_another_one() -> None:
    here = [subject(0.1, 0.1)]
    out = tracked([here, here, [], [], here, here])
    tracks = [sample.subjects[0].track if sample.subjects else None for sample in out]
    assert tracks[:4] == [tracks[0], tracks[0], None, None]
    assert tracks[4] == tracks[5] != tracks[0]


def test_two_that_pass_each_other_keep_their_numbers_and_a_jump_is_another_one() -> None:
    samples = [[subject(0.1 + 0.05 * i, 0.1), subject(0.7 - 0.05 * i, 0.6)] for i in range(8)]
    out = tracked(samples)
    high, low = (
        {s.track for sample in out for s in sample.subjects if (s.top < 0.3) == upper} for upper in (True, False)
    )
    assert len(high) == len(low) == 1
    assert high != low
    jump = tracked([[subject(0.0, 0.0)]] * 3 + [[subject(0.8, 0.8)]] * 3)
    assert len({s.track for sample in jump for s in sample.subjects}) == 2


def test_kinds_of_one_group_are_one_subject_and_groups_are_apart() -> None:
    out = tracked([[subject(0.1, 0.1, kind="dog")], [subject(0.1, 0.1, kind="cat")]])
    assert [sample.subjects[0].kind for sample in out] == ["dog", "cat"]
    assert out[0].subjects[0].track == out[1].subjects[0].track
    assert not any(s.subjects for s in tracked([[subject(0.1, 0.1, kind="dog")], [subject(0.1, 0.1, kind="face")]]))


def test_nothing_is_followed_across_a_cut() -> None:
    here = [subject(0.1, 0.1)]
    out = tracked([here, here, here, here], cuts=[2])
    tracks = [sample.subjects[0].track for sample in out]
    assert tracks[0] == tracks[1] != tracks[2] == tracks[3]
    assert not any(s.subjects for s in tracked([[], here, here, []], cuts=[2]))


@pytest.mark.parametrize(
    ("kind", "score", "count"), [("face", 0.98, 0), ("face", 0.995, 1), ("dog", 0.55, 0), ("dog", 0.7, 1)]
)
def test_in_a_shot_of_one_sample_only_what_is_certain_counts(kind: str, score: float, count: int) -> None:
    out = tracked([[], [subject(0.1, 0.1, kind=kind, score=score)], []], cuts=[1, 2])
    assert [len(sample.subjects) for sample in out] == [0, count, 0]


def test_subjects_come_by_weight_and_size() -> None:
    finds = [
        subject(0.7, 0.7, kind="cup"),
        subject(0.1, 0.1),
        subject(0.4, 0.1, 0.3),
        subject(0.1, 0.1, 0.05, kind="face"),
    ]
    (sample, _) = tracked([finds, finds])
    assert [(s.kind, round(s.right - s.left, 2)) for s in sample.subjects] == [
        ("face", 0.05),
        ("person", 0.3),
        ("person", 0.2),
        ("cup", 0.2),
    ]
    assert [s.weight for s in sample.subjects] == [0.9, 0.75, 0.75, 0.2]


boxes = st.lists(
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.5)).map(lambda v: subject(*v)), max_size=4
)


@given(samples=st.lists(boxes, max_size=9), cuts=st.sets(st.integers(0, 9)))
def test_whatever_comes_every_sample_comes_out_once_with_finds_of_its_own(
    samples: list[list[Subject]], cuts: set[int]
) -> None:
    out = tracked(samples, cuts=sorted(cuts))
    assert [sample.seconds for sample in out] == [i / 2 for i in range(len(samples))]
    starts = sorted({0, *cuts} & set(range(len(samples))))
    for number, sample in enumerate(out):
        tracks = [s.track for s in sample.subjects]
        assert len(set(tracks)) == len(tracks)
        assert -1 not in tracks
        shot = max((start for start in starts if start <= number), default=0)
        for s in sample.subjects:
            assert 0 <= s.left < s.right <= 1.5
            # There is another one of the same track within two samples of the same shot.
            near = [k for k in range(max(number - 2, shot), min(number + 3, len(out))) if k != number]
            near = [k for k in near if not any(number < start <= k for start in starts)]
            assert any(s.track == other.track for k in near for other in out[k].subjects) or s.score >= 0.6


def test_samples_are_settled_after_two_more() -> None:
    tracking = SubjectTracking()
    here = [subject(0.1, 0.1)]
    counts = [len(tracking.add(i / 2, here)) for i in range(20)]
    assert counts == [0, 0, *[1] * 18]
    assert len(tracking.cut()) == 2
    assert tracking.cut() == []


@given(a=boxes.filter(bool), b=boxes.filter(bool))
def test_likeness_is_symmetric_and_at_most_one(a: list[Subject], b: list[Subject]) -> None:
    left, right = (np.array([s.box for s in found], np.float32) for found in (a, b))
    found = likeness(left, right)
    assert found.shape == (len(a), len(b))
    assert np.allclose(found, likeness(right, left).T, atol=1e-5)
    assert -1 <= found.min() <= found.max() <= 1 + 1e-5
    assert np.allclose(np.diag(likeness(left, left)), 1, atol=1e-4)


def test_likeness_of_neighbours() -> None:
    a, b = (np.array([[x, 0, x + 1, 1]], np.float32) for x in (0, 1))
    assert likeness(a, b)[0, 0] == pytest.approx(-0.2)


def test_every_kind_has_a_weight() -> None:
    assert all(0 < WEIGHTS[group_of(kind)] < 1 for kind in (*NAMES, "face"))


def test_faces_and_things_of_real_pictures() -> None:
    detection = SubjectDetection()
    film, dog = golden("faces"), golden("things")
    out = detection.update(film.expand(3, -1, -1, -1), [0.0, 0.5, 1.0])
    assert len(out) == 1
    out += detection.cut()
    out += detection.update(dog, [1.5])
    assert detection.update(dog[:0], []) == []
    out += detection.finish()
    assert [sample.seconds for sample in out] == [0, 0.5, 1, 1.5]
    kinds = [sorted(s.kind for s in sample.subjects) for sample in out]
    assert kinds[0] == kinds[1] == kinds[2]
    assert kinds[0].count("face") == 2
    assert kinds[0].count("person") >= 2
    assert kinds[3] == ["dog", "person"]
    # Each face belongs to a person.
    for face in (s for s in out[0].subjects if s.kind == "face"):
        x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
        people = [s for s in out[0].subjects if s.kind == "person"]
        assert any(p.left < x < p.right and p.top < y < p.bottom for p in people)


def test_times_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="2 pictures but 1 times"):
        SubjectDetection().update(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), [0.0])
