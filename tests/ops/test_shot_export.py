from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.errors import InvalidParameter
from vidprod.ops.shot_export import export, timecode
from vidprod.ops.shots import ShotPlan, Transition

NTSC = Fraction(30000, 1001)


def plan(rate: Fraction = Fraction(25)) -> ShotPlan:
    """Three shots of 4 s: a cut at 30, a dissolve over 50 to 61."""
    joins = [Transition(30, 30, "cut"), Transition(50, 61, "dissolve")]
    return ShotPlan.joined(joins, [float(i / rate) for i in range(100)])


def text(form: str, *, video: str = "clips/a b.mp4", rate: Fraction = Fraction(25)) -> str:
    return export(plan(rate), form, video=video, rate=rate)


@pytest.mark.parametrize(
    ("frame", "rate", "expected"),
    [
        (0, Fraction(25), "00:00:00:00"),
        (24, Fraction(25), "00:00:00:24"),
        (25 * 3661 + 7, Fraction(25), "01:01:01:07"),
        (24 * 60, Fraction(24000, 1001), "00:01:00:00"),
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (17981, NTSC, "00:09:59;29"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (3600, Fraction(60000, 1001), "00:01:00;04"),
        (25 * 86400, Fraction(25), "00:00:00:00"),
    ],
)
def test_timecodes(frame: int, rate: Fraction, expected: str) -> None:
    assert timecode(frame, rate) == expected


@given(st.integers(0, 2_580_000), st.sampled_from([Fraction(24), Fraction(24000, 1001), NTSC, Fraction(60000, 1001)]))
def test_timecodes_differ_from_picture_to_picture_and_keep_with_the_clock(frame: int, rate: Fraction) -> None:
    one, two = timecode(frame, rate), timecode(frame + 1, rate)
    assert one != two
    hours, minutes, seconds, pictures = map(int, one.replace(";", ":").split(":"))
    assert pictures < round(rate)
    if ";" in one:
        assert not (pictures < round(rate) // 15 and seconds == 0 and minutes % 10)  # those numbers are dropped
        shown = hours * 3600 + minutes * 60 + seconds + pictures / round(rate)
        assert shown == pytest.approx(float(frame / rate), abs=0.15)


def test_timecode_of_before_the_start() -> None:
    with pytest.raises(ValueError, match="-1"):
        timecode(-1, NTSC)


def test_json_is_a_plan() -> None:
    data = json.loads(text("json"))
    assert (data["video"], data["frame_rate"]) == ("a b.mp4", "25/1")
    assert ShotPlan.from_dict(data) == plan()


def test_csv_has_a_line_for_each_shot() -> None:
    lines = list(csv.DictReader(text("csv").splitlines()))
    assert [(row["first"], row["stop"], row["start"], row["transition"]) for row in lines] == [
        ("0", "30", "0.000000", ""),
        ("30", "55", "1.200000", "cut"),
        ("55", "100", "2.200000", "dissolve"),
    ]
    assert (lines[2]["transition_first"], lines[2]["transition_stop"]) == ("50", "61")


def test_edl() -> None:
    assert text("edl").splitlines() == [
        "TITLE: a b.mp4",
        "FCM: NON-DROP FRAME",
        "",
        "001  AX       V     C        00:00:00:00 00:00:01:05 00:00:00:00 00:00:01:05",
        "* FROM CLIP NAME: a b.mp4",
        "002  AX       V     C        00:00:01:05 00:00:02:05 00:00:01:05 00:00:02:05",
        "* FROM CLIP NAME: a b.mp4",
        "003  AX       V     C        00:00:02:05 00:00:04:00 00:00:02:05 00:00:04:00",
        "* FROM CLIP NAME: a b.mp4",
        "* COMMENT: DISSOLVE OF 11 PICTURES INTO THIS SHOT",
    ]


@pytest.mark.parametrize("rate", [NTSC, Fraction(2997, 100)])
def test_an_edl_at_2997_drops_numbers(rate: Fraction) -> None:
    lines = text("edl", rate=rate).splitlines()
    assert lines[1] == "FCM: DROP FRAME"
    assert lines[3].endswith("00:00:00;00 00:00:01;00")


def test_otio_has_a_clip_for_each_shot_and_a_marker_for_the_dissolve() -> None:
    timeline = json.loads(text("otio", rate=Fraction(24000, 1001)))
    (track,) = timeline["tracks"]["children"]
    spans = [clip["source_range"] for clip in track["children"]]
    assert [(s["start_time"]["value"], s["duration"]["value"]) for s in spans] == [(0, 30), (30, 25), (55, 45)]
    assert spans[0]["duration"]["rate"] == pytest.approx(23.976, abs=1e-3)
    (marker,) = track["markers"]
    assert (marker["name"], marker["marked_range"]["duration"]["value"]) == ("dissolve", 11)
    url = track["children"][0]["media_reference"]["target_url"]
    assert url == Path("clips/a b.mp4").absolute().as_uri()


def test_videos_on_the_web_keep_their_address() -> None:
    timeline = json.loads(text("otio", video="https://example.com/x/a%20b.mp4?key=1"))
    clip = timeline["tracks"]["children"][0]["children"][0]
    assert clip["media_reference"]["target_url"] == "https://example.com/x/a%20b.mp4?key=1"
    assert timeline["name"] == "a b.mp4"


@pytest.mark.parametrize("form", ["json", "csv", "edl", "otio"])
def test_a_video_without_pictures(form: str) -> None:
    assert export(ShotPlan((), ()), form, video="a.mp4", rate=Fraction(25))


def test_other_formats_are_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"'xml', must be one of json, csv, edl, otio"):
        text("xml")
