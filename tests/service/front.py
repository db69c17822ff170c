"""The server process without a worker, and a client's side of HTTP that can do what no client library would."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.service.signing import KEY, SECRET, header_signed, query_signed, urlencoded
from vidprod.service.request import SignedRequest

ROOT = Path(__file__).parents[2]
OTHER_KEY, OTHER_SECRET = "otherid", "othersecret"
CLIP = {"VideoUrl": "http://example.com/a.mp4"}
FORM_TYPE = "application/x-www-form-urlencoded"

_CODE = """
from vidprod import logs
from vidprod.settings import settings
from vidprod.service import app, listen, objects, protocol, server, uploads
{patches}
logs.configure(settings())
raise SystemExit(server.serve(settings(), worker={worker}))
"""


@dataclass(frozen=True)
class Reply:
    """What a server answered. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The documented body in JSON."""
        assert self.headers["content-type"] == "application/json;charset=utf-8"
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def xml(self) -> ElementTree.Element:
        """The body in XML."""
        return ElementTree.fromstring(self.body)

    def code(self) -> str:
        """That of an error, in whichever documented shape; an answer that is no such error fails the test."""
        kind = self.headers["content-type"]
        if kind.startswith("application/json"):
            body = self.json
        else:
            assert kind in ("text/xml;charset=utf-8", "application/xml"), kind
            assert self.xml.tag == "Error"
            body = {child.tag: child.text or "" for child in self.xml}
        assert {"RequestId", "HostId", "Code", "Message"} <= body.keys()
        assert uuid.UUID(body["RequestId"])
        assert body["Message"]
        assert self.status >= 400
        return str(body["Code"])


class Front:
    """`serve` in a process of its own, without a worker unless asked for one.

    Args:
        data: the server's folder.
        patches: Python statements that shorten limits: `protocol.HEAD_TIMEOUT = 1`.
        worker: whether it starts one.
        environment: settings.
    """

    def __init__(self, data: Path, *patches: str, worker: bool = False, **environment: str) -> None:
        self.data = data
        self.errors = data.parent / f"{data.name}.err"
        self._code = _CODE.format(patches="\n".join(patches), worker=worker)
        self.environment = {
            "VIDPROD_DATA": str(data),
            "VIDPROD_HOST": "127.0.0.1",
            "VIDPROD_PORT": "0",
            "VIDPROD_ACCESS_KEYS": f"{KEY}:{SECRET},{OTHER_KEY}:{OTHER_SECRET}",
            "VIDPROD_LOG_LEVEL": "debug",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.line = ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All that it wrote so far, without what is on standard output."""
        return self.errors.read_text(encoding="utf-8")

    def start(self) -> None:
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", self._code],
                env={**os.environ, **self.environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        assert "serving" in self.line, self.log[-3000:]
        self.port = int(self.line.strip().rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code."""
        assert self.process
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        assert rest == ""  # one line and no more
        return self.process.returncode

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.data / "jobs.sqlite", timeout=10, isolation_level=None)

    # --- talking to it ---

    def connect(self, timeout: float = 30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, data: bytes, timeout: float = 30) -> bytes:
        """Sends bytes and returns all that comes until the server closes."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            return read_all(connection)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> Reply:
        """One request over a connection of its own. An iterable body is sent in chunks."""
        if tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=tls)
        try:
            connection.request(method, target, body, dict(headers or {}))
            return reply(connection.getresponse())
        finally:
            connection.close()

    def call(
        self, action: str, parameters: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None, **how: Any
    ) -> Reply:
        """A call as the newer clients make it; see `signed`."""
        how.setdefault("host", self.host)
        request = signed(action, parameters, **how)
        return self.send(request.method, target(request), dict(request.headers), request.body or None, tls=tls)

    def submit(self, **how: Any) -> str:
        """The id of a new job."""
        answer = self.call("SuperResolveVideo", CLIP, **how)
        assert answer.status == 200, answer
        return str(answer.json["RequestId"])

    def upload_ticket(self, **how: Any) -> dict[str, Any]:
        how = {"method": "GET", "version": "2019-12-19", **how}
        answer = self.call("AuthorizeFileUpload", {"Product": "videoenhan", "RegionId": "cn-shanghai"}, **how)
        assert answer.status == 200, answer
        return answer.json


def signed(
    action: str,
    parameters: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    version: str = "2020-03-20",
    old: bool = False,
    key: str = KEY,
    secret: str = SECRET,
    at: datetime | None = None,
    nonce: str | None = None,
    host: str = "h",
    **changes: Any,
) -> SignedRequest:
    """A request of now, signed in the new way, or in the old one."""
    stamp = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    nonce = nonce or uuid.uuid4().hex
    if old:
        own = {"Action": action, "Version": version, "AccessKeyId": key, "Timestamp": stamp, "SignatureNonce": nonce}
        where = "query" if method == "GET" else "form"
        return query_signed(parameters, method=method, secret=secret, where=where, **{**own, **changes})
    own = {"x_acs_action": action, "x_acs_version": version, "x_acs_date": stamp, "x_acs_signature_nonce": nonce}
    headers: dict[str, Any] = {**own, "host": host, **changes}
    if method == "GET":
        return header_signed(query=parameters, method=method, key=key, secret=secret, **headers)
    body = urlencoded(parameters or {}).encode()
    return header_signed(body, method=method, key=key, secret=secret, **headers)


def target(request: SignedRequest) -> str:
    """What goes into the request line."""
    return f"{request.path}?{urlencoded(dict(request.query))}" if request.query else request.path


def wire(request: SignedRequest, *, line: str | None = None) -> bytes:
    """The request as bytes; `line` replaces its target."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    length = f"Content-Length: {len(request.body)}\r\n" if request.body else ""
    return f"{request.method} {line or target(request)} HTTP/1.1\r\n{headers}{length}\r\n".encode() + request.body


def reply(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the server closes; a reset is an end, too."""
    found = b""
    try:
        while data := connection.recv(1 << 16):
            found += data
    except ConnectionResetError:
        pass
    return found


def replies(data: bytes) -> list[Reply]:
    """Answers, one after the other, each with its length."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers["content-length"])
        assert len(rest) >= length, "an answer is cut short"
        found.append(Reply(int(status.split()[1]), headers, rest[:length]))
        data = rest[length:]
    return found


def until(condition: Any, timeout: float = 20) -> Any:
    """The first true value of a condition."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found
