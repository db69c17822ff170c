"""How many requests an access key may send."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from vidprod.service.errors import Throttled

BURST = 2.0
"""Seconds' worth of requests that may come at once."""


class Throttle:
    """A token bucket for each access key. To be asked after the signature was verified: made-up keys must not fill the memory.

    Args:
        rate: requests per second, on average; 0 for no limit.
        clock: seconds, never going back; another one for tests.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = max(1.0, BURST * rate)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was so

    def check(self, key: str) -> None:
        """Counts one request.

        Raises:
            Throttled: with the time after which one more is taken.
        """
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            left, then = self._buckets.get(key, (self._size, now))
            left = min(self._size, left + (now - then) * self._rate)
            if left < 1:
                self._buckets[key] = (left, now)
                raise Throttled(
                    f"{Throttled.text} {self._rate:g} requests per second are allowed.",
                    retry_after=max(1, math.ceil((1 - left) / self._rate * 1000)),
                )
            self._buckets[key] = (left - 1, now)
