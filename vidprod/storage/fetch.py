"""Fetching an input: a URL becomes a local file for as long as a job needs it."""

from __future__ import annotations

import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidprod.errors import FileDownload, FileURL

SCHEMES = ("http", "https")
TIMEOUT = 30.0
MAX_BYTES = 8 << 30


def is_url(location: str) -> bool:
    """Whether a location names a scheme, rather than a path."""
    return "://" in location


@contextmanager
def fetched(location: str) -> Iterator[Path]:
    """A local file for a path or an http(s) URL; what was downloaded is deleted at the end.

    Raises:
        FileURL: not an http(s) URL, or one with characters outside ASCII (percent-encode them).
        FileDownload: the server did not send the file.
    """
    if not is_url(location):
        yield Path(location)
        return
    name = _checked_name(location)
    with tempfile.TemporaryDirectory(prefix="vidprod-") as folder:
        path = Path(folder) / name
        _download(location, path)
        yield path


def _checked_name(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise FileURL(f"{url!r} is not a valid URL: {error}") from None
    if parts.scheme not in SCHEMES or not host:
        raise FileURL(f"{url!r} is not a valid URL: it must begin with http:// or https://")
    if not url.isascii():
        raise FileURL(f"{url!r} holds characters outside ASCII; percent-encode them")
    # The suffix helps a person who looks into the folder; formats are told by content.
    return "input" + Path(unquote(parts.path)).suffix[:8]


def _download(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, path.open("wb") as file:
            length = response.headers.get("Content-Length")
            if length and int(length) > MAX_BYTES:
                raise FileDownload(f"{url}: {int(length)} bytes, at most {MAX_BYTES} are taken")
            shutil.copyfileobj(response, file, 1 << 20)
            if length and path.stat().st_size != int(length):
                raise FileDownload(f"{url}: the connection broke after {path.stat().st_size} of {length} bytes")
    except urllib.error.HTTPError as error:
        raise FileDownload(f"{url}: the server answered {error.code} {error.reason}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise FileDownload(f"{url}: {getattr(error, 'reason', error)}") from None
