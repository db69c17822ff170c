"""The worker that `vidprod serve` runs beside itself: a process of its own, started again when it dies.

It dies with the server, however that ends, because the kernel is asked to see to it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from vidprod import logs
from vidprod.errors import VidprodError
from vidprod.settings import Settings

PR_SET_PDEATHSIG = 1
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between the end of a worker and the start of the next; doubled while workers end soon after their start."""

STOP_MARGIN = 15.0
"""Seconds beyond the time for draining, after which a worker that was asked to stop is killed."""

SETTLED = 60.0
"""Seconds after which a worker counts as one that works."""

_log = logs.get(__name__)


class WorkerProcess:
    """Keeps one worker process alive.

    Args:
        settings: for the worker, which gets them by its environment.
        command: what to run; something else for tests.
    """

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self._settings = settings
        code = f"import sys; from {__name__} import main; sys.exit(main({os.getpid()}))"
        self._command = command or (sys.executable, "-c", code)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """What to tell of it: running, restarting or stopping."""
        if self._stopping:
            return "stopping"
        return "running" if self._process is not None and self._process.returncode is None else "restarting"

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Starts the first one, and the task that starts the others."""
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Asks it to finish what it does, waits as long as it may take, and ends it then."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._settings.drain_timeout.total_seconds() + STOP_MARGIN)
        except TimeoutError:
            _log.warning("the worker does not stop and is killed")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _launch(self) -> None:
        # Its standard output is not the server's, where only the line about being ready is expected.
        self._process = await asyncio.create_subprocess_exec(*self._command, env=_environ(self._settings), stdout=2)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            assert self._process is not None
            began = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - began > SETTLED:
                pause = FIRST_PAUSE
            _log.error("the worker ended; another one is started", exit_code=code, seconds=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
            try:
                await self._launch()
            except OSError as error:  # no memory, no process to be had
                _log.error("the worker cannot be started", reason=str(error))


def _environ(settings: Settings) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if name != "VIDPROD_ACCESS_KEYS"}
    return others | environment(settings)


def environment(settings: Settings) -> dict[str, str]:
    """Variables from which another process reads the same settings. Access keys are left out: only the server needs them."""
    found: dict[str, str] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name == "access_keys" or value is None:
            continue
        if isinstance(value, tuple):
            text = ",".join(map(str, value))
        elif isinstance(value, timedelta):
            text = str(value.total_seconds())
        else:
            text = str(value.absolute() if isinstance(value, Path) else value)
        found[f"VIDPROD_{name.upper()}"] = text
    return found


def main(parent: int) -> int:
    """The process itself.

    Args:
        parent: id of the process without which this one has no reason to live.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        return 1
    from vidprod.jobs.worker import run_worker
    from vidprod.settings import settings

    try:
        return run_worker(settings())
    except VidprodError as error:  # a setting, a folder, a database: nothing that a traceback would explain
        _log.error("the worker cannot work", code=error.code, reason=error.message)
        return 2
