from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.storage.sites import (
    BODY,
    POLICY,
    file,
    refused,
    sends,
    site,
)
from vidprod.errors import (
    Cancelled,
    FileContent,
    FileDownload,
    FileType,
    InternalError,
)
from vidprod.storage.fetch import fetch, fetched

# --- what can be had --------------------------------------------------------------------------------------------------


def test_a_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with site(file(BODY)) as server:
        path = fetch(
            f"{server.url}/a/clip.MP4?token=1#x", tmp_path, policy=POLICY, progress=lambda *at: seen.append(at)
        )
    assert path == tmp_path / "input.MP4"
    assert path.read_bytes() == BODY
    assert [entry.name for entry in tmp_path.iterdir()] == ["input.MP4"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)
    (request,) = server.requests
    assert request.target == "/a/clip.MP4?token=1"
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert request.headers["accept-encoding"] == "identity"


def test_a_file_of_unknown_length(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:1000], BODY[1000:])) + b"0\r\n\r\n"
    for number, answer in enumerate(
        [sends("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", chunks), sends("HTTP/1.0 200 OK", BODY)]
    ):
        with site(answer) as server:
            path = fetch(server.url, tmp_path, policy=POLICY, name=f"a{number}", progress=lambda *at: seen.append(at))
        assert path.read_bytes() == BODY
        assert seen[-1] == (len(BODY), None)


def test_a_length_beside_chunks_means_nothing(tmp_path: Path) -> None:
    head = "HTTP/1.1 200 OK\nContent-Length: 7\nTransfer-Encoding: chunked"
    with site(sends(head, b"3\r\nabc\r\n0\r\n\r\n")) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a.tar.gz", "input.gz"),
        ("/a.%2e%2e%2fmp4", "input"),
        ("/a.m%00p4", "input"),
        ("/a.mp4;rm", "input"),
        ("/..", "input"),
        ("/a." + "b" * 50, "input"),
    ],
)
def test_names_of_files(path: str, name: str, tmp_path: Path) -> None:
    with site(file(BODY)) as server:
        assert fetch(server.url + path, tmp_path, policy=POLICY) == tmp_path / name


def test_a_file_that_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "input.mp4.part").symlink_to("secret")
    with site(file(BODY)) as server, pytest.raises(InternalError):
        fetch(f"{server.url}/a.mp4", tmp_path, policy=POLICY)
    assert (tmp_path / "secret").read_bytes() == b"x"


def test_an_address_of_version_6(tmp_path: Path) -> None:
    try:
        with site(file(BODY), host="::1") as server:
            assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
            assert server.requests[0].headers["host"].startswith("[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6")


# --- what came --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><body>Log in</body></html>",
        b"\xef\xbb\xbf\r\n  <html>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b"<Error><Code>NoSuchKey</Code></Error>",
        b'{"error": "not found"}',
        b"{}",
        b'[{"a": 1}]',
        b"#EXTM3U\n#EXT-X-VERSION:3\n",
    ],
)
def test_pages_are_not_files(body: bytes, tmp_path: Path) -> None:
    with site(file(body, "Content-Type: video/mp4")) as server, refused(FileType, tmp_path):
        fetch(f"{server.url}/a.mp4", tmp_path, policy=POLICY)


@pytest.mark.parametrize("body", [b"<", b"{not json", b"[binary", b"<html>\0", b"RIFF", b"\x1aE\xdf\xa3", b"#EXT"])
def test_what_only_looks_like_a_page_is_left_to_the_reader(body: bytes, tmp_path: Path) -> None:
    with site(file(body, "Content-Type: text/html")) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == body


def test_nothing_came(tmp_path: Path) -> None:
    with site(file(b"")) as server, refused(FileContent, tmp_path, "empty"):
        fetch(server.url, tmp_path, policy=POLICY)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip", "zstd"])
def test_compressed_although_not_asked_for(coding: str, tmp_path: Path) -> None:
    with site(file(BODY, f"Content-Encoding: {coding}")) as server, refused(FileDownload, tmp_path, "compressed"):
        fetch(server.url, tmp_path, policy=POLICY)


@pytest.mark.parametrize("coding", ["identity", "", "aws-chunked", "binary"])
def test_codings_that_change_nothing(coding: str, tmp_path: Path) -> None:
    with site(file(BODY, f"Content-Encoding: {coding}")) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY


# --- without a server -------------------------------------------------------------------------------------------------


def test_fetched_takes_paths_and_any_address(tmp_path: Path) -> None:
    with fetched(str(tmp_path / "absent.mp4")) as path:
        assert path == tmp_path / "absent.mp4"
    with site(file(BODY)) as server, fetched(f"{server.url}/a.mp4") as path:
        assert path.read_bytes() == BODY
    assert not path.parent.exists()
    with site(file(BODY)) as server, pytest.raises(Cancelled), fetched(server.url, cancelled=lambda: True):
        pass


PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def test_a_server_asks_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site(file(b"from the proxy")) as proxy, site(file(BODY)) as server:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url)
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    assert proxy.requests == []


def test_without_a_server_the_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with site(file(b"from the proxy")) as proxy, site(file(BODY)) as server:
        monkeypatch.setenv("http_proxy", proxy.url.replace("127.0.0.1", "me:pass%20word@127.0.0.1"))
        with fetched("http://host.invalid/a.mp4?b=c") as path:
            assert path.read_bytes() == b"from the proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with fetched(server.url) as path:
            assert path.read_bytes() == BODY
    (request,) = proxy.requests
    assert request.target == "http://host.invalid/a.mp4?b=c"
    assert request.headers["proxy-authorization"] == "basic " + base64.b64encode(b"me:pass word").decode().lower()
