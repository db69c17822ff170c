"""What may be shown, where it is cut, and what repeats: on analyses made by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import write_clip
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.loudness import STEP, Loudness
from vidprod.media.previews import Preview, pictures_at
from vidprod.media.reader import VideoReader
from vidprod.ops.attention import Attention
from vidprod.ops.quality import Quality, QualityAnalysis
from vidprod.ops.selection import Segment
from vidprod.ops.shots import Shot, ShotPlan
from vidprod.ops.storyboard import storyboard
from vidprod.ops.summary import in_pauses, summarise
from vidprod.ops.summary_plan import ScoredShot, Stretch, SummaryPlan, stretches

RATE = 25


def video(shots: list[tuple[int, float]], *, first: float = 0.0, seed: int = 0) -> tuple[Attention, Quality]:
    """Shots of (what they show, how good they look 0..1), four seconds each; the first picture is seen at `first` seconds."""
    rng = np.random.default_rng(seed)
    content = rng.normal(size=(50, 256))
    content /= np.linalg.norm(content, axis=1, keepdims=True)
    pictures, samples = 4 * RATE, 8
    count = len(shots) * pictures
    seconds = first + np.arange(count) / RATE
    moments = first + np.arange(len(shots) * samples) / 2
    what = np.repeat([one for one, _ in shots], samples)
    good = np.repeat([one for _, one in shots], samples).astype(np.float32)
    spans = [(at * pictures, (at + 1) * pictures) for at in range(len(shots))]
    plan = ShotPlan(tuple(Shot(first + a / RATE, first + b / RATE, a, b) for a, b in spans), ())
    attention = Attention(
        moments,
        np.full((len(moments), 96), 1 / 96, np.float32),
        np.full((len(moments), 96), 1 / 96, np.float32),
        np.asarray(0.2 + 0.3 * good, np.float32),
        content[what].astype(np.float16),
        ((),) * len(moments),
        plan,
    )
    level = np.full(count, 100, np.float32)
    change = np.full(count, 2, np.float32)
    quality = Quality(
        seconds,
        level,
        np.full(count, 50, np.float32),
        change,
        np.zeros(count, np.float32),
        moments,
        good + np.float32(0.5),
        20 * good,
    )
    return attention, quality


def made(shots: list[tuple[int, float]], seconds: float, *, first: float = 0.0) -> SummaryPlan:
    attention, quality = video(shots, first=first)
    count = len(quality.seconds)
    wanted = round(seconds * RATE)
    return summarise(attention, quality, None, kind="ecommerce", rate=Fraction(RATE), count=count, wanted=wanted)


def shown(plan: SummaryPlan, first: float = 0.0) -> set[int]:
    """Numbers of the four-second shots that are in the summary."""
    return {int((point / RATE) // 4) for a, b in plan.grid(first) for point in range(a, b)}


@pytest.mark.parametrize("wanted", [3, 6, 10])
def test_the_same_clip_three_times_is_shown_once(wanted: int) -> None:
    plan = made([(1, 0.9), (2, 0.5), (1, 0.9), (3, 0.4), (1, 0.9), (4, 0.3)], wanted)
    assert len(shown(plan) & {0, 2, 4}) <= 1
    assert any(shot.reason.startswith("like the one at") for shot in plan.shots)


def test_nothing_but_one_clip_three_times_is_shown_once_too() -> None:
    assert len(shown(made([(1, 0.5)] * 3, 3))) == 1


def test_a_repeat_is_better_than_too_little() -> None:
    plan = made([(1, 0.5)] * 3, 10)
    assert plan.frames == 10 * RATE


@pytest.mark.parametrize("first", [0.0, 0.5, 3.21])
def test_pictures_that_start_late_are_still_the_right_ones(first: float) -> None:
    plan = made([(1, 0.1), (2, 0.1), (3, 1.0), (4, 0.1)], 3, first=first)
    assert shown(plan, first) == {2}
    assert plan.segments[0].start >= first + 8 - 1e-6
    assert first + 8 <= plan.cover < first + 12


@pytest.mark.parametrize("fault", ["black", "frozen", "blurred", "shaky"])
def test_filler_is_not_shown_even_if_it_looks_good(fault: str) -> None:
    shots = [(1, 0.3), (2, 1.0), (3, 0.3), (4, 0.3), (5, 0.3)]
    attention, quality = video(shots)
    bad = slice(4 * RATE, 8 * RATE)
    values = {
        "black": ("light", 5.0),
        "frozen": ("change", 0.0),
        "shaky": ("shake", 0.1),
        "blurred": ("sharpness", 0.05),
    }
    name, value = values[fault]
    array = getattr(quality, name).copy()
    array[bad if len(array) == len(quality.seconds) else slice(8, 16)] = value
    quality = replace(quality, **{name: array})
    if fault == "black":
        quality = replace(quality, contrast=np.where(array == value, np.float32(2), quality.contrast))
    count = len(quality.seconds)

    def plan(wanted: int) -> SummaryPlan:
        return summarise(
            attention, quality, None, kind="ecommerce", rate=Fraction(RATE), count=count, wanted=wanted * RATE
        )

    assert 1 not in shown(plan(6))
    reason = plan(6).shots[1].reason
    assert fault in reason
    assert plan(19).frames == 19 * RATE  # better something bad than too little


def test_slides_are_no_frozen_video() -> None:
    attention, quality = video([(at, at / 6) for at in range(6)])
    quality = replace(quality, change=np.zeros_like(quality.change))
    count = len(quality.seconds)
    plan = summarise(attention, quality, None, kind="film", rate=Fraction(RATE), count=count, wanted=100)
    assert plan.frames == 100
    assert not any(shot.reason == "frozen" for shot in plan.shots)


def test_one_take_is_one_window() -> None:
    assert len(made([(1, 0.5)], 2.5).segments) == 1
    attention, quality = video([(at, 0.5) for at in range(20)])
    whole = replace(attention, shots=ShotPlan((Shot(0, 80, 0, 80 * RATE),), ()))
    options = {"rate": Fraction(RATE), "count": 80 * RATE, "wanted": 12 * RATE}
    assert len(summarise(whole, quality, None, kind="ecommerce", **options).segments) == 1  # type: ignore[arg-type]
    film = summarise(whole, quality, None, kind="film", **options)  # type: ignore[arg-type]
    assert len(film.segments) > 1  # a take of more than a minute counts as several


def sound(quiet: list[tuple[float, float]], seconds: float = 20.0) -> Loudness:
    times = np.arange(int(seconds / STEP)) * STEP
    level = np.full(len(times), -15, np.float32)
    for a, b in quiet:
        level[(times >= a) & (times < b)] = -70
    return Loudness(level, np.ones(len(times), np.float32))


def test_segments_begin_and_end_in_pauses() -> None:
    talk = sound([(3.9, 4.0), (6.9, 7.0)])
    one = Segment(round(4.1 * RATE), round(7.1 * RATE), 0)
    (moved,) = in_pauses([one], [(0, 500)], talk, RATE)
    assert len(moved) == len(one)
    assert 3.86 <= moved.first / RATE <= 4.0
    assert in_pauses([one], [(0, 500)], sound([]), RATE) == (one,)  # nothing is gained: stays
    beside = [one, Segment(one.stop, one.stop + 50, 1)]
    assert in_pauses(beside, [(0, one.stop), (one.stop, 500)], talk, RATE) == tuple(beside)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 2**31))
def test_shifts_keep_lengths_order_and_ranges(steps: list[int], seed: int) -> None:
    edges = np.cumsum(steps)
    parts = [Segment(int(a), int(b), 0) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    rng = np.random.default_rng(seed)
    noisy = Loudness(rng.uniform(-80, 0, 1500).astype(np.float32), rng.random(1500).astype(np.float32))
    end = int(edges[-1]) + 20
    moved = in_pauses(parts, [(0, end)], noisy, RATE)
    assert [len(one) for one in moved] == [len(one) for one in parts]
    assert all(a.stop <= b.first for a, b in itertools.pairwise(moved))
    assert all(one.first >= 0 and one.stop <= end for one in moved)


@given(
    st.lists(st.integers(1, 5000), min_size=2, max_size=10),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)]),
    st.floats(0, 10),
)
def test_segments_in_seconds_are_the_same_pictures(steps: list[int], rate: Fraction, first: float) -> None:
    edges = np.cumsum(steps).tolist()
    parts = tuple(zip(edges[::2], edges[1::2], strict=False))
    plan = SummaryPlan(str(rate), (), stretches(parts, rate, first))
    joined = [list(part) for part in parts]
    assert [list(part) for part in plan.grid(first)] == joined


def test_a_plan_in_json_names_what_is_wrong() -> None:
    good = {"rate": "25", "segments": [{"start": 3, "end": 4}, {"start": 0, "end": 1}]}
    assert SummaryPlan.from_dict(good).grid() == ((75, 100), (0, 25))
    faults: list[dict[str, Any]] = [{"segments": []}, {"rate": "0"}, {"cover": -1}, {"size": 3}]
    for part in [*faults, {"segments": [{"start": 2, "end": 1}]}]:
        with pytest.raises(InvalidParameter):
            SummaryPlan.from_dict({**good, **part})


def shaken(pixels: float) -> float:
    """How shaky a picture is found that moves to and fro, of its width."""
    rng = np.random.default_rng(0)
    scene = torch.from_numpy(rng.integers(0, 256, (3, 20, 40), dtype=np.uint8))
    big = torch.nn.functional.interpolate(scene[None].float(), (100, 200), mode="bicubic")[0].clamp(0, 255)
    way = (20 + pixels * rng.normal(size=(40, 2))).round().astype(int).clip(0, 40)
    data = torch.stack([big[:, y : y + 54, x : x + 96] for x, y in way]).to(torch.uint8)
    analysis = QualityAnalysis()
    for first in (0, 7, 20):
        stop = {0: 7, 7: 20, 20: 40}[first]
        frames = Frames(data[first:stop], tuple(range(first, stop)), Fraction(1, 25), first)
        analysis.update(Preview(frames, ()))
    found = analysis.finish()
    assert found.shake.shape == (40,)
    return float(np.median(found.shake))


def test_shaking_is_told_from_standing_still() -> None:
    assert shaken(0) < 0.001
    assert shaken(4) > 0.02


def test_a_storyboard_is_drawn(tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), 5 * at, np.uint8) for at in range(40)]
    path = write_clip(tmp_path / "in.mp4", pictures)
    with VideoReader(path) as reader:
        greys = [round(float(p.mean()) / 5) for p in pictures_at(reader, [1.0, 0.0, 0.5, 99.0], side=32)]
    assert greys == [25, 0, 12, 39]
    scored = (ScoredShot(0, 0.8, 0.4, "good focus"), ScoredShot(0.8, 1.6, 0.9, "good colour"))
    plan = SummaryPlan("25", scored, (Stretch(0.9, 1.4),), cover=1.0)
    storyboard(path, plan, tmp_path / "out.png")
    assert {one.name for one in tmp_path.iterdir()} == {"in.mp4", "out.png"}
    import cv2

    drawn = cv2.imread(str(tmp_path / "out.png"))
    assert drawn is not None
    assert drawn.shape[1] == 1400
    assert (np.abs(drawn.astype(int) - (30, 92, 226)).sum(2) < 12).sum() > 1000  # what is picked is marked
