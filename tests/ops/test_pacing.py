"""Cuts on beats, and shots that together last exactly as long as asked for."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidprod.ops.beats import Beats
from vidprod.ops.pacing import PACES, bars, pacing

RATES = [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(12)]


def steady(bpm: float, seconds: float, *, first: float = 0.2, confidence: float = 0.8) -> Beats:
    times = torch.arange(first, seconds, 60 / bpm, dtype=torch.float64)
    return Beats(times, torch.arange(len(times)) % 4 == 0, bpm, confidence)


@given(
    style=st.sampled_from(sorted(PACES)),
    pictures=st.integers(1, 4000),
    rate=st.sampled_from(RATES),
    gaps=st.none() | st.lists(st.floats(0.05, 9.0), max_size=60),
    start=st.floats(0, 20),
)
def test_shots_fill_the_video_whatever_the_beats(
    style: str, pictures: int, rate: Fraction, gaps: list[float] | None, start: float
) -> None:
    music = None
    if gaps is not None:
        seconds = torch.tensor(gaps, dtype=torch.float64).cumsum(0)
        music = Beats(seconds, torch.arange(len(gaps)) % 4 == 1, 120.0, 0.5)
    plan = pacing(style, pictures, rate, music, start=start)
    assert sum(plan.lengths()) == pictures
    assert all(length > 0 for length in plan.lengths())
    shots = plan.shots()
    assert len(shots) == len(plan.cuts) + 1
    assert shots[0][0] == 0
    assert shots[-1][1] == pictures
    for cut, (_, end), (begin, _) in zip(plan.cuts, shots, shots[1:], strict=False):
        assert begin == cut.at - cut.before <= cut.at <= cut.at + cut.after == end
        assert len(cut.progress()) == end - begin
        assert all(0 < p < 1 for p in cut.progress())
    # No picture shows three shots.
    assert all(early[1] <= late[0] for early, late in zip(shots, shots[2:], strict=False))


@given(
    style=st.sampled_from(sorted(PACES)),
    bpm=st.floats(65, 180),
    seconds=st.floats(8, 60),
    rate=st.sampled_from(RATES),
    music=st.booleans(),
)
def test_shots_are_as_long_as_the_style_says(
    style: str, bpm: float, seconds: float, rate: Fraction, music: bool
) -> None:
    pictures = round(seconds * rate)
    plan = pacing(style, pictures, rate, steady(bpm, seconds + 5) if music else None)
    pace = PACES[style]
    # The first and the last shot have to make do with what beats leave them.
    lengths = [length / float(rate) for length in plan.lengths()]
    inner = lengths[1:-1]
    outside = [one for one in inner if not pace.shortest - 0.6 / rate <= one <= pace.longest + 0.6 / rate]
    assert len(outside) <= 1
    assert all(pace.shortest * 0.6 < one < pace.longest * 1.4 for one in lengths)


@pytest.mark.parametrize("style", PACES)
@pytest.mark.parametrize("bpm", [70, 90, 120, 128, 155, 174])
def test_cuts_are_on_beats(style: str, bpm: int) -> None:
    rate = Fraction(25)
    music = steady(bpm, 40)
    plan = pacing(style, 500, rate, music)
    for cut in plan.cuts:
        off = float((music.seconds - cut.at / 25).abs().min())
        assert off <= 0.5 / 25 + 1e-9


@pytest.mark.parametrize(
    ("style", "bpm"), [("normal", 90), ("normal", 120), ("normal", 155), ("slow", 120), ("slow", 128), ("slow", 155)]
)
def test_cuts_begin_bars_where_bars_fit(style: str, bpm: int) -> None:
    strong = [cut.downbeat for cut in pacing(style, 1000, Fraction(25), steady(bpm, 60)).cuts]
    assert sum(strong) >= len(strong) - 2  # the first and the last shot are as long as they can be


def test_the_music_may_have_begun() -> None:
    music = steady(120, 60)
    plan = pacing("normal", 500, Fraction(25), music, start=7.3)
    for cut in plan.cuts:
        assert float((music.seconds - 7.3 - cut.at / 25).abs().min()) <= 0.0201


def test_a_break_in_the_music_is_cut_too() -> None:
    beats = steady(120, 60)
    kept = (beats.seconds < 5) | (beats.seconds > 20)
    music = Beats(beats.seconds[kept], beats.downbeats[kept], 120.0, 0.8)
    lengths = pacing("normal", 25 * 30, Fraction(25), music).lengths()
    assert max(lengths) <= 3 * 25 + 1


@pytest.mark.parametrize("style", PACES)
def test_before_the_first_beat_cuts_lead_up_to_it(style: str) -> None:
    beats = steady(118, 60)
    late = beats.seconds > 11.3
    music = Beats(beats.seconds[late], beats.downbeats[late], 118.0, 0.8)
    early = [cut.at for cut in pacing(style, 25 * 20, Fraction(25), music).cuts if cut.at < 11 * 25]
    assert early
    for at in early:
        assert float((beats.seconds - at / 25).abs().min()) <= 0.021


def test_chance_is_not_cut_on() -> None:
    music = steady(77, 40, confidence=0.05)
    assert pacing("fast", 500, Fraction(25), music) == pacing("fast", 500, Fraction(25))


def test_the_grid_without_music() -> None:
    lengths = pacing("normal", 60 * 30, Fraction(30)).lengths()
    rounded = [round(length / 30, 1) for length in lengths]
    assert rounded.count(2.2) >= len(rounded) - 2  # four beats at 110
    assert all(1.5 <= one <= 3 for one in rounded)


def test_short_videos_are_one_shot() -> None:
    assert pacing("slow", 1, Fraction(25)).cuts == ()
    assert pacing("slow", 50, Fraction(25), steady(120, 5)).cuts == ()


@given(seconds=st.floats(0.1, 500), tempo=st.floats(60, 200))
def test_bars_are_whole_and_within_limits(seconds: float, tempo: float) -> None:
    got = bars(seconds, tempo)
    bar = 240 / tempo
    assert got / bar == pytest.approx(round(got / bar))
    assert 8 - 1e-6 <= got <= 60 + 1e-6
    assert abs(got - min(max(seconds, 8), 60)) <= bar


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="style must be one of slow, normal, fast, got 'quick'"):
        pacing("quick", 10, Fraction(25))
    with pytest.raises(ValueError, match=r"at least one picture .* got 0"):
        pacing("slow", 0, Fraction(25))
