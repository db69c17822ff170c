"""The few things that all endpoints do with ASGI's messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from vidprod.service.errors import RequestTimeout, RequestTooLarge
from vidprod.service.request import Pairs
from vidprod.service.responses import Answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Run = Callable[..., Awaitable[Any]]
"""Calls a function in a thread: `await run(function, *arguments)`."""


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


def headers_of(scope: Scope) -> Pairs:
    """Headers as text, names in lower case."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])


def header(scope: Scope, name: str) -> str:
    """The first header of a name, in lower case; empty when there is none."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), "")


def target_of(scope: Scope) -> str:
    """Path and query as sent."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    return str((path + b"?" + query if query else path).decode("latin-1"))


def declared_length(scope: Scope) -> int:
    """What Content-Length says; 0 where nothing is said."""
    text = header(scope, "content-length")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def next_chunk(receive: Receive, timeout: float) -> tuple[bytes, bool]:
    """The next bytes of the body, and whether more will come.

    Raises:
        RequestTimeout: none came for `timeout` seconds.
        ClientGone: the client went away.
    """
    try:
        async with asyncio.timeout(timeout):
            message = await receive()
    except TimeoutError:
        raise RequestTimeout from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


async def read_body(scope: Scope, receive: Receive, limit: int, timeout: float) -> bytes:
    """All of a body.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        limit: bytes.
        timeout: seconds for all of it.

    Raises:
        RequestTooLarge: told by its length before it comes, or as soon as it is too long.
        RequestTimeout: it does not end.
        ClientGone: the client went away.
    """
    if declared_length(scope) > limit:
        raise RequestTooLarge(f"{RequestTooLarge.text} At most {limit} bytes are taken.")
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    parts, size, more = [], 0, True
    while more:
        data, more = await next_chunk(receive, end - loop.time())
        size += len(data)
        if size > limit:
            raise RequestTooLarge(f"{RequestTooLarge.text} At most {limit} bytes are taken.")
        parts.append(data)
    return b"".join(parts)


async def send_answer(send: Send, answer: Answer) -> None:
    """Sends an answer that is complete."""
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    await send_head(send, answer.status, headers)
    await send({"type": "http.response.body", "body": answer.body})


async def send_head(send: Send, status: int, headers: Mapping[str, str]) -> None:
    """Sends status and headers; the body is up to the caller."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
