from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vidprod.errors import FileDownload
from vidprod.storage.keys import own_object, result_key, upload_key
from vidprod.storage.objects import BUCKET
from vidprod.storage.presign import KeyPair, check_key, sign_link
from vidprod.storage.urls import told

PAIR = KeyPair("testid", "testsecret")
NOW = datetime(2026, 3, 20, 12, 59, tzinfo=UTC)
HOSTS = ("127.0.0.1:8080", "api.example.net")
RESULT = "super-resolve-video/2026-03-20-12/a.mp4"


def own(url: str, account: str = "account", now: datetime = NOW) -> str | None:
    return own_object(url, HOSTS, account, PAIR, now)


def test_keys_of_results() -> None:
    assert result_key("super-resolve-video", NOW, "a.mp4") == RESULT


def test_keys_of_uploads() -> None:
    keys = {upload_key(account, NOW) for account in ("a", "a", "b", "中/../x")}
    assert len(keys) == 4
    for key in keys:
        check_key(key)
        feature, owner, hour, name = key.split("/")
        assert (feature, hour) == ("upload", "2026-03-20-12")
        assert (len(owner), len(name)) == (16, 32)
    assert len({key.split("/")[1] for key in keys}) == 3


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "api.example.net", "API.example.net:80"])
def test_own_uploads(host: str) -> None:
    key = upload_key("account", NOW)
    assert own(f"http://{host}/{key}") == key
    assert own(f"http://{host}/{key}?x=1") == key


@pytest.mark.parametrize(
    "url",
    ["http://example.net/upload/a", "http://127.0.0.1/upload/a", "http://127.0.0.1:80801/a", "http://h/vidprod/a"],
)
def test_what_is_elsewhere(url: str) -> None:
    assert own(url) is None


def test_a_strangers_upload_is_called_what_never_existed_is_called() -> None:
    messages = set()
    for key in (upload_key("stranger", NOW), "upload/0123456789abcdef/2026-03-20-12/x", RESULT, "upload", "uploads/x"):
        with pytest.raises(FileDownload) as caught:
            own(f"http://127.0.0.1:8080/{key}")
        assert caught.value.code == "InvalidFile.Download"
        messages.add(caught.value.message.replace(f"/{key}:", "/KEY:"))
    assert len(messages) == 1


@pytest.mark.parametrize("path", ["", "/", "/../upload/x", "/upload//x", "/%ff", "/upload/%2e%2e/x", "/upload/a%00"])
def test_impossible_keys(path: str) -> None:
    with pytest.raises(FileDownload):
        own(f"http://127.0.0.1:8080{path}")


def test_a_way_out_of_the_accounts_folder() -> None:
    mine, theirs = upload_key("account", NOW), upload_key("stranger", NOW)
    folder = mine.rsplit("/", 2)[0]
    for path in (f"{folder}/../../{theirs}", f"{folder}/%2e%2e/%2E%2E/{theirs}", f"{folder}%2F..%2F..%2F{theirs}"):
        with pytest.raises(FileDownload):
            own(f"http://127.0.0.1:8080/{path}")


def test_a_result_is_an_input_as_long_as_its_link_is_good() -> None:
    link = sign_link("http://127.0.0.1:8080", BUCKET, RESULT, NOW, PAIR, bucket_in_path=True)
    assert own(link) == RESULT
    assert own(link, account="stranger") == RESULT, "a link may be passed on"
    for changed in (link.partition("?")[0], link.replace("a.mp4", "b.mp4"), link.replace("Signature=", "Signature=A")):
        with pytest.raises(FileDownload):
            own(changed)
    with pytest.raises(FileDownload, match="expired") as caught:
        own(link, now=NOW + timedelta(seconds=1))
    assert "Signature" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://user:password@h:80/a.mp4?Signature=x#y", "http://h:80/a.mp4"),
        ("https://h", "https://h"),
        ("http://h/" + "a" * 500, "http://h/" + "a" * 188 + "..."),
    ],
)
def test_urls_in_messages(url: str, text: str) -> None:
    assert told(url) == text
