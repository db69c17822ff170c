"""Uploads that break off, full disks, symbolic links, writers in each other's way."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.storage.files import BODY, DAY, KEY, PAIR, content, files, receive
from vidprod.storage.errors import InvalidObjectName, NoSuchKey, StoreFailed, TooLarge, TooSmall
from vidprod.storage.local import LocalStore
from vidprod.storage.objects import BUCKET

# --- symbolic links ---------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is none of the store's business, old."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "secret", folder / "deep" / "secret"):
        path.write_bytes(b"secret")
        os.utime(path, (0, 0))
    return folder


def test_links_out_of_the_folder_are_not_followed(store: LocalStore, file: Path, outside: Path, tmp_path: Path) -> None:
    store.put(file, KEY)
    objects = store.local_path(KEY).parents[2]
    (objects / "link").symlink_to(outside / "secret")
    (objects / "folder").symlink_to(outside)
    for key in ("link", "folder/secret", "folder/deep/secret", "folder"):
        for read in (store.head, store.local_path, store.open_range):
            with pytest.raises(NoSuchKey):
                read(key)
        with pytest.raises(NoSuchKey):
            store.copy_to(key, tmp_path / "copy")
        store.delete(key)
    for key in ("folder/new", "folder/new/new", "folder/secret"):
        with pytest.raises(InvalidObjectName):
            store.put(file, key)
    assert store.sweep(timedelta(seconds=1), datetime.now(UTC) + DAY) == 1
    assert sorted(path.name for path in outside.rglob("*")) == ["deep", "secret", "secret"]
    assert (outside / "secret").read_bytes() == b"secret"
    store.put(file, "link")
    assert (outside / "secret").read_bytes() == b"secret"
    assert content(store, "link") == BODY


def test_the_folder_itself_may_be_a_link(tmp_path: Path, file: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "objects").symlink_to("disk")
    store = LocalStore(tmp_path / "objects", PAIR)
    store.put(file, KEY)
    assert content(store) == BODY
    assert (tmp_path / "disk" / BUCKET / KEY).exists()


def test_what_is_no_file(store: LocalStore) -> None:
    os.mkfifo(store._folder / BUCKET / "pipe")
    with pytest.raises(NoSuchKey):
        store.open_range("pipe")
    assert store.sweep(timedelta(seconds=1), datetime.now(UTC) + DAY) == 0


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_an_upload(store: LocalStore) -> None:
    etag = receive(store, KEY, BODY[:1000], b"", BODY[1000:])
    assert etag == hashlib.md5(BODY).hexdigest()
    assert content(store) == BODY
    assert files(store) == [f"vidprod/{KEY}"]


def test_an_upload_appears_when_it_is_complete(store: LocalStore) -> None:
    with store.receive(KEY, 100) as upload:
        upload.write(b"abc")
        with pytest.raises(NoSuchKey):
            store.head(KEY)
        upload.commit()
        assert store.head(KEY).size == 3


def test_an_upload_that_is_not_committed_leaves_nothing(store: LocalStore) -> None:
    with store.receive(KEY, 100) as upload:
        upload.write(b"abc")
    with suppress(ConnectionError), store.receive(KEY, 100) as upload:
        upload.write(b"abc")
        raise ConnectionError
    assert files(store) == []


def test_sizes_of_uploads(store: LocalStore) -> None:
    with pytest.raises(TooLarge):
        receive(store, KEY, b"abc", b"d", max_size=3)
    with pytest.raises(TooSmall):
        receive(store, KEY, b"")
    assert files(store) == []
    receive(store, KEY, b"abc", max_size=3)
    assert content(store) == b"abc"


FULL = """
import resource, sys
from pathlib import Path
from vidprod.storage.errors import StoreFailed
from vidprod.storage.local import LocalStore
from vidprod.storage.presign import KeyPair
store = LocalStore(Path(sys.argv[1]), KeyPair("a", "b"))
source = Path(sys.argv[1]) / "source"
source.write_bytes(b"a" * 9000)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
def upload():
    with store.receive("k", 1 << 30) as receiver:
        for _ in range(9):
            receiver.write(b"a" * 1000)
        receiver.commit()
def copy():
    import vidprod.storage.local as local
    def refuse(*_):
        raise OSError(18, "x")
    local.os.link = refuse
    store.put(source, "k")
for action in (upload, copy):
    try:
        action()
    except StoreFailed as error:
        print(error)
"""


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["The storage cannot be used: File too large"] * 2, done.stderr
    assert not list(tmp_path.rglob("k"))
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_messages_show_no_paths(tmp_path: Path, file: Path) -> None:
    with pytest.raises(StoreFailed) as caught:
        LocalStore(file / "below", PAIR)
    assert str(tmp_path) not in caught.value.message


def _write_often(folder: str, letter: str, times: int) -> None:
    store = LocalStore(Path(folder), PAIR)
    for _ in range(times):
        receive(store, KEY, *[letter.encode() * 1000] * 20)


def test_two_writers_of_one_key(store: LocalStore) -> None:
    """Processes, and threads that read meanwhile: each sees one writer's bytes, whole."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(str(store._folder), letter, 8)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        store.sweep(timedelta(hours=1), datetime.now(UTC))
        with suppress(NoSuchKey):
            seen.add(content(store))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen | {content(store)} <= {b"a" * 20000, b"b" * 20000}
    assert files(store) == [f"vidprod/{KEY}"]
