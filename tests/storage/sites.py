"""What tests of fetching share: web servers made of functions, one for each connection in turn, the last for all that follow."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import pytest

from vidprod.storage.fetch import FetchPolicy

HERE = (ip_network("127.0.0.1/32"), ip_network("::1/128"))
POLICY = FetchPolicy(allow=HERE, timeout=20, quiet=5, backoff=0.01)
BODY = bytes(range(256)) * 40  # 10240 bytes


Answer = Callable[[socket.socket, "Request"], None]


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    target: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        """The first byte that is asked for."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


@dataclass
class Site:
    """A running server, and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def site(*answers: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        found = Site(f"{'https' if tls else 'http'}://{shown}:{port}")
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if found.stopped.is_set():
                    connection.close()
                    return
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

        def serve(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                if tls:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    request = _read(connection)
                    found.requests.append(request)
                    answers[min(len(found.requests), len(answers)) - 1](connection, request)

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield found
        finally:
            found.stopped.set()
            with suppress(OSError), socket.socket(family) as last:  # wakes the acceptor; no name is resolved
                last.connect((host, port))
            acceptor.join(10)
            for thread in threads:
                thread.join(10)


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    first, *lines = data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Request(first.split(" ")[1] if " " in first else "", headers)


def sends(head: str, body: bytes = b"") -> Answer:
    """Sends exactly this; lines of the head are given with plain line ends."""
    data = head.strip().replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(data)

    return answer


def file(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """An ordinary answer."""
    lines = "".join(f"\n{line}" for line in headers)
    return sends(f"HTTP/1.1 {status}\nContent-Length: {len(body)}{lines}", body)


def redirect(location: str, status: str = "302 Found") -> Answer:
    return file(b"", f"Location: {location}", status=status)


def breaking(body: bytes, after: int, *headers: str) -> Answer:
    """Answers ranges as it should, but breaks each connection after so many bytes."""
    lines = "".join(f"\n{line}" for line in headers)

    def answer(connection: socket.socket, request: Request) -> None:
        rest = body[request.start :]
        head = f"HTTP/1.1 200 OK\nContent-Length: {len(rest)}{lines}"
        if request.start:
            place = f"bytes {request.start}-{len(body) - 1}/{len(body)}"
            head = f"HTTP/1.1 206 Partial Content\nContent-Range: {place}\nContent-Length: {len(rest)}{lines}"
        sends(head, rest[:after])(connection, request)

    return answer


def dripping(head: str, stopped: Callable[[float], bool]) -> Answer:
    """Sends a byte now and then, without an end."""

    def answer(connection: socket.socket, request: Request) -> None:
        sends(head)(connection, request) if head else None
        while not stopped(0.05):
            connection.sendall(b"a")

    return answer


@contextmanager
def refused(kind: type[Exception], folder: Path, match: str | None = None) -> Iterator[None]:
    """The error is this one, and nothing is left."""
    with pytest.raises(kind, match=match) as caught:
        yield
    assert type(caught.value) is kind
    assert list(folder.iterdir()) == []


def after(seconds: float) -> Callable[[], bool]:
    """False for so long, True from then on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end
