"""The client's side of the wire: signed calls, and uploads by form."""

from __future__ import annotations

import hashlib
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import httpx2

import vidprod.errors
import vidprod.service.errors
import vidprod.storage.errors
from vidprod.errors import FileDownload, InternalError, InvalidParameter, VidprodError, shown
from vidprod.service.errors import Throttled, Unavailable
from vidprod.service.request import FORM, SignedRequest
from vidprod.service.signature import sign_headers, write_timestamp
from vidprod.storage.urls import check_url

VERSION = "2020-03-20"
UPLOAD_VERSION = "2019-12-19"

TRIES = 4
CHUNK = 1 << 18
# Shorter than servers keep an idle connection, so that a call is not sent into one that is just being closed.
_IDLE = 2.0
SLOW = 60.0  # seconds without a single byte, in uploads and downloads

T = TypeVar("T")


class Connection:
    """Signed calls to one server. Any number of threads may use one.

    Args:
        endpoint: scheme, host and port, `http://127.0.0.1:8080`; without a scheme `http://` is meant.
        access_key_id: of the key pair.
        access_key_secret: of the key pair.
        timeout: seconds to wait for one answer.
        ca: PEM file of the authority that signed the server's certificate, where that is not a public one.
    """

    def __init__(
        self, endpoint: str, access_key_id: str, access_key_secret: str, *, timeout: float, ca: str | Path | None
    ) -> None:
        self.endpoint = _checked_endpoint(endpoint)
        self._key, self._secret = access_key_id, access_key_secret
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
        self.http = httpx2.Client(
            timeout=timeout, verify=verify, limits=httpx2.Limits(keepalive_expiry=_IDLE), follow_redirects=False
        )

    def close(self) -> None:
        """Closes all connections."""
        self.http.close()

    def call(
        self,
        action: str,
        parameters: Mapping[str, str],
        *,
        method: str = "POST",
        version: str = VERSION,
        repeatable: bool = False,
        tries: int = TRIES,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """One call of the API.

        Args:
            action: the cloud's name.
            parameters: names and values as they go over the wire.
            method: POST sends them as a form, GET in the query.
            version: of the API.
            repeatable: whether the call may be sent again when nobody knows if the server got it. One that surely did not reach the
                server, or that was refused for being one too many, is sent again in any case.
            tries: at most so many.

        Returns:
            The answer's members, and its headers.

        Raises:
            Unavailable: the server cannot be reached, or says that it cannot answer now.
            VidprodError: what the server answered, with its code.
        """
        return _persist(lambda: self._call(action, parameters, method, version), tries, repeatable=repeatable)

    def _call(
        self, action: str, parameters: Mapping[str, str], method: str, version: str
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        encoded = urlencode(parameters)
        target = f"/?{encoded}" if method == "GET" and encoded else "/"
        body = encoded.encode() if method == "POST" else b""
        headers = {
            "host": urlsplit(self.endpoint).netloc,
            "accept": "application/json",
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": write_timestamp(datetime.now(UTC)),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if body:
            headers["content-type"] = FORM
        request = SignedRequest.parse(method, target, headers.items(), body)
        headers["authorization"] = sign_headers(request, self._key, self._secret)
        with reaching(self.endpoint):
            response = self.http.request(method, self.endpoint + target, headers=headers, content=body)
        try:
            members = response.json()
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise InternalError(
                f"{self.endpoint} answered {response.status_code} with something that is not of this API; is it a vidprod server?"
            )
        if response.status_code >= 400:
            raise _answered(members, response)
        return members, response.headers

    def upload(self, path: Path) -> str:
        """Sends a file to the server; the URL that names it in a job's parameters.

        Raises:
            FileDownload: the file cannot be read.
            VidprodError: what the server answered, with its code.
        """
        try:
            size = path.stat().st_size
            path.open("rb").close()
        except OSError as error:
            raise FileDownload(f"{path}: {error.strerror}") from None
        parameters = {"Product": "videoenhan"}
        ticket, _ = self.call("AuthorizeFileUpload", parameters, method="GET", version=UPLOAD_VERSION, repeatable=True)
        fields = {
            "OSSAccessKeyId": ticket["AccessKeyId"],
            "Signature": ticket["Signature"],
            "key": ticket["ObjectKey"],
            "policy": ticket["EncodedPolicy"],
            "success_action_status": "201",
        }
        # The same object again, complete or not at all: sending it twice does no harm.
        _persist(lambda: self._post(path, size, fields), TRIES, repeatable=True)
        return check_url(f"http://{ticket['Bucket']}.{ticket['Endpoint']}/{ticket['ObjectKey']}")

    def _post(self, path: Path, size: int, fields: Mapping[str, str]) -> None:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + size + len(tail)),
        }
        # To the address that is known to work, rather than the one of the ticket, which is made for clients that insist on a bucket
        # in the host name.
        with reaching(self.endpoint):
            response = self.http.post(
                self.endpoint + "/", headers=headers, content=_form(head, path, size, tail), timeout=SLOW
            )
        if response.status_code != 201:
            raise refused(response, "the upload")


def documented_error(code: str, message: str) -> VidprodError:
    """The error class of a code; an unknown code keeps its name."""
    kind = _classes().get(code)
    if kind is None:
        kind = type(
            "ServerError", (VidprodError,), {"code": code, "__doc__": "An error that this client does not know."}
        )
    return kind(message)


@cache
def _classes() -> Mapping[str, type[VidprodError]]:
    found: dict[str, type[VidprodError]] = {}
    for module in (vidprod.storage.errors, vidprod.service.errors, vidprod.errors):
        for kind in vars(module).values():
            # Where a base and its child share a code, the child is meant, which comes later: the base is there to be caught.
            if isinstance(kind, type) and issubclass(kind, VidprodError) and kind.__module__ == module.__name__:
                found[kind.code] = kind
    return found


def _answered(members: Mapping[str, Any], response: httpx2.Response) -> VidprodError:
    error = documented_error(str(members.get("Code", "InternalServerError")), str(members.get("Message", "")))
    if isinstance(error, Throttled):
        after = response.headers.get("x-acs-retry-after", "")
        error.retry_after = int(after) if after.isascii() and after.isdigit() else None
    error.add_note(f"request id: {members.get('RequestId', 'none')}")
    return error


def refused(response: httpx2.Response, what: str) -> VidprodError:
    """The error that a storage answer holds, in XML."""
    try:
        found = {child.tag: child.text or "" for child in ElementTree.fromstring(response.content)}
    except ElementTree.ParseError:
        found = {}
    if "Code" not in found:
        return InternalError(f"{what} was answered {response.status_code} with something that is not of this API")
    return documented_error(found["Code"], found.get("Message", ""))


def _checked_endpoint(endpoint: str) -> str:
    text = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid or parts.path not in ("", "/") or parts.query or parts.username:
        raise InvalidParameter(f"endpoint is {shown(endpoint)}: must be scheme, host and port: http://127.0.0.1:8080")
    return f"{parts.scheme}://{parts.netloc}"


class _Lost(Unavailable):
    """The connection broke after the request was sent, or while it was: the server may have got it."""


class reaching:  # noqa: N801 - a context manager
    """Turns what the HTTP library raises into `Unavailable`."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise Unavailable(f"{self.host} cannot be reached: {_reason(error)}") from None
        if isinstance(error, httpx2.TransportError):
            raise _Lost(f"{self.host} did not answer: {_reason(error)}") from None
        if isinstance(error, httpx2.InvalidURL):
            raise InvalidParameter(f"{self.host} cannot be called: {error}") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _persist(action: Callable[[], T], tries: int, *, repeatable: bool) -> T:
    for failures in range(1, tries + 1):
        try:
            return action()
        except Throttled as error:
            if failures == tries:
                raise
            time.sleep(min(10.0, error.retry_after / 1000) if error.retry_after else pause(failures))
        except Unavailable as error:
            # A 503 is answered before anything was done; only a lost connection leaves it open.
            if failures == tries or (isinstance(error, _Lost) and not repeatable):
                raise
            time.sleep(pause(failures))
    raise AssertionError("unreachable")


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return float(min(5.0, 0.1 * 3**failures))


def _form(head: bytes, path: Path, size: int, tail: bytes) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(CHUNK, size))):
            size -= len(chunk)
            yield chunk
    yield tail
