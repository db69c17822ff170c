"""What the local store does."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.files import BODY, DAY, KEY, PAIR, content, files, receive
from vidprod.errors import InvalidParameter
from vidprod.settings import Settings
from vidprod.storage import local
from vidprod.storage.errors import InvalidObjectName, NoSuchKey, StoreFailed
from vidprod.storage.local import LocalStore
from vidprod.storage.objects import BUCKET, content_type
from vidprod.storage.pair import load_pair
from vidprod.storage.presign import verify_link
from vidprod.storage.store import open_store

# --- put and get ------------------------------------------------------------------------------------------------------


def test_what_is_put_comes_back(store: LocalStore, file: Path, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    stored = store.put(file, KEY)
    assert stored == store.head(KEY)
    assert (stored.key, stored.size, stored.content_type) == (KEY, len(BODY), "video/mp4")
    assert before < stored.modified < datetime.now(UTC) + timedelta(seconds=1)
    file.unlink()
    assert content(store) == BODY
    path = store.local_path(KEY)
    assert path.read_bytes() == BODY
    assert store.copy_to(KEY, tmp_path / "copy.mp4").read_bytes() == BODY
    assert files(store) == [f"vidprod/{KEY}"]


def test_links_are_made_instead_of_copies(store: LocalStore, file: Path, tmp_path: Path) -> None:
    store.put(file, KEY)
    assert store.local_path(KEY).samefile(file)
    assert store.copy_to(KEY, tmp_path / "copy").samefile(file)


def test_copies_are_made_where_links_cannot(
    store: LocalStore, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    store.put(file, KEY)
    copy = store.copy_to(KEY, tmp_path / "copy")
    file.unlink()
    assert content(store) == copy.read_bytes() == BODY
    assert not store.local_path(KEY).samefile(copy)


def test_the_time_of_an_object_is_that_of_its_coming(store: LocalStore, file: Path, tmp_path: Path) -> None:
    """An input that is passed through unchanged may be years old; the sweep must not take the result at once."""
    os.utime(file, (0, 0))
    assert store.put(file, KEY).modified > datetime.now(UTC) - timedelta(minutes=1)
    os.utime(store.local_path(KEY), (0, 0))
    store.copy_to(KEY, tmp_path / "copy")
    assert store.head(KEY).modified.year == 1970, "reading must not make an object younger"


def test_a_second_one_replaces_the_first(store: LocalStore, file: Path, tmp_path: Path) -> None:
    first = store.put(file, KEY)
    reader = store.open_range(KEY)
    other = tmp_path / "b.mp4"
    other.write_bytes(BODY[::-1])
    second = store.put(other, KEY)
    assert second.etag != first.etag
    assert content(store) == BODY[::-1]
    assert b"".join(reader) == BODY, "a reader keeps what it opened"
    store.put(other, KEY)
    assert files(store) == [f"vidprod/{KEY}"]


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 0), (0, 1), (5, 9), (5119, 5120), (5000, 99999), (5120, None), (9999, None), (9, 5)],
)
def test_ranges(start: int, end: int | None, store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "CHUNK", 1000)
    store.put(file, KEY)
    assert b"".join(store.open_range(KEY, start, end)) == BODY[start:end]


def test_an_empty_object(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert store.put(tmp_path / "empty", KEY).size == 0
    assert content(store) == b""


def test_what_is_not_there(store: LocalStore, tmp_path: Path) -> None:
    long = "a" * 300
    for key in (KEY, "super-resolve-video", long, f"{long}/a"):
        for read in (store.head, store.local_path, store.open_range):
            with pytest.raises(NoSuchKey):
                read(key)
        with pytest.raises(NoSuchKey):
            store.copy_to(key, tmp_path / "copy")
        store.delete(key)
    assert not (tmp_path / "copy").exists()
    with pytest.raises(StoreFailed):
        store.put(tmp_path / "absent", KEY)
    assert files(store) == []


def test_a_folder_is_no_object(store: LocalStore, file: Path) -> None:
    store.put(file, KEY)
    folder = KEY.rpartition("/")[0]
    with pytest.raises(NoSuchKey):
        store.head(folder)
    for key in (folder, f"{KEY}/b", f"{KEY}/b/c"):
        with pytest.raises(InvalidObjectName):
            store.put(file, key)
        with pytest.raises(InvalidObjectName):
            receive(store, key, b"a")
    store.delete(folder)
    assert files(store) == [f"vidprod/{KEY}"]


def test_delete(store: LocalStore, file: Path) -> None:
    store.put(file, KEY)
    store.delete(KEY)
    store.delete(KEY)
    assert files(store) == []


def test_a_local_file_is_never_overwritten(store: LocalStore, file: Path, tmp_path: Path) -> None:
    store.put(file, KEY)
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(StoreFailed):
        store.copy_to(KEY, tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == b"mine"


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\0b",
        "a\nb",
        "\udcff",
        "a" * 1024,
    ],
)
def test_keys_that_lead_elsewhere(key: str, store: LocalStore, file: Path, tmp_path: Path) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(file, key),
        lambda: store.copy_to(key, tmp_path / "copy"),
        lambda: store.head(key),
        lambda: store.local_path(key),
        lambda: store.open_range(key),
        lambda: store.receive(key, 9),
        lambda: store.delete(key),
        lambda: store.link(key, base_url="http://h", expires=datetime.now(UTC)),
    ]
    for call in calls:
        with pytest.raises(InvalidObjectName):
            call()
    assert files(store) == []


SEGMENT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=60)
KEYS = st.lists(SEGMENT.filter(lambda text: text not in (".", "..")), min_size=1, max_size=3).map("/".join)


@given(KEYS)
def test_any_key_stays_inside(key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder), PAIR)
        receive(store, key, b"abc")
        assert store.local_path(key).resolve().is_relative_to(Path(folder).resolve() / BUCKET)
        assert content(store, key) == b"abc"


def test_long_names(store: LocalStore, file: Path) -> None:
    key = "/".join(["b" * 250] * 4)
    store.put(file, key)
    assert store.head(key).size == len(BODY)
    for long in ("c" * 256, "中" * 86, f"{'c' * 256}/a"):
        with pytest.raises(InvalidObjectName):
            store.put(file, long)
        with pytest.raises(InvalidObjectName):
            receive(store, long, b"a")
    assert files(store) == [f"vidprod/{key}"]


def test_the_stores_own_files_have_no_keys(store: LocalStore, file: Path) -> None:
    store.put(file, ".incoming/x")
    store.put(file, ".lock")
    assert files(store) == ["vidprod/.incoming/x", "vidprod/.lock"]
    assert store.head(".lock").size == len(BODY)
    assert store.sweep(DAY, datetime.now(UTC)) == 0


def test_types() -> None:
    assert content_type("a/b.MP4") == "video/mp4"
    for name in ("a.html", "a.svg", "a.xml", "a.js", "a", ".mp4", "a.mp4/b"):
        assert content_type(name) == "application/octet-stream"


# --- links, pairs, settings -------------------------------------------------------------------------------------------


def test_links(store: LocalStore) -> None:
    now = datetime(2026, 3, 20, 12, tzinfo=UTC)
    url = store.link(KEY, base_url="http://127.0.0.1:8080/", expires=now)
    parts = urlsplit(url)
    assert url.startswith(f"http://127.0.0.1:8080/vidprod/{KEY}?Expires=1774008000&")
    assert verify_link(parts.path, parse_qsl(parts.query), PAIR.secret_of, now) == KEY


def test_the_pair_is_made_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pairs = set(pool.map(load_pair, [tmp_path / "data"] * 12, chunksize=1))
    assert len(pairs) == 1
    path = tmp_path / "data" / "link-key.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["link-key.json"]
    assert load_pair(tmp_path / "data") in pairs
    assert load_pair(tmp_path / "other") not in pairs


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"id": "a"}', '{"id": "", "secret": "a"}', '{"id": 1, "secret": 2}']
)
def test_a_damaged_pair(text: str, tmp_path: Path) -> None:
    (tmp_path / "link-key.json").write_text(text)
    with pytest.raises(StoreFailed, match="damaged"):
        load_pair(tmp_path)
    assert (tmp_path / "link-key.json").read_text() == text


def test_the_store_that_the_settings_name(tmp_path: Path, file: Path) -> None:
    store = open_store(Settings(data=tmp_path / "data"))
    store.put(file, KEY)
    assert (tmp_path / "data" / "objects" / BUCKET / KEY).read_bytes() == BODY
    assert store.pair.id in json.loads((tmp_path / "data" / "link-key.json").read_text()).values()
    odd = open_store(Settings(data=tmp_path / "data", storage=(tmp_path / "a b%").as_uri()))
    odd.put(file, KEY)
    assert (tmp_path / "a b%" / BUCKET / KEY).exists()
    free = store.free_bytes()
    assert free is not None
    assert free > 0


@pytest.mark.parametrize(
    "url", ["", "file://", "file:///", "file://host/a", "/a", "ftp://h/a", "s3://", "s3://B_/a", "file:///a?b"]
)
def test_other_stores(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="VIDPROD_STORAGE"):
        open_store(Settings(data=tmp_path, storage=url or "x"))
