"""The timeline of a short: exact, on the beat, and the same each time."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.made_takes import film, materials, motion_of, sources_of, steady, still
from vidprod.ops.beats import Beats
from vidprod.ops.pacing import PACES
from vidprod.ops.takes import Take
from vidprod.ops.timeline import Timeline
from vidprod.ops.timeline_plan import RESTLESS, STRONG, adapted, make_timeline
from vidprod.ops.timeline_reading import timeline_of
from vidprod.ops.transitions import STYLES

RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(30)]


def made(takes: list[Take], *, music_seconds: float = 0.0, beats: Beats | None = None, **more: Any) -> Timeline:
    """Twenty seconds, square, 30 pictures a second, unless told otherwise."""
    with_music = music_seconds > 0
    options: dict[str, Any] = {
        "width": 720,
        "height": 720,
        "rate": Fraction(30),
        "seconds": 20.0,
        "scene": "general",
        "style": "normal",
        "beats": beats,
        "music": max(take.source for take in takes) + 1 if with_music else None,
        "music_seconds": music_seconds,
    }
    return make_timeline(sources_of(takes, with_music), takes, **{**options, **more})


@settings(max_examples=150)
@given(
    takes=materials(),
    with_beats=st.booleans(),
    bpm=st.floats(62, 190),
    options=st.fixed_dictionaries(
        {
            "rate": st.sampled_from(RATES),
            "seconds": st.none() | st.floats(0.04, 40) | st.sampled_from([8.0, 20.0]),
            "width": st.sampled_from([720, 1280]),
            "height": st.sampled_from([720, 1280]),
            "scene": st.sampled_from(["general", "costume"]),
            "style": st.sampled_from(sorted(PACES)),
            "transition_style": st.none() | st.sampled_from(sorted(STYLES)),
            "smart_effect": st.booleans(),
            "puzzle_effect": st.booleans(),
            "mute": st.booleans(),
            "music_seconds": st.sampled_from([0.0, 0.3, 6.8, 61.0]),
        }
    ),
)
def test_any_material_makes_a_whole_short(
    takes: list[Take], with_beats: bool, bpm: float, options: dict[str, Any]
) -> None:
    seconds, rate = options["seconds"], options["rate"]
    options = {**options, "beats": steady(bpm, options["music_seconds"]) if with_beats else None}
    plan = made(takes, **options)
    assert plan == made(takes, **options)
    if seconds is not None:
        assert plan.pictures == max(round(Fraction(seconds) * rate), 1)
    check(plan, takes)


def check(plan: Timeline, takes: list[Take]) -> None:
    """What must be true of every timeline."""
    rate = Fraction(plan.rate)
    end = plan.pictures / float(rate)
    groups = plan.groups()
    assert plan.point(groups[0][0].out_start) == 0
    times = [t for shot in plan.shots for t in (shot.out_start, shot.out_end)]
    times += [t for span in plan.transitions for t in (span.out_start, span.out_end)]
    assert all(abs(t - plan.point(t) / float(rate)) < 1e-6 for t in times)  # on the grid
    overlaps = []
    for one, two in pairwise(groups):
        assert two[0].out_start <= one[0].out_end
        assert one[0].out_start < two[0].out_start
        if two[0].out_start < one[0].out_end:
            overlaps.append((two[0].out_start, one[0].out_end))
    assert [(span.out_start, span.out_end) for span in plan.transitions] == overlaps
    assert all(one[0].out_end <= two[0].out_start for one, two in zip(groups, groups[2:], strict=False))
    assert len({span.seed for span in plan.transitions}) == len(plan.transitions)
    assert all(span.style != "basic" for span in plan.transitions)
    for group in groups:
        shown = [_take_of(shot.source, shot.start, shot.end, takes) for shot in group]
        assert len({id(take) for take in shown}) == len(group)
        assert (len(group) > 1) == (group[0].layout != "") == (group[0].effect == "puzzle")
        assert [shot.cell for shot in group] == list(range(len(group)))
    assert not groups[0][0].layout
    assert not groups[-1][0].layout
    assert set(plan.downbeats) <= set(plan.beats)
    assert set(plan.pulses) <= set(plan.downbeats)
    assert all(0 <= beat < end for beat in plan.beats)
    assert 0 <= plan.cover < end
    if plan.sound is not None:
        for clip in plan.sound.clips:
            assert 0 <= clip.out_start < clip.out_end <= end + 1e-6
            assert plan.sources[clip.source].type == "video"


def _take_of(source: int, start: float, end: float, takes: list[Take]) -> Take:
    """The take, or the run of takes, that holds those seconds."""
    own = [take for take in takes if take.source == source]
    assert any(take.start - 1e-6 <= start <= take.end + 1e-6 for take in own)
    assert any(take.start - 1e-6 <= end <= take.end + 1e-6 for take in own)
    assert start < end
    return max(own, key=lambda take: min(take.end, end) - max(take.start, start))


@settings(max_examples=60)
@given(
    bpm=st.floats(65, 180),
    style=st.sampled_from(sorted(PACES)),
    rate=st.sampled_from(RATES),
    music_seconds=st.sampled_from([6.8, 15.0, 60.0]),
)
def test_cuts_are_on_beats_over_all_loops(bpm: float, style: str, rate: Fraction, music_seconds: float) -> None:
    takes = [still(at, 0.6) for at in range(12)]
    plan = made(takes, beats=steady(bpm, music_seconds), music_seconds=music_seconds, style=style, rate=rate)
    middles = [(span.out_start + span.out_end) / 2 for span in plan.transitions]
    middles += [two.out_start for one, two in pairwise(plan.shots) if one.out_end == two.out_start]
    assert len(middles) == len(plan.shots) - 1
    for when in middles:
        assert min(abs(when - beat) for beat in plan.beats) < 0.04


def test_one_photo_moves_in_another_way_each_time() -> None:
    plan = made([still(0)])
    motions = [motion_of(shot.path) for shot in plan.shots]
    assert len(motions) >= 8
    assert all(a != b for a, b in pairwise(motions))
    assert set(motions) >= {0, 1, 2, 3}
    assert motions[0] == 0
    close = [motion % 4 == 3 for motion in motions]
    assert close == [at % 2 == 1 for at in range(len(close))]  # by turns
    assert all(shot.effect == "motion" for shot in plan.shots)


def test_stills_stand_still_without_the_smart_effect() -> None:
    plan = made([still(0), still(1)], beats=steady(120, 60), music_seconds=60.0, smart_effect=False)
    assert {motion_of(shot.path) for shot in plan.shots} == {-1}
    assert {shot.effect for shot in plan.shots} == {"none"}
    assert plan.pulses == ()
    assert plan.downbeats


def test_forty_photos_for_eight_seconds_are_the_best_ones_once_each() -> None:
    takes = [still(at, 0.3 + 0.015 * at) for at in range(40)]
    plan = made(takes, seconds=8.0, style="fast")
    seen = [shot.source for shot in plan.shots]
    assert len(set(seen)) == len(seen)
    assert min(seen) >= 40 - 2 * len(seen)


def test_five_videos_and_forty_photos_share_the_time() -> None:
    takes = [film(source, 8.0 * at, 8.0 * at + 6, 0.6) for source in range(5) for at in range(4)]
    takes += [still(at, 0.6) for at in range(5, 45)]
    plan = made(takes, seconds=30.0)
    stills = [shot.source >= 5 for shot in plan.shots]
    assert 0.3 < sum(stills) / len(stills) < 0.7
    assert len({shot.source for shot in plan.shots} & set(range(5))) >= 4


def test_a_clip_that_is_just_long_enough_is_used_up_in_order() -> None:
    takes = [film(0, 0.0, 5.9), film(0, 5.9, 11.7)]
    plan = made(takes, seconds=12.0, style="slow")
    assert plan.transitions == ()
    assert plan.shots[0].start == 0
    assert plan.shots[-1].end == 11.7
    assert all(0 <= one.end - two.start < 0.2 for one, two in pairwise(plan.shots))
    assert all(shot.end - shot.start == pytest.approx(shot.out_end - shot.out_start, abs=2e-6) for shot in plan.shots)
    assert plan.sound is not None  # its own
    assert len(plan.sound.clips) == len(plan.shots)
    # a jump is seen from closer
    widths = [shot.path[0].w for shot in plan.shots]
    assert all(a != b for a, b in pairwise(widths))
    assert min(widths) == pytest.approx(0.45)
    faces = made([replace(take, size="half") for take in takes], seconds=12.0, style="slow")
    assert min(shot.path[0].w for shot in faces.shots) == pytest.approx(0.4)


def test_two_seconds_make_a_minute() -> None:
    plan = made([film(0, 0.5, 2.5)], seconds=60.0)
    assert plan.pictures == 1800
    assert all(0.5 <= shot.start < shot.end <= 2.5 for shot in plan.shots)
    speeds = [(shot.end - shot.start) / (shot.out_end - shot.out_start) for shot in plan.shots]
    assert min(speeds) >= 0.5 - 1e-3


def test_one_picture_is_held() -> None:
    plan = made([film(0, 0.0, 0.04)])
    assert plan.pictures == 600
    assert all((shot.start, shot.end) == (0.0, 0.04) for shot in plan.shots)


def test_short_takes_share_a_long_shot() -> None:
    takes = [film(source, 0.0, 0.8, 0.6) for source in range(20)]
    plan = made(takes, style="slow")
    speeds = [(shot.end - shot.start) / (shot.out_end - shot.out_start) for shot in plan.shots]
    assert min(speeds) > 0.45
    assert len({shot.source for shot in plan.shots}) >= 12


def test_a_whole_number_of_bars_where_the_material_decides() -> None:
    beats = steady(120, 60)
    takes = [still(at) for at in range(10)]
    plan = made(takes, beats=beats, music_seconds=60.0, seconds=None)
    assert plan.pictures == 20 * 30  # ten photos, a bar of two seconds each
    assert adapted([still(at) for at in range(40)], "slow", 120.0) == 60.0
    assert adapted([still(at) for at in range(2)], "normal", 120.0) == 8.0
    assert adapted([still(0)], "normal", 120.0) == 4.0
    assert 3.0 <= adapted([film(0, 0.0, 0.04)], "normal", None) <= 6.0


def test_a_style_for_all() -> None:
    takes = [still(at) for at in range(8)]
    assert {span.style for span in made(takes, transition_style="ink").transitions} == {"ink"}
    plain = made(takes, transition_style="basic")
    assert plain.transitions == ()
    assert all(one.out_end == two.out_start for one, two in pairwise(plain.shots))
    assert len({span.style for span in made(takes).transitions}) > 2
    assert made(takes, seed=1).transitions != made(takes).transitions


def test_striking_transitions_are_on_downbeats() -> None:
    takes = [still(at) for at in range(12)]
    ranks: dict[bool, list[int]] = {True: [], False: []}
    for seed in range(10):
        plan = made(takes, beats=steady(128, 60), music_seconds=60.0, style="fast", seed=seed)
        for span in plan.transitions:
            middle = (span.out_start + span.out_end) / 2
            ranks[min(abs(middle - bar) for bar in plan.downbeats) < 0.04].append(STRONG.index(span.style))
    mean = {strong: sum(found) / len(found) for strong, found in ranks.items()}
    assert mean[True] < mean[False] - 1


def test_pulses_are_on_downbeats_that_nothing_else_marks() -> None:
    takes = [still(at) for at in range(12)]
    for style in ("fast", "ink"):
        plan = made(takes, beats=steady(120, 60), music_seconds=60.0, transition_style=style)
        assert all(0.5 <= pulse < 19.8 for pulse in plan.pulses)
        for span in plan.transitions:
            inside = [pulse for pulse in plan.pulses if span.out_start <= pulse < span.out_end]
            assert not inside or span.style not in RESTLESS
    assert len(plan.pulses) >= 8
    assert made(takes).pulses == ()  # no music


def test_puzzles_need_three_takes() -> None:
    assert all(shot.effect != "puzzle" for shot in made([still(0), still(1)], puzzle_effect=True).shots)
    plan = made([still(at) for at in range(3)], puzzle_effect=True)
    assert any(shot.effect == "puzzle" for shot in plan.shots)
    many = made([still(at, aspect=0.5) for at in range(30)], puzzle_effect=True, seconds=40.0)
    puzzles = [group for group in many.groups() if len(group) > 1]
    assert len(puzzles) == round(len(many.groups()) / 4)
    assert len({group[0].layout for group in puzzles}) > 1
    # while there is something that was not seen, that is what they show
    sources = [shot.source for shot in many.shots]
    assert len(set(sources)) == len(sources)
    # the windows are for the cells
    assert all(shot.path[0].h != pytest.approx(0.1) for group in puzzles for shot in group)
    assert all(not group[0].layout for group in made([still(at) for at in range(9)]).groups())


def test_a_timeline_can_be_written_and_read() -> None:
    takes = [film(0, 0.0, 6.0), film(0, 6.0, 11.0), *(still(at) for at in range(1, 6))]
    plan = made(takes, beats=steady(120, 15), music_seconds=15.0, puzzle_effect=True)
    assert timeline_of(json.loads(json.dumps(asdict(plan)))) == plan


def test_what_is_heard() -> None:
    talking = film(0, 0.0, 9.0, 0.9, talk=0.9)
    takes = [talking, film(1, 0.0, 9.0, 0.8), *(still(at, 0.7) for at in range(2, 7))]
    silent = made(takes, mute=True)
    assert silent.sound is None
    music = made(takes, beats=steady(120, 60), music_seconds=60.0).sound
    assert music is not None
    assert music.music == 7
    assert {clip.source for clip in music.clips} == {0}
    own = made(takes).sound
    assert own is not None
    assert own.music is None
    assert own.pieces == ()
    assert {clip.source for clip in own.clips} == {0, 1}
    assert made([still(0), still(1)]).sound is None


def test_slow_motion_has_no_sound() -> None:
    plan = made([film(0, 0.0, 1.5), still(1)], music_seconds=30.0)
    slow = [shot for shot in plan.shots if shot.source == 0 and shot.end - shot.start < shot.out_end - shot.out_start]
    assert slow
    clips = () if plan.sound is None else plan.sound.clips
    assert all((clip.out_start, clip.out_end) != (shot.out_start, shot.out_end) for clip in clips for shot in slow)


def test_the_cover_shows_one_good_shot() -> None:
    takes = [still(at, 0.9 if at == 4 else 0.5) for at in range(8)]
    plan = made(takes, puzzle_effect=True)
    (shot,) = next(group for group in plan.groups() if group[0].out_start <= plan.cover < group[0].out_end)
    assert shot.source == 4
    assert not any(span.out_start <= plan.cover < span.out_end for span in plan.transitions)


def test_a_picture_is_a_short() -> None:
    plan = made([still(0)], seconds=0.04, rate=Fraction(25))
    assert plan.pictures == 1
    assert plan.cover == 0
    check(plan, [still(0)])


def test_ten_minutes() -> None:
    takes = [still(at, 0.6) for at in range(20)] + [film(at, 0.0, 7.0, 0.6) for at in range(20, 25)]
    plan = made(takes, seconds=600.0, style="fast", beats=steady(128, 61), music_seconds=61.0, puzzle_effect=True)
    assert plan.pictures == 18000
    check(plan, takes)


@pytest.mark.parametrize(
    ("takes", "more"),
    [
        ([], {}),
        ([still(0)], {"style": "brisk"}),
        ([still(0)], {"transition_style": "melt"}),
        ([still(0)], {"seed": -1}),
        ([still(0)], {"seconds": 0.0}),
        ([still(0)], {"rate": Fraction(0)}),
    ],
)
def test_bad_values(takes: list[Take], more: dict[str, Any]) -> None:
    options: dict[str, Any] = {
        "width": 720,
        "height": 720,
        "rate": Fraction(30),
        "seconds": 20.0,
        "scene": "general",
        "style": "normal",
    }
    with pytest.raises(ValueError, match="must be"):
        make_timeline([], takes, **{**options, **more})


def test_beats_without_confidence_count_for_nothing() -> None:
    beats = steady(120, 60)
    chance = Beats(beats.seconds, torch.zeros_like(beats.downbeats), 120.0, 0.05)
    plan = made([still(0), still(1)], beats=chance, music_seconds=60.0)
    assert plan.beats == ()
    assert plan.sound is not None
    assert len(plan.sound.pieces) == 1
