"""Requests at a fixed rate, and how long their answers took.

A request counts from the moment it was due, whether or not a connection was free then: a server that stalls cannot hide that by
keeping the next requests from being sent. Everything is signed beforehand, and answers are only cut at their length, so that the
client costs next to nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from vidprod.service.request import FORM, SignedRequest
from vidprod.service.signature import sign_headers, write_timestamp

CONNECTIONS = 128


@dataclass(frozen=True)
class Shot:
    """One request: what it is, and its bytes."""

    kind: str
    data: bytes


@dataclass(frozen=True)
class Hit:
    """One answer.

    Attributes:
        kind: that of its request.
        due: seconds after the first request.
        seconds: from the moment the request was due.
        status: of HTTP.
    """

    kind: str
    due: float
    seconds: float
    status: int


def signed(kind: str, host: str, key: str, secret: str, action: str, parameters: dict[str, str]) -> Shot:
    """A call of the API, ready to be sent within the next quarter of an hour."""
    body = urlencode(parameters).encode()
    headers = {
        "host": host,
        "content-type": FORM,
        "content-length": str(len(body)),
        "x-acs-action": action,
        "x-acs-version": "2020-03-20",
        "x-acs-date": write_timestamp(datetime.now(UTC)),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    headers["authorization"] = sign_headers(SignedRequest.parse("POST", "/", headers.items(), body), key, secret)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Shot(kind, f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body)


def fire(host: str, port: int, shots: Sequence[Shot], rate: float) -> list[Hit]:
    """Sends them at `rate` per second."""
    return asyncio.run(_fire(host, port, shots, rate))


async def _fire(host: str, port: int, shots: Sequence[Shot], rate: float) -> list[Hit]:
    connections = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(CONNECTIONS)))
    hits: list[Hit] = []
    start = time.perf_counter() + 0.1
    due = iter([(number / rate, shot) for number, shot in enumerate(shots)])
    await asyncio.gather(*(_use(reader, writer, start, due, hits) for reader, writer in connections))
    for _, writer in connections:
        writer.close()
    return hits


async def _use(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    start: float,
    due: Iterator[tuple[float, Shot]],
    hits: list[Hit],
) -> None:
    for moment, shot in due:
        await asyncio.sleep(max(0.0, start + moment - time.perf_counter()))
        writer.write(shot.data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"
        )
        await reader.readexactly(length)
        hits.append(Hit(shot.kind, moment, time.perf_counter() - start - moment, int(head[9:12])))
