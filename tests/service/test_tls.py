"""One port for TLS and plain HTTP."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.forms import fields_of, form, headers
from tests.service.front import CLIP, Front, read_all
from vidprod.errors import InvalidParameter
from vidprod.service.listen import tls_context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One for 127.0.0.1 that vouches for itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Front]:
    cert, key = map(str, certificate)
    limits = ("listen.FIRST_BYTE_TIMEOUT = listen.HANDSHAKE_TIMEOUT = 1.0", "protocol.HEAD_TIMEOUT = 1.0")
    data = tmp_path_factory.mktemp("both") / "data"
    with Front(data, *limits, VIDPROD_TLS_CERT=cert, VIDPROD_TLS_KEY=key) as running:
        yield running
        assert "Traceback" not in running.log
        assert running.stop() == 0


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


def test_calls_both_ways(both: Front, tls: ssl.SSLContext) -> None:
    assert "https://" in both.line
    assert both.call("SuperResolveVideo", CLIP).status == 200
    assert both.call("SuperResolveVideo", CLIP, tls=tls).status == 200
    with both.database() as database:
        found = database.execute("SELECT base_url FROM vidprod_jobs ORDER BY submitted").fetchall()
    assert [base for (base,) in found] == [f"http://{both.host}", f"https://{both.host}"]


def test_tickets_lead_back_the_way_they_came(both: Front, tls: ssl.SSLContext) -> None:
    assert both.upload_ticket()["Bucket"] == "http://127"
    ticket = both.upload_ticket(tls=tls)
    assert (ticket["Bucket"], ticket["Endpoint"]) == ("127", f"0.0.1:{both.port}")
    content = bytes(5_000_000)
    assert both.send("POST", "/", headers(), form(fields_of(ticket), content), tls=tls).status == 201
    assert (both.data / "objects" / "vidprod" / ticket["ObjectKey"]).read_bytes() == content


def test_connections_that_are_neither(both: Front) -> None:
    """They end, and take nobody's place."""
    for data in (
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nothing of a handshake" + b"\xff" * 2000,
        b"\x80",
    ):
        with both.connect() as connection:
            connection.sendall(data)
            read_all(connection)
    with both.connect():
        pass
    silent = [both.connect() for _ in range(50)]
    began = time.monotonic()
    assert both.call("SuperResolveVideo", CLIP).status == 200
    assert time.monotonic() - began < 1
    for connection in silent:
        assert connection.recv(1) == b""  # closed by the server
        connection.close()


def test_a_handshake_that_does_not_end(both: Front, tls: ssl.SSLContext) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    hello = outgoing.read()
    for part in (hello[:1], hello[:50], hello):
        with both.connect() as connection:
            connection.sendall(part)
            began = time.monotonic()
            read_all(connection)
            assert time.monotonic() - began < 10


def test_giant_heads_over_tls(both: Front, tls: ssl.SSLContext) -> None:
    with both.connect() as plain, tls.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000)
            found = connection.recv(65536)
        except (
            ssl.SSLError,
            OSError,
        ) as error:  # the answer may be lost with the connection, which has no half of its own to close
            pytest.fail(f"no answer: {error}")
    assert found.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("what", ["absent", "text", "other key", "no key"])
def test_certificates_that_are_none(certificate: tuple[Path, Path], tmp_path: Path, what: str) -> None:
    cert, key = certificate
    other = tmp_path / "other.pem"
    if what != "absent":
        other.write_text("nothing")
    pair = {"absent": (other, key), "text": (other, key), "other key": (cert, other), "no key": (cert, None)}[what]
    with pytest.raises(InvalidParameter, match="VIDPROD_TLS_CERT"):
        tls_context(*pair)


def test_a_port_without_tls_says_so(front: Front, tls: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        tls.wrap_socket(plain, server_hostname="127.0.0.1")
