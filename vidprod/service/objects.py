"""Result links: `GET /vidprod/<key>?Expires=..&OSSAccessKeyId=..&Signature=..`, in one piece or in ranges."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, quote

from vidprod import logs
from vidprod.errors import VidprodError
from vidprod.service.backend import Backend
from vidprod.service.http import Receive, Run, Scope, Send, header, send_answer, send_head
from vidprod.service.responses import Answer, new_request_id, storage_failure
from vidprod.service.rpc import public
from vidprod.storage.errors import InvalidObjectName, StorageError
from vidprod.storage.objects import BUCKET, StoredObject
from vidprod.storage.presign import verify_link

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_log = logs.get(__name__)


class MethodNotAllowed(StorageError):
    """Neither GET nor HEAD."""

    code = "MethodNotAllowed"
    status = 405


class InvalidRange(StorageError):
    """A range that begins behind the end."""

    code = "InvalidRange"
    status = 416


@dataclass(frozen=True)
class Span:
    """A part of an object: from `start` up to and without `end`."""

    start: int
    end: int


class Objects:
    """Serves the objects of the store to whoever has a link."""

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request_id = new_request_id()
        try:
            key = self._key(scope)
            found: StoredObject = await self._run(self._backend.store.head, key)
            headers = _headers(found, request_id)
            if _unchanged(scope, found):
                del headers["Content-Type"]
                await send_head(send, 304, headers)
                await send({"type": "http.response.body", "body": b""})
                return
            span = _asked(scope, found)
            status, part = (200, Span(0, found.size)) if span is None else (206, span)
            headers["Content-Length"] = str(part.end - part.start)
            if span is not None:
                headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{found.size}"
            if scope["method"] == "HEAD":
                await send_head(send, status, headers)
                await send({"type": "http.response.body", "body": b""})
                return
            pieces = await self._run(self._backend.store.open_range, key, part.start, part.end)
        except Exception as error:
            await send_answer(send, _refused(error, scope, request_id))
            return
        await send_head(send, status, headers)
        await self._send_pieces(pieces, part.end - part.start, receive, send)

    def _key(self, scope: Scope) -> str:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("The specified method is not allowed against this resource.")
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("ascii", "replace")
        query = _query(scope)
        # Links name the bucket; an upload's own URL does not. It is for the job's input only, and no link.
        in_path = path.lower().replace("%2f", "/").startswith(f"/{BUCKET}/")
        bucket = None if in_path else BUCKET
        return verify_link(path, query, self._backend.store.pair.secret_of, self._backend.clock(), bucket=bucket)

    async def _send_pieces(self, pieces: Iterator[bytes], left: int, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            while left and not gone.done():
                piece = await self._run(next, pieces, b"")
                if not piece:  # the object shrank; the client learns it from the missing bytes
                    _log.error("an object ended early", missing=left)
                    return
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        except VidprodError as error:
            _log.error("an object could not be read to its end", reason=error.message)
        finally:
            gone.cancel()
            close = getattr(pieces, "close", None)
            if close is not None:
                with suppress(ValueError):  # still at work for a client that was cut off by the end of the server
                    await self._run(close)


def _headers(found: StoredObject, request_id: str) -> dict[str, str]:
    name = PurePosixPath(found.key).name
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    return {
        "Content-Type": found.content_type,
        "Content-Disposition": f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Accept-Ranges": "bytes",
        "ETag": f'"{found.etag}"',
        "Last-Modified": format_datetime(found.modified.astimezone(UTC), usegmt=True),
        "Cache-Control": "private, max-age=3600, immutable",
        "X-Content-Type-Options": "nosniff",
        "x-oss-request-id": request_id,
    }


def _unchanged(scope: Scope, found: StoredObject) -> bool:
    wanted = header(scope, "if-none-match")
    if wanted:
        tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        return "*" in tags or f'"{found.etag}"' in tags
    since = header(scope, "if-modified-since")
    if since:
        with suppress(ValueError, TypeError):
            return found.modified.replace(microsecond=0) <= parsedate_to_datetime(since)
    return False


def _asked(scope: Scope, found: StoredObject) -> Span | None:
    """The range that is asked for; None for all. What cannot be understood, or asks for many, is answered with all of it."""
    given = _RANGE.fullmatch(header(scope, "range").strip().replace(" ", ""))
    if given is None or given.groups() == ("", ""):
        return None
    condition = header(scope, "if-range")
    if condition and condition not in (f'"{found.etag}"', _headers(found, "")["Last-Modified"]):
        return None
    first, last = given.groups()
    if not first:  # the last so many bytes
        span = Span(max(0, found.size - int(last)), found.size)
    else:
        span = Span(int(first), min(found.size, int(last) + 1) if last else found.size)
        if last and int(last) < int(first):
            return None
    if span.start >= span.end:
        raise InvalidRange(f"The object has {found.size} bytes.")
    return span


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            scope.get("query_string", b"").decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise InvalidObjectName("The query is not percent-encoded UTF-8, or has too many parameters.") from None


def _refused(error: Exception, scope: Scope, request_id: str) -> Answer:
    seen = public(error, request_id=request_id)
    known = (
        seen if isinstance(seen, VidprodError) else VidprodError("We encountered an internal error. Please try again.")
    )
    answer = storage_failure(known, request_id, header(scope, "host"))
    extra: Mapping[str, str] = {}
    if isinstance(error, MethodNotAllowed):
        extra = {"Allow": "GET, HEAD"}
    if isinstance(error, InvalidRange):
        extra = {"Content-Range": f"bytes */{re.sub('[^0-9]', '', error.message)}"}
    return Answer(answer.status, {**answer.headers, **extra}, answer.body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
