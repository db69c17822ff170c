from __future__ import annotations

import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.storage.sites import (
    BODY,
    POLICY,
    breaking,
    file,
    redirect,
    refused,
    site,
)
from vidprod.errors import (
    FileDownload,
    FileUnsafe,
    FileURL,
    VidprodError,
)
from vidprod.storage.fetch import FetchPolicy, fetch


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
def test_this_machine_is_refused(host: str, tmp_path: Path) -> None:
    with site(file(BODY)) as server, refused(FileUnsafe, tmp_path, "not a public address"):
        fetch(f"http://{host}:{server.url.rpartition(':')[2]}/a.mp4", tmp_path, policy=FetchPolicy())
    assert server.requests == []


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fc00::1]"])
def test_private_networks_are_refused(host: str, tmp_path: Path) -> None:
    with refused(FileUnsafe, tmp_path):
        fetch(f"http://{host}/latest/meta-data/", tmp_path, policy=FetchPolicy())


def test_a_mapped_address_is_what_it_stands_for(tmp_path: Path) -> None:
    with site(file(BODY)) as server:
        url = server.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
        assert fetch(url, tmp_path, policy=POLICY).read_bytes() == BODY


Addresses = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]


def resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to these, at the first question, the second ...; returns the questions."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> Addresses:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    return asked


def test_one_private_address_among_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        resolves(monkeypatch, addresses)
        with site(file(BODY)) as server, refused(FileUnsafe, tmp_path):
            fetch(server.url.replace("127.0.0.1", "example.net"), tmp_path, policy=POLICY)
        assert server.requests == []


def test_the_second_address_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    resolves(monkeypatch, ["127.0.0.3", "127.0.0.1"])
    policy = FetchPolicy(allow=[ip_network("127.0.0.0/8")])
    with site(file(BODY)) as server:
        assert fetch(server.url.replace("127.0.0.1", "h"), tmp_path, policy=policy).read_bytes() == BODY


def test_a_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was checked is what is connected to, at a new try too."""
    asked = resolves(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    with site(breaking(BODY, 5000, 'ETag: "1"')) as server, refused(FileUnsafe, tmp_path):
        fetch(server.url.replace("127.0.0.1", "h"), tmp_path, policy=POLICY)
    assert asked == ["h", "h"]
    assert len(server.requests) == 1


def test_redirects(tmp_path: Path) -> None:
    steps = [redirect("/1"), redirect("2?a=b", "301 Moved"), redirect("//127.0.0.1:PORT/3", "307 T")]
    with site(file(BODY)) as last:
        port = last.url.rpartition(":")[2]
        steps[2] = redirect(f"//127.0.0.1:{port}/3/ü ä", "308 P")
        with site(*steps) as first:
            path = fetch(f"{first.url}/0/a.mp4", tmp_path, policy=POLICY)
    assert path.read_bytes() == BODY
    assert [request.target for request in first.requests] == ["/0/a.mp4", "/1", "/2?a=b"]
    assert last.requests[0].target == "/3/%FC%20%E4"


def test_redirects_without_end(tmp_path: Path) -> None:
    with site(redirect("/a")) as server, refused(FileDownload, tmp_path, "more than 5 redirects"):
        fetch(server.url, tmp_path, policy=POLICY)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://127.0.0.2/a", FileUnsafe),
        ("http://169.254.169.254/latest/", FileUnsafe),
        ("http://[::ffff:10.0.0.1]/", FileUnsafe),
        ("file:///etc/passwd", FileUnsafe),
        ("gopher://127.0.0.1:11211/_x", FileUnsafe),
        ("http://user:password@127.0.0.1/", FileUnsafe),
        ("http://[::1", FileDownload),
        ("http://127.0.0.1:99999/", FileDownload),
    ],
)
def test_redirects_that_are_refused(location: str, kind: type[VidprodError], tmp_path: Path) -> None:
    with site(redirect(location)) as server, refused(kind, tmp_path):
        fetch(server.url, tmp_path, policy=POLICY)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url", ["ftp://h/a", "file:///etc/passwd", "http://", "http://h/视频.mp4", "http://user:pw@127.0.0.1/a", "//h/a"]
)
def test_urls_that_are_refused(url: str, tmp_path: Path) -> None:
    with refused(FileURL, tmp_path):
        fetch(url, tmp_path, policy=POLICY)


def test_secrets_of_a_url_are_not_told(tmp_path: Path) -> None:
    with pytest.raises(FileURL) as caught:
        fetch("http://user:hidden@127.0.0.1/a", tmp_path, policy=POLICY)
    assert "hidden" not in str(caught.value)
    with site(file(b"", status="404 Ha")) as server, pytest.raises(FileDownload) as failed:
        fetch(f"{server.url}/a?Signature=hidden", tmp_path, policy=POLICY)
    assert "hidden" not in str(failed.value)
    assert "404 Not Found" in str(failed.value)
