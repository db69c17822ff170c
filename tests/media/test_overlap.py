"""Threads behind short queues: order, exceptions, and leaving early, each within a time limit."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from vidprod.media.overlap import Background, prefetch

pytestmark = pytest.mark.timeout(20)


def _threads() -> int:
    return sum(t.name in ("prefetch", "background") for t in threading.enumerate())


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = _threads()
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while _threads() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _threads() == before, "a thread was left behind"


class Source:
    """Counts, notices being closed, and fails where told to."""

    def __init__(self, count: int = 10**9, fail_at: int = -1) -> None:
        self.given = 0
        self.closed = threading.Event()
        self._count, self._fail_at = count, fail_at

    def __iter__(self) -> Iterator[int]:
        try:
            for i in range(self._count):
                if i == self._fail_at:
                    raise KeyError(i)
                self.given = i + 1
                yield i
        finally:
            self.closed.set()


class Collector:
    def __init__(self, fail_at: int = -1, delay: float = 0) -> None:
        self.items: list[int] = []
        self._fail_at, self._delay = fail_at, delay

    def write(self, item: int) -> None:
        time.sleep(self._delay)
        if item == self._fail_at:
            raise KeyError(item)
        self.items.append(item)


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_everything_comes_in_order(depth: int) -> None:
    source = Source(100)
    assert list(prefetch(source, depth)) == [*range(100)]
    assert source.closed.is_set()


def test_reads_ahead_but_not_far() -> None:
    source = Source()
    with prefetch(source, depth=3) as items:
        assert next(items) == 0
        time.sleep(0.1)
        assert source.given <= 1 + 3 + 1  # taken, queued, waiting to be queued
    assert source.closed.is_set()


def test_an_exception_of_the_source_comes_in_its_place() -> None:
    items = prefetch(Source(fail_at=3), depth=5)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="3"):
        next(items)


def test_an_iterable_that_cannot_start() -> None:
    not_iterable: Any = 5
    with pytest.raises(TypeError):
        next(prefetch(not_iterable))


def test_leaving_early_stops_the_source() -> None:
    source = Source()
    with pytest.raises(ZeroDivisionError), prefetch(source) as items:  # noqa: PT012
        for item in items:
            1 // (item - 5)
            if item > 5:
                break
    assert source.closed.is_set()


def test_dropping_the_iterator_stops_the_source() -> None:
    source = Source()
    for item in prefetch(source):
        if item == 3:
            break
    gc.collect()
    assert source.closed.wait(5)


def test_close_twice() -> None:
    items = prefetch(Source())
    items.close()
    items.close()
    with pytest.raises(StopIteration):
        next(items)


def test_background_writes_everything_before_it_closes() -> None:
    sink = Collector(delay=0.002)
    with Background(sink) as out:
        for i in range(30):
            out.write(i)
    assert sink.items == [*range(30)]


def test_background_raises_what_the_sink_raised() -> None:
    sink = Collector(fail_at=3)
    with pytest.raises(KeyError, match="3"), Background(sink) as out:  # noqa: PT012
        for i in range(10**9):
            out.write(i)
    assert sink.items == [0, 1, 2]


def test_background_raises_at_the_end_what_happens_at_the_end() -> None:
    with pytest.raises(KeyError, match="0"), Background(Collector(fail_at=0)) as out:
        out.write(0)


def test_background_throws_away_what_is_queued_when_the_body_fails() -> None:
    sink = Collector(delay=0.05)
    with pytest.raises(ZeroDivisionError), Background(sink, depth=50) as out:  # noqa: PT012
        for i in range(50):
            out.write(i)
        raise ZeroDivisionError
    assert len(sink.items) < 10


def test_both_together() -> None:
    sink = Collector()
    with prefetch(Source(200)) as items, Background(sink) as out:
        for item in items:
            out.write(item)
    assert sink.items == [*range(200)]


def test_a_failing_sink_stops_an_endless_source() -> None:
    source = Source()
    with pytest.raises(KeyError), prefetch(source) as items, Background(Collector(fail_at=20)) as out:  # noqa: PT012
        for item in items:
            out.write(item)
    assert source.closed.is_set()


@pytest.mark.parametrize("kind", [prefetch, Background])
def test_depth_must_be_positive(kind: type) -> None:
    with pytest.raises(ValueError, match="got 0"):
        kind([], 0)
