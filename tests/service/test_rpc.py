"""The RPC endpoint of a real server process: what clients of all kinds send, and what they get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.service.front import (
    CLIP,
    FORM_TYPE,
    OTHER_KEY,
    OTHER_SECRET,
    Front,
    replies,
    signed,
    target,
    wire,
)
from tests.service.signing import common, query_signed, urlencoded

OTHER = {"key": OTHER_KEY, "secret": OTHER_SECRET}


@pytest.fixture(params=[False, True], ids=["ACS3", "V1"])
def old(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_submit_and_poll(front: Front, old: bool) -> None:
    answer = front.call("SuperResolveVideo", {**CLIP, "BitRate": "5"}, old=old)
    assert answer.status == 200
    assert answer.json.keys() == {"RequestId", "Message"}
    job = answer.json["RequestId"]
    assert answer.headers["x-acs-request-id"] == job
    poll = front.call("GetAsyncJobResult", {"JobId": job}, old=old)
    assert poll.status == 200
    assert poll.json == {"RequestId": poll.json["RequestId"], "Data": {"JobId": job, "Status": "QUEUING"}}
    assert poll.json["RequestId"] != job
    with front.database() as database:
        row = database.execute("SELECT account, action, parameters, base_url FROM vidprod_jobs WHERE id = ?", [job])
        account, action, parameters, base_url = row.fetchone()
    assert (account, action) == ("testid", "SuperResolveVideo")
    assert json.loads(parameters) == {"VideoUrl": CLIP["VideoUrl"], "BitRate": 5}
    assert base_url == f"http://{front.host}" or old  # the old way's helper calls the host h


def test_get_with_all_in_the_query(front: Front) -> None:
    request = signed("SuperResolveVideo", CLIP, old=True, method="GET")
    assert front.send("GET", target(request)).json["RequestId"]


def test_all_in_the_form(front: Front) -> None:
    request = signed("SuperResolveVideo", CLIP, old=True)
    body = urlencoded(dict(request.query)) + "&" + request.body.decode()
    assert front.send("POST", "/", {"Content-Type": FORM_TYPE}, body).status == 200


def test_the_other_versions(front: Front) -> None:
    job = front.submit()
    assert front.call("GetAsyncJobResult", {"JobId": job}, version="2023-01-17").json["Data"]["JobId"] == job
    assert front.call("SuperResolveVideo", CLIP, version="2023-01-17").code() == "InvalidAction.NotFound"
    assert front.call("AuthorizeFileUpload", CLIP).code() == "InvalidAction.NotFound"
    assert front.call("SuperResolveVideo", CLIP, version="2020-03-21").code() == "InvalidVersion"


def test_a_body_in_chunks(front: Front) -> None:
    request = signed("SuperResolveVideo", CLIP, host=front.host)
    answer = front.send("POST", "/", dict(request.headers), iter([request.body[:7], request.body[7:]]))
    assert answer.status == 200


@pytest.mark.parametrize("host", ["http://{}", "{}/", "http://{}/"])
def test_odd_host_headers(front: Front, host: str) -> None:
    sent = host.format(front.host)
    job = front.submit(host=sent)
    with front.database() as database:
        found = database.execute("SELECT base_url FROM vidprod_jobs WHERE id = ?", [job]).fetchone()
    assert found == (f"http://{front.host}",)
    assert front.call("GetAsyncJobResult", {}, host=sent).json["HostId"] == sent


@pytest.mark.parametrize("line", ["http://openplatform.aliyuncs.com/", "http://openplatform.aliyuncs.com", "//"])
def test_targets_of_proxies_and_sloppy_clients(front: Front, line: str) -> None:
    request = signed("SuperResolveVideo", CLIP, host="openplatform.aliyuncs.com")
    (answer,) = replies(front.raw(wire(request, line=line).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)))
    assert answer.status == 200
    if line == "//":
        return
    with front.database() as database:
        base = database.execute("SELECT base_url FROM vidprod_jobs WHERE id = ?", [answer.json["RequestId"]])
        assert base.fetchone() == (f"http://{front.host}",)  # not the name that leads to the cloud


def test_the_format_is_as_asked_for(front: Front) -> None:
    job = front.submit()
    answer = front.call("GetAsyncJobResult", {"JobId": job}, old=True, Format="xMl")
    assert answer.headers["content-type"] == "text/xml;charset=utf-8"
    assert answer.xml.tag == "GetAsyncJobResultResponse"
    assert answer.xml.findtext("Data/Status") == "QUEUING"
    assert front.call("NoSuch", old=True, Format="XML").xml.findtext("Code") == "InvalidAction.NotFound"
    assert front.call("GetAsyncJobResult", {"JobId": job}, old=True, Format="None").json["Data"]["JobId"] == job
    assert front.call("GetAsyncJobResult", {"JobId": job}, old=True, Format="YAML").code() == "InvalidParameter.Format"
    assert front.send("GET", "/", {"Accept": "text/xml"}).xml.findtext("Code") == "MissingVersion"


def test_characters_that_xml_forbids_come_back_replaced(front: Front) -> None:
    answer = front.call("GetAsyncJobResult", {"JobId": "a\x01<&中"}, old=True, Format="XML")
    assert answer.code() == "InvalidParameter"


# --- a job's life -----------------------------------------------------------------------------------------------------


def change(front: Front, job: str, **columns: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in columns)
    with front.database() as database:
        database.execute(f"UPDATE vidprod_jobs SET {names} WHERE id = ?", [*columns.values(), job])


def poll(front: Front, job: str, **how: Any) -> dict[str, Any]:
    answer = front.call("GetAsyncJobResult", {"JobId": job}, **how)
    assert answer.status == 200, answer
    data = answer.json["Data"]
    assert isinstance(data, dict)
    return data


def test_a_running_job_tells_its_progress_in_a_header(front: Front) -> None:
    job = front.submit()
    change(front, job, status="PROCESSING", progress=0.42)
    answer = front.call("GetAsyncJobResult", {"JobId": job})
    assert answer.json["Data"] == {"JobId": job, "Status": "PROCESSING"}
    assert float(answer.headers["x-vidprod-progress"]) == 0.42


def test_success(front: Front) -> None:
    job = front.submit()
    result = {"VideoUrl": "http://h/a?x=1&y=中"}
    change(front, job, status="PROCESS_SUCCESS", ended=1.0, progress=1.0, result=json.dumps(result))
    data = poll(front, job)
    assert data.keys() == {"JobId", "Status", "Result"}
    assert isinstance(data["Result"], str)
    assert json.loads(data["Result"]) == result
    change(front, job, status="PROCESS_FAILED", error_code="InvalidFile.Decode")  # as no worker would
    assert poll(front, job) == data  # a terminal answer never changes


@pytest.mark.parametrize("status", ["PROCESS_FAILED", "TIMEOUT_FAILED", "LIMIT_RETRY_FAILED"])
def test_failure(front: Front, status: str) -> None:
    job = front.submit()
    change(front, job, status=status, ended=1.0, error_code="InvalidFile.Decode", error_message="no")
    assert poll(front, job) == {"JobId": job, "Status": status, "ErrorCode": "InvalidFile.Decode", "ErrorMessage": "no"}


def test_jobs_of_others_do_not_exist(front: Front) -> None:
    job = front.submit(**OTHER)
    foreign = front.call("GetAsyncJobResult", {"JobId": job})
    unknown = front.call("GetAsyncJobResult", {"JobId": "8B2A0DEF-0B6B-4B0B-8B0B-0B0B0B0B0B0B"})
    assert (foreign.status, foreign.code()) == (unknown.status, unknown.code()) == (400, "InvalidParameter")
    assert foreign.json["Message"].replace(job, "") == unknown.json["Message"].replace(
        "8B2A0DEF-0B6B-4B0B-8B0B-0B0B0B0B0B0B", ""
    )
    assert poll(front, job, **OTHER)["Status"] == "QUEUING"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "MissingParameter"),
        ({"VideoUrl": ""}, "MissingParameter"),
        ({"VideoUrl": "http://h/中.mp4"}, "InvalidFile.URL"),
        ({"VideoUrl": "ftp://h/a.mp4"}, "InvalidFile.URL"),
        ({"VideoUrl": "file:///etc/passwd"}, "InvalidFile.URL"),
        ({**CLIP, "BitRate": "0"}, "InvalidParameter"),
        ({**CLIP, "BitRate": "1_0"}, "InvalidParameter.Format"),
        ({**CLIP, "BitRate": "５"}, "InvalidParameter.Format"),
        ({**CLIP, "BitRate": "9" * 5000}, "InvalidParameter"),
        ({**CLIP, **{f"x{n}": "" for n in range(2100)}}, "InvalidParameter"),
    ],
)
def test_bad_parameters(front: Front, parameters: dict[str, str], code: str, old: bool) -> None:
    answer = front.call("SuperResolveVideo", parameters, old=old)
    assert (answer.status, answer.code()) == (400, code)


@pytest.mark.parametrize(
    "job", ["", "x", "../../etc/passwd", "8b2a0def-0b6b-4b0b-8b0b-0b0b0b0b0b0b", "'; DROP", "A" * 9999]
)
def test_bad_job_ids(front: Front, job: str) -> None:
    answer = front.call("GetAsyncJobResult", {"JobId": job})
    assert (answer.status, answer.code()) == (400, "InvalidParameter" if job else "MissingParameter")


def test_a_request_is_good_once(front: Front, old: bool) -> None:
    request = wire(signed("SuperResolveVideo", CLIP, old=old)).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    first, second = (replies(front.raw(request))[0] for _ in range(2))
    assert first.status == 200
    assert (second.status, second.code()) == (400, "SignatureNonceUsed")


def test_a_forger_does_not_use_up_a_nonce(front: Front, old: bool) -> None:
    forged = front.call("SuperResolveVideo", CLIP, old=old, nonce=f"mine-{old}", secret="guessed")
    assert forged.code() == "SignatureDoesNotMatch"
    assert front.call("SuperResolveVideo", CLIP, old=old, nonce=f"mine-{old}").status == 200


@pytest.mark.parametrize("minutes", [-16, 16])
def test_stale_requests(front: Front, old: bool, minutes: int) -> None:
    answer = front.call("SuperResolveVideo", CLIP, old=old, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert answer.code() == "InvalidTimeStamp.Expired"


def test_who_is_not_known(front: Front, old: bool) -> None:
    answer = front.call("SuperResolveVideo", CLIP, old=old, key="nobody")
    assert (answer.status, answer.code()) == (404, "InvalidAccessKeyId.NotFound")


def test_a_wrong_signature_shows_what_the_server_signed(front: Front) -> None:
    """The oldest Python client splits this message at the first colon, and crashes where there is none."""
    answer = front.call("SuperResolveVideo", CLIP, old=True, secret="guessed")
    assert (answer.status, answer.code()) == (400, "SignatureDoesNotMatch")
    before, _, after = answer.json["Message"].partition(":")
    assert before.endswith("server string to sign is")
    assert after.startswith("POST&%2F&AccessKeyId%3Dtestid")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods(front: Front, method: str) -> None:
    answer = front.send(method, "/")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    if method != "HEAD":
        assert answer.code() == "UnsupportedHTTPMethod"
    else:
        assert int(answer.headers["content-length"]) > 100
        assert answer.body == b""


@pytest.mark.parametrize(
    "path", ["/x", "/api/", "/healthz/", "/%2e%2e/etc/passwd", "/../etc/passwd", "/.", "/\x7f", "/vidprod", "/upload"]
)
def test_other_paths(front: Front, path: str) -> None:
    (answer,) = replies(front.raw(f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()))
    assert (answer.status, answer.code()) in ((404, "InvalidAction.NotFound"), (400, "InvalidRequest"))
    assert answer.status == 404 or path == "/\x7f"


def test_a_value_that_is_not_text(front: Front) -> None:
    answer = front.send("POST", "/?a=%ff", {"Content-Type": FORM_TYPE}, b"b=%ff")
    assert (answer.status, answer.code()) == (400, "InvalidParameter.Format")


def test_a_parameter_given_twice(front: Front) -> None:
    request = query_signed(CLIP, **{k: v for k, v in common().items() if k != "Format"})
    body = request.body + b"&" + urlencode({"VideoUrl": "http://h/b.mp4"}).encode()
    answer = front.send("POST", target(request), {"Content-Type": FORM_TYPE}, body)
    assert (answer.status, answer.code()) == (400, "InvalidParameter")


def test_a_person_gets_a_page_and_a_client_does_not(front: Front) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = front.send("GET", "/", browser)
    assert (page.status, page.headers["content-type"]) == (200, "text/html;charset=utf-8")
    assert front.send("GET", "/?Action=GetAsyncJobResult", browser).code() == "MissingVersion"
    assert front.send("POST", "/", browser).code() == "MissingVersion"


# --- operators --------------------------------------------------------------------------------------------------------


def test_health_and_metrics(front: Front) -> None:
    health = front.send("GET", "/healthz")
    assert (health.status, json.loads(health.body)) == (200, {"status": "ok", "queue": "ok"})
    front.call("GetAsyncJobResult", {"JobId": "x"})
    front.call("MadeUpByAClient", {})
    page = front.send("GET", "/metrics")
    assert page.status == 200
    assert 'vidprod_requests_total{action="GetAsyncJobResult",code="InvalidParameter"}' in page.body.decode()
    assert "MadeUpByAClient" not in page.body.decode()
    assert front.send("POST", "/healthz").status == 405


@pytest.fixture(scope="module")
def throttled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with Front(tmp_path_factory.mktemp("throttled") / "data", VIDPROD_RATE_LIMIT="1") as running:
        yield running


def test_throttling_is_per_key_and_after_the_signature(throttled: Front) -> None:
    def codes(count: int, **how: Any) -> list[str]:
        answers = [throttled.call("GetAsyncJobResult", {"JobId": "x"}, **how) for _ in range(count)]
        for answer in answers:
            waits = answer.headers.get("x-acs-retry-after")
            assert (waits is not None) == (answer.code() == "Throttling.User")
            assert waits is None or 1 <= int(waits) <= 1000
        return [answer.code() for answer in answers]

    assert set(codes(8, secret="guessed")) == {"SignatureDoesNotMatch"}  # costs the key's owner nothing
    found = codes(8)
    assert found[0] == "InvalidParameter"
    assert "Throttling.User" in found
    assert codes(1, **OTHER) == ["InvalidParameter"]
