"""Objects in a bucket of an S3-compatible service.

Keys, endpoint and region come from the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT, AWS_REGION, ... The
objects are kept below `<prefix>/vidprod/`, and nothing beside that is read or deleted. Links are the service's own: clients fetch
results from there, with GET. A link signed with temporary credentials ends when these do, whatever it says.

Files travel in parts, so that no request takes long. A crashed writer leaves parts behind that only a rule of the bucket itself
("abort incomplete multipart uploads") removes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Bucket

from vidprod.storage.errors import NoSuchKey, StoreFailed
from vidprod.storage.objects import (
    BUCKET,
    MAX_TEMPORARY,
    Receiver,
    StoredObject,
    content_type,
    store_errors,
)
from vidprod.storage.presign import KeyPair, check_key

_LONGEST_LINK = timedelta(days=7)  # what the service's signatures allow
_PART = 8 << 20  # bytes written with one request
_PIECE = 8 << 20  # bytes read with one


class S3Store:
    """See `Store`. Uploads pass through a folder of this machine, because their size must be known before they may appear.

    Args:
        bucket: its name.
        prefix: what comes before `vidprod/`; may be empty.
        data: folder for uploads on their way in.
        pair: the server's own key pair, for upload tickets.
    """

    def __init__(self, bucket: str, prefix: str, data: Path, pair: KeyPair) -> None:
        self.pair = pair
        self._incoming = data / "incoming"
        with store_errors():
            self._incoming.mkdir(parents=True, exist_ok=True)
        place = f"{prefix}/{BUCKET}" if prefix else BUCKET
        # Answers that somebody waits for must come soon, or not at all.
        self._bucket = _open(bucket, place, timeout=timedelta(seconds=15), retries=2)
        self._bulk = _open(bucket, place, timeout=timedelta(minutes=2), retries=5)

    def put(self, path: Path, key: str) -> StoredObject:
        """See `Store`."""
        check_key(key)
        with store_errors(), path.open("rb") as file:
            try:
                with _service():
                    obstore.put(
                        self._bulk,
                        key,
                        file,
                        attributes={"Content-Type": content_type(key)},
                        chunk_size=_PART,
                        max_concurrency=4,
                    )
            except NoSuchKey:
                raise StoreFailed("The bucket of the object storage is not there") from None
        return self.head(key)

    def copy_to(self, key: str, path: Path) -> Path:
        """See `Store`."""
        pieces = self.open_range(key)
        with store_errors(), path.open("xb") as file:
            try:
                for data in pieces:
                    file.write(data)
            except BaseException:
                path.unlink()
                raise
        return path

    def head(self, key: str) -> StoredObject:
        """See `Store`."""
        check_key(key)
        with _service():
            found = obstore.head(self._bucket, key)
        return StoredObject(key, found["size"], (found["e_tag"] or "").strip('"'), found["last_modified"])

    def local_path(self, key: str) -> None:
        """See `Store`."""
        check_key(key)

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Store`."""
        found = self.head(key)
        return self._pieces(found, start, found.size if end is None else min(end, found.size))

    def _pieces(self, found: StoredObject, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            with _service():  # a part at a time; never of another object that has taken the key meanwhile
                part = obstore.get(
                    self._bulk, found.key, options={"range": (at, min(end, at + _PIECE)), "if_match": f'"{found.etag}"'}
                ).bytes()
            yield bytes(part)
            at += len(part)

    def receive(self, key: str, max_size: int) -> Receiver:
        """See `Store`."""
        check_key(key)
        return Receiver(self._incoming, max_size, lambda path: self.put(path, key))

    def delete(self, key: str) -> None:
        """See `Store`."""
        check_key(key)
        with _service(), suppress(FileNotFoundError):
            obstore.delete(self._bucket, key)

    def link(self, key: str, *, base_url: str, expires: datetime) -> str:
        """See `Store`; `base_url` means nothing here. At most 7 days from now."""
        check_key(key)
        lifetime = max(timedelta(seconds=1), min(expires - datetime.now(UTC), _LONGEST_LINK))
        with _service():
            return obstore.sign(self._bucket, "GET", key, lifetime)

    def sweep(self, older_than: timedelta, now: datetime) -> int:
        """See `Store`."""
        swept = 0
        with _service():
            for found in obstore.list(self._bucket, chunk_size=1000):
                old = [each["path"] for each in found if each["last_modified"] < now - older_than]
                if old:
                    obstore.delete(self._bucket, old)
                    swept += len(old)
        with store_errors():
            for path in self._incoming.iterdir():
                if path.lstat().st_mtime < (now - max(older_than, MAX_TEMPORARY)).timestamp():
                    path.unlink()
                    swept += 1
        return swept

    def free_bytes(self) -> None:
        """See `Store`."""


@contextmanager
def _service() -> Iterator[None]:
    """What the service refuses, as errors of ours. Its own words name the endpoint, and stay in the log."""
    try:
        yield
    except FileNotFoundError:
        raise NoSuchKey("The specified key does not exist.") from None
    except (BaseError, OSError, ValueError) as error:
        raise StoreFailed(f"The object storage refused, or did not answer ({type(error).__name__})") from error


def _open(bucket: str, prefix: str, *, timeout: timedelta, retries: int) -> Bucket:
    plain = any(name.startswith("AWS_ENDPOINT") and value.startswith("http:") for name, value in os.environ.items())
    with _service():
        return Bucket(
            bucket,
            prefix=prefix,
            client_options={
                "allow_http": plain,
                "connect_timeout": timedelta(seconds=5),
                "timeout": timeout,
            },
            retry_config={"max_retries": retries, "retry_timeout": timedelta(minutes=1)},
        )
