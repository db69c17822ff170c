from __future__ import annotations

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.service.signing import NOW, query_signed, secret_of
from vidprod.errors import InternalError
from vidprod.service.errors import NonceUsed, Throttled
from vidprod.service.nonces import REMEMBERED, FileNonces, MemoryNonces, NonceStore, use_once
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


@pytest.mark.parametrize("kind", ["memory", "file", "two of one file"])
def test_of_many_threads_one_wins(kind: str, tmp_path: Path) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        stores: list[NonceStore] = (
            [MemoryNonces()] if kind == "memory" else [FileNonces(tmp_path / "n") for _ in range(1 + (kind != "file"))]
        )
        until = datetime.now(UTC) + REMEMBERED
        with ThreadPoolExecutor(8) as pool:
            wins = list(pool.map(lambda n: stores[n % len(stores)].use("a", str(n // 2 % 100), until), range(800)))
    finally:
        sys.setswitchinterval(interval)
        for store in stores:
            if isinstance(store, FileNonces):
                store.close()
    assert sum(wins) == 100


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


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nonces.sqlite"


def test_a_file_remembers_what_another_process_used(path: Path, clock: Clock) -> None:
    until = NOW + REMEMBERED
    with closing(FileNonces(path, clock)) as first, closing(FileNonces(path, clock)) as second:
        assert first.use("a", "n", until)
        assert not first.use("a", "n", until)
        assert not second.use("a", "n", until)
        assert second.use("an", "", until)
    with closing(FileNonces(path, clock)) as third:
        assert not third.use("an", "", until)


def test_a_file_forgets_after_the_time_and_not_before(path: Path, clock: Clock) -> None:
    with closing(FileNonces(path, clock)) as store:
        for number in range(1000):
            assert store.use("a", str(number), NOW + (REMEMBERED if number % 2 else timedelta(minutes=1)))
        clock.now = NOW + timedelta(minutes=2)
        for number in range(1000, 2000):
            assert store.use("a", str(number), clock.now + REMEMBERED)
        for number in range(1, 1000, 2):
            assert not store.use("a", str(number), NOW + REMEMBERED)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM nonces").fetchone() == (1500,)


@pytest.mark.parametrize("content", [b"nothing of the kind" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_put_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with closing(FileNonces(path)) as store:
        assert store.use("a", "n", datetime.now(UTC) + REMEMBERED)
        assert not store.use("a", "n", datetime.now(UTC) + REMEMBERED)
    assert path.with_name("nonces.sqlite.damaged").read_bytes() == content


def test_a_file_that_is_damaged_in_use(path: Path, clock: Clock) -> None:
    until = NOW + REMEMBERED
    with closing(FileNonces(path, clock)) as store:
        for number in range(3000):
            store.use("a", str(number), until)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        found = [store.use("b", str(number), until) for number in range(500)]
        assert all(found)
        assert not any(store.use("b", str(number), until) for number in range(500))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="nonces"):
        FileNonces(tmp_path / "absent" / "nonces.sqlite")
