"""Bodies of answers: JSON and XML, success and error, exactly as the cloud writes them.

Every answer on the RPC path comes from here, also those for a wrong path or a crash: clients cannot read anything else, and tell
their user only "Failed to parse" then.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from vidprod.errors import InvalidParameterFormat, VidprodError
from vidprod.jobs.status import JobStatus
from vidprod.service.errors import Throttled, UnsupportedMethod
from vidprod.service.request import SignedRequest

ACCEPTED = "The task has been submitted; call GetAsyncJobResult with this RequestId as JobId to get the result."
CRASHED = "The request processing has failed due to some unknown error."

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


class Format(StrEnum):
    """How an answer is written."""

    JSON = "JSON"
    XML = "XML"

    @property
    def content_type(self) -> str:
        """Clients choose their parser by it, to the letter."""
        return "application/json;charset=utf-8" if self is Format.JSON else "text/xml;charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Coded(Protocol):
    """What an error tells a client."""

    @property
    def code(self) -> str:
        """A documented one."""

    @property
    def message(self) -> str:
        """One line."""


def new_request_id() -> str:
    """An upper-case UUID. That of a submit call is the id of the job."""
    return str(uuid.uuid4()).upper()


def choose_format(request: SignedRequest) -> Format:
    """The format that a request asks for.

    `Format` in query or form, any case, goes before all; the deprecated `do_action` of the Python core client sends the literal
    `None`, which counts as absent. Requests with an ACS3 signature get JSON; others may ask by `Accept`; the rest gets JSON.

    Raises:
        InvalidParameterFormat: neither JSON nor XML. To be answered in JSON.
    """
    for name, value in (*request.query, *request.form):
        if name == "Format" and value.upper() not in ("", "NONE"):
            if value.upper() in Format.__members__:
                return Format[value.upper()]
            raise InvalidParameterFormat("Specified parameter format is not valid.")
    headers = dict(request.headers)
    if headers.get("authorization", "").startswith("ACS"):
        return Format.JSON
    return Format.XML if "xml" in headers.get("accept", "").lower() else Format.JSON


def success(action: str, request_id: str, members: Mapping[str, Any], form: Format) -> Answer:
    """Status 200: `RequestId` and the action's members. In XML the root is named after the action."""
    if "Code" in members:  # the cloud's Node client takes any answer with a top-level Code for an error
        raise ValueError("a successful answer must not have a member Code")
    return _answer(200, f"{action}Response", {"RequestId": request_id, **members}, form, request_id)


def failure(error: Exception, request_id: str, host: str, form: Format) -> Answer:
    """The documented error body. What is not a `VidprodError` is a bug, of which clients learn no details.

    Args:
        error: what went wrong.
        request_id: of this call.
        host: the request's host header.
        form: of the answer.
    """
    code, status, message = VidprodError.code, VidprodError.status, CRASHED
    if isinstance(error, VidprodError):
        code, status, message = error.code, error.status, error.message
    members = {"RequestId": request_id, "HostId": host, "Code": code, "Message": message}
    extra = {}
    if isinstance(error, Throttled) and error.retry_after:
        # Clients take it for throttling whatever the code, so only here.
        extra["x-acs-retry-after"] = str(error.retry_after)
    if isinstance(error, UnsupportedMethod):
        extra["Allow"] = "GET, POST"
    return _answer(status, "Error", members, form, request_id, extra)


def submitted() -> dict[str, Any]:
    """Members of the answer to a submit call. There is no `Data`: what the reference shows as such is in a job's `Result`."""
    return {"Message": ACCEPTED}


def job(
    job_id: str,
    status: JobStatus,
    *,
    result: Mapping[str, Any] | None = None,
    error: Coded | None = None,
) -> dict[str, Any]:
    """Members of the answer of GetAsyncJobResult. A failed job is still status 200.

    Args:
        job_id: as issued at submit.
        status: of the job.
        result: the action's data, on success only; travels as a JSON document in a string.
        error: on failure only.
    """
    if (result is not None) != (status is JobStatus.PROCESS_SUCCESS) or (error is not None) != status.failed:
        raise ValueError(
            f"{status} goes with a result on success, with an error on failure, with neither before the end"
        )
    data: dict[str, Any] = {"Status": status.value, "JobId": job_id}
    if result is not None:
        data["Result"] = _json(result)
    if error is not None:
        data |= {"ErrorCode": error.code, "ErrorMessage": error.message}
    return {"Data": data}


def storage_failure(error: VidprodError, request_id: str, host: str) -> Answer:
    """The object storage's error body, for result links and uploads; always XML."""
    members = {"Code": error.code, "Message": error.message, "RequestId": request_id, "HostId": host}
    return _storage(error.status, "Error", members, request_id)


def stored(bucket: str, location: str, key: str, etag: str, request_id: str) -> Answer:
    """The answer to an upload: 201 with a body, which the clients parse; any other success makes them fail.

    Args:
        bucket: as issued.
        location: URL of the object.
        key: of the object.
        etag: its hex digest, without quotes.
        request_id: of this call.
    """
    members = {"Bucket": bucket, "Location": location, "Key": key, "ETag": f'"{etag}"'}
    return _storage(201, "PostResponse", members, request_id)


def xml(root: str, members: Mapping[str, Any]) -> str:
    """A document without insignificant white space. Characters that XML 1.0 forbids become U+FFFD."""
    return _DECLARATION + _element(root, members)


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = _FORBIDDEN.sub("\ufffd", str(value)).translate(_ESCAPES)
    return f"<{name}>{inner}</{name}>"


def _json(value: Any) -> str:
    # Escapes beyond ASCII: a lone surrogate echoed from a parameter has no UTF-8.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _answer(
    status: int,
    root: str,
    members: Mapping[str, Any],
    form: Format,
    request_id: str,
    extra: Mapping[str, str] | None = None,
) -> Answer:
    body = _json(members) if form is Format.JSON else xml(root, members)
    headers = {"Content-Type": form.content_type, "x-acs-request-id": request_id, **(extra or {})}
    return Answer(status, headers, body.encode())


def _storage(status: int, root: str, members: Mapping[str, Any], request_id: str) -> Answer:
    headers = {"Content-Type": "application/xml", "x-oss-request-id": request_id}
    return Answer(status, headers, xml(root, members).encode())
