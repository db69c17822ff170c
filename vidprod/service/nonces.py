"""Replay protection: a nonce is good once."""

from __future__ import annotations

import hashlib
import heapq
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from vidprod import logs
from vidprod.errors import InternalError
from vidprod.service.errors import NonceUsed, Throttled
from vidprod.service.signature import WINDOW, Caller

_SWEEP = 200  # uses between two sweeps, which delete at most twice as many
_log = logs.get(__name__)

REMEMBERED = 2 * WINDOW
"""A request signed by a clock one window ahead stays good for two."""


class NonceStore(Protocol):
    """Where used nonces are remembered. A server of many processes needs one that they share."""

    def use(self, key: str, nonce: str, until: datetime) -> bool:
        """Whether this is the first use; from now on, and until `until`, it is not. Check and store are one step.

        Raises:
            Throttled: no room for another one. Forgetting an old one instead would let a request be replayed.
        """


class MemoryNonces:
    """Nonces of one process. An entry costs about 200 bytes, however long the nonce is.

    Args:
        limit: entries held at a time.
        clock: the time, aware; another one for tests.
    """

    def __init__(self, limit: int = 400_000, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []  # a heap, soonest first

    def __len__(self) -> int:
        return len(self._used)

    def use(self, key: str, nonce: str, until: datetime) -> bool:
        """See `NonceStore`."""
        digest = _digest(key, nonce)
        with self._lock:
            now = self._clock().timestamp()
            while self._ends and self._ends[0][0] < now:
                self._used.discard(heapq.heappop(self._ends)[1])
            if digest in self._used:
                return False
            if len(self._used) >= self._limit:
                raise Throttled(f"{Throttled.text} {self._limit} requests are remembered against replay, no more fit.")
            self._used.add(digest)
            heapq.heappush(self._ends, (until.timestamp(), digest))
            return True


class FileNonces:
    """Nonces in a file, an SQLite database: requests from before a restart cannot be replayed after it.

    Refusing whatever was signed before the start would not do instead: a client whose clock is late would be shut out for minutes,
    and what a client whose clock is early signed could still be replayed. Servers that share the data folder share the file.

    The file matters only across restarts, so a disk that is full or fails does not stop the service: nonces are kept in memory
    then, and written again when that works. A power cut may take them away.

    Args:
        path: of the file; made when it is not there. A damaged one is put aside and begun anew.
        clock: the time, aware; another one for tests.

    Raises:
        InternalError: the file can be neither opened nor made.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._memory = MemoryNonces(clock=clock)
        self._uses = 0
        self._failing = False
        try:
            try:
                self._file = _open(path)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._file = self._begin_anew(error)
        except (sqlite3.Error, OSError) as error:
            raise InternalError(f"the file of used nonces, {path}, cannot be opened: {error}") from None

    def use(self, key: str, nonce: str, until: datetime) -> bool:
        """See `NonceStore`."""
        digest = _digest(key, nonce)
        with self._lock:
            in_memory = len(self._memory) > 0  # since the file failed; what it missed must not be taken again
            if in_memory and not self._memory.use(key, nonce, until):
                return False
            try:
                first = self._insert(digest, until)
            except sqlite3.Error as error:
                self._report(error)
                if _damaged(error):
                    with suppress(sqlite3.Error, OSError):
                        self._file = self._begin_anew(error)
                return not self._seen(digest) and (in_memory or self._memory.use(key, nonce, until))
            self._failing = False
            return first

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _insert(self, digest: bytes, until: datetime) -> bool:
        self._uses += 1
        if self._uses % _SWEEP == 0:
            self._file.execute(
                "DELETE FROM nonces WHERE digest IN (SELECT digest FROM nonces WHERE until < ? LIMIT ?)",
                (self._clock().timestamp(), 2 * _SWEEP),
            )
        done = self._file.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (digest, until.timestamp()))
        return done.rowcount == 1

    def _seen(self, digest: bytes) -> bool:
        with suppress(sqlite3.Error):
            return self._file.execute("SELECT 1 FROM nonces WHERE digest = ?", (digest,)).fetchone() is not None
        return False

    def _report(self, error: sqlite3.Error) -> None:
        if not self._failing:  # told once, not with every request
            _log.error("used nonces are kept in memory only", reason=str(error), file=str(self._path))
        self._failing = True

    def _begin_anew(self, error: sqlite3.Error) -> sqlite3.Connection:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        _log.error("the file of used nonces is damaged; a new one is begun", reason=str(error), aside=str(aside))
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return _open(self._path)


def _digest(key: str, nonce: str) -> bytes:
    return hashlib.sha256(f"{len(key)}:{key}{nonce}".encode("utf-8", "surrogatepass")).digest()[:16]


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        # Nothing here waits for the disk: a commit outlives the process, however that ends. A power cut may damage the file, which
        # is begun anew then.
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=OFF")
        file.execute("CREATE TABLE IF NOT EXISTS nonces (digest BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID")
        file.execute("CREATE INDEX IF NOT EXISTS by_until ON nonces (until)")
    except BaseException:
        file.close()
        raise
    return file


def _damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def use_once(store: NonceStore, caller: Caller, now: datetime, remembered: timedelta = REMEMBERED) -> None:
    """Refuses a verified request that was seen before.

    To be called after the signature was verified and not earlier: a forger must not be able to use up the nonces of others.
    """
    if not store.use(caller.access_key_id, caller.nonce, now + remembered):
        raise NonceUsed
