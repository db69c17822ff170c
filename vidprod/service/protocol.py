"""HTTP/1.1 on one connection: uvicorn's, with a limit to everything that a client can make long, and documented refusals.

Clients understand only the documented error body, so what never reaches the application is answered with it too: bytes that are
not HTTP, headers without an end, a connection too many.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from vidprod.service.errors import GatewayError, HeadersTooLarge, RequestTimeout, Unavailable
from vidprod.service.responses import Answer, Format, failure, new_request_id

MAX_HEAD = 128 * 1024
"""Bytes of request line and headers; clients that put all parameters into the query need some ten thousand."""

MAX_HEADERS = 300
MAX_CONNECTIONS = 2000
HEAD_TIMEOUT = 15.0
"""Seconds in which request line and headers must have come, and what is left of a body once its request was answered."""

WRITE_TIMEOUT = 60.0
"""Seconds for which a client may take nothing of what is sent to it."""

LINGER = 2.0
"""Seconds for which a refused client's bytes are thrown away. Closing at once could take the answer away from it, too."""


class Refusal(Exception):
    """Raised inside the parser's callbacks to stop it; says nothing itself."""


class Connection(HttpToolsProtocol):
    """One connection. What the application may want to know beyond ASGI is in `scope["state"]`:

    * `authority`: the host of a request target in absolute form, which a client sends to an HTTP proxy; else None;
    * `refusal`: a GatewayError to answer, where the request cannot be read as its client meant it; else None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timers: dict[str, TimerHandle] = {}
        self._requests = 0
        self._reading_head = True  # or waiting for one
        self._refused: GatewayError | None = None
        self._deaf = False  # what comes is thrown away
        self._last: RequestResponseCycle | None = None  # after which the connection is closed
        self._head = 0  # bytes of the head so far
        self._framing = 0  # bytes after the head that are not body: chunk sizes, extensions, trailers
        self._body = 0

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self._set_timer("head", HEAD_TIMEOUT, self._head_is_late)
        if len(self.connections) > MAX_CONNECTIONS:
            self.refuse(Unavailable(f"{Unavailable.text} It has {MAX_CONNECTIONS} connections and takes no more."))

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._deaf:
            return
        request, body_before, in_head = self._requests, self._body, self._reading_head
        super().data_received(data)
        if self._deaf or self.transport.is_closing():
            return
        if self._reading_head:
            self._head += len(data) if self._requests else 0  # blank lines before the first are none
            if self._head > MAX_HEAD:
                self.refuse(HeadersTooLarge())
        elif not in_head and request == self._requests:  # else these bytes are the next request's too
            self._framing += len(data) - (self._body - body_before)
            if self._framing > MAX_HEAD + 8 * self._body:  # a chunk of one byte costs five more
                self.refuse(GatewayError("The chunks of the body carry more than the body."))
        idle = self.cycle is None or self.cycle.response_complete
        if idle and "head" not in self._timers and self.timeout_keep_alive_task is None:
            self._set_timer("head", HEAD_TIMEOUT, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        for name in list(self._timers):
            self._stop_timer(name)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._set_timer("write", WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._stop_timer("write")
        super().resume_writing()

    # --- the parser's side; an exception here ends in send_400_response ---

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._reading_head = True
        self._requests += 1
        self._head = self._framing = self._body = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        if not self._reading_head:
            return  # a trailer; nobody reads those
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._refused = HeadersTooLarge(f"{HeadersTooLarge.text} At most {MAX_HEADERS} are taken.")
            raise Refusal

    def on_headers_complete(self) -> None:
        """The head is there; the application is started."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD:
            self._refused = HeadersTooLarge()
            raise Refusal
        self._reading_head = False
        self._stop_timer("head")
        connect = self.parser.get_method() == b"CONNECT"
        authority, self.url = (None, b"/") if connect else _origin_form(self.url)
        self.scope["state"].update(authority=authority, refusal=None)
        # Kept from the parser of URLs, which takes no long ones.
        self.url, _, query = self.url.partition(b"?")
        upgrade = self.parser.should_upgrade()
        if upgrade and any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            # The parser takes what follows for another protocol's. The body is lost, which would look like a wrong signature.
            self.scope["state"]["refusal"] = GatewayError("A request with a body must not ask for an Upgrade.")
        super().on_headers_complete()
        self.scope["query_string"] = query
        # The connection is closed here and not by the cycle, which would do so while the client still sends.
        if (upgrade or not self.cycle.keep_alive) and self._last is None:
            self._last = self.cycle
        self.cycle.keep_alive = True
        self.cycle.on_response = partial(self._answered, self.cycle)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += len(body)
        super().on_body(body)

    def _answered(self, cycle: RequestResponseCycle) -> None:
        last = cycle is self._last
        if last:
            self.pipeline.clear()
        self.on_response_complete()
        if self.transport.is_closing() or self._deaf:
            return
        if last and cycle.more_body:  # closing would take the answer away from a client that still sends
            self._linger()
        elif last:
            self.transport.close()
        elif self.cycle.response_complete and (self._reading_head or cycle.more_body):
            # The next request has begun to come, or the rest of this one is still to be thrown away.
            self._unset_keepalive_if_required()
            self._set_timer("head", HEAD_TIMEOUT, self._head_is_late)

    def shutdown(self) -> None:
        """The server is stopping: the requests that have come are the last ones."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._last = self.cycle

    def _unsupported_upgrade_warning(self) -> None:
        """A client that offers another protocol is answered in this one; nothing to warn of."""

    # --- refusing ---

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for a request that cannot be parsed."""
        self.refuse(self._refused or GatewayError("The request is not well-formed HTTP/1.1."))

    def refuse(self, error: GatewayError) -> None:
        """Answers with an error what never becomes a request, and ends the connection."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:  # the application is told that its client has gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (busy and self.cycle.response_started):
            self.transport.write(_written(failure(error, new_request_id(), "", Format.JSON)))
        self._linger()

    def _linger(self) -> None:
        self._deaf = True
        for name in list(self._timers):
            self._stop_timer(name)
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._set_timer("linger", LINGER, self.transport.close)

    def _head_is_late(self) -> None:
        if self._requests and self._reading_head:
            self.refuse(RequestTimeout())
        else:
            self.transport.close()

    def _set_timer(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._stop_timer(name)
        self._timers[name] = self.loop.call_later(seconds, call)

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def _origin_form(target: bytes) -> tuple[str | None, bytes]:
    """The authority that a target in absolute form names, and the target without it."""
    scheme, separator, rest = target.partition(b"://")
    authority = None
    if separator and scheme.lower() in (b"http", b"https"):
        end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        authority, target = rest[:end].decode("latin-1"), rest[end:]
    # Some clients join "http://host/" and "/"; the asterisk of OPTIONS is no path.
    return authority, b"/" + target.lstrip(b"/*")


def _written(answer: Answer) -> bytes:
    headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"".join([STATUS_LINE[answer.status], lines.encode(), b"\r\n", answer.body])
