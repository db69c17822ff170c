"""Connections for fetching: to checked addresses only, and never longer than there is time.

The address is checked where the connection is made, and it is the checked one that is connected to. A check of the host's name
beforehand would be worth nothing: the name may resolve to something else the next time.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from ssl import SSLContext, SSLSocket
from typing import Any

import httpcore2

from vidprod.errors import Cancelled, FileUnsafe
from vidprod.storage.addresses import Address, parse

_TICK = 0.25  # seconds between two looks at whether the job was cancelled
_CONNECT = 10.0  # seconds for resolving a name, and for each of its addresses
_WINDOW = 60.0  # seconds in which at least ...
_LEAST = 30_000  # ... so many bytes must come; slower servers only keep the job waiting

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Limits:
    """What ends a transfer from outside: its deadline, a cancelled job, a server that sends too slowly.

    Args:
        seconds: from now to the deadline.
        quiet: seconds without a byte before the connection counts as broken.
        cancelled: asked a few times a second.
    """

    def __init__(self, seconds: float, quiet: float, cancelled: Callable[[], bool]) -> None:
        self._deadline = time.monotonic() + seconds
        self._cancelled = cancelled
        self._asked = 0.0
        self.quiet = quiet

    def left(self) -> float:
        """Seconds left.

        Raises:
            OutOfTime: none.
            Cancelled: the job was.
        """
        now = time.monotonic()
        if now >= self._asked + _TICK / 2:
            self._asked = now
            if self._cancelled():
                raise Cancelled
        left = self._deadline - now
        if left <= 0:
            raise OutOfTime
        return left

    def sleep(self, seconds: float) -> None:
        """Waits, unless one of the limits is reached."""
        end = time.monotonic() + seconds
        while (pause := end - time.monotonic()) > 0:
            time.sleep(min(pause, _TICK, self.left()))
        self.left()


class OutOfTime(Exception):
    """The deadline of the whole transfer has passed."""


class CheckedBackend(httpcore2.NetworkBackend):
    """Makes the connections of one transfer.

    Args:
        permitted: whether an address may be connected to.
        limits: of the transfer.
    """

    def __init__(self, permitted: Callable[[Address], bool], limits: Limits) -> None:
        self._permitted = permitted
        self._limits = limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connects to the first of the host's addresses that answers.

        A host with one forbidden address is refused altogether: a public server has none, and which of them is used would be
        chance.

        Raises:
            FileUnsafe: an address is not permitted. Nothing was sent to any.
        """
        found = _resolve(host, port, self._limits)
        for _, address in found:
            if not self._permitted(parse(address[0])):
                raise FileUnsafe(
                    f"{host} is not a public address; the operator can permit networks (VIDPROD_FETCH_ALLOW)"
                )
        failure: OSError | None = None
        for family, address in found:
            try:
                return LimitedStream(_connect(family, address, self._limits), self._limits)
            except OSError as error:
                failure = error
        raise httpcore2.ConnectError(failure.strerror if failure else "no address") from failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SocketOption] | None = None
    ) -> httpcore2.NetworkStream:
        """Never."""
        raise httpcore2.ConnectError("no sockets of files")


class LimitedStream(httpcore2.NetworkStream):
    """A connection whose every step heeds the limits; time-outs that the caller asks for are shortened to them."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._socket: socket.socket = connection
        self._limits = limits
        self._since, self._came = time.monotonic(), 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes; empty at the end."""
        end = time.monotonic() + self._limits.quiet
        while True:
            self._socket.settimeout(min(_TICK, self._limits.left()))
            self._check_rate()
            try:
                data = self._socket.recv(max_bytes)
                self._came += len(data)
                return data
            except TimeoutError:
                if time.monotonic() > end:
                    raise httpcore2.ReadTimeout(f"nothing came for {self._limits.quiet:g} s") from None
            except OSError as error:
                raise httpcore2.ReadError(error.strerror or str(error)) from error

    def _check_rate(self) -> None:
        now = time.monotonic()
        if now - self._since > _WINDOW:
            if self._came < _LEAST:
                raise httpcore2.ReadTimeout(f"only {self._came} bytes came in {_WINDOW:g} s")
            self._since, self._came = now, 0

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends all; a request is short."""
        self._socket.settimeout(min(self._limits.quiet, self._limits.left()))
        try:
            self._socket.sendall(buffer)
        except OSError as error:
            raise httpcore2.WriteError(error.strerror or str(error)) from error

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same connection with TLS; the certificate is checked."""
        end = time.monotonic() + _CONNECT
        try:
            (server_hostname or "").encode("idna")  # wrap_socket would lose the connection over it
            self._socket = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            while True:
                self._socket.settimeout(min(_TICK, self._limits.left()))
                try:
                    self._socket.do_handshake()
                    return LimitedStream(self._socket, self._limits)
                except TimeoutError:
                    if time.monotonic() > end:
                        raise
        except (OSError, ValueError) as error:  # ValueError: a host that no certificate can be for
            self._socket.close()
            raise httpcore2.ConnectError(f"TLS: {getattr(error, 'verify_message', None) or error}") from error
        except BaseException:
            self._socket.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for: the TLS object, to see which protocol was agreed on."""
        if info == "ssl_object" and isinstance(self._socket, SSLSocket):
            return self._socket
        return None


def _connect(family: socket.AddressFamily, address: Any, limits: Limits) -> socket.socket:
    """A connection to exactly this address. Raises OSError."""
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        code = connection.connect_ex(address)
        if code == errno.EINPROGRESS:
            end = time.monotonic() + _CONNECT
            with selectors.DefaultSelector() as selector:
                selector.register(connection, selectors.EVENT_WRITE)
                while not selector.select(min(_TICK, limits.left())):
                    if time.monotonic() > end:
                        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolve(host: str, port: int, limits: Limits) -> list[tuple[socket.AddressFamily, Any]]:
    """The host's addresses in the resolver's order, each once. The resolver cannot be interrupted, so it gets a thread."""
    found: list[tuple[socket.AddressFamily, Any]] = []
    failures: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if (family, address) not in found:
                    found.append((family, address))
        except (OSError, UnicodeError) as error:
            failures.append(error)

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    end = time.monotonic() + _CONNECT
    while thread.is_alive() and time.monotonic() < end:
        thread.join(min(_TICK, limits.left()))
    if thread.is_alive():
        raise httpcore2.ConnectError("its name was not resolved in time")
    if failures or not found:
        raise httpcore2.ConnectError("its name does not resolve")
    return list(found)
