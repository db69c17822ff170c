"""The installation and the machine: Python, weights, port, certificate, clock."""

from __future__ import annotations

import ctypes
import errno
import http.client
import resource
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vidprod import __version__
from vidprod import weights as weight_files
from vidprod.doctor.finding import Finding, State
from vidprod.errors import ModelError
from vidprod.settings import Settings

_FILES = 1024
_SOON = 14  # days
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def python() -> Iterator[Finding]:
    """Versions, and how many files may be open."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", State.OK, f"vidprod {__version__}, Python {version}")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files <= _FILES:
        yield Finding(
            "python",
            State.NOTE,
            f"{files} files may be open: enough for about {files // 2} connections",
            "ulimit -n 65536",
        )


def weights() -> Iterator[Finding]:
    """Compares every weight file that is there with its checksum."""
    good, absent = [], []
    for name, entry in weight_files.manifest().items():
        if not entry.shipped and not (weight_files.FOLDER / entry.file).is_file():
            absent.append(name)
            continue
        try:
            weight_files.path(name)
            good.append(name)
        except ModelError as error:
            yield Finding("weights", State.BROKEN, error.message, "or reinstall vidprod")
    yield Finding("weights", State.OK, f"{len(good)} files have their checksums: {', '.join(good)}")
    for name in absent:
        how = f"python -m vidprod.weights.tools.rebuild {name}"
        yield Finding("weights", State.NOTE, f"{name} is not part of the package; it can be made by: {how}")


def port(settings: Settings) -> Iterator[Finding]:
    """Binds the port for a moment, and asks who is there if it is taken."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            status = _asked(settings)
            if status is not None:
                yield Finding("port", State.OK, f"{where}: a server answers, its /healthz says {status}")
                return
        advice = {
            errno.EADDRINUSE: f"another program has it (ss -ltnp | grep {settings.port}); end it, or --port",
            errno.EACCES: "ports below 1024 are for root; --port 8080 and a proxy before it",
            errno.EADDRNOTAVAIL: "this machine does not have that address; --host 0.0.0.0 takes all it has",
        }.get(error.errno or 0, "--host and --port tell where to listen")
        yield Finding("port", State.BROKEN, f"{where}: {error.strerror}", advice)
        return
    yield Finding("port", State.OK, f"{where}: free" if settings.port else f"{settings.host}: a free one is taken")
    if settings.host in ("0.0.0.0", "::") and not settings.public_url:
        yield Finding(
            "port", State.NOTE, "links to results begin with the host that each client used", "--public-url fixes it"
        )


def _asked(settings: Settings) -> str | None:
    """What /healthz answers where a vidprod server is; None for everything else."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(2000).decode("utf-8", "replace")
        return f"{answer.status} {' '.join(body.split())[:120]}" if answer.status in (200, 503) else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def tls(settings: Settings) -> Iterator[Finding]:
    """Loads certificate and key, and looks at the dates."""
    if settings.tls_cert is None and settings.tls_key is None:
        text = "no certificate: plain HTTP only, keys and videos can be read on the way"
        if settings.host not in ("127.0.0.1", "localhost", "::1"):
            yield Finding("tls", State.NOTE, text, "--tls-cert and --tls-key, or a proxy that does TLS")
        return
    if settings.tls_cert is None or settings.tls_key is None:
        given, other = ("key", "cert") if settings.tls_cert is None else ("cert", "key")
        yield Finding("tls", State.BROKEN, f"--tls-{given} without --tls-{other}", f"give --tls-{other} too")
        return
    try:
        days = (_shake_hands(settings.tls_cert, settings.tls_key) - time.time()) / 86400
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
        advice = "both must be PEM, the key without a password, the certificate of today"
        yield Finding("tls", State.BROKEN, f"{settings.tls_cert}, {settings.tls_key}: {reason}", advice)
        return
    text = f"{settings.tls_cert}: a handshake works; good for {days:.0f} days"
    soon = days < _SOON
    yield Finding("tls", State.WARNING if soon else State.OK, text, "renew it" if soon else "")


def _shake_hands(certificate: Path, key: Path) -> float:
    """Does a handshake with them, in memory, and tells when the certificate ends, in Unix seconds."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key, password="")
    client = ssl.create_default_context(cafile=str(certificate))  # trusts this one alone, by whomever it was issued
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    found = ends[0].getpeercert()
    return float(ssl.cert_time_to_seconds(str(found["notAfter"]))) if found else 0.0


def clock() -> Iterator[Finding]:
    """Asks the kernel whether the clock is kept by NTP: requests are refused 15 minutes off, links end by it."""
    advice = (
        "switch NTP on (timedatectl set-ntp true), here and on the clients: 15 minutes off, all requests are refused"
    )
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))  # modes 0: only asks
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        yield Finding("clock", State.NOTE, f"{now}; the system does not tell whether it is kept by NTP", advice)
    elif state == _TIME_ERROR:
        yield Finding("clock", State.NOTE, f"{now}; the kernel says that nothing keeps it in step", advice)
    else:
        yield Finding("clock", State.OK, f"{now}, kept in step")
