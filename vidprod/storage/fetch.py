"""Fetching an input: a URL becomes a local file for as long as a job needs it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from vidprod.errors import FileContent, FileType, FileURL, InternalError
from vidprod.settings import Settings, settings
from vidprod.storage.addresses import Address, Network, may_connect
from vidprod.storage.urls import check_url, told

_ROOM = 64 << 20  # bytes that stay free on the disk
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,7}")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[!?A-Za-z]|\{\s*[\"}]|\[\s*[\[{\"\]])")
_PLAYLIST = re.compile(rb"(?:\xef\xbb\xbf)?\s*#EXTM3U")


@dataclass(frozen=True)
class FetchPolicy:
    """What may be fetched.

    Attributes:
        allow: networks that are permitted besides the public internet.
        any_address: fetch from anywhere, through the proxies of the environment; for who runs the program for himself.
        max_bytes: size of one file.
        timeout: seconds for one file, redirects and new tries included.
        redirects: how many are followed.
        quiet: seconds without a byte after which a connection counts as broken.
        backoff: seconds before the first new try; doubled each time.
    """

    allow: Collection[Network] = ()
    any_address: bool = False
    max_bytes: int = 10 << 30
    timeout: float = 1800.0
    redirects: int = 5
    quiet: float = 30.0
    backoff: float = 0.25

    @classmethod
    def of(cls, settings: Settings, *, any_address: bool = False) -> Self:
        """The policy that the settings describe."""
        return cls(
            allow=settings.fetch_allow,
            any_address=any_address,
            max_bytes=settings.max_input_bytes,
            timeout=settings.fetch_timeout.total_seconds(),
        )

    def permits(self, address: Address) -> bool:
        """Whether an address may be connected to."""
        return self.any_address or may_connect(address, self.allow)


def fetch(
    url: str,
    folder: Path,
    *,
    policy: FetchPolicy,
    name: str = "input",
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Downloads a file. A broken connection is resumed; what cannot be had leaves nothing behind.

    Args:
        url: http or https.
        folder: where the file goes; it must be there.
        policy: what may be fetched.
        name: of the file, without its suffix; no such file may be there yet.
        cancelled: asked a few times a second; True ends the transfer with `Cancelled`.
        progress: called with the bytes that are there, and how many there will be (None where the server does not tell).

    Returns:
        The file: `folder`/`name` with the URL's suffix, if it has an ordinary one. Formats are told by content.

    Raises:
        FileURL: not an http(s) URL, or one with characters outside ASCII (percent-encode them), or with a user name.
        FileUnsafe: the host's address, or that of a redirect, is not permitted.
        FileDownload: the server did not send the file, or it is too large.
        FileContent: the file is empty.
        FileType: the server sent a page or a playlist instead of a file.
        InternalError: no room on the disk.
        Cancelled: the job was.
    """
    from vidprod.storage.transfer import Transfer  # brings the HTTP client, which local files do without

    url = check_url(url)
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise FileURL(f"{told(url)} is not taken: URLs must not hold a user name or a password")
    suffix = Path(unquote(parts.path)).suffix
    target = folder / (name + (suffix if _SUFFIX.fullmatch(suffix) else ""))
    partial = target.with_name(target.name + ".part")
    try:
        with partial.open("xb") as file:
            room = shutil.disk_usage(folder).free - _ROOM
            Transfer(url, file, policy, room, cancelled, progress or (lambda done, total: None)).run()
        _check_content(url, partial)
        partial.rename(target)
    except OSError as error:
        raise InternalError(f"the input cannot be kept: {error.strerror or type(error).__name__}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def is_url(location: str) -> bool:
    """Whether a location names a scheme, rather than a path."""
    return "://" in location


@contextmanager
def fetched(location: str, *, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """A local file for a path or an http(s) URL; what was downloaded is deleted at the end.

    For use without a server: the address is not checked, for whoever calls this can reach it anyway.

    Raises:
        VidprodError, Cancelled: as `fetch` does.
    """
    if not is_url(location):
        yield Path(location)
        return
    with tempfile.TemporaryDirectory(prefix="vidprod-") as folder:
        yield fetch(location, Path(folder), policy=FetchPolicy.of(settings(), any_address=True), cancelled=cancelled)


def _check_content(url: str, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise FileContent(f"{told(url)}: the file is empty")
    if b"\0" in head:
        return
    if _PLAYLIST.match(head):
        raise FileType(f"{told(url)}: a playlist was sent, not a file; give the URL of a video file")
    if _MARKUP.match(head):
        raise FileType(f"{told(url)}: a page of HTML, XML or JSON was sent, not a file; does the link need a login?")
