"""Which takes are seen, how often, and in which order."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.made_takes import film, materials, still, vector
from vidprod.ops.casting import Scene, choose_shots, joined, likeness, moments, reach, runs, talks, windows
from vidprod.ops.takes import Take

SCENES: tuple[Scene, ...] = ("general", "costume")


@settings(max_examples=100)
@given(takes=materials(), lengths=st.lists(st.floats(0.1, 5), min_size=1, max_size=40), scene=st.sampled_from(SCENES))
def test_every_shot_gets_a_part_that_lies_in_its_take(takes: list[Take], lengths: list[float], scene: Scene) -> None:
    chosen = choose_shots(takes, lengths, scene)
    assert len(chosen) == len(lengths)
    assert chosen == choose_shots(takes, lengths, scene)
    parts = windows(takes, chosen, lengths)
    for part, number, length in zip(parts, chosen, lengths, strict=True):
        take = takes[number]
        assert part.take == number
        assert take.start - 1e-6 <= part.start < part.end <= take.end + 1e-6
        assert part.end - part.start <= length + 2e-6  # never faster
    for number in set(chosen):
        uses = [part.use for part in parts if part.take == number]
        assert uses == list(range(len(uses)))


@settings(max_examples=100)
@given(
    scores=st.lists(st.floats(0.5, 1), min_size=2, max_size=30),
    count=st.integers(1, 40),
    scene=st.sampled_from(SCENES),
)
def test_no_photo_twice_before_all_were_seen(scores: list[float], count: int, scene: Scene) -> None:
    takes = [still(at, score) for at, score in enumerate(scores)]
    seen = Counter(choose_shots(takes, [2.0] * count, scene))
    assert max(seen.values()) - min(seen.get(at, 0) for at in range(len(takes))) <= 1


def test_the_best_of_many_photos_are_seen() -> None:
    takes = [still(at, 0.3 + 0.015 * at) for at in range(40)]
    chosen = choose_shots(takes, [1.0] * 8, "general")
    assert len(set(chosen)) == 8
    assert min(chosen) >= 25


def test_poor_takes_serve_only_where_others_do_not_suffice() -> None:
    takes = [still(0, 0.8), still(1, 0.7), still(2, 0.1), still(3, 0.75)]
    assert 2 not in choose_shots(takes, [2.0] * 3, "general")
    assert 2 in choose_shots(takes, [2.0] * 4, "general")
    hopeless = [still(0, 0.8), still(1, 0.7), still(2, 0.01)]
    assert 2 not in choose_shots(hopeless, [2.0] * 4, "general")


def test_what_looks_the_same_is_seen_once() -> None:
    same = vector(99)
    takes = [still(at, 0.9, embedding=same) for at in range(5)] + [still(at, 0.6) for at in range(5, 9)]
    chosen = choose_shots(takes, [2.0] * 5, "general")
    assert sum(number < 5 for number in chosen) == 1


def test_the_strongest_opens_and_a_calm_one_closes() -> None:
    takes = [film(at, 0.0, 5.0, 0.5 + 0.01 * at, calm=0.0) for at in range(5)]
    takes += [film(5, 0.0, 5.0, 0.9, calm=0.1), film(6, 0.0, 5.0, 0.7, calm=1.0)]
    chosen = choose_shots(takes, [2.0] * 7, "general")
    assert chosen[0] == 5
    assert chosen[-1] == 6


def test_neighbours_differ() -> None:
    # three looks, three photos of each that are alike, not equal
    looks = [vector(at) for at in range(3)]
    takes = []
    for at in range(9):
        mixed = looks[at % 3] + 0.6 * vector(100 + at)
        takes.append(still(at, 0.6, embedding=mixed / (mixed @ mixed) ** 0.5))
    chosen = choose_shots(takes, [2.0] * 9, "general")
    assert all(a % 3 != b % 3 for a, b in pairwise(chosen))


def test_stills_and_videos_alternate() -> None:
    takes = [film(at, 0.0, 4.0, 0.6) for at in range(5)] + [still(at, 0.7) for at in range(5, 45)]
    chosen = choose_shots(takes, [2.0] * 10, "general")
    kinds = [takes[number].still for number in chosen]
    assert 6 <= sum(kinds) <= 7  # each at least a third
    assert max(len(run) for run in _groups(kinds)) <= 3


def _groups(values: list[bool]) -> list[list[bool]]:
    found: list[list[bool]] = []
    for value in values:
        if found and found[-1][-1] == value:
            found[-1].append(value)
        else:
            found.append([value])
    return found


def test_one_video_is_seen_as_it_was_recorded() -> None:
    takes = [film(0, 6.0 * at, 6.0 * at + 5, 0.6) for at in range(6)]
    chosen = choose_shots(takes, [2.2] * 6, "general")
    assert chosen == sorted(chosen)
    better = [film(0, 6.0 * at, 6.0 * at + 5, 0.9 if at == 3 else 0.6) for at in range(6)]
    assert choose_shots(better, [2.2] * 6, "general") == [3, 0, 1, 2, 4, 5]


def test_garments_go_from_full_to_detail_and_products_come_last() -> None:
    sizes = ["none", "detail", "half", "full", "none", "half"]
    takes = [still(at, 0.5 + 0.05 * at, size=size) for at, size in enumerate(sizes)]
    chosen = choose_shots(takes, [2.0] * 6, "costume")
    assert [sizes[number] for number in chosen] == ["full", "half", "half", "detail", "none", "none"]


def test_photos_of_a_garment_stay_together() -> None:
    looks = [vector(at) for at in range(3)]
    takes = []
    for at, size in enumerate(["detail", "half", "full"] * 3):
        mixed = looks[at // 3] + 0.2 * vector(50 + at)
        takes.append(still(at, 0.6 + 0.01 * (at // 3), size=size, embedding=mixed / (mixed @ mixed) ** 0.5))
    assert choose_shots(takes, [2.0] * 9, "costume") == [8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_long_shots_go_to_calm_takes() -> None:
    takes = [film(at, 0.0, 6.0, 0.6, calm=float(at == 3)) for at in range(6)]
    lengths = [2.0, 2.0, 4.0, 2.0, 2.0, 2.0]
    takes.append(film(6, 0.0, 6.0, 0.6, calm=0.99))  # closes
    assert choose_shots(takes, [*lengths, 2.0], "general")[2] in (3, 6)


def test_long_takes_show_other_moments() -> None:
    takes = [film(0, 1.0, 11.0)]
    parts = windows(takes, [0] * 4, [2.0] * 4)
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(parts))
    assert all(part.end - part.start == pytest.approx(2.0) for part in parts)
    assert {part.again for part in parts} == {0}


def test_a_take_that_is_nearly_long_enough_is_slowed_and_used_up() -> None:
    parts = windows([film(0, 0.0, 5.1)], [0] * 3, [2.0] * 3)
    assert [(part.start, part.end) for part in parts] == [(0.0, 1.7), (1.7, 3.4), (3.4, 5.1)]
    for heard in (
        windows([film(0, 0.0, 5.1, talk=0.9)], [0] * 3, [2.0] * 3),
        windows([film(0, 0.0, 5.1)], [0] * 3, [2.0] * 3, own=True),
    ):
        assert [part.end - part.start for part in heard] == pytest.approx([2.0] * 3)
        assert [part.again for part in heard] == [0, 0, 1]


def test_a_take_that_is_all_but_long_enough_keeps_its_speed() -> None:
    parts = windows([film(0, 1.0, 6.8)], [0] * 3, [2.0] * 3)
    assert [part.start for part in parts] == pytest.approx([1.0, 2.9, 4.8])
    assert [part.end for part in parts] == pytest.approx([3.0, 4.9, 6.8])
    assert {part.again for part in parts} == {0}


def test_what_comes_again_is_told() -> None:
    parts = windows([film(0, 0.0, 2.0)], [0] * 4, [2.0] * 4)
    assert [part.again for part in parts] == [0, 1, 2, 3]


def test_short_takes_go_to_short_shots() -> None:
    takes = [film(0, 0.0, 1.0), *(film(at, 0.0, 5.0) for at in range(1, 5))]
    lengths = [3.0, 3.0, 1.5, 3.0, 3.0]
    assert choose_shots(takes, lengths, "general")[2] == 0


def test_reach_is_what_a_take_can_fill() -> None:
    assert reach(film(0, 1.0, 3.0)) == 4.0
    assert reach(film(0, 1.0, 3.0, talk=0.9)) == 2.0
    assert reach(film(0, 1.0, 1.04)) == math.inf
    assert reach(still(0)) == math.inf
    assert reach(film(0, 1.0, 3.0), own=True) == 2.0
    assert moments(film(0, 0.0, 8.0), 2.0) == 5
    assert moments(film(0, 0.0, 8.0), 2.0, own=True) == 4
    assert talks(film(0, 0.0, 3.0, talk=0.9))
    assert not talks(film(0, 0.0, 3.0, talk=0.3))


def test_takes_that_go_on_are_one_where_there_is_little() -> None:
    takes = [film(0, 0.0, 5.9, 0.8), film(0, 5.9, 11.7, 0.7), film(0, 13.0, 15.0, 0.6), still(1, 0.6)]
    assert runs(takes) == [0, 0, 2, 3]
    assert joined(takes, [2.0] * 4) == takes
    one, other, photo = joined(takes, [4.5] * 5)
    assert (one.start, one.end) == (0.0, 11.7)
    assert 0.7 < one.score < 0.8
    assert (other, photo) == (takes[2], takes[3])


def test_likeness_of_few_takes() -> None:
    assert likeness([still(0)]).tolist() == [[1.0]]
    assert likeness([still(0), still(1, embedding=vector(0))])[0, 1] == pytest.approx(1.0)


def test_there_must_be_a_take() -> None:
    with pytest.raises(ValueError, match="at least one take"):
        choose_shots([], [1.0], "general")
