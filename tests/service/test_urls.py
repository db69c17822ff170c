from __future__ import annotations

import pytest

from tests.service.models import URL, EraseVideoLogo, GenerateVideo, Scalars
from vidprod.actions.files import file_fields
from vidprod.actions.spec import Params, VideoUrl
from vidprod.errors import FileURL
from vidprod.service.values import read
from vidprod.storage.urls import check_url


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        (URL, URL),
        ("HTTPS://H:8443/%E4%B8%AD.mp4?a=1#x", "HTTPS://H:8443/%E4%B8%AD.mp4?a=1#x"),
        ("http://http://127.0.0.1:8080/upload/a.mp4", "http://127.0.0.1:8080/upload/a.mp4"),
        ("http://https://h/a", "https://h/a"),
        ("http://HTTP://http://h/a", "http://h/a"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://h/?u=http://x/", "http://h/?u=http://x/"),
    ],
)
def test_urls(url: str, checked: str) -> None:
    assert check_url(url) == checked


@pytest.mark.parametrize(
    "url",
    [
        "a.mp4",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://h/a",
        "http:/h/a",
        "http://",
        "http:///a",
        "http://h:x/a",
        "http://h:99999/a",
        "http://[::1/a",
        "http://h/中.mp4",
        "http://ｈ/a",
        "http://h/a b",
        "http://h/a\n",
        " http://h/a",
        "http://h\\@x/a",
        "ht\ttp://h/a",
        "concat:http://h/a",
        "http://h/" + "a" * 9000,
        "http://http://",
        "http://http:///etc/passwd",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(FileURL) as caught:
        check_url(url)
    assert caught.value.code == "InvalidFile.URL"
    assert len(caught.value.message) < 250


def test_urls_are_checked_wherever_a_file_is_named() -> None:
    with pytest.raises(FileURL):
        read(EraseVideoLogo, {"VideoUrl": "a.mp4"})
    with pytest.raises(FileURL):
        read(Scalars, {"Extra": "a.mp4"})
    assert read(Scalars, {"Extra": "http://http://h/a"}).extra == "http://h/a"
    doubled = {"FileList.1.FileName": "a", "FileList.1.FileUrl": f"http://{URL}", "FileList.1.Type": "video"}
    assert read(GenerateVideo, doubled).file_list[0].file_url == URL


def test_a_file_url_is_marked_in_the_alias() -> None:
    class Sample(Params):
        video_url: VideoUrl

    assert list(file_fields(Sample)) == ["video_url"]
