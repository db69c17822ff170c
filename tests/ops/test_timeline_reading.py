"""Plans of GenerateVideo from JSON: what is read, what is filled in, and what is refused with which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.timelines import short, timelines
from vidprod.actions.run import plan_to_dict
from vidprod.errors import InvalidParameter
from vidprod.ops.timeline import MusicPiece, Shot, Soundtrack, Source, Timeline, TransitionSpan
from vidprod.ops.timeline_reading import timeline_of


@settings(max_examples=60)
@given(timelines())
def test_a_plan_comes_back_from_json_as_it_was(timeline: Timeline) -> None:
    assert timeline_of(json.loads(json.dumps(plan_to_dict(timeline)))) == timeline


def test_a_short_plan_is_filled_in() -> None:
    found = timeline_of(
        {
            "width": 720,
            "height": 720,
            "rate": 25,
            "sources": [{"name": "a", "type": "video"}, {"name": "b", "type": "image"}, {"name": "c", "type": "audio"}],
            "shots": [
                {"source": 0, "start": 1, "end": 3, "out_start": 0, "out_end": 2},
                {"source": 1, "start": 0, "end": 2, "out_start": 1.5, "out_end": 3.5},
                {"source": 0, "start": 5, "end": 6, "out_start": 3.5, "out_end": 4.5},
            ],
            "sound": {"music": 2},
        }
    )
    assert found == Timeline(
        720,
        720,
        "25",
        (Source("a", "video"), Source("b", "image"), Source("c", "audio")),
        (Shot(0, 1, 3, 0, 2), Shot(1, 0, 2, 1.5, 3.5), Shot(0, 5, 6, 3.5, 4.5)),
        (TransitionSpan("normal", 1.5, 2.0),),
        sound=Soundtrack(2, (MusicPiece(0, 4.5, 0),)),
    )


def test_an_absent_transition_is_a_plain_one_and_others_stay() -> None:
    shots = tuple(Shot(0, 0, 2, at * 1.5, at * 1.5 + 2) for at in range(3))
    data = plan_to_dict(short(shots=shots, transitions=(TransitionSpan("zoom", 3.0, 3.5, 5),)))
    assert timeline_of(data).transitions == (TransitionSpan("normal", 1.5, 2.0), TransitionSpan("zoom", 3.0, 3.5, 5))


def test_times_are_compared_by_pictures() -> None:
    """An edit may leave a gap, or an overlap, that no picture lies in."""
    shots = (Shot(0, 0, 2, 0, 2), Shot(0, 4, 6, 2.004, 4), Shot(0, 4, 6, 3.996, 6))
    assert timeline_of(plan_to_dict(short(shots=shots, transitions=()))).transitions == ()


def test_sound_beyond_the_end_is_left_out() -> None:
    """So that a short can be made shorter by taking its last shot out."""
    data = plan_to_dict(short())
    del data["shots"][3]
    data["sound"]["clips"].append({"source": 0, "start": 0, "out_start": 7, "out_end": 8})
    assert timeline_of(data).sound == Soundtrack(3, short().sound.pieces[:1], short().sound.clips)  # type: ignore[union-attr]


def test_the_examples_of_the_documentation_are_read() -> None:
    text = (Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8").split("## generate-video")[1]
    full, minimal = (timeline_of(json.loads(part.split("```")[0])) for part in text.split("```json")[1:])
    assert (len(full.groups()), full.transitions[0].style, full.pictures) == (3, "ink", 180)
    assert [(one.style, one.out_start, one.out_end) for one in minimal.transitions] == [("normal", 1.8, 2.2)]


def put(*place: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of one value."""

    def edit(data: Any) -> None:
        for key in place[:-1]:
            data = data[key]
        data[place[-1]] = to

    return edit


def drop(*place: str | int) -> Callable[[dict[str, Any]], None]:
    """An edit that takes something out."""

    def edit(data: Any) -> None:
        for key in place[:-1]:
            data = data[key]
        del data[place[-1]]

    return edit


WRONG = [
    (put("width", to=31), r"^width is 31, must be a whole number from 32 to 2160$"),
    (put("height", to=True), r"^height is True, must be a whole number"),
    (drop("shots"), r"^the plan has no shots; it must have width, height, rate, sources, shots$"),
    (put("shot", to=[]), r"^the plan has 'shot', which is not one of width,"),
    (put("rate", to="fast"), r"^rate is 'fast', must be pictures per second, such as '25' or '30000/1001'$"),
    (put("rate", to="30/0"), r"^rate is '30/0'"),
    (put("rate", to="1e999999999"), r"^rate is '1e9"),  # must not be worked out
    (put("rate", to=None), r"^rate is None"),
    (put("sources", to=[]), r"^sources is \[\], must hold at least 1$"),
    (put("sources", 1, "type", to="photo"), r"^sources\[1\].type is 'photo', must be one of video, audio, image$"),
    (put("sources", 1, "name", to=3), r"^sources\[1\].name is 3, must be a text$"),
    (put("sources", 2, "background", to=[1, 2]), r"^sources\[2\].background is \[1, 2\], must be a list of 3 numbers$"),
    (
        put("sources", 2, "background", 1, to=256),
        r"^sources\[2\].background\[1\] is 256, must be a number from 0 to 255",
    ),
    (put("shots", to={}), r"^shots is \{\}, must be a list$"),
    (put("shots", to=[]), r"^shots is \[\], must hold at least 1$"),
    (put("shots", 0, to=5), r"^shots\[0\] is 5, must be an object with source, start, end, out_start, out_end$"),
    (drop("shots", 3, "end"), r"^shots\[3\] has no end; it must have source, start"),
    (put("shots", 3, "speed", to=2), r"^shots\[3\] has 'speed', which is not one of source,"),
    (put("shots", 3, "out_end", to="x"), r"^shots\[3\].out_end is 'x', must be seconds$"),
    (put("shots", 3, "start", to=float("nan")), r"^shots\[3\].start is nan, must be seconds$"),
    (put("shots", 3, "end", to=8), r"^shots\[3\].end is 8, must be later than start, 8$"),
    (put("shots", 3, "out_end", to=5), r"^shots\[3\].out_end is 5, must be later than out_start, 6$"),
    (put("shots", 3, "source", to=4), r"^shots\[3\].source is 4, must be a whole number from 0 to 3$"),
    (put("shots", 3, "source", to=3), r"^shots\[3\].source is 3, which is sound and cannot be seen$"),
    (put("shots", 3, "effect", to="spin"), r"^shots\[3\].effect is 'spin', must be one of none, motion, puzzle$"),
    (
        put("shots", 3, "layout", to="2x2"),
        r"^shots\[3\] has a layout or a cell, which only a shot with the effect 'puz",
    ),
    (put("shots", 3, "gamma", 1, to=0.1), r"^shots\[3\].gamma\[1\] is 0.1, must be a number from 0.2 to 5$"),
    (put("shots", 3, "score", to=1.5), r"^shots\[3\].score is 1.5, must be a number from 0 to 1$"),
    (put("shots", 3, "reason", to=None), r"^shots\[3\].reason is None, must be a text$"),
    (
        put("shots", 0, "path", 1, "x", to=0.7),
        r"^shots\[0\].path\[1\] reaches beyond the picture: x \+ w is 1.1, y \+ h 1$",
    ),
    (put("shots", 0, "path", 1, "w", to=0), r"^shots\[0\].path\[1\].w is 0, must be a number from 0.01 to 1$"),
    (put("shots", 0, "path", 1, "t", to=2), r"^shots\[0\].path\[1\].t is 2, must be later than 2 before it$"),
    (drop("shots", 0, "path", 1, "t"), r"^shots\[0\].path\[1\] has no t;"),
    (put("shots", 1, "layout", to="3x3"), r"^shots\[1\].layout is '3x3', must be one of 2-up, 1\+2, 2x2, 3-strip$"),
    (put("shots", 2, "layout", to="1+2"), r"^shots\[1\] and those after it are one puzzle, but have 1\+2 and 2-up$"),
    (put("shots", 2, "cell", to=0), r"^shots\[1\]: cells of a puzzle '2-up' must be 0, 1, each once, .*; got 0, 0$"),
    (drop("shots", 2), r"^shots\[1\]: cells of a puzzle '2-up' must be 0, 1, each once, with the same .*; got 0$"),
    (put("shots", 2, "out_end", to=6.1), r"^shots\[1\]: cells of a puzzle"),
    (drop("shots", 0), r"^shots\[0\].out_start is 2.6, must be 0$"),
    (
        put("shots", 3, "out_start", to=6.1),
        r"^between shots\[1\] and shots\[3\] nothing is seen; one must begin before",
    ),
    (put("shots", 3, "out_end", to=6.01), r"^shots\[3\] is seen for less than one picture, 1/30 seconds$"),
    (put("shots", 3, "out_end", to=4000), r"^shots\[3\].out_end is 4000, must be at most 3600$"),
    (put("shots", 3, "out_start", to=3.0), r"^shots\[3\] begins before shots\[0\] ends; at most two shots may overlap"),
    (put("shots", 0, "out_end", to=6.5), r"^shots\[1\] must begin after shots\[0\] begins, and end after it ends$"),
    (
        put("transitions", 0, "style", to="fade"),
        r"^transitions\[0\].style is 'fade', must be one of basic, slow, fast, nor",
    ),
    (put("transitions", 0, "seed", to=-1), r"^transitions\[0\].seed is -1, must be a whole number from 0 to"),
    (
        put("shots", 0, "out_end", to=3.0),
        r"^transitions\[0\] is from 2.6 to 3.4, must be exactly where two shots overlap; there they overlap from 2.6 to 3$",
    ),
    (
        put("transitions", 0, to={"style": "ink", "out_start": 5, "out_end": 6}),
        r"^transitions\[0\] is from 5 to 6, must be exactly where two shots overlap; none do there$",
    ),
    (put("beats", 2, to=0.5), r"^beats\[2\] is 0.5, must be later than the one before, 0.5$"),
    (put("downbeats", 1, to="1"), r"^downbeats\[1\] is '1', must be seconds$"),
    (put("pulses", to=1), r"^pulses is 1, must be a list$"),
    (put("cover", to=9.5), r"^cover is 9.5, must be seconds from 0 to 9$"),
    (put("sound", to="song.mp3"), r"^sound is 'song.mp3', must be an object with"),
    (put("sound", "music", to=1), r"^sound.music is 1, which is a picture and cannot be heard$"),
    (put("sound", "music", to=None), r"^sound.pieces is a list of pieces, but sound.music is null$"),
    (put("sound", "duck", to=3), r"^sound.duck is 3, must be a number from -60 to 0$"),
    (put("sound", "loudness", to=0), r"^sound.loudness is 0, must be a number from -70 to -5$"),
    (put("sound", "fade_out", to=-1), r"^sound.fade_out is -1, must be seconds$"),
    (put("sound", "pieces", 0, "end", to=4), r"^sound.pieces\[0\].end is 4, must be later than start, 4$"),
    (
        put("sound", "pieces", 1, "out_start", to=0),
        r"^sound.pieces\[1\].out_start is 0, must be later than 0 before it$",
    ),
    (
        put("sound", "pieces", 0, "end", to=12.5),
        r"^sound.pieces\[2\] begins before the last but one ends; at most two pieces may overlap$",
    ),
    (
        put("sound", "clips", 0, "source", to=2),
        r"^sound.clips\[0\].source is 2, which is a picture and cannot be heard$",
    ),
    (
        put("sound", "clips", 0, "out_end", to=0.5),
        r"^sound.clips\[0\].out_end is 0.5, must be later than out_start, 0.5$",
    ),
    (drop("sound", "clips", 0, "start"), r"^sound.clips\[0\] has no start; it must have"),
]


@pytest.mark.parametrize(("edit", "words"), WRONG, ids=[str(at) for at in range(len(WRONG))])
def test_what_is_wrong_is_named(edit: Callable[[dict[str, Any]], None], words: str) -> None:
    data = plan_to_dict(short())
    data["sound"]["pieces"].append({"start": 1.0, "end": 2.0, "out_start": 8.0})
    assert timeline_of(data).cover == 1.5  # as it is, nothing is wrong
    edit(data)
    with pytest.raises(InvalidParameter, match=words):
        timeline_of(data)


def test_two_transitions_at_one_place_are_refused() -> None:
    data = plan_to_dict(short())
    data["transitions"] *= 2
    with pytest.raises(InvalidParameter, match=r"^transitions\[1\] is not after the one before it$"):
        timeline_of(data)


def test_shots_at_the_same_time_are_refused() -> None:
    data = plan_to_dict(short())
    for at in (1, 2):
        data["shots"][at] |= {"effect": "none", "layout": "", "cell": 0}
    with pytest.raises(
        InvalidParameter, match=r"^shots\[1\] and shots\[2\] are seen at the same time, but are not both of"
    ):
        timeline_of(data)


def test_a_plan_must_be_an_object() -> None:
    with pytest.raises(InvalidParameter, match=r"^the plan is \[\], must be an object with width"):
        timeline_of([])  # type: ignore[arg-type]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**400),
    st.floats(),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
    st.just([{}]),
)


@settings(max_examples=150)
@given(st.data())
def test_nothing_but_a_plain_refusal_comes_of_junk(data: st.DataObject) -> None:
    plan: Any = plan_to_dict(short())
    place: Any = plan
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    try:
        found = timeline_of(plan)
    except InvalidParameter:
        return
    assert timeline_of(plan_to_dict(found)) == found
