"""What counts as a URL of an input, wherever one comes in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from vidprod.errors import FileURL, shown

MAX_URL = 8192

_SCHEMES = re.compile(r"^(?:https?://)+(?=https?://)", re.IGNORECASE)


def check_url(url: str) -> str:
    """The URL, with a doubled scheme collapsed.

    A client that uploaded a file to `http://host` prefixes that with `http://` once more. Characters beyond ASCII are refused, and
    so are blanks, control characters and backslashes, which different readers of URLs understand differently.

    Raises:
        FileURL: says what is wrong.
    """
    if not url.isascii():
        raise FileURL(f"{shown(url)} holds characters outside ASCII; percent-encode them")
    url = _SCHEMES.sub("", url)
    if len(url) > MAX_URL:
        raise FileURL(f"{shown(url)} has {len(url)} characters; at most {MAX_URL} are taken")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise FileURL(f"{shown(url)} holds blanks, control characters or backslashes; percent-encode them")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise FileURL(f"{shown(url)} is not a valid URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise FileURL(f"{shown(url)} is not a valid URL: it must begin with http:// or https:// and a host")
    return url


def told(url: str) -> str:
    """A URL for messages: without user and query, which may hold secrets, and not too long.

    >>> told("http://user:password@host:80/a.mp4?Signature=abc")
    'http://host:80/a.mp4'
    """
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return text if len(text) <= 200 else text[:197] + "..."
