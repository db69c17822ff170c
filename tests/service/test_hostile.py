"""Clients that break the rules of HTTP, over raw sockets: each gets a documented error, and the server goes on."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from tests.service.front import CLIP, FORM_TYPE, Front, read_all, replies, signed, wire

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(autouse=True)
def _unharmed(front: Front) -> object:
    yield
    assert front.call("GetAsyncJobResult", {"JobId": front.submit()}).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a server without
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /?\xe4=\xe4 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"FETCH / HTTP/1.1\r\nHost: h\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked, identity\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ],
)
def test_what_is_not_http(front: Front, data: bytes) -> None:
    (answer,) = replies(front.raw(data))
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 300_000,  # one that does not end
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET /?" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 400 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 50_000,
        b"G" * 300_000,
    ],
    ids=["endless", "header", "query", "headers", "endless headers", "method"],
)
def test_giant_heads(front: Front, head: bytes) -> None:
    (answer,) = replies(front.raw(head))
    assert (answer.status, answer.code()) in ((431, "RequestHeaderFieldsTooLarge"), (400, "InvalidRequest"))
    assert answer.status == 431 or head.startswith(b"GG")


def test_a_head_just_short_enough(front: Front) -> None:
    request = signed("GetAsyncJobResult", {"JobId": "x", "Filler": "a" * 100_000}, old=True, method="GET")
    (answer,) = replies(front.raw(wire(request).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)))
    assert answer.code() == "InvalidParameter"


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nHost: h\r\n", b"\r\n\r\n", b""])
def test_heads_that_do_not_end(front: Front, start: bytes) -> None:
    began = time.monotonic()
    answers = replies(front.raw(start))
    assert time.monotonic() - began < 10
    if start.strip():
        assert [(answer.status, answer.code()) for answer in answers] == [(408, "RequestTimeout")]
    else:
        assert answers == []  # nothing was asked


def test_a_head_that_comes_drop_by_drop(front: Front) -> None:
    with front.connect() as connection:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for letter in b"GET / HTTP/1.1\r\nX: " + b"a" * 1000:
                connection.sendall(bytes([letter]))
                time.sleep(0.05)
        assert time.monotonic() - began < 15  # and not the 50 s that the client wanted


def test_a_second_head_that_does_not_end(front: Front) -> None:
    with front.connect() as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HT")
        found = replies(read_all(connection))
    assert [answer.status for answer in found] == [404, 408]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000\r\n\r\na=b", b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n"]
)
def test_bodies_that_do_not_end(front: Front, framing: bytes) -> None:
    (answer,) = replies(front.raw(HEAD + b"Connection: close\r\n" + framing))
    assert (answer.status, answer.code()) == (408, "RequestTimeout")


def test_a_body_that_comes_drop_by_drop(front: Front) -> None:
    with front.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        (answer,) = replies(read_all(connection))  # comes while the client still sends
        stop.set()
        thread.join()
    assert (answer.status, answer.code()) == (408, "RequestTimeout")


def test_a_body_that_is_announced_too_long(front: Front) -> None:
    """Answered before any of it comes; a client that waits to be told to go on is not told so."""
    with front.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1048577\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        data = read_all(connection)
    assert not data.startswith(b"HTTP/1.1 100")
    (answer,) = replies(data)
    assert (answer.status, answer.code()) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_long(front: Front, chunked: bool) -> None:
    """A client that sends all before it reads gets the answer, too; in the format that its query asks for."""
    body = b"a=" + b"b" * 2_000_000
    headers = {"Content-Type": FORM_TYPE}
    answer = front.send("POST", "/?Format=XML", headers, iter([body]) if chunked else body)
    assert answer.status == 413
    assert answer.xml.findtext("Code") == "RequestEntityTooLarge"


def test_a_client_that_asks_to_close_and_still_sends_gets_its_answer(front: Front) -> None:
    with front.connect() as connection:
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 3000000\r\n\r\n")
        for _ in range(30):
            connection.sendall(b"a" * 100_000)
        (answer,) = replies(read_all(connection))
    assert answer.code() == "RequestEntityTooLarge"


def test_a_body_of_a_megabyte_is_read(front: Front) -> None:
    answer = front.call("GetAsyncJobResult", {"JobId": "x", "Filler": "a" * 1_000_000})
    assert answer.code() == "InvalidParameter"


@pytest.mark.parametrize(
    "tail",
    [b"1;" + b"a" * 300_000, b"0\r\nX: " + b"a" * 300_000, b"0\r\n" + b"X: a\r\n" * 50_000],
    ids=["ext", "trailer", "trailers"],
)
def test_chunks_that_carry_more_than_the_body(front: Front, tail: bytes) -> None:
    answers = replies(front.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n" + tail))
    assert [answer.status for answer in answers] == [400]


def test_a_trailer_is_no_header(front: Front) -> None:
    """What is signed are the headers; a trailer must not add to them."""
    request = signed("SuperResolveVideo", CLIP, host=front.host)
    head, _, _ = wire(request).partition(b"Content-Length")
    chunks = f"{len(request.body):x}\r\n".encode() + request.body + b"\r\n0\r\nx-acs-action: Other\r\n\r\n"
    (answer,) = replies(front.raw(head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks))
    assert answer.status == 200


def test_requests_one_after_the_other_on_one_connection(front: Front) -> None:
    data = b"".join(wire(signed("SuperResolveVideo", CLIP, host=front.host)) for _ in range(5))
    with front.connect() as connection:
        connection.sendall(data + b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        found = replies(read_all(connection))
    assert [answer.status for answer in found] == [200] * 5 + [404]


def test_a_call_follows_a_long_body_on_the_same_connection(front: Front) -> None:
    """Browsers upload a file and submit the job on one connection."""
    boundary = b"--x\r\n"
    upload = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    field = boundary + b'Content-Disposition: form-data; name="key"\r\n\r\nk\r\n'
    file = (
        boundary
        + b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        + b"v" * 3_000_000
        + b"\r\n--x--\r\n"
    )
    call = wire(signed("SuperResolveVideo", CLIP, host=front.host))
    with front.connect() as connection:
        connection.sendall(upload + f"Content-Length: {len(field + file)}\r\n\r\n".encode() + field + file)
        first = connection.recv(1 << 16)
        connection.sendall(call + b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        found = replies(first + read_all(connection))
    assert [answer.status for answer in found] == [403, 200, 404]


def test_offers_of_other_protocols(front: Front) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    (answer,) = replies(front.raw(b"GET /x HTTP/1.1\r\nHost: h\r\n" + upgrade + b"\r\n"))
    assert answer.status == 404
    (answer,) = replies(front.raw(HEAD + upgrade + b"Content-Length: 3\r\n\r\na=b"))
    assert (answer.status, answer.code()) == (400, "InvalidRequest")
    assert "Upgrade" in answer.json["Message"]


def test_a_tunnel_is_not_made(front: Front) -> None:
    (answer,) = replies(front.raw(b"CONNECT videoenhan.cn-shanghai.aliyuncs.com:443 HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (answer.status, answer.code()) == (405, "UnsupportedHTTPMethod")


def test_clients_that_go_away(front: Front) -> None:
    for data in (b"", b"GET", HEAD + b"Content-Length: 9\r\n\r\na", wire(signed("SuperResolveVideo", CLIP))):
        for _ in range(5):
            connection = front.connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
            connection.sendall(data)
            connection.close()


def test_headers_given_twice(front: Front) -> None:
    request = wire(signed("SuperResolveVideo", CLIP))
    for line in (b"x-acs-action: Other\r\n", b"Authorization: ACS3-HMAC-SHA256 x\r\n", b"x-acs-content-sha256: 0\r\n"):
        (answer,) = replies(front.raw(request.replace(b"\r\n", b"\r\nConnection: close\r\n" + line, 1)))
        assert (answer.status, answer.code()) == (400, "IncompleteSignature")


def test_many_connections_that_say_nothing(front: Front) -> None:
    """They are closed in time; others are served meanwhile."""
    silent = [front.connect() for _ in range(300)]
    try:
        began = time.monotonic()
        assert front.send("GET", "/healthz").status == 200
        assert time.monotonic() - began < 5
        for connection in silent:
            assert connection.recv(1) == b""
    finally:
        for connection in silent:
            connection.close()


def test_a_connection_too_many(tmp_path: Path) -> None:
    with Front(tmp_path / "data", "protocol.MAX_CONNECTIONS = 5") as few:
        others = [few.connect() for _ in range(5)]
        time.sleep(0.2)
        (answer,) = replies(few.raw(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"))
        assert (answer.status, answer.code()) == (503, "ServiceUnavailable")
        for connection in others:
            connection.close()
        time.sleep(0.2)
        assert few.send("GET", "/healthz").status == 200
