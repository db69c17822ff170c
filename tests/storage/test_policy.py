from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.storage.errors import (
    AccessDenied,
    InvalidObjectName,
    InvalidPolicy,
    LinkMismatch,
    StorageError,
    TooLarge,
    TooSmall,
)
from vidprod.storage.policy import Ticket, UploadPolicy, check_upload, own_key, policy_signature, split_host
from vidprod.storage.presign import KeyPair

PAIR = KeyPair("testid", "testsecret")
UNTIL = datetime(2020, 3, 20, 12, tzinfo=UTC)
POLICY = UploadPolicy(UNTIL, "upload/a.mp4", 1 << 30)
ENCODED = (
    "eyJleHBpcmF0aW9uIjoiMjAyMC0wMy0yMFQxMjowMDowMC4wMDBaIiwiY29uZGl0aW9ucyI6W1siZXEiLCIka2V5IiwidXBsb2FkL2EubXA0Il0sWyJjb250ZW50"
    "LWxlbmd0aC1yYW5nZSIsMSwxMDczNzQxODI0XV19"
)
FORM = {
    "OSSAccessKeyId": "testid",
    "Signature": "rzuIWz/N0YI19yJf9YCx+pvSJC4=",
    "host": "http://127.0.0.1:8080",
    "key": "upload/a.mp4",
    "policy": ENCODED,
    "success_action_status": "201",
}


def signed(document: object) -> dict[str, str]:
    """A form whose signature is right, over any policy: what only this server could make."""
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return FORM | {"policy": encoded, "Signature": policy_signature(encoded, PAIR.secret)}


def test_vector() -> None:
    assert POLICY.encode() == ENCODED
    assert policy_signature(ENCODED, "testsecret") == FORM["Signature"]
    assert UploadPolicy.decode(ENCODED) == POLICY
    assert check_upload(FORM, PAIR.secret_of, UNTIL) == POLICY


def test_a_ticket_has_what_clients_ask_of_it() -> None:
    members = Ticket(POLICY, PAIR, *split_host("127.0.0.1:8080")).members()
    assert members == {
        "AccessKeyId": "testid",
        "EncodedPolicy": ENCODED,
        "Signature": FORM["Signature"],
        "ObjectKey": "upload/a.mp4",
        "Bucket": "127",
        "Endpoint": "0.0.1:8080",
        "UseAccelerate": False,
    }
    assert members["UseAccelerate"] is False


@pytest.mark.parametrize(
    ("host", "plain", "parts"),
    [
        ("127.0.0.1:8080", False, ("127", "0.0.1:8080")),
        ("api.example.net:8080", False, ("api", "example.net:8080")),
        ("127.0.0.1:8080", True, ("http://127", "0.0.1:8080")),
    ],
)
def test_hosts_are_split_at_the_first_dot(host: str, plain: bool, parts: tuple[str, str]) -> None:
    assert split_host(host, plain_http=plain) == parts
    url = f"http://{parts[0]}.{parts[1]}/upload/a.mp4"  # as the client names its upload afterwards
    assert url.endswith(f"http://{host}/upload/a.mp4")


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "[::1]:8080", "[::ffff:1.2.3.4]", ".a", "a.", ""])
def test_hosts_that_cannot_be_split(host: str) -> None:
    with pytest.raises(ValueError, match="a dot in it"):
        split_host(host)


@pytest.mark.parametrize("name", ["OSSAccessKeyId", "Signature", "policy", "key"])
def test_every_field_is_needed(name: str) -> None:
    for form in ({k: v for k, v in FORM.items() if k != name}, FORM | {name: ""}):
        with pytest.raises(AccessDenied, match=name):
            check_upload(form, PAIR.secret_of, UNTIL)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"OSSAccessKeyId": "other"}, AccessDenied, "not known"),
        ({"Signature": "rzuIWz/N0YI19yJf9YCx+pvSJC5="}, LinkMismatch, "does not match"),
        ({"Signature": "中"}, LinkMismatch, "does not match"),
        ({"policy": ENCODED[:-4]}, LinkMismatch, "does not match"),
        ({"policy": "中"}, LinkMismatch, "does not match"),
        ({"key": "upload/b.mp4"}, AccessDenied, "Policy Condition failed"),
        ({"key": "upload/../a.mp4"}, AccessDenied, "Policy Condition failed"),
    ],
)
def test_changed_forms(changes: dict[str, str], kind: type[StorageError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        check_upload(FORM | changes, PAIR.secret_of, UNTIL)
    assert (type(caught.value), caught.value.status) == (kind, 403)


def test_a_policy_ends() -> None:
    with pytest.raises(AccessDenied, match="Policy expired"):
        check_upload(FORM, PAIR.secret_of, UNTIL + timedelta(seconds=1))


def test_sizes() -> None:
    POLICY.check_size(1)
    POLICY.check_size(1 << 30)
    POLICY.check_size(0, complete=False)
    with pytest.raises(TooSmall):
        POLICY.check_size(0)
    for complete in (True, False):
        with pytest.raises(TooLarge, match="1073741824"):
            POLICY.check_size((1 << 30) + 1, complete=complete)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        {"expiration": "2020-03-20T12:00:00.000Z"},
        {"expiration": 1, "conditions": []},
        {"expiration": "2020-03-20T12:00:00.000Z", "conditions": []},
        {"expiration": "2020-03-20T12:00:00.000Z", "conditions": [["eq", "$key", 1], ["content-length-range", 1, 2]]},
        {
            "expiration": "2020-03-20T12:00:00.000Z",
            "conditions": [["eq", "$key", "a"], ["content-length-range", 1, "2"]],
        },
        {"expiration": "2020-03-20T12:00:00.000Z", "conditions": [["in", "$key", "a"], ["content-length-range", 1, 2]]},
        {"expiration": "2020-03-20 12:00:00", "conditions": [["eq", "$key", "a"], ["content-length-range", 1, 2]]},
    ],
)
def test_policies_of_another_shape(document: object) -> None:
    with pytest.raises(InvalidPolicy):
        check_upload(signed(document), PAIR.secret_of, UNTIL)


def test_not_even_a_signed_policy_leads_elsewhere() -> None:
    conditions = [["eq", "$key", "../a"], ["content-length-range", 1, 2]]
    form = signed({"expiration": "2020-03-20T12:00:00.000Z", "conditions": conditions}) | {"key": "../a"}
    with pytest.raises(InvalidObjectName):
        check_upload(form, PAIR.secret_of, UNTIL)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 1 << 60),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_any_policy_comes_back(key: str, size: int, moment: datetime) -> None:
    policy = UploadPolicy(moment.replace(microsecond=0, tzinfo=UTC), key, size)
    assert UploadPolicy.decode(policy.encode()) == policy


@given(st.data())
def test_any_changed_character_of_a_form_fails(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["OSSAccessKeyId", "Signature", "policy", "key"]))
    place = data.draw(st.integers(0, len(FORM[name]) - 1))
    letter = data.draw(st.characters().filter(lambda new: new != FORM[name][place]))
    changed = FORM | {name: FORM[name][:place] + letter + FORM[name][place + 1 :]}
    with pytest.raises(StorageError):
        check_upload(changed, PAIR.secret_of, UNTIL)


def test_own_uploads_are_known_by_their_url() -> None:
    hosts = {"127.0.0.1:8080", "api.example.net"}
    assert own_key("http://127.0.0.1:8080/upload/a%20b.mp4", hosts) == "upload/a b.mp4"
    assert own_key("https://API.example.net/upload%2Fa.mp4?x", hosts) == "upload/a.mp4"
    assert own_key("http://127.0.0.1:8081/upload/a.mp4", hosts) is None
    assert own_key("http://x@127.0.0.1:8080/upload/a.mp4", hosts) is None
    for path in ("", "/", "/upload/../a", "/upload/%2e%2e/a", "/%ff"):
        with pytest.raises(InvalidObjectName):
            own_key(f"http://127.0.0.1:8080{path}", hosts)
