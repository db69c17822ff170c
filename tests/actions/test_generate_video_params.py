"""What GenerateVideo takes, in Python's and the cloud's spelling and over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from vidprod.actions.generate_video import SUFFIXES, GenerateVideoParams, MediaFile, TransitionStyle
from vidprod.errors import FileURL, InvalidParameter, InvalidParameterFormat, MissingParameter, VidprodError
from vidprod.ops.transitions import STYLES
from vidprod.service.values import read

WIRE = {"FileList.1.FileName": "a", "FileList.1.FileUrl": "http://h/a", "FileList.1.Type": "video"}


def parsed(*files: Any, **rest: Any) -> GenerateVideoParams:
    return GenerateVideoParams.parse({"file_list": list(files), **rest})


def wire(number: int, kind: str) -> dict[str, str]:
    place = f"FileList.{number}"
    return {f"{place}.FileName": "b", f"{place}.FileUrl": "http://h/b", f"{place}.Type": kind}


def test_what_is_not_said_is_as_documented() -> None:
    found = read(GenerateVideoParams, WIRE)
    assert found == parsed({"file_name": "a", "file_url": "http://h/a", "type": "video"})
    assert found.model_dump(exclude={"file_list"}) == {
        "scene": "costume",
        "width": None,
        "height": None,
        "style": "normal",
        "duration": 20.0,
        "duration_adaption": False,
        "transition_style": None,
        "smart_effect": True,
        "puzzle_effect": False,
        "mute": False,
    }
    assert found.size == (750, 750)


def test_all_transitions_can_be_asked_for() -> None:
    assert list(get_args(TransitionStyle)) == list(STYLES)


@pytest.mark.parametrize(
    ("given", "size"),
    [({"width": 320}, (320, 320)), ({"height": 480}, (480, 480)), ({"width": 32, "height": 2160}, (32, 2160))],
)
def test_one_side_makes_a_square(given: dict[str, int], size: tuple[int, int]) -> None:
    assert parsed("a.jpg", **given).size == size


def test_duration_adaption_makes_the_duration_void() -> None:
    assert parsed("a.jpg", duration=7).seconds == 7
    assert parsed("a.jpg", duration=7, duration_adaption=True).seconds is None


@pytest.mark.parametrize(
    ("location", "name", "kind"),
    [
        ("folder/My Clip.MP4", "My Clip.MP4", "video"),
        (Path("a.b.jpeg"), "a.b.jpeg", "image"),
        ("https://h/x/%E7%89%87.wav?name=a.mp4#b.png", "片.wav", "audio"),
        ("what?.mkv", "what?.mkv", "video"),
    ],
)
def test_a_location_tells_name_and_type(location: str | Path, name: str, kind: str) -> None:
    file = parsed(location, "b.jpg").file_list[0]
    assert (file.file_name, file.file_url, file.type) == (name, str(location), kind)


def test_each_ending_is_of_one_type() -> None:
    endings = [suffix for suffixes in SUFFIXES.values() for suffix in suffixes]
    assert len(set(endings)) == len(endings)
    assert {".mp4", ".avi", ".mkv", ".mov"} <= set(SUFFIXES["video"])
    assert {".jpg", ".png", ".bmp"} <= set(SUFFIXES["image"])
    assert {".mp3", ".wav"} <= set(SUFFIXES["audio"])


@pytest.mark.parametrize("location", ["notes.txt", "video", "http://h/a.mp4/page", ""])
def test_an_ending_that_tells_nothing_is_refused(location: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^FileList\.2 is .*: must end in one of \.mp4, "):
        parsed("a.jpg", location)


ENTRY = {"FileName": "n", "FileUrl": "u", "Type": "image"}


@pytest.mark.parametrize("name", ["FileName", "FileUrl", "Type"])
def test_what_is_missing_in_a_member_is_named(name: str) -> None:
    for value in ({}, {name: ""}) if name != "Type" else ({},):
        with pytest.raises(MissingParameter, match=rf"^FileList\.2\.{name} is required$"):
            parsed("a.jpg", {key: text for key, text in ENTRY.items() if key != name} | value)
    given = {key: value for key, value in wire(2, "image").items() if not key.endswith(name)}
    for more in ({}, {f"FileList.2.{name}": ""}):
        with pytest.raises(MissingParameter, match=rf"^FileList\.2\.{name} is mandatory"):
            read(GenerateVideoParams, {**WIRE, **given, **more})


def test_the_spelling_of_members_is_the_cloud_s_in_messages() -> None:
    with pytest.raises(MissingParameter, match=r"^FileList\.1\.FileUrl is required$"):
        parsed({"file_name": "a", "type": "video"})
    with pytest.raises(InvalidParameter, match=r"^FileList\.1\.Type is 'Video': .*'video', 'audio' or 'image'"):
        parsed({"file_name": "a", "file_url": "a", "type": "Video"})
    with pytest.raises(InvalidParameter, match=r"^FileList\.1\.Speed is not a parameter"):
        parsed({**ENTRY, "speed": 2})


def test_errors_at_the_front_name_the_index_that_was_written() -> None:
    with pytest.raises(FileURL, match=r"^FileList\.7\.FileUrl: 'ftp://h/a' is not a valid URL"):
        read(GenerateVideoParams, {**WIRE, **wire(7, "image"), "FileList.7.FileUrl": "ftp://h/a"})
    with pytest.raises(InvalidParameter, match=r"^FileList\.7\.Type is 'img'"):
        read(GenerateVideoParams, {**WIRE, **wire(7, "img")})
    with pytest.raises(InvalidParameterFormat, match=r"^FileList\.1 is 'http://h/a\.mp4'"):
        read(GenerateVideoParams, {"FileList.1": "http://h/a.mp4"})  # a location alone is not enough here


@pytest.mark.parametrize(
    ("ending", "most", "words"),
    [("mp4", 5, "6 files of Type video: at most 5"), ("png", 40, "41 files of Type image: at most 40")],
)
def test_as_many_files_as_are_allowed(ending: str, most: int, words: str) -> None:
    assert len(parsed(*[f"{n}.{ending}" for n in range(most)]).file_list) == most
    with pytest.raises(InvalidParameter, match=rf"^FileList has {words}"):
        parsed(*[f"{n}.{ending}" for n in range(most + 1)])


def test_one_music_and_something_to_show() -> None:
    assert parsed("a.png", "a.mp3").file_list[1] == MediaFile(file_name="a.mp3", file_url="a.mp3", type="audio")
    with pytest.raises(InvalidParameter, match=r"^FileList has 2 files of Type audio: at most 1"):
        parsed("a.png", "a.mp3", "b.wav")
    for nothing in ((), ("a.mp3",)):
        with pytest.raises(InvalidParameter, match=r"^FileList has no video and no image"):
            parsed(*nothing)
    with pytest.raises(InvalidParameter, match=r"^FileList has no video and no image"):
        read(GenerateVideoParams, {**WIRE, "FileList.1.Type": "audio"})
    with pytest.raises(MissingParameter, match=r"^FileList is mandatory"):
        read(GenerateVideoParams, {})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("Scene", "party", InvalidParameter),
        ("Style", "Fast", InvalidParameter),
        ("TransitionStyle", "swipe", InvalidParameter),
        ("Width", "31", InvalidParameter),
        ("Height", "2161", InvalidParameter),
        ("Width", "64.5", InvalidParameterFormat),
        ("Duration", "0", InvalidParameter),
        ("Duration", "-1", InvalidParameter),
        ("Duration", "600.1", InvalidParameter),
        ("Duration", "NaN", InvalidParameterFormat),
        ("DurationAdaption", "maybe", InvalidParameterFormat),
        ("Mute", "1", InvalidParameterFormat),
    ],
)
def test_values_that_are_refused(name: str, value: str, kind: type[VidprodError]) -> None:
    with pytest.raises(kind, match=rf"^{name} is ") as caught:
        read(GenerateVideoParams, {**WIRE, name: value})
    assert type(caught.value) is kind
    if kind is InvalidParameter:
        with pytest.raises(InvalidParameter, match=rf"^{name} is "):
            GenerateVideoParams.parse({"FileList": ["a.mp4"], name: value})
