"""What a store is, whichever kind keeps the objects, and how an upload gets into one."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol, Self

from vidprod.storage.errors import StoreFailed, TooLarge, TooSmall
from vidprod.storage.presign import KeyPair

BUCKET = "vidprod"
"""The one bucket; links begin with it, and so do the objects' places in a folder or in an S3 bucket."""

CHUNK = 1 << 20
"""Bytes read or written at a time."""

MAX_TEMPORARY = timedelta(hours=6)
"""What a writer has left half done and not touched for so long is not being written any more."""

_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".wav": "audio/wav",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".json": "application/json",
}


def content_type(key: str) -> str:
    """The media type of an object: by its suffix, and nothing that a browser would run.

    >>> content_type("super-resolve-video/2026-03-20-12/a.mp4"), content_type("upload/a")
    ('video/mp4', 'application/octet-stream')
    """
    return _TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")


@dataclass(frozen=True)
class StoredObject:
    """What is known of an object.

    Attributes:
        key: its name in the bucket.
        size: bytes.
        etag: without quotes; another one whenever the content has changed. Of an upload just received it is the content's MD5.
        modified: aware.
    """

    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def content_type(self) -> str:
        """See `content_type`."""
        return content_type(self.key)


class Store(Protocol):
    """Where results and uploads are kept. All methods may be called from any thread, and from many processes at once.

    Every method that takes a key raises InvalidObjectName for one that `check_key` refuses, and StoreFailed when the disk or the
    service behind the store fails; those that read raise NoSuchKey.
    """

    @property
    def pair(self) -> KeyPair:
        """The server's own key pair, which signs links and upload tickets."""

    def put(self, path: Path, key: str) -> StoredObject:
        """Stores a file; one that is already there is replaced. Readers see the old one or the new one, never a part.

        The file at `path` must not be changed afterwards: the store may share it. It may be deleted.
        """

    def copy_to(self, key: str, path: Path) -> Path:
        """Makes an object a local file, which must not be changed: the store may share it. Nothing may be at `path` yet."""

    def head(self, key: str) -> StoredObject:
        """What is known of an object."""

    def local_path(self, key: str) -> Path | None:
        """The object's file, for reading; None where objects are no local files. It may vanish at any time."""

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to and without `end`, in pieces. The object is opened at the call, not at the first piece."""

    def receive(self, key: str, max_size: int) -> Receiver:
        """Takes an upload of 1 to `max_size` bytes, piece by piece."""

    def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is none less."""

    def link(self, key: str, *, base_url: str, expires: datetime) -> str:
        """A URL that anybody may read with GET, ranges too, until `expires` (aware).

        Args:
            key: of the object, which need not be there yet.
            base_url: scheme, host and port of this server; stores that clients reach directly do without.
            expires: aware.
        """

    def sweep(self, older_than: timedelta, now: datetime) -> int:
        """Deletes objects older than that, and what crashed writers left; returns how many. Nothing younger is ever deleted."""

    def free_bytes(self) -> int | None:
        """Room left; None where nobody can tell."""


class Receiver:
    """One upload on its way in. It becomes an object at `commit`, whole; without that nothing stays.

        with store.receive(key, max_size) as upload:
            for data in body:
                upload.write(data)
            stored = upload.commit()

    Args:
        temporary: folder for the unfinished file.
        max_size: bytes.
        keep: makes an object of the finished file; may move it away.
    """

    def __init__(self, temporary: Path, max_size: int, keep: Callable[[Path], StoredObject]) -> None:
        self.size = 0
        self._max_size = max_size
        self._keep = keep
        self._digest = hashlib.md5(usedforsecurity=False)
        self._path = temporary_name(temporary)
        with store_errors():
            self._file = self._path.open("xb", buffering=CHUNK)

    def write(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            TooLarge: more than `max_size` have come.
            StoreFailed: the disk is full.
        """
        self.size += len(data)
        if self.size > self._max_size:
            raise TooLarge(f"The upload may have {self._max_size} bytes; it has {self.size}, or more.")
        self._digest.update(data)
        with store_errors():
            self._file.write(data)

    def commit(self) -> StoredObject:
        """All has come.

        Raises:
            TooSmall: nothing has.
            StoreFailed: the disk is full.
        """
        if not self.size:
            raise TooSmall("The upload is empty.")
        with store_errors():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            return replace(self._keep(self._path), etag=self._digest.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # closing writes what is still buffered, which a full disk does not take
            self._file.close()
        with store_errors():
            self._path.unlink(missing_ok=True)


def temporary_name(folder: Path) -> Path:
    """A name that is not taken; of no key, because keys may be longer than names."""
    return folder / secrets.token_hex(16)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns what the operating system refuses into StoreFailed, whose message shows no path."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"The storage cannot be used: {error.strerror or type(error).__name__}") from error
