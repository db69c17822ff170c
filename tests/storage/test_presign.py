from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.storage.errors import AccessDenied, InvalidObjectName, LinkMismatch, StorageError
from vidprod.storage.presign import KeyPair, check_key, object_key, sign_link, verify_link

PAIR = KeyPair("testid", "testsecret")
EXPIRES = datetime.fromtimestamp(1584707249, UTC)
SECOND = timedelta(seconds=1)
KEY = "super-resolve/2020-03-20/a:b 中.mp4"


def opened(url: str, now: datetime = EXPIRES, bucket: str | None = None) -> str:
    parts = urlsplit(url)
    return verify_link(parts.path, parse_qsl(parts.query, keep_blank_values=True), PAIR.secret_of, now, bucket=bucket)


def test_vector() -> None:
    url = sign_link("http://h", "outbucket", KEY, EXPIRES, PAIR)
    assert url == (
        "http://h/super-resolve/2020-03-20/a%3Ab%20%E4%B8%AD.mp4"
        "?Expires=1584707249&OSSAccessKeyId=testid&Signature=jTDeAz4Xb5Ye4nOKi5kWe01neO4%3D"
    )
    assert opened(url, bucket="outbucket") == KEY


def test_the_bucket_in_the_path_is_signed_the_same_way() -> None:
    url = sign_link("http://h:1", "outbucket", KEY, EXPIRES, PAIR, bucket_in_path=True)
    assert url.startswith("http://h:1/outbucket/super-resolve/")
    assert url.endswith("Signature=jTDeAz4Xb5Ye4nOKi5kWe01neO4%3D")
    assert opened(url) == KEY


def test_slashes_may_be_encoded_and_the_order_is_free() -> None:
    query = [
        ("Signature", "jTDeAz4Xb5Ye4nOKi5kWe01neO4="),
        ("x", "1"),
        ("OSSAccessKeyId", "testid"),
        ("Expires", "1584707249"),
    ]
    path = "/" + quote(KEY, safe="")
    assert "%2F" in path
    assert verify_link(path, query, PAIR.secret_of, EXPIRES, bucket="outbucket") == KEY
    assert verify_link("/outbucket" + path, query, PAIR.secret_of, EXPIRES) == KEY


def test_a_link_ends_with_its_last_second() -> None:
    url = sign_link("http://h", "b", "k", EXPIRES, PAIR)
    assert opened(url, EXPIRES, "b") == "k"
    with pytest.raises(AccessDenied, match=r"Request has expired\."):
        opened(url, EXPIRES + SECOND, "b")


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("Signature=", "signature=", AccessDenied),
        ("Expires=1584707249&", "", AccessDenied),
        ("OSSAccessKeyId=testid&", "", AccessDenied),
        ("OSSAccessKeyId=testid", "OSSAccessKeyId=other", AccessDenied),
        ("OSSAccessKeyId=testid", "OSSAccessKeyId=中", AccessDenied),
        ("Expires=1584707249", "Expires=1584707250", LinkMismatch),
        ("Expires=1584707249", "Expires=01584707249", LinkMismatch),
        ("Expires=1584707249", "Expires=９９９９９９９９９９", AccessDenied),
        ("Expires=1584707249", "Expires=1e99", AccessDenied),
        ("Expires=1584707249", "Expires=" + "9" * 5000, AccessDenied),
        ("Expires=1584707249", "Expires=1584707249&Expires=1584707250", AccessDenied),
        ("Signature=j", "Signature=k", LinkMismatch),
        ("Signature=j", "Signature=中", LinkMismatch),
        ("a%3Ab", "a%3Ac", LinkMismatch),
        ("http://h/", "http://h//", InvalidObjectName),
    ],
)
def test_changed_links(old: str, new: str, kind: type[StorageError]) -> None:
    url = sign_link("http://h", "outbucket", KEY, EXPIRES, PAIR)
    assert old in url
    with pytest.raises(kind) as caught:
        opened(url.replace(old, new), bucket="outbucket")
    assert type(caught.value) is kind
    assert caught.value.status == (400 if kind is InvalidObjectName else 403)


def test_a_link_is_not_good_for_another_bucket() -> None:
    url = sign_link("http://h", "outbucket", KEY, EXPIRES, PAIR)
    with pytest.raises(LinkMismatch):
        opened(url, bucket="other")


@pytest.mark.parametrize(
    "path",
    [
        "/b/../k",
        "/b/%2e%2e/k",
        "/b/a%2F..%2Fk",
        "/b/a/./k",
        "/b//k",
        "/b/k/",
        "/b/",
        "/b",
        "/",
        "",
        "b/k",
        "/b/a%5Ck",
        "/b/a%00",
        "/../k",
        "/b/%ff",
        "/b/" + "a" * 2000,
    ],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    query = [("Expires", "9999999999"), ("OSSAccessKeyId", "testid"), ("Signature", "x")]
    with pytest.raises(InvalidObjectName):
        verify_link(path, query, PAIR.secret_of, EXPIRES)


def test_what_is_encoded_twice_stays_part_of_the_name() -> None:
    url = sign_link("http://h", "b", "a%2e%2e%2Fb", EXPIRES, PAIR)
    assert opened(url, bucket="b") == "a%2e%2e%2Fb"


SEGMENT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=20
).filter(lambda text: text not in (".", ".."))


@given(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join), st.booleans())
def test_any_key_comes_back(key: str, in_path: bool) -> None:
    url = sign_link("http://h", "b", key, EXPIRES, PAIR, bucket_in_path=in_path)
    assert url.isascii()
    assert opened(url, bucket=None if in_path else "b") == key


@given(st.data())
def test_any_changed_character_of_a_link_fails(data: st.DataObject) -> None:
    url = sign_link("http://h", "outbucket", KEY, EXPIRES, PAIR)
    place = data.draw(st.integers(len("http://h/"), len(url) - 1))
    letter = data.draw(st.sampled_from("abcXYZ0189-_.%&=+/"))
    changed = url[:place] + letter + url[place + 1 :]
    try:
        key = opened(changed, bucket="outbucket")
    except StorageError:
        return
    assert key == KEY
    assert parse_qsl(urlsplit(changed).query) == parse_qsl(urlsplit(url).query)


def test_keys_of_the_clouds_shape() -> None:
    moment = datetime(2020, 7, 24, 20, 59, tzinfo=UTC)
    assert object_key("video-crop", moment, "ZTZsIWcU.mp4") == "video-crop/2020-07-24-20/ZTZsIWcU.mp4"
    with pytest.raises(InvalidObjectName):
        object_key("video-crop", moment, "../a")
    with pytest.raises(InvalidObjectName):
        check_key("\ud800")


def test_secrets_are_not_shown() -> None:
    assert "testsecret" not in repr(PAIR)
