from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.signing import header_signed, query_signed
from vidprod.errors import FileDecode, InvalidParameter, InvalidParameterFormat, VidprodError
from vidprod.jobs.status import JobStatus
from vidprod.service.errors import SignatureMismatch, Throttled
from vidprod.service.request import FORM, SignedRequest
from vidprod.service.responses import (
    Format,
    choose_format,
    failure,
    job,
    new_request_id,
    storage_failure,
    stored,
    submitted,
    success,
    xml,
)
from vidprod.storage.errors import AccessDenied

ID = "8B2A0DEF-0B6B-4B0B-8B0B-0B0B0B0B0B0B"


def test_request_ids_are_upper_case_uuids() -> None:
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", new_request_id())
    assert new_request_id() != new_request_id()


def test_success_in_json() -> None:
    answer = success("SuperResolveVideo", ID, {"Message": "中"}, Format.JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert answer.headers["x-acs-request-id"] == ID
    assert json.loads(answer.body) == {"RequestId": ID, "Message": "中"}


def test_success_in_xml() -> None:
    url = "http://h/a?Expires=1&OSSAccessKeyId=<x>"
    members = job("J", JobStatus.PROCESS_SUCCESS, result={"VideoUrl": url})
    answer = success("GetAsyncJobResult", ID, members, Format.XML)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml;charset=utf-8")
    assert answer.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<GetAsyncJobResultResponse><RequestId>{ID}</RequestId><Data><Status>PROCESS_SUCCESS</Status><JobId>J</JobId>"
        '<Result>{"VideoUrl":"http://h/a?Expires=1&amp;OSSAccessKeyId=&lt;x&gt;"}</Result></Data></GetAsyncJobResultResponse>'
    )
    result = ElementTree.fromstring(answer.body).findtext("Data/Result")
    assert result is not None
    assert json.loads(result) == {"VideoUrl": url}


def test_success_has_no_code() -> None:
    with pytest.raises(ValueError, match="Code"):
        success("A", ID, {"Code": "x"}, Format.JSON)


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (InvalidParameter("Width is 1\nand\tthat is bad"), 400, "InvalidParameter", "Width is 1 and that is bad"),
        (SignatureMismatch("a\nb"), 400, "SignatureDoesNotMatch", "a\nb"),
        (FileDecode("no"), 400, "InvalidFile.Decode", "no"),
        (Throttled(), 400, "Throttling.User", "Request was denied due to user flow control."),
        (
            ZeroDivisionError("/secret/path"),
            500,
            "InternalServerError",
            "The request processing has failed due to some unknown error.",
        ),
    ],
)
def test_failure(error: Exception, status: int, code: str, message: str) -> None:
    expected = {"RequestId": ID, "HostId": "http://h:1", "Code": code, "Message": message}
    answer = failure(error, ID, "http://h:1", Format.JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json;charset=utf-8")
    assert json.loads(answer.body) == expected
    assert "x-acs-retry-after" not in answer.headers
    answer = failure(error, ID, "http://h:1", Format.XML)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/xml;charset=utf-8")
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "Error"
    assert {child.tag: child.text for child in root} == expected


def test_only_throttling_says_when_to_come_back() -> None:
    assert failure(Throttled(retry_after=1500), ID, "h", Format.JSON).headers["x-acs-retry-after"] == "1500"


@given(st.text(st.characters()))
def test_any_text_makes_a_document(text: str) -> None:
    answer = failure(InvalidParameter(text), ID, text, Format.XML)
    root = ElementTree.fromstring(answer.body)
    allowed = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    assert (root.findtext("HostId") or "") == allowed
    found = json.loads(failure(InvalidParameter(text), ID, text, Format.JSON).body)
    assert found["HostId"].encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


def test_ends_of_lines_survive_xml() -> None:
    assert ElementTree.fromstring(xml("R", {"A": "1\r\n2\r3\n"})).findtext("A") == "1\r\n2\r3\n"


def test_xml_of_other_values() -> None:
    members: dict[str, Any] = {"A": None, "B": True, "C": 1.5, "D": [1, {"E": "x"}], "F": {}}
    assert xml("R", members).partition("\n")[2] == "<R><B>true</B><C>1.5</C><D>1</D><D><E>x</E></D><F></F></R>"


def accepting(accept: str, query: str = "") -> SignedRequest:
    return SignedRequest.parse("GET", f"/?{query}", [("Accept", accept)])


@pytest.mark.parametrize(
    ("request_", "form"),
    [
        (query_signed(Format="JSON"), Format.JSON),
        (query_signed(Format="json"), Format.JSON),
        (query_signed(Format="xMl"), Format.XML),
        (query_signed(Format=None), Format.JSON),
        (query_signed(Format="None"), Format.JSON),
        (query_signed(Format=""), Format.JSON),
        (header_signed(), Format.JSON),
        (header_signed(accept="text/xml"), Format.JSON),
        (header_signed(query={"Format": "XML"}), Format.XML),
        (accepting("application/xml;q=0.9"), Format.XML),
        (accepting("*/*"), Format.JSON),
        (accepting("text/xml", "Format=JSON"), Format.JSON),
        (accepting("text/xml", "Format=None"), Format.XML),
        (SignedRequest.parse("POST", "/", [("Content-Type", FORM)], b"Format=XML"), Format.XML),
        (SignedRequest.parse("POST", "/", [("Content-Type", "text/plain")], b"Format=XML"), Format.JSON),
    ],
)
def test_the_format_asked_for(request_: SignedRequest, form: Format) -> None:
    assert choose_format(request_) is form


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidParameterFormat, match=r"^Specified parameter format is not valid\.$"):
        choose_format(query_signed(Format="YAML"))


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_the_answer_to_a_submit_call() -> None:
    assert submitted().keys() == {"Message"}


def test_the_states_of_a_job() -> None:
    assert [status.value for status in JobStatus] == [
        "QUEUING",
        "PROCESSING",
        "PROCESS_SUCCESS",
        "PROCESS_FAILED",
        "TIMEOUT_FAILED",
        "LIMIT_RETRY_FAILED",
    ]
    assert [status.final for status in JobStatus] == [False, False, True, True, True, True]
    assert [status.failed for status in JobStatus] == [False, False, False, True, True, True]


@pytest.mark.parametrize("status", JobStatus)
def test_the_members_of_a_job(status: JobStatus) -> None:
    result = {"VideoUrl": "http://h/a"} if status is JobStatus.PROCESS_SUCCESS else None
    error: VidprodError | None = FileDecode("broken") if status.failed else None
    data = job("J", status, result=result, error=error)["Data"]
    assert (data["JobId"], data["Status"]) == ("J", status.value)
    assert data.get("Result") == (result and '{"VideoUrl":"http://h/a"}')
    assert (data.get("ErrorCode"), data.get("ErrorMessage")) == (
        ("InvalidFile.Decode", "broken") if error else (None, None)
    )
    pairs: list[tuple[dict[str, str] | None, FileDecode | None]] = list(
        itertools.product([None, {}], [None, FileDecode()])
    )
    for other_result, other_error in pairs:
        if (other_result is None, other_error is None) != (result is None, error is None):
            with pytest.raises(ValueError, match=status.value):
                job("J", status, result=other_result, error=other_error)


# --- storage ---------------------------------------------------------------------------------------------------------


def test_the_storages_errors_are_xml() -> None:
    answer = storage_failure(AccessDenied("Request has expired."), ID, "h")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml")
    assert answer.body.decode().endswith(
        "<Error><Code>AccessDenied</Code><Message>Request has expired.</Message>"
        f"<RequestId>{ID}</RequestId><HostId>h</HostId></Error>"
    )


def test_an_upload_is_answered_201_with_a_body() -> None:
    answer = stored("b", "http://h/k", "k", "0AF1", ID)
    assert answer.status == 201
    assert answer.body.decode().endswith(
        '<PostResponse><Bucket>b</Bucket><Location>http://h/k</Location><Key>k</Key><ETag>"0AF1"</ETag></PostResponse>'
    )
