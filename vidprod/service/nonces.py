"""Replay protection: a nonce is good once."""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from vidprod.service.errors import NonceUsed, Throttled
from vidprod.service.signature import WINDOW, Caller

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
        digest = hashlib.sha256(f"{len(key)}:{key}{nonce}".encode("utf-8", "surrogatepass")).digest()[:16]
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


def use_once(store: NonceStore, caller: Caller, now: datetime, remembered: timedelta = REMEMBERED) -> None:
    """Refuses a verified request that was seen before.

    To be called after the signature was verified and not earlier: a forger must not be able to use up the nonces of others.
    """
    if not store.use(caller.access_key_id, caller.nonce, now + remembered):
        raise NonceUsed
