from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.storage.sites import (
    BODY,
    HERE,
    POLICY,
    Answer,
    Request,
    after,
    breaking,
    dripping,
    file,
    refused,
    sends,
    site,
)
from vidprod.errors import (
    Cancelled,
    FileDownload,
    InternalError,
)
from vidprod.storage import connect
from vidprod.storage.fetch import FetchPolicy, fetch

# --- connections that break -------------------------------------------------------------------------------------------


def test_a_connection_that_breaks_five_times(tmp_path: Path) -> None:
    with site(breaking(BODY, 2000, 'ETag: "1"')) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    assert [request.start for request in server.requests] == [0, 2000, 4000, 6000, 8000, 10000]
    assert {request.headers.get("if-range") for request in server.requests[1:]} == {'"1"'}


def test_what_tells_one_content_from_another(tmp_path: Path) -> None:
    date = "Tue, 03 Mar 2020 12:00:00 GMT"
    with site(breaking(BODY, 6000, f"Last-Modified: {date}")) as server:
        assert fetch(server.url, tmp_path, policy=POLICY, name="a").read_bytes() == BODY
    assert server.requests[1].headers["if-range"] == date.lower()
    with site(breaking(BODY, 6000, 'ETag: W/"1"')) as server:
        assert fetch(server.url, tmp_path, policy=POLICY, name="b").read_bytes() == BODY
    assert "if-range" not in server.requests[1].headers
    assert server.requests[1].start == 6000


def test_without_anything_to_tell_contents_apart_it_begins_again(tmp_path: Path) -> None:
    with site(breaking(BODY, 2000), file(BODY)) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    assert [request.start for request in server.requests] == [0, 0]


NEW = BODY[::-1] + b"more"


@pytest.mark.parametrize(
    "second",
    [
        breaking(NEW, 99999, 'ETag: "2"'),
        file(NEW, 'ETag: "2"'),
        sends(f"HTTP/1.1 206 P\nContent-Range: bytes 0-{len(NEW) - 1}/{len(NEW)}\nContent-Length: {len(NEW)}", NEW),
        sends(
            'HTTP/1.1 206 P\nContent-Range: bytes 6000-10239/10240\nETag: "2"\nContent-Length: 4240', NEW[6000:10240]
        ),
        sends(
            "HTTP/1.1 206 P\nContent-Range: bytes 6000-10239/10240\nLast-Modified: x\nContent-Length: 4240",
            NEW[6000:10240],
        ),
        sends(
            'HTTP/1.1 206 P\nContent-Range: bytes 6000-10239/10244\nETag: "1"\nContent-Length: 4240', NEW[6000:10240]
        ),
        sends(
            'HTTP/1.1 206 P\nContent-Range: bytes 5999-10238/10240\nETag: "1"\nContent-Length: 4240', NEW[6000:10240]
        ),
        sends("HTTP/1.1 206 P\nContent-Length: 3", b"abc"),
        sends("HTTP/1.1 206 P\nContent-Range: items 6000-6002/10240\nContent-Length: 3", b"abc"),
        sends("HTTP/1.1 206 P\nContent-Range: bytes 6000-6002/7\nContent-Length: 3", b"abc"),
        sends("HTTP/1.1 416 R\nContent-Length: 0"),
    ],
)
def test_a_file_that_changes_is_never_mixed(second: Answer, tmp_path: Path) -> None:
    with site(breaking(BODY, 6000, 'ETag: "1"'), second, file(NEW, 'ETag: "2"')) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == NEW


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    with site(breaking(BODY, 6000, 'ETag: "1"'), file(b"short", 'ETag: "2"')) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == b"short"


def test_a_server_that_sends_less_than_was_asked_for(tmp_path: Path) -> None:
    def part(connection: socket.socket, request: Request) -> None:
        first, last = request.start, min(request.start + 2999, len(BODY) - 1)
        head = f'HTTP/1.1 206 P\nContent-Range: bytes {first}-{last}/{len(BODY)}\nETag: "1"'
        sends(f"{head}\nContent-Length: {last - first + 1}", BODY[first : last + 1])(connection, request)

    with site(breaking(BODY, 1000, 'ETag: "1"'), part) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    assert [request.start for request in server.requests] == [0, 1000, 4000, 7000, 10000]


def test_a_weak_tag_is_compared_here(tmp_path: Path) -> None:
    """The server cannot be asked to, so a part that does not show its tag might be of anything."""
    rest = sends("HTTP/1.1 206 P\nContent-Range: bytes 6000-10239/10240\nContent-Length: 4240", NEW[6000:10240])
    with site(breaking(BODY, 6000, 'ETag: W/"1"'), rest, file(NEW, 'ETag: W/"2"')) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == NEW


def test_a_server_that_always_breaks(tmp_path: Path) -> None:
    with (
        site(sends("HTTP/1.1 200 OK\nContent-Length: 100", b"abc")) as server,
        refused(FileDownload, tmp_path, "broke after"),
    ):
        fetch(server.url, tmp_path, policy=POLICY)
    assert len(server.requests) == 6


def test_a_part_that_was_not_asked_for(tmp_path: Path) -> None:
    part = sends("HTTP/1.1 206 P\nContent-Range: bytes 0-2/10\nContent-Length: 3", b"abc")
    with site(part) as server, refused(FileDownload, tmp_path):
        fetch(server.url, tmp_path, policy=POLICY)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", ["503 Busy", "429 Slow", "500 Oops"])
def test_what_passes_is_waited_for(status: str, tmp_path: Path) -> None:
    with site(file(b"no", status=status), file(BODY)) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["404 X", "403 X", "410 X", "204 X", "304 X", "300 X", "302 X", "999 X"])
def test_what_does_not_pass_is_not_waited_for(status: str, tmp_path: Path) -> None:
    with site(file(b"", status=status)) as server, refused(FileDownload, tmp_path, f"answered {status[:3]}"):
        fetch(server.url, tmp_path, policy=POLICY)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        "SSH-2.0-OpenSSH_9.6",
        "HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 4",
        "HTTP/1.1 200 OK\nContent-Length: -3",
        "HTTP/1.1 200 OK\nContent-Length: abc",
        "HTTP/1.1 200 OK\nTransfer-Encoding: gzip",
        "HTTP/1.1 200 OK\nX: " + "a" * 200_000,
        "",
    ],
)
def test_what_is_not_http(head: str, tmp_path: Path) -> None:
    with site(sends(head, b"abc")) as server, refused(FileDownload, tmp_path):
        fetch(server.url, tmp_path, policy=POLICY)
    assert 1 <= len(server.requests) <= 6


def test_nobody_answers(tmp_path: Path) -> None:
    with site(file(BODY)) as server:
        pass
    with refused(FileDownload, tmp_path, "cannot be reached"):
        fetch(server.url, tmp_path, policy=POLICY)
    with refused(FileDownload, tmp_path, "does not resolve"):
        fetch("http://host.invalid/a.mp4", tmp_path, policy=POLICY)


# --- too much, too slow, too late -------------------------------------------------------------------------------------


def test_too_large(tmp_path: Path) -> None:
    policy = FetchPolicy(allow=HERE, max_bytes=10_000)
    said = file(BODY)
    unsaid = sends("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(BODY), BODY))
    lies = sends("HTTP/1.1 200 OK\nContent-Length: 99999999999999999999", BODY)
    for answer in (said, unsaid, lies):
        with site(answer) as server, refused(FileDownload, tmp_path, "at most 10000"):
            fetch(server.url, tmp_path, policy=policy)
        assert len(server.requests) == 1


def test_what_is_said_to_be_too_large_is_not_begun(tmp_path: Path) -> None:
    seen: list[int] = []
    policy = FetchPolicy(allow=HERE, max_bytes=10_000)
    answer = sends("HTTP/1.1 200 OK\nContent-Length: 10001", b"abc")
    with site(answer) as server, refused(FileDownload, tmp_path, "at most 10000"):
        fetch(server.url, tmp_path, policy=policy, progress=lambda done, _: seen.append(done))
    assert seen == []


def test_more_than_was_said_is_not_read(tmp_path: Path) -> None:
    with site(sends("HTTP/1.1 200 OK\nContent-Length: 100", BODY)) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY[:100]


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": (64 << 20) + 100})())
    for answer in (file(BODY), sends("HTTP/1.0 200 OK", BODY)):
        with site(answer) as server, refused(InternalError, tmp_path, "no room"):
            fetch(server.url, tmp_path, policy=POLICY)


FULL = """
import resource, sys
from pathlib import Path
from vidprod.errors import InternalError
from vidprod.storage.fetch import FetchPolicy, fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    fetch(sys.argv[1], Path(sys.argv[2]), policy=FetchPolicy(any_address=True))
except InternalError as error:
    print(error)
"""


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    with site(file(BODY)) as server:
        done = subprocess.run(
            [sys.executable, "-c", FULL, server.url, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert done.stdout == "the input cannot be kept: File too large\n", done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\nContent-Length: 99999", "HTTP/1.1 200 OK\nX-A: b", ""])
def test_a_server_that_drips(head: str, tmp_path: Path) -> None:
    stop = threading.Event()
    policy = FetchPolicy(allow=HERE, timeout=0.5)
    started = time.monotonic()
    with site(dripping(head, stop.wait)) as server:
        try:
            with refused(FileDownload, tmp_path, "not there within 0.5 s"):
                fetch(server.url, tmp_path, policy=policy)
        finally:
            stop.set()
    assert time.monotonic() - started < 5


def test_a_server_that_is_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_WINDOW", 0.3)
    stop = threading.Event()
    with site(dripping("HTTP/1.1 200 OK\nContent-Length: 99999", stop.wait)) as server:
        try:
            with refused(FileDownload, tmp_path, r"only [0-9]+ bytes came in 0\.3 s"):
                fetch(server.url, tmp_path, policy=POLICY)
        finally:
            stop.set()


def test_a_server_that_falls_silent(tmp_path: Path) -> None:
    stop = threading.Event()

    def silent(connection: socket.socket, request: Request) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "1"\r\n\r\nabc')
        stop.wait(20)

    policy = FetchPolicy(allow=HERE, quiet=0.2, backoff=0.01)
    with site(silent) as server:
        try:
            with refused(FileDownload, tmp_path, r"nothing came for 0\.2 s"):
                fetch(server.url, tmp_path, policy=policy)
        finally:
            stop.set()
    assert len(server.requests) == 6


def test_a_name_that_takes_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        stop.wait(20)
        return []

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    policy = FetchPolicy(allow=HERE, timeout=0.4)
    try:
        with refused(FileDownload, tmp_path, "not there within"):
            fetch("http://h/a", tmp_path, policy=policy)
    finally:
        stop.set()


def test_cancelled_in_any_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def silent(connection: socket.socket, request: Request) -> None:
        stop.wait(20)

    for answer in (silent, dripping("HTTP/1.1 200 OK\nContent-Length: 99999", stop.wait), file(b"", status="503 X")):
        with site(answer) as server:
            started = time.monotonic()
            try:
                with refused(Cancelled, tmp_path):
                    fetch(
                        server.url,
                        tmp_path,
                        policy=FetchPolicy(allow=HERE, backoff=30),
                        cancelled=lambda: bool(server.requests),
                    )
                assert time.monotonic() - started < 5
            finally:
                stop.set()
        stop.clear()


def test_a_machine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither yes nor no comes from there: its queue of connections is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        with refused(FileDownload, tmp_path, "not there within"):
            fetch(url, tmp_path, policy=FetchPolicy(allow=HERE, timeout=0.5))
        with refused(Cancelled, tmp_path):
            fetch(url, tmp_path, policy=POLICY, cancelled=after(0.4))
        monkeypatch.setattr(connect, "_CONNECT", 0.1)
        with refused(FileDownload, tmp_path, "timed out"):
            fetch(url, tmp_path, policy=POLICY)
