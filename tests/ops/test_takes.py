"""Usable stretches of videos, on analyses made by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.subjects import subject
from vidprod.media.loudness import STEP, Loudness
from vidprod.ops.attention import CELLS, Attention
from vidprod.ops.quality import Quality
from vidprod.ops.shots import Shot, ShotPlan
from vidprod.ops.subjects import Subject
from vidprod.ops.take_scores import SCALES, contributions, fineness
from vidprod.ops.takes import LONGEST, Take, takes_of_video

RATE = 25
NOTHING_WRONG = {"light": 110.0, "contrast": 50.0, "change": 2.0, "shake": 0.0, "sharpness": 0.8}


def row(at: float, size: float = 0.05) -> np.ndarray:
    cells = (np.arange(CELLS) + 0.5) / CELLS
    made = np.exp(-(((cells - at) / size) ** 2))
    scaled: np.ndarray = (made / made.sum()).astype(np.float32)
    return scaled


def video(
    *shots: float,
    wrong: dict[str, tuple[float, float, float]] | None = None,
    at: float = 0.5,
    subjects: tuple[Subject, ...] = (),
    sharp: float = 0.8,
) -> tuple[Attention, Quality]:
    """Shots of these lengths in seconds. `wrong`: by name of a quality its value, and from when to when it has that."""
    edges = np.cumsum([0, *shots])
    count = round(float(edges[-1]) * RATE)
    seconds = np.arange(count) / RATE
    moments = np.arange(math.ceil(float(edges[-1]) * 2)) / 2
    values = {name: np.full(count, value, np.float32) for name, value in NOTHING_WRONG.items()}
    values["sharpness"] = np.full(len(moments), sharp, np.float32)
    for name, (value, start, end) in (wrong or {}).items():
        times = moments if name == "sharpness" else seconds
        values[name][(times >= start) & (times < end)] = value
        if name == "light":
            values["contrast"][(seconds >= start) & (seconds < end)] = 2
    numbers = [round(edge * RATE) for edge in edges]
    plan = ShotPlan(tuple(Shot(a / RATE, b / RATE, a, b) for a, b in itertools.pairwise(numbers)), ())
    embedding = np.zeros((len(moments), 256), np.float16)
    embedding[np.arange(len(moments)), np.searchsorted(edges, moments, side="right")] = 1
    rows = np.tile(row(at), (len(moments), 1))
    focus = np.full(len(moments), 0.3, np.float32)
    attention = Attention(moments, rows, rows, focus, embedding, (subjects,) * len(moments), plan)
    quality = Quality(
        seconds,
        values["light"],
        values["contrast"],
        values["change"],
        values["shake"],
        moments,
        values["sharpness"],
        np.full(len(moments), 30, np.float32),
        np.full((count, 3), 100, np.float32),
    )
    return attention, quality


def takes(*shots: float, until: float = math.inf, **how: object) -> tuple[Take, ...]:
    return takes_of_video(3, *video(*shots, **how), None, 16 / 9, until=until)  # type: ignore[arg-type]


def test_each_shot_is_a_take_with_what_is_known_of_it() -> None:
    found = takes(4, 3, 5)
    assert [(one.source, one.number) for one in found] == [(3, 0), (3, 1), (3, 2)]
    assert [round(one.start) for one in found] == [0, 4, 7]
    assert [round(one.end) for one in found] == [4, 7, 12]
    for one in found:
        assert np.linalg.norm(one.embedding) == pytest.approx(1)
        assert not one.still
        assert one.aspect == 16 / 9
        assert one.talk == 0
        assert one.reason
        assert one.light == pytest.approx((100 / 255, 100 / 255, 100 / 255, 50 / 255, 0, 1))
    assert found[0].embedding @ found[1].embedding < 0.1
    # a picture of the neighbour beside a cut would flash
    assert found[0].end < 4 < found[1].start


@pytest.mark.parametrize("name", ["light", "sharpness", "shake"])
def test_bad_pictures_are_cut_off(name: str) -> None:
    value = {"light": 5.0, "sharpness": 0.01, "shake": 0.1}[name]
    found = takes(8, wrong={name: (value, 3.0, 5.0)})
    assert [(round(one.start, 1), round(one.end, 1)) for one in found] == [(0, 3), (5, 8)]


def test_a_long_shot_is_several_takes_that_join() -> None:
    found = takes(40)
    assert all(5 < one.length < LONGEST for one in found)
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(40)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_short_ones_are_left_out_unless_there_is_nothing_else() -> None:
    assert len(takes(0.4, 5)) == 1
    (only,) = takes(0.4)
    assert only.length == pytest.approx(0.4, abs=0.05)


def test_a_video_with_nothing_good_is_shown_all_the_same_and_scores_low() -> None:
    (bad,) = takes(5, wrong={"shake": (0.1, 0.0, 5.0)})
    (good,) = takes(5)
    assert bad.length == pytest.approx(5, abs=0.2)
    assert bad.reason == "shaky"
    assert bad.score < good.score / 4


def test_nothing_is_used_beyond_until() -> None:
    found = takes(4, 4, 4, until=6.0)
    assert len(found) == 2
    assert found[-1].end <= 6


def test_a_video_without_pictures_has_no_takes() -> None:
    attention, quality = video(1)
    empty = replace(quality, seconds=np.zeros(0))
    assert takes_of_video(0, attention, empty, None, 1.0) == ()


def test_scores_are_absolute() -> None:
    """Each of two videos is all alike; the better one has the higher score nevertheless."""
    (dull,), (sharp,) = takes(5, sharp=0.2), takes(5, sharp=0.9)
    assert sharp.score > dull.score + 0.1
    (someone,) = takes(5, subjects=(subject(0.3, 0.1, 0.8, score=0.9),))
    assert someone.score > takes(5)[0].score + 0.1
    (coarse,) = takes_of_video(0, *video(5), None, 1.2, size=(176, 144))
    assert coarse.score < 0.7 * takes(5)[0].score


@given(st.lists(st.floats(-50, 500), min_size=len(SCALES), max_size=len(SCALES)))
def test_contributions_sum_to_0_to_1(values: list[float]) -> None:
    parts = contributions({name: np.array([value]) for name, value in zip(SCALES, values, strict=True)})
    assert 0 <= sum(float(part[0]) for part in parts.values()) <= 1 + 1e-9


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_fineness_is_a_share(width: int, height: int) -> None:
    assert 0 < fineness(width, height) <= 1


def test_the_best_window_is_where_the_score_is() -> None:
    (one,) = takes(9, wrong={"change": (14.0, 0.0, 5.5)})
    assert one.best(2.5) >= 5.5 - 0.3
    assert one.best(20) == one.start
    # of a part of it, the best in that part
    part = replace(one, start=0.0, end=5.0)
    assert 0 <= part.best(2.0) <= 3.0 + 1e-9


@settings(max_examples=25)
@given(st.floats(0.1, 12), st.integers(0, 1000))
def test_the_best_window_lies_in_the_take(length: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = replace(takes(9)[0], line=(np.arange(90) / 10, rng.random(90)))
    start = one.best(length)
    assert start >= one.start
    assert length > one.length or start + length <= one.end + 1e-9


def test_talk_is_told_from_silence() -> None:
    steps = round(8 / STEP)
    seconds = np.arange(steps) * STEP
    # syllables four times a second, with pauses
    loud = (np.sin(2 * np.pi * 4 * seconds) > 0) & (np.sin(2 * np.pi * 0.5 * seconds) > -0.5)
    level = np.where(loud, -18, -55).astype(np.float32)
    speech = Loudness(level, np.full(steps, 0.9, np.float32))
    music = Loudness(np.full(steps, -14, np.float32), np.full(steps, 0.55, np.float32))
    silence = Loudness(np.full(steps, -80, np.float32), np.zeros(steps, np.float32))
    talk = [takes_of_video(0, *video(8), sound, 1.0)[0].talk for sound in (speech, music, silence)]
    assert talk[0] > 0.6
    assert talk[1] < 0.3
    assert talk[2] == 0


def test_the_window_of_a_video_is_where_it_matters_and_fills_the_frame() -> None:
    (one,) = takes(6, at=0.7)
    for point in one.path(1.0, 3.0, 9 / 16):
        assert point.h == 1
        assert point.w == pytest.approx((9 / 16) / (16 / 9), abs=1e-4)
        assert point.x + point.w / 2 == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("length", [0.08, 0.3, 2.0])
def test_short_stretches_are_framed_by_what_is_seen_around_them(length: float) -> None:
    (one,) = takes(6, at=0.3)
    point = one.path(1.2, 1.2 + length, 9 / 16)[0]
    assert point.x + point.w / 2 == pytest.approx(0.3, abs=0.1)


def test_a_head_is_not_left_for_what_is_beside_it() -> None:
    """A portrait video in a wide frame, of somebody who holds what viewers look at, too far from the face for both."""
    face = Subject(0.4, 0.2, 0.65, 0.36, 0.99, "face", 0.9, 0)
    person = Subject(0.0, 0.15, 0.95, 0.97, 0.8, "person", 0.75, 1)
    (one,) = takes_of_video(3, *video(6, at=0.5, subjects=(face, person)), None, 9 / 16)
    for point in one.path(1.0, 3.0, 16 / 9):
        assert point.h == pytest.approx((9 / 16) / (16 / 9), abs=1e-4)
        assert point.y <= 0.2 - 0.3 * 0.16
        assert point.y + point.h >= 0.36


def test_a_face_that_has_no_room_leaves_bars() -> None:
    face = Subject(0.1, 0.2, 0.9, 0.8, 0.99, "face", 0.9, 0)
    (one,) = takes(6, subjects=(face,))
    assert one.path(1.0, 3.0, 9 / 16)[0].w > 0.7


@settings(max_examples=25)
@given(st.floats(0.25, 4), st.floats(0, 5), st.floats(0.05, 3), st.floats(0, 1))
def test_windows_of_videos_lie_in_the_picture(aspect: float, start: float, length: float, at: float) -> None:
    (one,) = takes(6, at=at)
    for point in one.path(start, start + length, aspect, motion=2):
        assert min(point.x, point.y) >= 0
        assert max(point.x + point.w, point.y + point.h) <= 1 + 1e-9


def test_a_take_that_nobody_looked_at_shows_the_middle() -> None:
    one = Take(0, 0, 0.0, math.inf, 0.5, np.zeros(256), "none", True, 2.0, 0.0, "")
    (point,) = one.path(0.0, 3.0, 1.0)
    assert (point.x, point.y, point.w, point.h) == (0.25, 0, 0.5, 1)
    assert one.best(3.0) == 0
