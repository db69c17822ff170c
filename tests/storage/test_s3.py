"""The store in a bucket: against a small server that checks signatures, and against a real one where VIDPROD_TEST_S3 names it.

    AWS_ENDPOINT_URL=http://127.0.0.1:9000 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... VIDPROD_TEST_S3=s3://bucket/prefix \
        pytest tests/storage/test_s3.py
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.storage.bucket import ID, REGION, SECRET, Bucket, serve_bucket, signature
from tests.storage.files import BODY
from vidprod.settings import Settings
from vidprod.storage import s3
from vidprod.storage.errors import InvalidObjectName, NoSuchKey, StoreFailed, TooLarge, TooSmall
from vidprod.storage.objects import Store
from vidprod.storage.store import open_store

KEY = "super-resolve-video/2026-03-20-12/a b+ü.mp4"
HOUR = timedelta(hours=1)
REAL = os.environ.get("VIDPROD_TEST_S3")


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """The AWS_ variables are these and no others."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in values.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with (
        serve_bucket("results") as found,
        environment(AWS_ENDPOINT_URL=found.url, AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY=SECRET, AWS_REGION=REGION),
    ):
        yield found


@pytest.fixture(params=["small", "real"] if REAL else ["small"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "real":
        return open_store(Settings(data=tmp_path / "data", storage=f"{REAL}/{os.urandom(8).hex()}"))
    request.getfixturevalue("bucket")
    return open_store(Settings(data=tmp_path / "data", storage="s3://results/some/where"))


def content(store: Store, key: str = KEY) -> bytes:
    return b"".join(store.open_range(key))


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def test_what_is_put_comes_back(store: Store, file: Path, tmp_path: Path) -> None:
    stored = store.put(file, KEY)
    assert stored == store.head(KEY)
    assert (stored.key, stored.size, stored.content_type) == (KEY, len(BODY), "video/mp4")
    assert abs(stored.modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert content(store) == BODY
    assert store.local_path(KEY) is None
    assert store.free_bytes() is None
    assert store.copy_to(KEY, tmp_path / "copy").read_bytes() == BODY
    with pytest.raises(StoreFailed):
        store.copy_to(KEY, file)
    assert file.read_bytes() == BODY
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(NoSuchKey):
        store.head(KEY)


@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 0), (0, 1), (5, 9), (5119, 5120), (5000, 99999), (5120, None), (9999, None)]
)
def test_ranges(start: int, end: int | None, store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PIECE", 1000)
    store.put(file, KEY)
    assert b"".join(store.open_range(KEY, start, end)) == BODY[start:end]


def test_large_files_go_in_parts(store: Store, file: Path) -> None:
    data = os.urandom(9 << 20)
    file.write_bytes(data)
    assert store.put(file, KEY).size == len(data)
    assert hashlib.md5(content(store)).digest() == hashlib.md5(data).digest()


def test_an_object_that_is_replaced_while_it_is_read(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PIECE", 1000)
    store.put(file, KEY)
    pieces = store.open_range(KEY)
    assert next(pieces) == BODY[:1000]
    file.write_bytes(BODY[::-1])
    store.put(file, KEY)
    with pytest.raises(StoreFailed):
        list(pieces)


def test_an_upload(store: Store, tmp_path: Path) -> None:
    with store.receive(KEY, 100) as upload:
        upload.write(b"abc")
        with pytest.raises(NoSuchKey):
            store.head(KEY)
        assert upload.commit().etag == hashlib.md5(b"abc").hexdigest()
    assert content(store) == b"abc"
    with store.receive("upload/b", 100) as upload:
        with pytest.raises(TooSmall):
            upload.commit()
        upload.write(b"a" * 99)
        with pytest.raises(TooLarge):
            upload.write(b"b" * 2)
    with pytest.raises(NoSuchKey):
        store.head("upload/b")
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_what_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NoSuchKey):
        store.open_range(KEY)
    with pytest.raises(NoSuchKey):
        store.copy_to(KEY, tmp_path / "copy")
    with pytest.raises(StoreFailed):
        store.put(tmp_path / "absent", KEY)
    assert not (tmp_path / "copy").exists()
    for key in ("", "/a", "../a", "a/../b", "a//b", "a\\b"):
        with pytest.raises(InvalidObjectName):
            store.head(key)


def test_a_link_can_be_read_by_anybody(store: Store, file: Path) -> None:
    store.put(file, KEY)
    url = store.link(KEY, base_url="http://127.0.0.1:8080", expires=datetime.now(UTC) + HOUR)
    status, headers, body = get(url)
    assert (status, headers["content-type"], body) == (200, "video/mp4", BODY)
    status, headers, body = get(url, Range="bytes=5-8")
    assert (status, headers["content-range"], body) == (206, f"bytes 5-8/{len(BODY)}", BODY[5:9])


def test_a_link_that_was_changed_opens_nothing(store: Store, file: Path) -> None:
    store.put(file, KEY)
    url = store.link(KEY, base_url="", expires=datetime.now(UTC) + HOUR)
    assert get(url.replace("a%20b", "a%20c"))[0] == 403
    assert get(url.partition("?")[0])[0] == 403


def test_the_sweep(store: Store, file: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for key in ("a/b", KEY):
        store.put(file, key)
    left = tmp_path / "data" / "incoming" / "left"
    left.touch()
    os.utime(left, (0, 0))
    assert store.sweep(HOUR, now) == 1
    assert not left.exists()
    assert content(store) == BODY
    assert store.sweep(HOUR, now + 2 * HOUR) == 2
    with pytest.raises(NoSuchKey):
        store.head(KEY)


# --- with the small server only ----------------------------------------------------------------------------------------


def opened(tmp_path: Path, url: str = "s3://results/some/where") -> Store:
    return open_store(Settings(data=tmp_path / "data", storage=url))


def test_where_objects_are(bucket: Bucket, file: Path, tmp_path: Path) -> None:
    opened(tmp_path).put(file, "a/b.mp4")
    opened(tmp_path, "s3://results").put(file, "a/c")
    opened(tmp_path, "s3://results/x%20y/").put(file, "d")
    assert sorted(bucket.objects) == ["some/where/vidprod/a/b.mp4", "vidprod/a/c", "x y/vidprod/d"]
    assert bucket.objects["some/where/vidprod/a/b.mp4"].kind == "video/mp4"


def test_what_else_is_in_the_bucket_is_left_alone(bucket: Bucket, file: Path, tmp_path: Path) -> None:
    opened(tmp_path).put(file, KEY)
    moved = bucket.objects[f"some/where/vidprod/{KEY}"]
    for key in ("some/where/else", "some/where/vidprodigy", "vidprod/a", "a"):
        bucket.objects[key] = moved
    assert opened(tmp_path).sweep(HOUR, datetime.now(UTC) + 9 * HOUR) == 1
    assert sorted(bucket.objects) == ["a", "some/where/else", "some/where/vidprodigy", "vidprod/a"]


def test_the_signature_of_a_link(tmp_path: Path) -> None:
    """Calculated a second time, without a server."""
    with environment(AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY=SECRET, AWS_REGION=REGION):
        store = opened(tmp_path)
        url = store.link(KEY, base_url="http://127.0.0.1:8080", expires=datetime.now(UTC) + 30 * 24 * HOUR)
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    given = dict(query)
    assert (parts.scheme, parts.path) == (
        "https",
        "/results/some/where/vidprod/super-resolve-video/2026-03-20-12/a%20b%2B%C3%BC.mp4",
    )
    assert 7 * 86400 - 60 <= int(given["X-Amz-Expires"]) <= 7 * 86400
    rest = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    host = {"host": parts.netloc}
    assert given["X-Amz-Signature"] == signature("GET", parts.path, rest, host, "UNSIGNED-PAYLOAD", given["X-Amz-Date"])


def test_links_end(bucket: Bucket, file: Path, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put(file, KEY)
    url = store.link(KEY, base_url="", expires=datetime.now(UTC) - HOUR)
    assert dict(parse_qsl(urlsplit(url).query))["X-Amz-Expires"] == "1"


def test_a_service_that_fails_for_a_moment(bucket: Bucket, file: Path, tmp_path: Path) -> None:
    store = opened(tmp_path)
    bucket.failing = 2
    store.put(file, KEY)
    bucket.failing = 1
    assert content(store) == BODY


def test_a_service_that_refuses(bucket: Bucket, file: Path, tmp_path: Path) -> None:
    stores = [opened(tmp_path, "s3://absent/a")]
    with environment(
        AWS_ENDPOINT_URL=bucket.url, AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY="wrong", AWS_REGION=REGION
    ):
        stores.append(opened(tmp_path))
    with environment(
        AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY=SECRET, AWS_REGION=REGION
    ):
        stores.append(opened(tmp_path))
    for store in stores:
        with pytest.raises(StoreFailed) as caught:
            store.put(file, KEY)
        assert "127.0.0.1" not in caught.value.message
    assert bucket.objects == {}
