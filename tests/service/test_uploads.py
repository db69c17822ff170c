"""AuthorizeFileUpload and the upload that follows it, with a real server process."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.service.forms import BOUNDARY, fields_of, form, headers, joined, resigned
from tests.service.front import OTHER_KEY, OTHER_SECRET, Front, Reply, read_all, replies, signed, until, wire
from vidprod.service.uploads import Form, MalformedForm

CONTENT = bytes(range(256)) * 1000 + b"\r\n--" + BOUNDARY[:10].encode() + b"\r\n"


def files(front: Front) -> set[Path]:
    """All that the store has, also what is half done."""
    return {path for path in (front.data / "objects").rglob("*") if path.is_file() and path.name != ".lock"}


def post(front: Front, fields: dict[str, str], content: bytes | None = CONTENT, **how: Any) -> Reply:
    return front.send("POST", "/", headers(), form(fields, content, **how))


def stored_parameters(front: Front, job: str) -> dict[str, Any]:
    with sqlite3.connect(front.data / "jobs.sqlite") as database:
        (text,) = database.execute("SELECT parameters FROM vidprod_jobs WHERE id = ?", [job]).fetchone()
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("host", [None, "h"], ids=["to 3.0.21", "from 3.0.22"])
def test_ticket_upload_call(front: Front, host: str | None) -> None:
    ticket = front.upload_ticket()
    assert ticket["UseAccelerate"] is False
    assert f"{ticket['Bucket']}.{ticket['Endpoint']}" == f"http://{front.host}"  # signs headers: is told plain http
    policy = json.loads(base64.b64decode(ticket["EncodedPolicy"]))
    assert policy["conditions"] == [["eq", "$key", ticket["ObjectKey"]], ["content-length-range", 1, 20_000_000]]
    answer = front.send("POST", "/", headers(f"http://{front.host}"), form(fields_of(ticket, host), CONTENT))
    assert (answer.status, answer.headers["content-type"]) == (201, "application/xml")
    found = {child.tag: child.text for child in answer.xml}
    assert answer.xml.tag == "PostResponse"
    assert found == {
        "Bucket": "vidprod",
        "Key": ticket["ObjectKey"],
        "Location": f"http://{front.host}/{ticket['ObjectKey']}",
        "ETag": f'"{hashlib.md5(CONTENT).hexdigest()}"',
    }
    path = front.data / "objects" / "vidprod" / ticket["ObjectKey"]
    assert path.read_bytes() == CONTENT
    # What the client makes of it: http:// before what it was told.
    url = f"http://{ticket['Bucket']}.{ticket['Endpoint']}/{ticket['ObjectKey']}"
    job = front.call("SuperResolveVideo", {"VideoUrl": url}).json["RequestId"]
    assert stored_parameters(front, job)["VideoUrl"] == f"http://{front.host}/{ticket['ObjectKey']}"


def test_who_signs_the_old_way_is_not_told_a_scheme(front: Front) -> None:
    ticket = front.upload_ticket(old=True, host=front.host)
    assert ticket["Bucket"] == "127"
    assert ticket["Endpoint"] == f"0.0.1:{front.port}"


@pytest.mark.parametrize("host", ["localhost:{}", "openplatform", "[::1]:{}", "a b", ""])
def test_a_host_without_a_dot_gives_way_to_the_address(front: Front, host: str) -> None:
    sent = host.format(front.port)
    ticket = front.upload_ticket(host=sent)
    assert f"{ticket['Bucket']}.{ticket['Endpoint']}" == f"http://{front.host}"
    url = f"http://http://{front.host}/{ticket['ObjectKey']}"
    job = front.call("SuperResolveVideo", {"VideoUrl": url}, host=sent).json["RequestId"]
    # The worker knows the server by the name in the job's base_url, so inputs are told with that.
    with sqlite3.connect(front.data / "jobs.sqlite") as database:
        (base,) = database.execute("SELECT base_url FROM vidprod_jobs WHERE id = ?", [job]).fetchone()
    assert stored_parameters(front, job)["VideoUrl"] == f"{base}/{ticket['ObjectKey']}"


def test_a_ticket_over_a_proxy_does_not_lead_to_the_cloud(front: Front) -> None:
    request = signed(
        "AuthorizeFileUpload",
        {"Product": "videoenhan"},
        method="GET",
        version="2019-12-19",
        host="openplatform.aliyuncs.com",
    )
    line = "http://openplatform.aliyuncs.com/?Product=videoenhan"
    (answer,) = replies(front.raw(wire(request, line=line).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)))
    assert answer.json["Bucket"] == "http://127"


def test_keys_are_the_accounts_own_and_never_the_same(front: Front) -> None:
    mine, again = (front.upload_ticket()["ObjectKey"] for _ in range(2))
    other = front.upload_ticket(key=OTHER_KEY, secret=OTHER_SECRET)["ObjectKey"]
    assert re.fullmatch(r"upload/[0-9a-f]{16}/[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}/[0-9a-f]{32}", mine)
    assert mine != again
    assert mine.split("/")[1] == again.split("/")[1] != other.split("/")[1]


def test_an_upload_is_not_read_without_a_link(front: Front) -> None:
    ticket = front.upload_ticket()
    assert post(front, fields_of(ticket)).status == 201
    for path in (ticket["ObjectKey"], f"vidprod/{ticket['ObjectKey']}"):
        answer = front.send("GET", f"/{path}")
        assert (answer.status, answer.code()) == (403, "AccessDenied")


def test_a_large_file_in_small_pieces(front: Front) -> None:
    """The parser sees it cut everywhere, also inside what looks like a boundary."""
    ticket = front.upload_ticket()
    content = CONTENT * 20
    body = form(fields_of(ticket), content)
    pieces = [body[at : at + 9973] for at in range(0, len(body), 9973)]
    assert front.send("POST", "/", headers(), iter(pieces)).status == 201
    assert (front.data / "objects" / "vidprod" / ticket["ObjectKey"]).read_bytes() == content


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"OSSAccessKeyId": "guessed"}, "AccessDenied"),
        ({"Signature": "guessed"}, "SignatureDoesNotMatch"),
        ({"Signature": ""}, "AccessDenied"),
        ({"key": "upload/0123456789abcdef/2026-01-01-00/a"}, "AccessDenied"),
        ({"key": "../../../../etc/passwd"}, "AccessDenied"),
        ({"policy": "bm90aGluZw=="}, "SignatureDoesNotMatch"),
        ({"policy": "é"}, "SignatureDoesNotMatch"),
    ],
)
def test_forged_forms(front: Front, change: dict[str, str], code: str) -> None:
    before = files(front)
    answer = post(front, {**fields_of(front.upload_ticket()), **change})
    assert answer.headers["content-type"] == "application/xml"
    assert answer.code() == code
    assert files(front) == before


def test_policies_that_this_server_signed(front: Front) -> None:
    fields = fields_of(front.upload_ticket())
    secret = json.loads((front.data / "link-key.json").read_text())["secret"]
    late = resigned(fields, secret, expiration="2020-03-20T12:00:00.000Z")
    assert (post(front, late).status, post(front, late).code()) == (403, "AccessDenied")
    assert post(front, resigned(fields, "guessed")).code() == "SignatureDoesNotMatch"
    odd = resigned(fields, secret, conditions=[["eq", "$key", "../../x"], ["content-length-range", 1, 10**9]])
    assert post(front, {**odd, "key": "../../x"}).code() == "InvalidObjectName"
    small = resigned(fields, secret, conditions=[["eq", "$key", fields["key"]], ["content-length-range", 1, 1000]])
    assert post(front, small).code() == "EntityTooLarge"
    assert post(front, small, b"a" * 1000).status == 201


def test_files_of_the_wrong_size(front: Front) -> None:
    before = files(front)
    assert post(front, fields_of(front.upload_ticket()), b"").code() == "EntityTooSmall"
    assert post(front, fields_of(front.upload_ticket()), b"a" * 20_000_001).code() == "EntityTooLarge"
    ticket = fields_of(front.upload_ticket())
    answer = front.send("POST", "/", {**headers(), "Content-Length": str(10**12)}, b"")  # told before anything comes
    assert answer.code() == "EntityTooLarge"
    assert files(front) == before
    assert post(front, ticket, b"a" * 20_000_000).status == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "IncompleteBody"),
        (b"nothing of the kind", "MalformedPOSTRequest"),
        (f"--{BOUNDARY}\r\n".encode(), "IncompleteBody"),
        (f"--{BOUNDARY}\r\n{'a' * 9000}: b\r\n\r\n".encode(), "MalformedPOSTRequest"),
        (f"--{BOUNDARY}--\r\n".encode(), "MalformedPOSTRequest"),
        (form({"key": "a"}, None), "MalformedPOSTRequest"),
        (form({"key": "a"}, b"x"), "AccessDenied"),
        (form({"a": "b" * 100_000}, b"x"), "MalformedPOSTRequest"),
        (form({f"a{n}": "" for n in range(2000)}, b"x"), "MalformedPOSTRequest"),
        (joined(form({"a": "1"}, None), form({"a": "2"}, b"x")), "MalformedPOSTRequest"),
    ],
)
def test_what_is_no_form(front: Front, body: bytes, code: str) -> None:
    answer = front.send("POST", "/", headers(), body)
    assert (answer.status, answer.code()) in ((400, code), (403, code))


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'a' * 5000}",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary*=utf-8''a",
    ],
)
def test_content_types(front: Front, kind: str) -> None:
    answer = front.send("POST", "/", {"Content-Type": kind}, b"--a--\r\n")
    assert (answer.status, answer.code()) == (400, "MalformedPOSTRequest")


def test_a_form_elsewhere_is_no_upload(front: Front) -> None:
    assert front.send("POST", "/x", headers(), b"").code() == "InvalidAction.NotFound"
    assert front.send("PUT", "/", headers(), b"").code() == "UnsupportedHTTPMethod"
    assert front.send("POST", "/vidprod/a", headers(), b"").code() == "MethodNotAllowed"


@pytest.mark.parametrize("cut", [30, 500, 5000])
def test_uploads_that_stop(front: Front, cut: int) -> None:
    """Told so when the client waits, and nothing is left."""
    before = files(front)
    head, body = begun(front)
    with front.connect() as connection:
        connection.sendall(head + body[:cut])
        (answer,) = replies(read_all(connection))
    assert (answer.status, answer.code()) == (408, "RequestTimeout")
    assert files(front) <= before


def test_an_upload_whose_client_goes_away(front: Front) -> None:
    before = files(front)
    head, body = begun(front)
    with front.connect() as connection:
        connection.sendall(head + body[:5000])
        until(lambda: files(front) - before)  # it has begun to be written
    until(lambda: files(front) <= before)


def begun(front: Front) -> tuple[bytes, bytes]:
    """Head and body of an upload."""
    body = form(fields_of(front.upload_ticket()), CONTENT)
    kind = headers()["Content-Type"]
    return f"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body


def test_a_refused_upload_is_told_to_a_client_that_sends_on(front: Front) -> None:
    body = form({**fields_of(front.upload_ticket()), "Signature": "guessed"}, b"a" * 15_000_000)
    answer = front.send("POST", "/", headers(), body)
    assert answer.code() == "SignatureDoesNotMatch"


# --- the form itself --------------------------------------------------------------------------------------------------


def test_a_form_in_single_bytes() -> None:
    reader = Form(headers()["Content-Type"])
    body = form({"a": "1", "b": "中"}, b"x\r\n--y", filename='a/b/"c')
    found = b""
    for at in range(len(body)):
        reader.feed(body[at : at + 1])
        if reader.has_file:
            found += reader.take()
    assert reader.complete
    assert reader.fields == {"a": "1", "b": "中"}
    assert found == b"x\r\n--y"


def test_what_follows_the_file_means_nothing() -> None:
    reader = Form(headers()["Content-Type"])
    reader.feed(joined(form({"a": "1"}, b"x"), form({"key": "other"}, b"y")))
    assert reader.take() == b"x"
    assert reader.fields == {"a": "1"}


def test_a_field_twice() -> None:
    reader = Form(headers()["Content-Type"])
    with pytest.raises(MalformedForm, match="twice"):
        reader.feed(joined(form({"a": "1"}, None), form({"a": "2"}, b"x")))
