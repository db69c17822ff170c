from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.service.signing import NOW, query_signed, secret_of
from vidprod.service.errors import NonceUsed, Throttled
from vidprod.service.nonces import REMEMBERED, MemoryNonces, use_once
from vidprod.service.signature import WINDOW, verify


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_nonce_is_good_once_per_key(clock: Clock) -> None:
    store = MemoryNonces(clock=clock)
    until = NOW + REMEMBERED
    assert store.use("a", "n", until)
    assert not store.use("a", "n", until)
    assert store.use("b", "n", until)
    assert store.use("a", "N", until)
    assert store.use("an", "", until)  # not taken for ("a", "n")


def test_nonces_are_forgotten_after_their_time_and_not_before(clock: Clock) -> None:
    store = MemoryNonces(clock=clock)
    assert store.use("a", "late", NOW + REMEMBERED)
    assert store.use("a", "soon", NOW + timedelta(minutes=1))
    clock.now = NOW + timedelta(minutes=1)
    assert not store.use("a", "soon", NOW + REMEMBERED)
    clock.now += timedelta(seconds=1)
    assert store.use("a", "soon", NOW + REMEMBERED)
    assert not store.use("a", "late", NOW + REMEMBERED)
    clock.now = NOW + REMEMBERED + timedelta(seconds=1)
    assert store.use("a", "other", clock.now + REMEMBERED)
    assert len(store) == 1


def test_as_long_as_a_request_is_in_time_its_nonce_is_remembered() -> None:
    assert REMEMBERED >= 2 * WINDOW


def test_a_full_store_refuses_rather_than_forgets(clock: Clock) -> None:
    store = MemoryNonces(limit=2, clock=clock)
    until = NOW + REMEMBERED
    assert store.use("a", "1", until)
    assert store.use("a", "2", until)
    with pytest.raises(Throttled):
        store.use("a", "3", until)
    assert not store.use("a", "1", until)
    clock.now = until + timedelta(seconds=1)
    assert store.use("a", "3", until + REMEMBERED)


def test_of_many_threads_one_wins() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        store = MemoryNonces()
        until = datetime.now(UTC) + REMEMBERED
        with ThreadPoolExecutor(8) as pool:
            wins = list(pool.map(lambda n: store.use("a", str(n % 100), until), range(800)))
    finally:
        sys.setswitchinterval(interval)
    assert sum(wins) == len(store) == 100


def test_a_long_nonce_takes_no_more_room(clock: Clock) -> None:
    store = MemoryNonces(clock=clock)
    assert store.use("a", "n" * 1_000_000, NOW + REMEMBERED)
    assert max(map(len, store._used)) == 16


def test_a_replayed_request_is_refused(clock: Clock) -> None:
    store = MemoryNonces(clock=clock)
    caller = verify(query_signed(), secret_of, NOW)
    use_once(store, caller, NOW)
    with pytest.raises(NonceUsed, match="Specified signature nonce was used already"):
        use_once(store, verify(query_signed(), secret_of, NOW), NOW)
