"""The sweep takes what is old, and nothing else."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.storage.files import BODY, DAY, KEY, content, files, receive
from vidprod.storage import local
from vidprod.storage.local import LocalStore


def test_the_sweep(store: LocalStore, file: Path) -> None:
    now = datetime.now(UTC)
    ages = {"a/old": 25, "a/b/older": 99, "c/younger": 23, "c/new": 0, "d/future": -5}
    for key, hours in ages.items():
        file.write_bytes(key.encode())
        store.put(file, key)
        file.unlink()
        moment = (now - timedelta(hours=hours)).timestamp()
        os.utime(store.local_path(key), (moment, moment))
    assert store.sweep(DAY, now) == 2
    assert files(store) == ["vidprod/c/new", "vidprod/c/younger", "vidprod/d/future"]
    assert sorted(path.name for path in store.local_path("c/new").parents[1].iterdir()) == ["c", "d"]
    assert store.sweep(DAY, now) == 0


def test_the_sweep_of_an_empty_store(store: LocalStore, file: Path) -> None:
    assert store.sweep(DAY, datetime.now(UTC)) == 0
    store.put(file, KEY)
    assert store.sweep(DAY, datetime.now(UTC) + 2 * DAY) == 1
    assert files(store) == []
    assert store.sweep(DAY, datetime.now(UTC) + 2 * DAY) == 0
    store.put(file, KEY)
    assert content(store) == BODY


def test_what_crashed_writers_left(store: LocalStore) -> None:
    """A living writer may be slow: it has hours, however short-lived objects are."""
    now = datetime.now(UTC)
    with store.receive(KEY, 100) as crashed, store.receive(KEY, 100) as living:
        for upload, hours in ((crashed, 7), (living, 5)):
            moment = (now - timedelta(hours=hours)).timestamp()
            os.utime(upload._path, (moment, moment))
        assert store.sweep(timedelta(minutes=1), now) == 1
        living.write(b"abc")
        living.commit()
    assert files(store) == [f"vidprod/{KEY}"]


def test_nothing_that_was_replaced_meanwhile_is_swept(
    store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new object takes the place of an old one between the sweep's two looks."""
    store.put(file, KEY)
    os.utime(store.local_path(KEY), (0, 0))
    look = local._old
    looks = []

    def replaced(name: str, folder: int, before: float) -> bool:
        looks.append(look(name, folder, before))
        if len(looks) == 1:
            file.unlink()
            file.write_bytes(b"new")
            store.put(file, KEY)
        return looks[-1]

    monkeypatch.setattr(local, "_old", replaced)
    assert store.sweep(DAY, datetime.now(UTC)) == 0
    assert looks == [True, False]
    assert content(store) == b"new"


def test_the_sweep_takes_no_folder_away_from_a_writer(
    store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep begins when the folder is made, and the object is not in it yet."""
    sweeper = threading.Thread(target=store.sweep, args=(DAY, datetime.now(UTC)))
    move = Path.replace

    def slow(path: Path, target: Path) -> Path:
        sweeper.start()
        sweeper.join(0.5)
        return move(path, target)

    monkeypatch.setattr(Path, "replace", slow)
    store.put(file, KEY)
    sweeper.join()
    assert content(store) == BODY


def test_writers_beside_a_sweep(store: LocalStore) -> None:
    """Folders come and go under the writers' hands; nothing fails, nothing young is lost."""
    stop, failures = threading.Event(), []

    def write(number: int) -> None:
        try:
            for at in range(60):
                key = f"r/{at % 3}/{number}"
                receive(store, key, b"abc")
                assert content(store, key) == b"abc"
                store.delete(key)
        except BaseException as error:
            failures.append(error)

    def sweep() -> None:
        while not stop.is_set():
            store.sweep(DAY, datetime.now(UTC))

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in (*sweepers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sweepers:
        thread.join()
    assert failures == []
    assert files(store) == []
