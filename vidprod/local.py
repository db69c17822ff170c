"""A server of one's own for a while, in a process of its own: for the demonstration, the benchmarks and the tests."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import vidprod
from vidprod.errors import InternalError

_READY = re.compile(r"serving on https?://[^\s:]+:([0-9]+)")


class LocalServer:
    """`vidprod serve` on a free port of 127.0.0.1; a context manager, at whose end it is stopped.

    Args:
        data: the server's folder, which may have been served before. Its log goes beside it.
        environment: more settings, by the names of their variables.

    Attributes:
        key: the access key's id.
        secret: its secret.
        port: 0 before the first start, the same ever after.
        log: what the server printed.
        process: the running one.
    """

    def __init__(self, data: Path, **environment: str) -> None:
        self.key, self.secret = "local", secrets.token_hex(16)
        self.data = data
        self.port = 0
        self.environment = environment
        self.log = data.parent / f"{data.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}"

    def client(self) -> vidprod.Client:
        """A client with the server's key."""
        return vidprod.Client(self.url, self.key, self.secret)

    def start(self, timeout: float = 60) -> None:
        """Starts it and returns when it serves; on the same port as the first time.

        Raises:
            InternalError: it ended, or did not begin to serve in so many seconds; with the end of its log.
        """
        begun = self.log.stat().st_size if self.log.exists() else 0
        own = {"VIDPROD_DATA": str(self.data), "VIDPROD_ACCESS_KEYS": f"{self.key}:{self.secret}"}
        command = [sys.executable, "-m", "vidprod", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **own, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + timeout
        while (found := _READY.search(self.log.read_bytes()[begun:].decode(errors="replace"))) is None:
            if self.process.poll() is not None:
                raise InternalError(f"the server ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > end:
                raise InternalError(f"the server is not there after {timeout:g} s: {self.tail()}")
            time.sleep(0.05)
        self.port = int(found[1])

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self, timeout: float = 60) -> int:
        """Asks it to end in order, with SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def close(self) -> None:
        """Ends it with all it started, whatever state it is in."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
