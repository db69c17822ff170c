"""One download: redirects, new tries, and going on where a connection broke."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from ssl import SSLContext
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from vidprod.errors import FileDownload, FileUnsafe, FileURL, InternalError
from vidprod.storage.connect import CheckedBackend, Limits, OutOfTime
from vidprod.storage.urls import check_url, told

if TYPE_CHECKING:
    from vidprod.storage.fetch import FetchPolicy

_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # what may be over in a moment
_COMPRESSED = ("gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")

_TRIES_BEFORE = 2  # new tries while the server has not sent anything yet
_TRIES = 5  # new tries in a row of which none brings _STEP bytes
_STEP = 1 << 20
_LONGEST_PAUSE = 8.0


class Transfer:
    """See `vidprod.storage.fetch.fetch`.

    Args:
        url: checked.
        file: empty.
        policy: what may be fetched.
        room: bytes that fit on the disk.
        cancelled: whether the job was.
        progress: told how many bytes are there, of how many.
    """

    def __init__(
        self,
        url: str,
        file: BinaryIO,
        policy: FetchPolicy,
        room: int,
        cancelled: Callable[[], bool],
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._url = url
        self._name = told(url)
        self._file = file
        self._policy = policy
        self._room = room
        self._limits = Limits(policy.timeout, policy.quiet, cancelled)
        self._progress = progress
        self._version = _Version()
        self._have = 0
        self._begun = False

    def run(self) -> None:
        """Fetches the file."""
        failures, furthest = 0, 0
        try:
            while True:
                try:
                    self._try()
                    return
                except _Again as error:
                    failures = 1 if self._have >= furthest + _STEP else failures + 1
                    furthest = max(furthest, self._have)
                    if failures > (_TRIES if self._begun else _TRIES_BEFORE):
                        raise FileDownload(f"{self._name}: {error}") from error
                self._limits.sleep(min(self._policy.backoff * 2 ** (failures - 1), _LONGEST_PAUSE))
        except OutOfTime:
            raise FileDownload(f"{self._name}: not there within {self._policy.timeout:g} s") from None

    def _try(self) -> None:
        url = self._url
        for _ in range(self._policy.redirects + 1):
            with self._answer(url) as answer:
                location = answer.headers.get("location")
                if answer.status not in _REDIRECTS or location is None:
                    self._take(answer)
                    return
                url = self._redirected(url, location)
        raise FileDownload(f"{self._name}: more than {self._policy.redirects} redirects")

    def _take(self, answer: _Answer) -> None:
        if answer.status in _PASSING:
            raise _Again(f"the server answered {_phrase(answer.status)}")
        if answer.status == 416 or (answer.status == 206 and not self._continues(answer)):
            self._restart()
            raise _Again("the server did not go on where the connection broke")
        if answer.status not in (200, 206):
            raise FileDownload(f"{self._name}: the server answered {_phrase(answer.status)}")
        coding = answer.headers.get("content-encoding", "").strip().lower()
        if any(part.strip() in _COMPRESSED for part in coding.split(",")):
            raise FileDownload(f"{self._name}: the server sent the file compressed ({coding}), which was not asked for")
        if answer.status == 200:
            self._restart()
            self._version = answer.version()
        self._begun = True
        self._check_size(self._version.size or 0)
        for data in answer.body:
            self._check_size(self._have + len(data))
            self._file.write(data)
            self._have += len(data)
            self._limits.left()
            self._progress(self._have, self._version.size)
        if self._version.size is not None and self._have != self._version.size:
            raise _Again(f"the connection broke after {self._have} of {self._version.size} bytes")

    def _continues(self, answer: _Answer) -> bool:
        """Whether a partial answer is the rest of what is there."""
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not self._have or found is None or int(found[1]) != self._have:
            return False
        size = None if found[3] == "*" else int(found[3])
        etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
        return (
            size in (None, self._version.size)
            and (etag == self._version.etag or (etag is None and self._version.condition is not None))
            and modified in (None, self._version.modified)
        )

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._have = 0
        self._version = _Version()

    def _check_size(self, size: int) -> None:
        if size > self._policy.max_bytes:
            raise FileDownload(f"{self._name}: {size} bytes or more, at most {self._policy.max_bytes} are taken")
        if size > self._room:
            raise InternalError(f"no room for an input of {size} bytes, {max(0, self._room)} are left")

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, quote(location.encode("latin-1"), safe="!#$%&'()*+,/:;=?@[]~"))
            if urlsplit(target).scheme not in _PORTS:
                raise FileUnsafe(f"{self._name}: redirects to something that is not http or https")
            target = check_url(target)
        except (FileURL, ValueError):
            raise FileDownload(f"{self._name}: redirects to something that is not a valid URL") from None
        if "@" in urlsplit(target).netloc:
            raise FileUnsafe(f"{self._name}: redirects to a URL with a user name")
        return target

    @contextmanager
    def _answer(self, url: str) -> Iterator[_Answer]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        origin = httpcore2.Origin(parts.scheme.encode(), host.encode(), port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = [
            ("Host", parts.netloc),
            ("User-Agent", "vidprod"),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *self._range(),
        ]
        try:
            with self._connection(origin) as connection:
                place = httpcore2.URL(scheme=origin.scheme, host=origin.host, port=parts.port, target=target.encode())
                with connection.stream("GET", place, headers=headers) as response:
                    yield _Answer.of(response)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.ProxyError) as error:
            raise _Again(f"{host} cannot be reached: {error}") from error
        except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            raise _Again(f"the connection broke after {self._have} bytes: {error}") from error
        except httpcore2.ProtocolError as error:
            raise _Again(f"the connection broke after {self._have} bytes, or what came is not HTTP") from error

    def _connection(self, origin: httpcore2.Origin) -> httpcore2.HTTPConnection | httpcore2.HTTPProxy:
        backend = CheckedBackend(self._policy.permits, self._limits)
        scheme, host = origin.scheme.decode(), origin.host.decode()
        context = _tls() if scheme == "https" else None
        # A proxy resolves names itself: what it connects to cannot be checked, so there is one only where nothing is.
        proxy = None if not self._policy.any_address or proxy_bypass(host) else getproxies().get(scheme)
        if proxy is None:
            return httpcore2.HTTPConnection(origin, ssl_context=context, network_backend=backend)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return httpcore2.HTTPProxy(place, proxy_auth=user, ssl_context=context, network_backend=backend)

    def _range(self) -> Iterator[tuple[str, str]]:
        """The header that asks for the rest, if that can be told apart from the rest of another file."""
        if self._have and (self._version.condition or self._version.etag):
            yield "Range", f"bytes={self._have}-"
            if self._version.condition:
                yield "If-Range", self._version.condition


_PORTS = {"http": 80, "https": 443}


class _Again(Exception):
    """A failure after which a new try is worth while."""


@dataclass(frozen=True)
class _Version:
    """What tells one content of a URL from another."""

    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    @property
    def condition(self) -> str | None:
        """What the server can be asked to compare; a weak tag is not good enough for that."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


@dataclass(frozen=True)
class _Answer:
    """A response; the names of its header fields are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]

    @classmethod
    def of(cls, response: httpcore2.Response) -> _Answer:
        headers: dict[str, str] = {}
        for name, value in response.headers:
            text, key = value.decode("latin-1"), name.decode("latin-1").lower()
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return cls(response.status, headers, response.iter_stream())

    def version(self) -> _Version:
        # A body that comes in chunks tells its end itself; a length beside that means nothing.
        length = None if "transfer-encoding" in self.headers else self.headers.get("content-length")
        return _Version(
            int(length) if length else None, self.headers.get("etag") or None, self.headers.get("last-modified")
        )


def _phrase(status: int) -> str:
    """The number and its usual words; the server's own might be anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


@cache
def _tls() -> SSLContext:
    return httpcore2.default_ssl_context()
