from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.storage.sites import (
    BODY,
    HERE,
    POLICY,
    after,
    breaking,
    dripping,
    file,
    refused,
    site,
)
from vidprod.errors import (
    Cancelled,
    FileDownload,
)
from vidprod.storage import connect, transfer
from vidprod.storage.fetch import FetchPolicy, fetch


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself; the key is in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("this machine has no openssl")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    path.write_bytes(path.with_suffix(".key").read_bytes() + path.read_bytes())
    return path


@contextmanager
def trusted(certificate: Path | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if certificate:
            patch.setenv("SSL_CERT_FILE", str(certificate))
        transfer._tls.cache_clear()
        yield
    transfer._tls.cache_clear()


def test_certificates_are_checked(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with site(file(BODY), tls=context) as server:
        with trusted(None), refused(FileDownload, tmp_path, "certificate"):
            fetch(server.url, tmp_path, policy=POLICY)
        with trusted(certificate), refused(FileDownload, tmp_path, "localhost"):
            fetch(server.url.replace("127.0.0.1", "localhost"), tmp_path, policy=POLICY)
        assert server.requests == []
        with trusted(certificate):
            assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY


def test_a_connection_with_tls_that_breaks_or_falls_silent(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    stop = threading.Event()
    with trusted(certificate), site(breaking(BODY, 2000, 'ETag: "1"'), tls=context) as server:
        assert fetch(server.url, tmp_path, policy=POLICY).read_bytes() == BODY
    policy = FetchPolicy(allow=HERE, timeout=0.7)
    with (
        trusted(certificate),
        site(dripping("HTTP/1.1 200 OK\nContent-Length: 9999", stop.wait), tls=context) as server,
    ):
        try:
            with pytest.raises(FileDownload, match="not there within"):
                fetch(server.url, tmp_path, policy=policy, name="b")
        finally:
            stop.set()


def test_a_server_that_never_says_hello(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshake of TLS counts as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/a"
        with refused(FileDownload, tmp_path, "not there within"):
            fetch(url, tmp_path, policy=FetchPolicy(allow=HERE, timeout=0.5))
        with refused(Cancelled, tmp_path):
            fetch(url, tmp_path, policy=POLICY, cancelled=after(0.4))
        monkeypatch.setattr(connect, "_CONNECT", 0.1)
        with refused(FileDownload, tmp_path, "cannot be reached: TLS"):
            fetch(url, tmp_path, policy=POLICY)


def test_a_host_that_no_certificate_can_be_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site(file(BODY)) as server:
        port = int(server.url.rpartition(":")[2])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
        for host in (".example.net", "a" * 70 + ".net"):
            with refused(FileDownload, tmp_path, "TLS"):
                fetch(f"https://{host}/a", tmp_path, policy=POLICY)
