"""A device and the warm child process that works on it.

Children are forked from a server process that has imported everything and done nothing, so that another one is there at once. A
child can be killed at any moment: it shares no locks with us, and sends JSON over its own pair of sockets.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vidprod.errors import Cancelled, InternalError
from vidprod.jobs import child as child_process

log = logging.getLogger("vidprod.jobs")

START_TIMEOUT = 300.0  # seconds for a child to import everything; a cold disk is slow
CANCEL_GRACE = 2.0  # seconds for a child to stop by itself
POLL = 0.2  # seconds between looks at the clock and at cancellation
MAX_GROWTH = 4 << 30  # bytes by which a child may grow before it is replaced between two jobs


class ChildDied(Exception):
    """The child process ended in the middle of a job, or did not come up. Trying again may help."""


class ChildTimeout(Exception):
    """The job took too long; the child was killed."""


class ChildCancelled(Exception):
    """The job was cancelled; the child stopped or was killed."""


class DeviceUnfit(InternalError):
    """The device cannot be used at all: no such GPU, or one that has failed."""


_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["vidprod.jobs.preload"])
# The kernel ends that server with the *thread* that started it (PR_SET_PDEATHSIG): this one lasts as long as the process.
_nursery = ThreadPoolExecutor(1, thread_name_prefix="children")


class _Child:
    def __init__(self, device: str) -> None:
        self.connection, theirs = _processes.Pipe()
        with theirs:
            self.process = _processes.Process(
                target=child_process.main, args=(theirs, device), name=f"vidprod {device}", daemon=True
            )
            _nursery.submit(self.process.start).result()
        self.resident: int | None = None
        self.memory: int | None = None
        self.ready = False

    def send(self, **message: Any) -> None:
        try:
            self.connection.send_bytes(json.dumps(message).encode())
        except OSError as error:
            raise ChildDied(self.obituary()) from error

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None if none comes in time; raises ChildDied when none can come any more."""
        try:
            if not self.connection.poll(timeout):
                return None
            message: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (OSError, EOFError, ValueError) as error:
            raise ChildDied(self.obituary()) from error
        self.memory = message.get("memory", self.memory)
        return message

    def obituary(self) -> str:
        """How the process ended. Its sockets are closed before it is gone, so it is waited for, a little."""
        self.process.join(timeout=5)
        code = self.process.exitcode
        if code is None:
            return "it stopped talking"
        if code < 0:
            return f"killed by {signal.strsignal(-code) or 'a signal'}, signal {-code}"
        return f"exit status {code}"

    def kill(self) -> None:
        """Ends the process at once, whatever it is doing."""
        self.connection.close()
        self.process.kill()
        self.process.join(timeout=10)
        if self.process.exitcode is None:  # stuck inside a driver; nothing more can be done
            log.error("child process %d does not die", self.process.pid)


class Device:
    """One device, which does one job at a time.

    Args:
        name: cpu, cuda:0, ...; auto for the first GPU, or else the CPU.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.peers: tuple[str, ...] = (name,)
        self._child: _Child | None = None
        self._lock = threading.Lock()  # start and run of the child
        self._stopped = False

    @property
    def memory(self) -> int | None:
        """Bytes of device memory in use when the child last said so; None on a CPU."""
        child = self._child
        return None if child is None else child.memory

    @property
    def pid(self) -> int | None:
        """Of the child process."""
        child = self._child
        return None if child is None else child.process.pid

    def warm(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Starts the child and waits until it is ready; does nothing where it is.

        Raises:
            DeviceUnfit: the device cannot be used.
            ChildDied: the child ended, or did not come up in time.
            ChildCancelled: `stopped` told so.
        """
        with self._lock:
            self._ready(stopped)

    def run(
        self,
        message: Mapping[str, Any],
        *,
        timeout: float,
        cancelled: Callable[[], bool],
        on_progress: Callable[[float | None, int], None],
    ) -> dict[str, Any]:
        """Does one job.

        Args:
            message: action, parameters and output, see `vidprod.jobs.child`.
            timeout: seconds, without the start of the child.
            cancelled: asked a few times per second.
            on_progress: called with the fraction done, None while unknown, and the pictures done.

        Returns:
            The child's `done` or `failed` message.

        Raises:
            ChildTimeout: killed after `timeout`.
            ChildCancelled: stopped or killed because `cancelled` told so.
            ChildDied: it ended by itself.
            DeviceUnfit: the device cannot be used.
        """
        with self._lock:
            child = self._ready(cancelled)
            healthy = False
            try:
                child.send(**message)
                deadline = time.monotonic() + timeout
                answer = self._await(child, deadline, cancelled, on_progress)
                # After an unexpected exception nobody knows what state the process and its device are in.
                healthy = "traceback" not in answer
            except ChildCancelled:
                healthy = self._settle(child)
                raise
            finally:
                if not healthy:
                    self._end()
            if "done" in answer:
                self._check_growth(child, answer.get("resident"))
            return answer

    def stop(self) -> None:
        """Kills the child, in the middle of a job too; there will be no other."""
        self._stopped = True
        child = self._child  # not under the lock, which a running job holds
        if child is not None:
            child.process.kill()

    def _ready(self, stopped: Callable[[], bool]) -> _Child:
        child = self._child
        if child is not None and not child.process.is_alive():  # died while nobody looked
            log.warning("child process of %s is gone (%s), starting another", self.name, child.obituary())
            self._end()
        if self._child is None:
            self._child = _Child(self.name)
        child = self._child
        if self._stopped:  # looked at after the child is there for `stop` to see
            self._end()
            raise ChildCancelled
        deadline = time.monotonic() + START_TIMEOUT
        while not child.ready:
            try:
                message = child.receive(POLL)
            except ChildDied:
                self._end()
                raise
            if message is not None and "unfit" in message:
                self._end()
                raise DeviceUnfit(message["unfit"])
            if message is not None and "ready" in message:
                child.ready = True
                self.name = message["ready"]
                self.peers = tuple(message["devices"])
                log.info("device %s is ready in process %d", self.name, child.process.pid)
            elif time.monotonic() > deadline:
                self._end()
                raise ChildDied(f"not ready after {START_TIMEOUT:.0f} s")
            elif stopped():
                raise ChildCancelled
        return child

    def _await(
        self,
        child: _Child,
        deadline: float,
        cancelled: Callable[[], bool],
        on_progress: Callable[[float | None, int], None],
    ) -> dict[str, Any]:
        while True:
            message = child.receive(min(POLL, max(0.0, deadline - time.monotonic())))
            if message is not None and ("done" in message or "failed" in message):
                return message
            if message is not None and "progress" in message:
                on_progress(message["progress"], message["frames"])
            if time.monotonic() >= deadline:
                raise ChildTimeout
            if cancelled():
                raise ChildCancelled

    def _settle(self, child: _Child) -> bool:
        """Lets a cancelled child stop by itself, which keeps it warm; False where it does not, and has to be killed."""
        deadline = time.monotonic() + CANCEL_GRACE
        try:
            child.send(cancel=True)
            while time.monotonic() < deadline:
                message = child.receive(POLL)
                if message is not None and not message.keys().isdisjoint(("cancelled", "done", "failed")):
                    return "traceback" not in message
        except ChildDied:
            pass
        return False

    def _check_growth(self, child: _Child, resident: int | None) -> None:
        if resident is None:
            return
        if child.resident is None:  # after its first job, which loads a network
            child.resident = resident
        elif resident > child.resident + MAX_GROWTH:
            log.warning("child process of %s grew to %d MiB and is replaced", self.name, resident >> 20)
            self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()


class DevicePool:
    """The devices that are free, handed out in the order of asking.

    Args:
        devices: all of them.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self.all = tuple(devices)  # free or not
        self._free = list(devices)
        self._waiting: list[object] = []
        self._closed = False
        self._changed = threading.Condition()

    def take(self, leaving: Callable[[], bool]) -> Device:
        """A device, when one is free and it is this caller's turn; raises Cancelled when `leaving` tells so."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while True:
                    if self._closed or leaving():
                        raise Cancelled
                    if self._free and self._waiting[0] is ticket:
                        return self._free.pop(0)
                    self._changed.wait(0.2)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self, device: Device) -> None:
        """Ends a `take`."""
        with self._changed:
            self._free.append(device)
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody gets a device any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
