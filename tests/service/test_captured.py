"""Requests of the cloud's own clients; `captured.json` says how they were made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.service.models import ACTIONS, GetAsyncJobResult
from tests.service.signing import secret_of
from vidprod.service.errors import SignatureMismatch
from vidprod.service.request import SignedRequest
from vidprod.service.responses import choose_format
from vidprod.service.signature import Caller, read_timestamp, verify
from vidprod.service.values import read

REQUESTS = json.loads((Path(__file__).parent / "captured.json").read_text(encoding="utf-8"))["requests"]
SERVED = {"2020-03-20": {*ACTIONS, "GetAsyncJobResult"}, "2019-12-19": {"AuthorizeFileUpload"}}


def label(row: dict[str, Any]) -> str:
    return f"{row['client']} {row['signature']} {row['action']} {row['method']}"


def parse(row: dict[str, Any]) -> SignedRequest:
    return SignedRequest.parse(row["method"], row["target"], row["headers"], row["body"].encode())


def check(request: SignedRequest) -> Caller:
    stamp = request.header("x-acs-date")
    if request.header("authorization") is None:
        stamp = request.parameters["Timestamp"]
    assert stamp
    return verify(request, secret_of, read_timestamp(stamp), served=SERVED)


@pytest.mark.parametrize("row", REQUESTS, ids=label)
def test_it_verifies_and_says_what_the_user_meant(row: dict[str, Any]) -> None:
    request = parse(row)
    caller = check(request)
    assert (caller.action, choose_format(request)) == (row["action"], row["format"])
    if caller.action == "AuthorizeFileUpload":
        assert caller.parameters["Product"] == "videoenhan"
        return
    if caller.action == "GetAsyncJobResult":
        assert read(GetAsyncJobResult, caller.parameters).job_id == "4C8D0B2E-0000-4000-8000-0123456789AB"
        return
    given = read(ACTIONS[caller.action], caller.parameters).model_dump()
    url = "http://127.0.0.1:9000/a%20b~(1)*.mp4?x=1&y=2'!"
    if caller.action == "GenerateVideo":
        assert given["mute"] is True
        file = given["file_list"][0]
        assert file["file_name"].startswith("片 段+&=")
        assert file["file_name"].endswith(".mp4")
        assert (file["file_url"], file["type"]) == (url, "video")
        return
    assert given["video_url"] == url
    if caller.action == "SuperResolveVideo":
        assert given["bit_rate"] == 20
    else:
        assert given["boxes"][0]["w"] == 0.25
        assert given["boxes"][0]["h"] in (1e-05, 1e-07)


@pytest.mark.parametrize("row", [row for row in REQUESTS if row["action"] != "AuthorizeFileUpload"], ids=label)
def test_it_does_not_verify_for_another_action(row: dict[str, Any]) -> None:
    request = parse(row)
    other = "GenerateVideo" if row["action"] != "GenerateVideo" else "EraseVideoLogo"
    if row["signature"] == "ACS3":
        headers = tuple((k, other if k == "x-acs-action" else v) for k, v in request.headers)
        changed = replace(request, headers=headers)
    else:
        body = request.body.replace(f"Action={row['action']}".encode(), f"Action={other}".encode())
        changed = replace(request, query=tuple((k, other if k == "Action" else v) for k, v in request.query), body=body)
    with pytest.raises(SignatureMismatch):
        check(changed)
