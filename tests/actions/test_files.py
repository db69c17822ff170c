"""Files among parameters: one by one, in lists, and in parameters of parameters."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from vidprod.actions.files import FileMember, file_fields, file_member, files_of, placed, with_files
from vidprod.actions.spec import FileUrl, Params, VideoUrl
from vidprod.errors import FileDownload, InternalError, MissingParameter


class Part(Params):
    """One of several."""

    file_url: Annotated[str, FileUrl()]
    file_name: str = ""


class Everything(Params):
    """Files wherever they may be."""

    video_url: VideoUrl
    extra_url: VideoUrl | None = None
    urls: list[VideoUrl] = Field(default_factory=list)
    file_list: list[Part] = Field(default_factory=list)
    part: Part | None = None
    title: str = "http://not.a/file"


FULL = Everything(
    video_url="http://h/1",
    extra_url="http://h/2",
    urls=["http://h/3", "http://h/4"],
    file_list=[Part(file_url="http://h/5", file_name="http://h/name"), Part(file_url="http://h/6")],
    part=Part(file_url="http://h/7"),
)
PLACES = {
    "VideoUrl": "http://h/1",
    "ExtraUrl": "http://h/2",
    "Urls.1": "http://h/3",
    "Urls.2": "http://h/4",
    "FileList.1.FileUrl": "http://h/5",
    "FileList.2.FileUrl": "http://h/6",
    "Part.FileUrl": "http://h/7",
}


def test_every_file_has_its_place() -> None:
    assert list(files_of(FULL).items()) == list(PLACES.items())


def test_every_file_is_replaced_and_nothing_else() -> None:
    seen: dict[str, str] = {}

    def replace(place: str, value: str) -> str:
        seen[place] = value
        return f"/inputs/{len(seen)}"

    replaced = with_files(FULL, replace)
    assert seen == PLACES
    assert files_of(replaced) == {place: f"/inputs/{number}" for number, place in enumerate(PLACES, 1)}
    assert replaced.file_list[0] == Part(file_url="/inputs/5", file_name="http://h/name")
    assert replaced.title == "http://not.a/file"
    assert files_of(FULL) == PLACES  # as it was


def test_what_was_not_given_stays_so() -> None:
    replaced = with_files(Everything(video_url="http://h/1"), lambda place, value: "/a")
    assert replaced.model_dump(exclude_unset=True) == {"video_url": "/a"}


@given(st.lists(st.text("ab", min_size=1), max_size=6), st.lists(st.text("ab", min_size=1), max_size=6))
def test_places_and_values_belong_together(urls: list[str], members: list[str]) -> None:
    params = Everything(video_url="v", urls=urls, file_list=[Part(file_url=url) for url in members])
    replaced = with_files(params, lambda place, value: f"{place}={value}")
    assert files_of(replaced) == {place: f"{place}={value}" for place, value in files_of(params).items()}
    assert len(files_of(params)) == 1 + len(urls) + len(members)


def test_an_error_says_which_of_several_files_it_is_about() -> None:
    def fail(place: str, value: str) -> str:
        if value == "http://h/6":
            raise FileDownload(f"{value}: not found")
        return value

    with pytest.raises(FileDownload, match=r"^FileList\.2\.FileUrl: http://h/6: not found$"):
        with_files(FULL, fail)
    with pytest.raises(FileDownload, match=r"^gone$"), placed("VideoUrl"):
        raise FileDownload("gone")
    with pytest.raises(InternalError, match=r"^no room$"), placed("FileList.2"):
        raise InternalError("no room")


class Clip(FileMember):
    """A member that follows from its location."""

    ENDINGS = MappingProxyType({".mp4": "video"})


class Reel(Params):
    """A list of them."""

    clips: list[Clip]
    boxes: list[Part] = Field(default_factory=list)
    count: int = 0


def test_a_location_may_stand_for_a_member() -> None:
    member = {"FileName": "c", "FileUrl": Path("f"), "Type": "x"}
    reel = Reel.parse({"Clips": ["http://h/a%20b.MP4?c", Path("d/e.mp4"), member]})
    assert [(clip.file_name, clip.file_url, clip.type) for clip in reel.clips] == [
        ("a b.MP4", "http://h/a%20b.MP4?c", "video"),
        ("e.mp4", "d/e.mp4", "video"),
        ("c", "f", "x"),
    ]
    assert list(file_fields(Reel)) == ["clips"]
    assert file_member(Reel.model_fields["clips"]) is Clip
    assert file_member(Reel.model_fields["boxes"]) is None


@pytest.mark.parametrize("url", ["", None])
def test_no_location_is_a_parameter_that_is_missing(url: str | None) -> None:
    with pytest.raises(MissingParameter, match="VideoUrl is required"):
        Everything.parse({} if url is None else {"VideoUrl": url})


def test_a_location_may_be_a_path() -> None:
    assert Everything.parse({"video_url": Path("a") / "b.mp4"}).video_url == "a/b.mp4"
