"""Where the music begins, and how it is looped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.made_takes import steady
from vidprod.ops.beats import NONE, Beats
from vidprod.ops.music_plan import CROSSFADE, LEAD, LONG_CROSSFADE, music_plan


@given(
    music_seconds=st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5, 6.8, 30.0, 200.0]) | st.floats(0, 90),
    seconds=st.floats(0.04, 100) | st.just(600.0),
    bpm=st.floats(60, 200),
    first=st.floats(0, 4),
    phase=st.integers(0, 3),
    with_beats=st.booleans(),
)
def test_music_fills_the_video(
    music_seconds: float, seconds: float, bpm: float, first: float, phase: int, with_beats: bool
) -> None:
    beats = steady(bpm, music_seconds, first=first, phase=phase) if with_beats else None
    plan = music_plan(beats, music_seconds, seconds)
    if music_seconds < 0.01:
        assert plan.pieces == ()
        return
    assert plan.pieces[0].out_start == 0
    for one in plan.pieces:
        assert 0 <= one.start < one.end <= music_seconds + 2e-6
    ends = [one.out_start + one.end - one.start for one in plan.pieces]
    for end, later in zip(ends, plan.pieces[1:], strict=False):
        assert later.out_start <= end + 2e-6  # no gap
    assert all(end <= seconds + 2e-6 for end in ends)
    if music_seconds >= 0.25:
        assert ends[-1] == pytest.approx(seconds, abs=2e-6)
    # never three at once
    assert all(one <= two.out_start + 2e-6 for one, two in zip(ends, plan.pieces[2:], strict=False))
    if plan.beats is not None:
        found = plan.beats.seconds
        assert bool((found[1:] > found[:-1]).all())
        assert float(found.min()) >= 0
        assert float(found.max()) <= seconds


@given(bpm=st.floats(70, 180), seconds=st.floats(5, 120), music_seconds=st.floats(6.8, 60), phase=st.integers(0, 3))
def test_the_beat_goes_on_over_all_loops(bpm: float, seconds: float, music_seconds: float, phase: int) -> None:
    plan = music_plan(steady(bpm, music_seconds, phase=phase), music_seconds, seconds)
    assert plan.beats is not None
    gaps = np.diff(plan.beats.seconds.numpy()) * bpm / 60
    assert np.abs(gaps - 1).max() < 0.02
    bars = np.flatnonzero(plan.beats.downbeats.numpy())
    assert set(np.diff(bars)) <= {4}
    # none is missing at either end; music that has no room for another bar may end before its last beats do
    assert float(plan.beats.seconds[0]) <= 60 / bpm + LEAD
    assert seconds - float(plan.beats.seconds[-1]) <= 2 * 60 / bpm


def test_long_music_begins_on_a_downbeat_and_is_one_piece() -> None:
    plan = music_plan(steady(120, 60, first=0.75, phase=2), 60.0, 20.0)
    (piece,) = plan.pieces
    assert plan.on_beat
    assert plan.beats is not None
    assert bool(plan.beats.downbeats[0])
    assert float(plan.beats.seconds[0]) == pytest.approx(LEAD)
    assert (piece.start + LEAD - 1.75) % 2 == pytest.approx(0, abs=1e-6)
    assert piece.end - piece.start == pytest.approx(20.0)


def test_the_end_falls_on_a_downbeat_where_it_can() -> None:
    # from 30 s on the bars are such that 20 s end one
    slow, fast = torch.arange(0.5, 30, 60 / 100), torch.arange(30.5, 90, 0.5)
    times = torch.cat([slow, fast]).double()
    music = Beats(times, torch.arange(len(times)) % 4 == len(slow) % 4, 110.0, 0.8)
    (piece,) = music_plan(music, 90.0, 20.0).pieces
    bars = times[music.downbeats]
    assert float((bars - piece.start - LEAD).abs().min()) < 1e-3
    assert float((bars - piece.end - LEAD).abs().min()) < 0.05


def test_a_beatless_part_is_left_out() -> None:
    times = torch.cat([torch.arange(1, 4, 0.5), torch.arange(25, 60, 0.5)]).double()
    music = Beats(times, torch.arange(len(times)) % 4 == 2, 120.0, 0.8)
    assert music_plan(music, 60.0, 20.0).pieces[0].start > 24


def test_a_quiet_introduction_is_left_out() -> None:
    music = steady(120, 60)
    plan = music_plan(music, 60.0, 20.0, lambda at: np.where(at < 16, -40.0, -12.0))
    assert 15.9 < plan.pieces[0].start < 25
    assert music_plan(music, 60.0, 20.0).pieces[0].start < 1


def test_a_jingle_is_looped_in_bars() -> None:
    plan = music_plan(steady(120, 6.8, first=0.4), 6.8, 20.0)
    # beats 0.4 .. 6.4: three bars
    steps = [b.out_start - a.out_start for a, b in pairwise(plan.pieces[1:])]
    assert steps == pytest.approx([6.0] * len(steps))
    for one, two in pairwise(plan.pieces):
        overlap = one.out_start + one.end - one.start - two.out_start
        assert overlap == pytest.approx(CROSSFADE)
        # the same bar at the same time
        assert (one.start - one.out_start - two.start + two.out_start + 1) % 2 == pytest.approx(1, abs=1e-5)


def test_music_without_beats_loops_at_its_ends() -> None:
    plan = music_plan(NONE, 10.0, 25.0)
    assert [(one.start, one.end, one.out_start) for one in plan.pieces] == [
        (0, 10, 0),
        (0, 10, 10 - LONG_CROSSFADE),
        (0, 8, 2 * (10 - LONG_CROSSFADE)),
    ]
    assert plan.beats is None
    assert not plan.on_beat


def test_chance_is_no_beat() -> None:
    beats = steady(120, 30)
    plan = music_plan(Beats(beats.seconds, beats.downbeats, 120.0, 0.05), 30.0, 10.0)
    assert plan.beats is None
    assert plan.pieces[0].start == 0


@pytest.mark.parametrize(("music", "video"), [(-1.0, 10.0), (10.0, 0.0)])
def test_lengths_out_of_range(music: float, video: float) -> None:
    with pytest.raises(ValueError, match="must not last"):
        music_plan(None, music, video)
