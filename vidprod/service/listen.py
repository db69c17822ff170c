"""One port for TLS and plain HTTP: the first byte of a connection tells which one it is.

Some clients of the cloud always upload with TLS, others never do, and one address must do for both.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from vidprod import logs
from vidprod.errors import InvalidParameter

HANDSHAKE = 0x16
"""First byte of a TLS connection; no HTTP method begins with it."""

FIRST_BYTE_TIMEOUT = 15.0
HANDSHAKE_TIMEOUT = 15.0
MAX_GREETING = 1000
"""Connections of which it is not known yet what they are."""

_log = logs.get(__name__)


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """The server's side of TLS.

    Args:
        certificate: PEM, the chain.
        key: PEM; None where it is in the same file.

    Raises:
        InvalidParameter: they cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or str(error)
        raise InvalidParameter(
            f"VIDPROD_TLS_CERT and VIDPROD_TLS_KEY ({certificate}, {key}) cannot be used: {reason}"
        ) from None
    return context


class MixedServer:
    """Accepts connections on sockets that are bound; behaves as an `asyncio.Server` does where the HTTP server looks."""

    def __init__(
        self, sockets: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext
    ) -> None:
        self.sockets = tuple(sockets)
        self._protocol = protocol
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, backlog: int) -> None:
        """Begins to accept."""
        for listener in self.sockets:
            listener.setblocking(False)
            listener.listen(backlog)
            self._spawn(self._accept(listener))

    def close(self) -> None:
        """Accepts no more."""
        for task in self._tasks:
            task.cancel()
        for listener in self.sockets:
            listener.close()

    async def wait_closed(self) -> None:
        """Waits until nothing of `close` is left to do."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # too many open files, mostly
                _log.error("a connection could not be accepted", reason=str(error))
                await asyncio.sleep(1)
                continue
            connection.setblocking(False)
            if len(self._tasks) > MAX_GREETING:
                connection.close()
            else:
                self._spawn(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(FIRST_BYTE_TIMEOUT):
                first = await _peek(connection)
            if not first:
                connection.close()
                return
            secure = first[0] == HANDSHAKE
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._context if secure else None,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if secure else None,
            )
        except (OSError, TimeoutError):  # a failed handshake is an OSError
            connection.close()
        except BaseException:
            connection.close()
            raise


async def _peek(connection: socket.socket) -> bytes:
    """The first byte, which stays to be read; empty when the client went away."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            pass
        readable = loop.create_future()
        loop.add_reader(connection.fileno(), readable.set_result, None)
        try:
            await readable
        finally:
            loop.remove_reader(connection.fileno())
