"""The worker process: takes jobs from the queue and does them on this machine's devices."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from vidprod import logs
from vidprod.errors import InternalError, VidprodError
from vidprod.jobs.device import ChildCancelled, ChildDied, Device
from vidprod.settings import Settings

if TYPE_CHECKING:
    from vidprod.jobs.runner import Runner
    from vidprod.storage.objects import Store

log = logs.get("vidprod.jobs")

LOCK_PATIENCE = 10.0  # seconds; a worker that was just killed may not be quite gone
WARM_TRIES = 3  # starts of a device's first process; the system may have killed it for want of memory
PREFETCHED = 1  # jobs beyond the number of devices, whose inputs are fetched meanwhile


def run_worker(settings: Settings, *, ready: Callable[[], None] | None = None) -> int:
    """Runs until SIGTERM or SIGINT, then finishes what it has in hand within `settings.drain_timeout`. Once per process.

    Args:
        settings: of the installation.
        ready: called when jobs are being taken.

    Returns:
        The exit status: 0 after a signal, 1 when a new worker must be started.

    Raises:
        InternalError: another worker uses the data folder, or it cannot be written.
        InvalidParameter: a device or a database that does not exist.
        VidprodError: the database or the store cannot be used.
    """
    if not logging.getLogger().handlers:  # `vidprod worker` has done it
        logs.configure(settings, process="worker")
    stop = _Signals()
    with _alone(settings.data) as worker_id:
        return _Worker(settings, worker_id, stop).run(ready)


class _Signals:
    """Asks to stop: once to finish, with a second SIGINT to stop at once."""

    def __init__(self) -> None:
        self.finish = threading.Event()
        self.at_once = threading.Event()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handle)
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Ctrl-C reaches the server and the worker, and the server then tells the worker by SIGTERM: that is no second request.
        if number == signal.SIGINT and self.finish.is_set():
            self.at_once.set()
        self.finish.set()


class _Worker:
    def __init__(self, settings: Settings, worker_id: str, stop: _Signals) -> None:
        self._settings = settings
        self._id = worker_id
        self._stop = stop
        self._given_up = False
        self._made: list[Device] = []

    def run(self, ready: Callable[[], None] | None) -> int:
        try:
            return self._run(ready)
        finally:
            for device in self._made:  # Python waits for its children before it exits, and these do not heed SIGTERM
                device.stop()

    def _run(self, ready: Callable[[], None] | None) -> int:
        from vidprod.jobs.engine import DbosEngine
        from vidprod.jobs.janitor import Janitor
        from vidprod.jobs.ledger import Ledger
        from vidprod.jobs.queue import JobQueue
        from vidprod.jobs.runner import Runner

        settings = self._settings
        with ThreadPoolExecutor(1) as side:  # opened while the first device wakes up
            opened = side.submit(self._open)
            try:
                devices = self._devices()
            except ChildCancelled:
                return 0
            store = opened.result()
        ledger = Ledger(settings.database_url, self._id)
        queue = JobQueue(settings.database_url)
        runner = Runner(settings, store, ledger, devices, lambda name, function: engine.checkpoint(name, function))
        engine = DbosEngine(settings.database_url, self._id, len(devices) + PREFETCHED, runner.run)
        janitor = Janitor(settings, ledger, queue, store, engine, runner, self._give_up)
        ledger.heartbeat()  # before jobs are taken, lest others think that nobody has them
        engine.launch()
        janitor.start()
        log.info("worker ready", worker=self._id, devices=[device.name for device in devices])
        if ready is not None:
            ready()
        self._stop.finish.wait()
        self._drain(runner)
        janitor.stop()
        with suppress(VidprodError):  # the others will see it in a minute
            ledger.leave()
        engine.close()
        runner.release()
        _wait_for(lambda: not runner.running, 5.0)
        queue.close()
        ledger.close()
        log.info("worker stopped")
        if runner.running:  # a thread that hangs in a system call would keep the process for ever
            sys.stderr.flush()
            os._exit(1 if self._given_up else 0)
        return 1 if self._given_up else 0

    def _give_up(self) -> None:
        self._given_up = True
        self._stop.finish.set()

    def _open(self) -> Store:
        from vidprod.jobs import database
        from vidprod.storage.store import open_store

        database.create(self._settings.database_url)
        return open_store(self._settings)

    def _devices(self) -> list[Device]:
        """The devices that the settings name, ready to work; raises DeviceUnfit, or ChildDied when one cannot be started."""
        first = Device(self._settings.devices[0])
        self._warm(first)
        automatic = self._settings.devices == ("auto",)
        names = first.peers[1:] if automatic else self._settings.devices[1:]
        devices = [first, *(Device(name) for name in names)]
        with ThreadPoolExecutor(len(devices)) as pool:
            list(pool.map(self._warm, devices[1:]))
        return devices

    def _warm(self, device: Device) -> None:
        self._made.append(device)
        for tries_left in reversed(range(WARM_TRIES)):
            try:
                return device.warm(self._stop.finish.is_set)
            except ChildDied as error:
                if not tries_left:
                    raise InternalError(f"the process for device {device.name} does not start: {error}") from None
                log.warning("the process for a device ended, starting another", device=device.name, reason=str(error))

    def _drain(self, runner: Runner) -> None:
        limit = self._settings.drain_timeout.total_seconds()
        log.info("worker stopping", running=runner.busy, patience=limit)
        runner.drain()
        if not _wait_for(lambda: runner.busy == 0 or self._stop.at_once.is_set(), limit):
            log.warning("jobs are left undone, they are continued after the next start", running=runner.busy)
        runner.stop()


def _wait_for(condition: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def _alone(data: Path) -> Iterator[str]:
    """Makes sure that this is the only worker of a data folder; gives its id, which stays the same over restarts.

    Raises:
        InternalError: another worker is there, or the folder cannot be written.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InternalError(f"the data folder {data.absolute()} cannot be used: {error.strerror}") from None
    try:
        yield _move_in(data, descriptor)
    finally:
        os.close(descriptor)


def _move_in(data: Path, lock: int) -> str:
    try:
        alone = _wait_for(lambda: _locked(lock), LOCK_PATIENCE)
        number, _, worker_id = os.pread(lock, 100, 0).decode(errors="replace").strip().partition(" ")
        if not alone:
            other = number.lstrip("0") or "unknown"
            raise InternalError(f"another worker (process {other}) uses the data folder {data.absolute()}")
        worker_id = worker_id or f"worker-{uuid.uuid4().hex[:12]}"
        # Of the same length every time: written in place, the id is never lost.
        os.pwrite(lock, f"{os.getpid():010} {worker_id}\n".encode(), 0)
        os.fsync(lock)
        _clean(data / "work")
    except OSError as error:
        raise InternalError(f"the data folder {data.absolute()} cannot be used: {error.strerror}") from None
    return worker_id


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clean(work: Path) -> None:
    """Empties the work folder: what is in it belongs to jobs that were cut short, and will be done again."""
    work.mkdir(parents=True, exist_ok=True)
    for left in work.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
