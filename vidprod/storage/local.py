"""Objects as files of a folder.

    <folder>/vidprod/<key>      objects
    <folder>/.incoming/<name>   what is being written; moved to its place when it is complete
    <folder>/.lock              held for the instant in which an object appears, or is swept

An object is never written in place, and links are made instead of copies wherever the file system has them. Nothing outside the
folder is read or deleted, wherever a symbolic link inside it may lead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from vidprod.storage.errors import InvalidObjectName, NoSuchKey
from vidprod.storage.objects import (
    BUCKET,
    CHUNK,
    MAX_TEMPORARY,
    Receiver,
    StoredObject,
    store_errors,
    temporary_name,
)
from vidprod.storage.presign import KeyPair, check_key, sign_link

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)


class LocalStore:
    """See `Store`. Several processes may share the folder.

    Args:
        folder: made when it is not there.
        pair: the server's own key pair.

    Raises:
        StoreFailed: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, pair: KeyPair) -> None:
        self.pair = pair
        with store_errors():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # uploads are nobody else's business
            self._folder = folder.resolve(strict=True)
            self._objects = self._folder / BUCKET
            self._incoming = self._folder / ".incoming"
            for needed in (self._objects, self._incoming):
                needed.mkdir(exist_ok=True)
            with self._locked(fcntl.LOCK_SH):  # tells now rather than at the first result that nothing can be written
                pass

    def put(self, path: Path, key: str) -> StoredObject:
        """See `Store`."""
        check_key(key)
        temporary = temporary_name(self._incoming)
        with store_errors():
            try:
                _share(path.resolve(strict=True), temporary, fresh=True)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                return self._adopt(temporary, key)
            finally:
                temporary.unlink(missing_ok=True)

    def copy_to(self, key: str, path: Path) -> Path:
        """See `Store`."""
        source = self.local_path(key)
        with store_errors():
            try:
                _share(source, path, fresh=False)
            except FileNotFoundError:
                raise _absent() from None
        return path

    def head(self, key: str) -> StoredObject:
        """See `Store`."""
        with store_errors():
            return _describe(key, self._found(key))

    def local_path(self, key: str) -> Path:
        """See `Store`."""
        with store_errors():
            self._found(key)
        return self._objects / key

    def open_range(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Store`."""
        with store_errors():
            self._found(key)
            try:
                file = (self._objects / key).open("rb", buffering=0)
            except FileNotFoundError:
                raise _absent() from None
        pieces = _pieces(file, start, end)
        next(pieces)
        return pieces

    def receive(self, key: str, max_size: int) -> Receiver:
        """See `Store`."""
        check_key(key)
        return Receiver(self._incoming, max_size, lambda path: self._adopt(path, key))

    def delete(self, key: str) -> None:
        """See `Store`."""
        with store_errors():
            try:
                self._found(key)
                (self._objects / key).unlink(missing_ok=True)
            except NoSuchKey:
                pass

    def link(self, key: str, *, base_url: str, expires: datetime) -> str:
        """See `Store`."""
        return sign_link(base_url.rstrip("/"), BUCKET, key, expires, self.pair, bucket_in_path=True)

    def sweep(self, older_than: timedelta, now: datetime) -> int:
        """See `Store`."""
        with store_errors():
            swept = self._sweep(self._objects, (now - older_than).timestamp())
            return swept + self._sweep(self._incoming, (now - max(older_than, MAX_TEMPORARY)).timestamp())

    def free_bytes(self) -> int:
        """See `Store`."""
        with store_errors():
            return shutil.disk_usage(self._folder).free

    def _found(self, key: str) -> os.stat_result:
        check_key(key)
        path = self._objects / key
        try:
            found = path.lstat()
        except OSError as error:
            if error.errno in _ABSENT:
                raise _absent() from None
            raise
        if not stat.S_ISREG(found.st_mode) or os.path.realpath(path) != str(path):
            raise _absent()
        return found

    def _adopt(self, temporary: Path, key: str) -> StoredObject:
        """Moves a complete file to its place."""
        path = self._objects / key
        try:
            if os.path.realpath(path.parent) != str(path.parent):
                raise InvalidObjectName("The key leads out of the bucket.")
            with self._locked(fcntl.LOCK_SH):  # the sweep must not take the folder away between the two
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
                raise InvalidObjectName("The key has a part that is too long, or that is an object itself.") from None
            raise
        _sync_folder(path.parent)
        return _describe(key, path.lstat())

    def _sweep(self, folder: Path, before: float) -> int:
        swept = 0
        for _, folders, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
            for name in files:
                if _old(name, descriptor, before):
                    with self._locked(fcntl.LOCK_EX):
                        if _old(name, descriptor, before):  # not replaced by a new one meanwhile
                            os.unlink(name, dir_fd=descriptor)
                            swept += 1
            for name in folders:
                with self._locked(fcntl.LOCK_EX):
                    _remove_empty(name, descriptor)
        return swept

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        with (self._folder / ".lock").open("ab") as file:
            fcntl.flock(file, kind)
            yield


def _absent() -> NoSuchKey:
    return NoSuchKey("The specified key does not exist.")


def _describe(key: str, found: os.stat_result) -> StoredObject:
    # A new content is a new inode, for the old one is still there when it is made; the time tells inodes apart that are used again.
    etag = f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"
    return StoredObject(key, found.st_size, etag, datetime.fromtimestamp(found.st_mtime, UTC))


def _share(source: Path, target: Path, *, fresh: bool) -> None:
    """The same content under another name: a link if possible, otherwise a copy. Raises OSError.

    Args:
        source: no symbolic link.
        target: must not be there.
        fresh: whether its time, which the sweep goes by, is to be now.
    """
    try:
        if fresh:
            os.utime(source)
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            shutil.copyfileobj(reader, writer, CHUNK)
            writer.flush()
        except BaseException:
            target.unlink()
            raise


def _pieces(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    """The first piece is empty: from it on the file is closed whenever the pieces are no longer wanted."""
    with file, store_errors():
        file.seek(start)
        yield b""
        left = None if end is None else end - start
        while left is None or left > 0:
            data = file.read(CHUNK if left is None else min(CHUNK, left))
            if not data:
                return
            yield data
            left = None if left is None else left - len(data)


def _old(name: str, folder: int, before: float) -> bool:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mtime < before


def _remove_empty(name: str, folder: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
            raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
