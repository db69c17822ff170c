"""From a call, as it came over the wire, to its answer.

Nothing here waits for the network, but the queue's database may take its time: `Rpc.answer` is to be called in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from vidprod import logs
from vidprod.errors import InternalError, InvalidParameter, MissingParameter, VidprodError, shown
from vidprod.jobs.queue import Job, JobRequest
from vidprod.service import responses
from vidprod.service.backend import Backend
from vidprod.service.errors import Unavailable, mandatory
from vidprod.service.nonces import use_once
from vidprod.service.origin import Origin
from vidprod.service.request import Pairs, SignedRequest
from vidprod.service.responses import Answer, Format
from vidprod.service.signature import Caller, verify
from vidprod.service.values import read
from vidprod.storage.keys import upload_key
from vidprod.storage.objects import BUCKET
from vidprod.storage.policy import Ticket, UploadPolicy

VERSION, POLL_VERSION, UPLOAD_VERSION = "2020-03-20", "2023-01-17", "2019-12-19"
POLL, UPLOAD = "GetAsyncJobResult", "AuthorizeFileUpload"
TICKET_TTL = timedelta(hours=1)
"""How long an upload may begin after its ticket was issued."""

PROGRESS = "x-vidprod-progress"
"""Header of a running job's answer: done so far, 0 to 1. The documented body has no place for it."""

_JOB_ID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_log = logs.get(__name__)


@dataclass(frozen=True)
class Call:
    """A call as it came.

    Attributes:
        method: of the request line.
        target: of the request line, without scheme and host.
        headers: in order, names in lower case.
        body: all of it.
        origin: how it reached this server.
        problem: what was found wrong with it on the way in; answered in the format it asks for.
    """

    method: str
    target: str
    headers: Pairs
    body: bytes
    origin: Origin
    problem: VidprodError | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        answer: for the client.
        request_id: of the call.
        code: OK, or that of the error.
        action: that was asked for, None where it is not one that is served.
        account: whose call it was, None where that is not certain.
    """

    answer: Answer
    request_id: str
    code: str = "OK"
    action: str | None = None
    account: str | None = None


class Rpc:
    """The RPC endpoint of an installation."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._served: Mapping[str, Collection[str]] = {
            VERSION: frozenset({*backend.actions, POLL}),
            POLL_VERSION: frozenset({POLL}),
            UPLOAD_VERSION: frozenset({UPLOAD}),
        }
        self._actions = frozenset().union(*self._served.values())

    def answer(self, call: Call) -> Outcome:
        """The answer to a call; an error is one too. Never raises."""
        outcome = Outcome(Answer(500, {}, b""), responses.new_request_id())
        with logs.bound(request_id=outcome.request_id):
            return self._answer(call, outcome)

    def _answer(self, call: Call, outcome: Outcome) -> Outcome:
        form = Format.JSON
        try:
            request = SignedRequest.parse(call.method, call.target, call.headers, call.body)
            form = responses.choose_format(request)
            if call.problem is not None:
                raise call.problem
            # Only for the log: who calls is known when the signature is verified.
            asked = request.parameters.get("Action") or request.header("x-acs-action")
            outcome = replace(outcome, action=asked if asked in self._actions else None)
            backend = self._backend
            now = backend.clock()
            caller = verify(request, backend.keys.secret_of, now, served=self._served)
            outcome = replace(outcome, action=caller.action, account=backend.keys.account_of(caller.access_key_id))
            use_once(backend.nonces, caller, now)
            backend.throttle.check(caller.access_key_id)
            members, headers = self._do(caller, request, call.origin, outcome)
            answer = responses.success(caller.action, outcome.request_id, members, form)
            return replace(outcome, answer=replace(answer, headers={**answer.headers, **headers}))
        except Exception as error:
            known = public(error, action=outcome.action)
            answer = responses.failure(known, outcome.request_id, call.origin.host, form)
            code = known.code if isinstance(known, VidprodError) else VidprodError.code
            return replace(outcome, answer=answer, code=code)

    def _do(
        self, caller: Caller, request: SignedRequest, origin: Origin, outcome: Outcome
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Members of the answer, and further headers."""
        assert outcome.account is not None
        if caller.action == UPLOAD:
            header_signed = (request.header("authorization") or "").startswith("ACS")
            return self._ticket(outcome.account, origin, header_signed=header_signed), {}
        if caller.action == POLL:
            return self._poll(caller.parameters.get("JobId", ""), outcome.account)
        spec = self._backend.actions[caller.action]
        parameters = read(spec.params, caller.parameters)
        job = JobRequest(
            id=outcome.request_id,
            account=outcome.account,
            action=caller.action,
            parameters=_own_urls(parameters.model_dump(mode="json", by_alias=True, exclude_none=True), origin),
            base_url=origin.base_url,
            submitted=self._backend.clock(),
            request_id=outcome.request_id,
        )
        self._backend.queue.submit(job)
        return responses.submitted(), {}

    def _poll(self, job_id: str, account: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        if not job_id:
            raise MissingParameter(mandatory("JobId"))
        job = self._backend.queue.get(job_id, account=account) if _JOB_ID.fullmatch(job_id) else None
        if job is None:  # unknown, expired or another account's: which of these, nobody is told
            raise InvalidParameter(f"JobId is {shown(job_id)}: there is no such job")
        headers = {}
        if job.progress is not None and not job.status.final:
            headers[PROGRESS] = f"{job.progress:.4f}"
        return responses.job(job.id, job.status, result=_result(job), error=_error(job)), headers

    def _ticket(self, account: str, origin: Origin, *, header_signed: bool) -> Mapping[str, Any]:
        """What a client needs to upload a file. Those that sign headers always post to https, unless they are told http."""
        now = self._backend.clock()
        policy = UploadPolicy(now + TICKET_TTL, upload_key(account, now), self._backend.settings.max_upload_bytes)
        bucket, endpoint = origin.upload_host(plain_http=header_signed and not origin.secure)
        return Ticket(policy, self._backend.store.pair, bucket, endpoint).members()


@dataclass(frozen=True)
class _Failure:
    code: str
    message: str


def _result(job: Job) -> Mapping[str, Any] | None:
    return job.result or {} if job.status.final and not job.status.failed else None


def _error(job: Job) -> _Failure | None:
    return _Failure(job.error_code or VidprodError.code, job.error_message or "") if job.status.failed else None


def _own_urls(value: Any, origin: Origin) -> Any:
    """URLs of this server's objects under the one name that the worker knows it by, where the client used another."""
    if isinstance(value, dict):
        return {name: _own_urls(inner, origin) for name, inner in value.items()}
    if isinstance(value, list):
        return [_own_urls(inner, origin) for inner in value]
    if not isinstance(value, str) or not value.lower().startswith(("http://", "https://")):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:  # a name that only looks like a URL
        return value
    if parts.netloc.lower() not in origin.hosts or not parts.path.startswith(("/upload/", f"/{BUCKET}/")):
        return value
    base = urlsplit(origin.base_url)
    return parts._replace(scheme=base.scheme, netloc=base.netloc).geturl()


def public(error: Exception, **context: Any) -> Exception:
    """The error as a client may see it: what is wrong with the server is for the log."""
    if isinstance(error, InternalError):
        _log.error("cannot answer", reason=error.message, **context)
        return Unavailable()
    if not isinstance(error, VidprodError):
        _log.error("a request crashed", exc_info=error, **context)
    return error
