"""The HTTP application: one RPC endpoint, result links, uploads, and what operators look at."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.routing import Route

from vidprod import logs
from vidprod.errors import VidprodError
from vidprod.service import explorer, metrics, responses
from vidprod.service.backend import Backend
from vidprod.service.errors import Unavailable
from vidprod.service.http import (
    ClientGone,
    Receive,
    Run,
    Scope,
    Send,
    header,
    headers_of,
    read_body,
    send_answer,
    target_of,
)
from vidprod.service.objects import Objects
from vidprod.service.origin import origin_of
from vidprod.service.responses import Answer, Format
from vidprod.service.rpc import POLL, Call, Outcome, Rpc
from vidprod.service.uploads import Uploads
from vidprod.storage.objects import BUCKET

MAX_BODY = 1 << 20
"""Bytes of a call's body; GenerateVideo with all its files needs some 100,000."""

BODY_TIMEOUT = 20.0
"""Seconds for all of it."""

RPC_THREADS, POLL_THREADS, IO_THREADS = 24, 8, 16
"""Submits wait for the disk, and together: the more of them wait, the more one commit takes along. Polls only read, and must not
wait behind them."""

MAX_WAITING = 500
"""Calls that wait for a thread; when the database is slow, more would only make everybody wait."""

STALE = 8.0
"""Seconds of waiting after which a call is not carried out any more. Its client, which waits for 10, is about to give up and to try
again; it must not find two jobs then."""

_POLL_ACTION = b"Action=" + POLL.encode()
_TEXT = {"Content-Type": "text/plain;charset=utf-8"}
_log = logs.get(__name__)


def create_app(backend: Backend) -> Starlette:
    """The application of an installation."""
    rpc_threads, poll_threads = Threads(RPC_THREADS, "rpc"), Threads(POLL_THREADS, "poll")
    io_threads = Threads(IO_THREADS, "io")
    objects = Objects(backend, io_threads.run)
    pages = Pages(backend, io_threads.run)
    front = Front(backend, rpc_threads, poll_threads, Uploads(backend, io_threads.run), Look(pages.explorer))
    app = Starlette(
        routes=[
            Route("/", front),
            Route(f"/{BUCKET}/{{key:path}}", objects),
            Route("/upload/{key:path}", objects),
            Route("/healthz", Look(pages.health)),
            Route("/metrics", Look(pages.metrics)),
            Route(explorer.PREFIX + "{name}", Look(pages.asset)),
            Route("/{path:path}", front),  # answers that there is no such thing, the way clients understand
        ]
    )
    app.router.redirect_slashes = False  # never redirect a call
    return app


class Threads:
    """Runs what may block beside the event loop."""

    def __init__(self, count: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self.pending = 0

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in a thread."""
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *arguments))
        finally:
            self.pending -= 1


class Front:
    """`/`: calls, uploads, and a page for people; for all other paths, the documented 404."""

    def __init__(self, backend: Backend, threads: Threads, polls: Threads, uploads: Uploads, page: Look) -> None:
        self._backend = backend
        self._page = page
        self._rpc = Rpc(backend)
        self._threads = threads
        self._polls = polls
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        started = time.perf_counter()
        if scope["path"] == "/" and is_browser(scope):
            await self._page(scope, receive, send)
            return
        try:
            if header(scope, "content-type").lower().startswith("multipart/") and scope["path"] == "/":
                await send_answer(send, await self._uploads.answer(scope, receive))
                return
            outcome = await self._call(scope, receive)
        except ClientGone:
            return
        await send_answer(send, outcome.answer)
        seconds = time.perf_counter() - started
        metrics.observe(outcome.action or metrics.OTHER, outcome.code, seconds)
        # Clients poll all the time, which would bury everything else.
        polled = outcome.action == POLL and outcome.code == "OK"
        _log.log(
            logging.DEBUG if polled else logging.INFO,
            "call",
            action=outcome.action,
            code=outcome.code,
            status=outcome.answer.status,
            milliseconds=round(seconds * 1000, 1),
            request_id=outcome.request_id,
            account=outcome.account,
            client=(scope.get("client") or ("",))[0],
        )

    async def _call(self, scope: Scope, receive: Receive) -> Outcome:
        origin = origin_of(scope, self._backend.settings.public_url)
        body, problem = b"", scope.get("state", {}).get("refusal")
        try:
            body = await read_body(scope, receive, MAX_BODY, BODY_TIMEOUT)
        except VidprodError as error:
            problem = error
        threads = self._polls if looks_like_poll(scope, body) else self._threads
        if threads.pending >= MAX_WAITING:
            problem = Unavailable(f"{Unavailable.text} Too many calls wait to be answered.")
            request_id = responses.new_request_id()
            return Outcome(responses.failure(problem, request_id, origin.host, Format.JSON), request_id, problem.code)
        call = Call(scope["method"], target_of(scope), headers_of(scope), body, origin, problem)
        outcome: Outcome = await threads.run(self._answer, call, time.monotonic() + STALE)
        return outcome

    def _answer(self, call: Call, end: float) -> Outcome:
        if time.monotonic() > end:
            call = replace(call, problem=Unavailable(f"{Unavailable.text} The call waited too long to be answered."))
        return self._rpc.answer(call)


class Pages:
    """What people and their machines look at."""

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run

    async def health(self, _scope: Scope) -> Answer:
        """Status 200 as long as calls can be answered."""
        queue = await self._run(self._backend.queue.healthy)
        worker = self._backend.worker()
        document = {"status": "ok" if queue else "failing", "queue": "ok" if queue else "failing"}
        if worker is not None:
            document["worker"] = worker
        body = json.dumps(document).encode()
        return Answer(200 if queue else 503, {"Content-Type": "application/json", "Cache-Control": "no-store"}, body)

    async def metrics(self, _scope: Scope) -> Answer:
        """In Prometheus' text format."""
        body = await self._run(metrics.render, self._backend.queue)
        return Answer(200, {"Content-Type": metrics.CONTENT_TYPE, "Cache-Control": "no-store"}, body)

    async def explorer(self, _scope: Scope) -> Answer:
        """The page for people."""
        return explorer.page(self._backend.settings)

    async def asset(self, scope: Scope) -> Answer:
        """A file of that page."""
        name = scope["path"].removeprefix(explorer.PREFIX)
        return explorer.asset(name, self._backend.actions) or Answer(404, _TEXT, b"there is no such file\n")


class Look:
    """An ASGI endpoint that answers GET and HEAD, and nothing that an API client understands."""

    def __init__(self, look: Callable[[Scope], Awaitable[Answer]]) -> None:
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            if scope["method"] not in ("GET", "HEAD"):
                answer = Answer(405, {**_TEXT, "Allow": "GET, HEAD"}, b"GET or HEAD\n")
            else:
                answer = await self._look(scope)
        except Exception:
            _log.exception("a page failed", path=scope["path"])
            answer = Answer(500, _TEXT, b"failed; the log tells more\n")
        await send_answer(send, answer)


def looks_like_poll(scope: Scope, body: bytes) -> bool:
    """Whether a call says that it is a poll. It is believed only for where it waits."""
    return (
        header(scope, "x-acs-action") == POLL or _POLL_ACTION in scope.get("query_string", b"") or _POLL_ACTION in body
    )


def is_browser(scope: Scope) -> bool:
    """Whether a person looks at `/`, rather than a client calling it."""
    if scope["method"] not in ("GET", "HEAD") or "text/html" not in header(scope, "accept"):
        return False
    names = {name for name, _ in parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)}
    return "Action" not in names and not header(scope, "authorization").startswith("ACS")
