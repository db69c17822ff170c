"""`vidprod serve`: the process that answers requests, and the worker beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn

from vidprod import logs
from vidprod.errors import InvalidParameter, shown
from vidprod.jobs.queue import JobQueue
from vidprod.service.app import create_app
from vidprod.service.backend import Backend
from vidprod.service.keys import AccessKeys
from vidprod.service.listen import MixedServer, tls_context
from vidprod.service.nonces import FileNonces
from vidprod.service.protocol import Connection
from vidprod.service.throttle import Throttle
from vidprod.service.workers import WorkerProcess
from vidprod.settings import Settings
from vidprod.storage.store import open_store

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds for which an idle connection is kept."""

STOP_TIMEOUT = 20
"""Seconds that requests have to end when the server stops."""

_log = logs.get(__name__)


def serve(settings: Settings, *, worker: bool = True) -> int:
    """Runs the server until it is told to stop by SIGTERM or SIGINT.

    One line on standard output tells when requests are answered: `vidprod serving on http://127.0.0.1:8080`.

    Args:
        settings: of the installation.
        worker: whether to run a worker beside; without, `vidprod worker` must run somewhere.

    Returns:
        The exit code: 0 after an orderly stop.

    Raises:
        VidprodError: what keeps the server from starting: a port that is taken, a setting, a folder that cannot be written.
    """
    context = _context(settings)
    listener = bind(settings.host, settings.port)
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # inputs and secrets are nobody else's business
    except OSError as error:
        raise InvalidParameter(f"VIDPROD_DATA is {shown(str(settings.data))}: {error.strerror}") from None
    with contextlib.closing(listener):
        _raise_file_limit()
        keys = AccessKeys(settings)
        made = keys.ensure()
        queue = JobQueue(settings.database_url, max_queued=settings.max_queued)
        queue.prepare()
        store = open_store(settings)
        nonces = FileNonces(settings.data / "nonces.sqlite")
        process = WorkerProcess(settings) if worker else None
        backend = Backend(
            settings=settings,
            keys=keys,
            queue=queue,
            store=store,
            nonces=nonces,
            throttle=Throttle(settings.rate_limit),
            worker=lambda: process.state if process else None,
        )
        if made is not None:
            print(
                f"There was no access key yet; this one was made and is shown this once:\n"
                f"  AccessKeyId      {made.id}\n  AccessKeySecret  {made.secret}",
                file=sys.stderr,
                flush=True,
            )
        server = _Server(backend, listener, context)
        try:
            asyncio.run(_run(server, process, url(settings, listener)))
        finally:
            queue.close()
            nonces.close()
    return 0


async def _run(server: _Server, process: WorkerProcess | None, address: str) -> None:
    if process is not None:
        await process.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    server.when_ready = partial(_announce, address)
    stopping = None
    try:
        running = asyncio.create_task(server.serve())
        await asyncio.wait(
            {running, asyncio.create_task(server.asked_to_stop.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if process is not None:  # finishes its jobs while the last requests are answered
            stopping = asyncio.create_task(process.stop())
        await running
    finally:
        if process is not None:
            await (stopping or process.stop())
    _log.info("stopped")


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not listen yet.

    Raises:
        InvalidParameter: the address is taken, or not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidParameter(f"VIDPROD_HOST is {shown(host)}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise InvalidParameter(
            f"cannot listen on {host} port {port}: {error.strerror}; VIDPROD_HOST and VIDPROD_PORT choose others"
        ) from None
    return listener


def url(settings: Settings, listener: socket.socket) -> str:
    """Where the server is found from this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn's, on a socket that is bound already, and with signals left to the caller."""

    def __init__(self, backend: Backend, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(backend),
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # warns of every client that breaks the rules
                access_log=False,
                proxy_headers=False,  # the Host header is signed, and who knows what is before us is public_url
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=STOP_TIMEOUT,
                backlog=BACKLOG,
            )
        )
        self._listener = listener
        self._context = context
        self.asked_to_stop = asyncio.Event()
        self.when_ready: Callable[[], None] = _nothing

    def stop(self) -> None:
        """Answers what has come, and ends."""
        self.should_exit = True
        self.asked_to_stop.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections."""
        if self._context is None:
            await super().startup(sockets=[self._listener])
        else:
            await self.lifespan.startup()

            def protocol() -> Connection:
                return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

            mixed = MixedServer([self._listener], protocol, self._context)
            mixed.start(BACKLOG)
            self.servers = [mixed]  # type: ignore[list-item]
            self.started = True
        self.when_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves them alone."""
        yield


def _nothing() -> None:
    pass


def _announce(address: str) -> None:
    _log.info("serving", url=address, process_id=os.getpid())
    print(f"vidprod serving on {address}", flush=True)


def _context(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise InvalidParameter("VIDPROD_TLS_KEY is set without VIDPROD_TLS_CERT; both are needed for TLS")
        return None
    return tls_context(settings.tls_cert, settings.tls_key)


def _raise_file_limit() -> None:
    """As many open files as may be: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
