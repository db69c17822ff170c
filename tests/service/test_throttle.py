"""Requests per second and key."""

from __future__ import annotations

import pytest

from vidprod.service.errors import Throttled
from vidprod.service.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(throttle: Throttle, key: str, count: int) -> int:
    passed = 0
    for _ in range(count):
        try:
            throttle.check(key)
        except Throttled:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize(("rate", "burst"), [(10.0, 20), (1.0, 2), (0.1, 1)])
def test_the_average_is_kept(rate: float, burst: int) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock)
    assert taken(throttle, "a", 100) == burst
    passed = 0
    for _ in range(1000):
        clock.now += 1 / (rate * 2)  # twice as many as allowed
        passed += taken(throttle, "a", 1)
    assert 499 <= passed <= 501
    assert taken(throttle, "b", 100) == burst  # each key for itself
    clock.now += 1e6
    assert taken(throttle, "a", 100) == burst  # what was not used is not saved up


def test_it_tells_when_to_come_back() -> None:
    clock = Clock()
    throttle = Throttle(4.0, clock)
    taken(throttle, "a", 100)
    with pytest.raises(Throttled, match="4 requests per second") as caught:
        throttle.check("a")
    assert caught.value.retry_after == 250  # milliseconds
    clock.now += 0.249
    assert taken(throttle, "a", 1) == 0
    clock.now += 0.0011
    assert taken(throttle, "a", 1) == 1


def test_no_limit() -> None:
    assert taken(Throttle(0), "a", 10_000) == 10_000
