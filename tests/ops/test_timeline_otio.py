"""Shorts as OpenTimelineIO, read back by the library that others read them with."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings

from tests.ops.timelines import short, timelines
from vidprod.actions.run import plan_to_dict
from vidprod.errors import FileDecode, InvalidParameter
from vidprod.ops.timeline import ClipSound, MusicPiece, Shot, Soundtrack, Source, Timeline
from vidprod.ops.timeline_otio import otio_json

URLS = [f"https://example.com/{name}" for name in ("walk.mp4", "hat.jpg", "bag.png", "song.mp3")]


def read(timeline: Timeline, paths: list[Any] | None = None) -> Any:
    return otio.adapters.read_from_string(otio_json(timeline, paths or URLS, "a short"), "otio_json")


def pictures(span: Any) -> tuple[float, float]:
    return span.start_time.value, span.duration.value


def test_shots_abut_in_the_middle_of_a_transition_that_reaches_into_both() -> None:
    made = read(short())
    shots, cells, music, clips = made.tracks
    assert (made.name, made.duration().value) == ("a short", 270)
    first, ink, second, third = shots
    assert pictures(first.source_range) == (60, 90)
    assert (ink.name, ink.transition_type, ink.in_offset.value, ink.out_offset.value) == (
        "ink",
        "SMPTE_Dissolve",
        12,
        12,
    )
    assert ink.metadata["vidprod"]["seed"] == 7
    assert pictures(second.source_range) == (12, 90)  # twelve more lie before it, for the transition
    assert pictures(third.source_range) == (240, 90)
    assert [one.time_scalar for one in third.effects] == [0.5]
    assert not first.effects
    assert not second.effects
    gap, other = cells
    assert (gap.source_range.duration.value, pictures(other.source_range)) == (90, (12, 90))
    assert other.media_reference.target_url == URLS[2]
    assert [track.kind for track in made.tracks] == ["Video", "Video", "Audio", "Audio"]
    assert [pictures(one.source_range) for one in music.find_clips()] == [(120, 187), (67, 83)]
    assert [pictures(one.range_in_parent()) for one in clips.find_clips()] == [(15, 60)]


def test_what_has_no_word_there_is_metadata() -> None:
    made = read(short())
    walk, hat, *_ = (clip.metadata["vidprod"] for clip in made.tracks[0].find_clips())
    assert dict(walk["path"][0]) == {"t": 2.0, "x": 0.1, "y": 0.0, "w": 0.4, "h": 1.0}
    assert (walk["score"], walk["reason"]) == (0.8, "good sharpness")
    assert (hat["layout"], hat["cell"], hat["box"]["width"]) == ("2-up", 0, 702)
    assert list(made.tracks[1].find_clips()[0].metadata["vidprod"]["gamma"]) == [1.1, 1.0, 0.9]
    assert made.metadata["vidprod"]["sound"]["loudness"] == -16
    assert (made.metadata["vidprod"]["width"], made.metadata["vidprod"]["cover"]) == (720, 1.5)


def test_beats_are_markers() -> None:
    markers = read(short()).tracks.markers
    assert [one.marked_range.start_time.value for one in markers] == [15 * at for at in range(18)]
    bars = [one for one in markers if one.color == otio.schema.MarkerColor.RED]
    assert [(one.name, one.marked_range.start_time.value) for one in bars] == [("bar", at) for at in (30, 90, 150, 210)]


@settings(max_examples=20)
@given(timelines())
def test_everything_is_where_it_is_in_the_plan(timeline: Timeline) -> None:
    made = read(timeline, [f"s3://bucket/{at}" for at in range(len(timeline.sources))])
    rate, point = Fraction(timeline.rate), timeline.point
    groups = timeline.groups()
    track = made.tracks[0]
    assert round(made.duration().value) == round(track.trimmed_range().duration.value) == timeline.pictures
    clips = list(track.find_clips())
    assert len(clips) == len(groups)
    assert sum(len(list(one.find_clips())) for one in made.tracks if one.kind == "Video") == len(timeline.shots)
    spans = []
    for child in track:
        if isinstance(child, otio.schema.Transition):
            cut = round(track.range_of_child(child).start_time.value + child.in_offset.value)
            spans.append((cut - child.in_offset.value, cut + child.out_offset.value))
    assert spans == [(point(one.out_start), point(one.out_end)) for one in timeline.transitions]
    for clip, group in zip(clips, groups, strict=True):
        shot = group[0]
        first, length = pictures(track.range_of_child(clip))
        assert point(shot.out_start) <= first < first + length <= point(shot.out_end)
        if timeline.sources[shot.source].type == "video":
            speed = clip.effects[0].time_scalar if clip.effects else 1.0
            seconds = shot.start + (float(first / rate) - shot.out_start) * speed
            assert clip.source_range.start_time.value == pytest.approx(seconds * float(rate), abs=0.51)
            assert speed * (shot.out_end - shot.out_start) == pytest.approx(shot.end - shot.start, rel=2e-3)


def test_sound_that_overlaps_gets_tracks_of_its_own_and_none_beyond_the_end() -> None:
    sound = Soundtrack(
        3,
        (MusicPiece(0, 12, 1),),
        (ClipSound(0, 0, 0, 2), ClipSound(0, 5, 1, 3), ClipSound(0, 1, 2.0, 20)),
    )
    made = read(short(sound=sound))
    tracks = [one for one in made.tracks if one.kind == "Audio"]
    spans = [[pictures(clip.range_in_parent()) for clip in track.find_clips()] for track in tracks]
    assert spans == [[(30, 240)], [(0, 60), (60, 210)], [(30, 60)]]
    silent = read(short(sound=None))
    assert [one.kind for one in silent.tracks] == ["Video", "Video"]


def test_pieces_of_music_that_end_together_or_inside_another() -> None:
    pieces = MusicPiece(0, 5, 0), MusicPiece(0, 0.2, 4), MusicPiece(0, 9, 5), MusicPiece(3, 9, 8.9)
    made = read(short(sound=Soundtrack(3, pieces)))
    music = next(one for one in made.tracks if one.name == "music")
    spans = [pictures(clip.range_in_parent()) for clip in music.find_clips()]
    assert spans == [(0, 123), (123, 3), (150, 118), (268, 2)]


def test_files_that_are_here_tell_how_long_they_are(tmp_path: Path, bikes: Path) -> None:
    seen = (Shot(0, 0, 1, 0, 1), Shot(1, 0, 2, 1, 3))
    paths = [bikes, tmp_path / "a b.jpg", *URLS[2:]]
    video, photo = read(short(shots=seen, transitions=(), sound=None), paths).tracks[0]
    assert video.media_reference.target_url == bikes.as_uri()
    assert video.media_reference.available_range.duration.to_seconds() == pytest.approx(10, abs=0.05)
    assert photo.media_reference.target_url.endswith("/a%20b.jpg")
    assert photo.media_reference.available_range.duration.to_seconds() == 2
    text = otio_json(short(shots=seen, transitions=(), sound=None), ["nowhere.mp4", *URLS[1:]], probe=False)
    assert '"value": 30.0' in text
    with pytest.raises(FileDecode, match=r"nowhere.mp4 cannot be opened"):
        read(short(shots=seen, transitions=(), sound=None), ["nowhere.mp4", *URLS[1:]])


def test_old_editors_can_read_it() -> None:
    """Clip.2 is of 2022; programs that have an older library open nothing with it."""
    data = json.loads(otio_json(plan_to_dict(short()), URLS))
    schemas = {child["OTIO_SCHEMA"] for track in data["tracks"]["children"] for child in track["children"]}
    assert schemas == {"Clip.1", "Gap.1", "Transition.1"}


def test_names_may_be_of_any_bytes() -> None:
    sources = (Source("裙\udcff.mp4", "video"), *short().sources[1:])
    assert next(iter(read(short(sources=sources)).tracks[0].find_clips())).name == "裙?.mp4"


def test_paths_must_be_as_many_as_sources() -> None:
    with pytest.raises(InvalidParameter, match=r"^paths are 3, must be 4, one for each source of the plan$"):
        otio_json(short(), URLS[:3])
