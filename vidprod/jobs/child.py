"""The process that does the work: one per device, warm, and killed without ceremony when it hangs.

`vidprod.jobs.device` is the other end. Messages are JSON objects, since this process handles strangers' files and what it sends
must not be unpickled. To the child go `{"job", "action", "parameters", "output"}` and `{"cancel": true}`; from it come, each with
the device memory in use:

    {"ready": device, "devices": [...]}     once, or {"unfit": message}: this device cannot be used
    {"progress": 0..1 or null, "frames": n}
    {"done": {...}} | {"failed": code, "message": ..., "traceback": ...} | {"cancelled": true}
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import queue
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vidprod import logs
from vidprod.control import Control, Progress
from vidprod.settings import settings

PR_SET_PDEATHSIG = 1
REPORT_EVERY = 0.25  # seconds between progress messages
ANALYSIS_SHARE = 0.1  # of the whole job; rendering is the rest
NICE = 5  # answering requests comes first
OOM_SCORE = 500  # where memory runs out, the kernel is to end this process, not the server


def die_with_parent() -> None:
    """Asks the kernel to kill this process when the one that started it ends.

    Were it too late for that, a broken connection would tell; this is for a process that is stuck and would not notice.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Link:
    """The connection to the parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.memory: Callable[[], int | None] = lambda: None

    def send(self, **message: Any) -> None:
        """Sends a message with the device memory in use."""
        data = json.dumps({**message, "memory": self.memory()}).encode()
        with self._lock:
            self._connection.send_bytes(data)

    def listen(self) -> None:
        """Takes messages until the parent is gone; then this process ends too."""
        try:
            while True:
                message = json.loads(self._connection.recv_bytes())
                if "cancel" in message:
                    self.cancelled.set()
                else:
                    self.cancelled.clear()
                    self.jobs.put(message)
        finally:
            os._exit(1)


class _Reporter:
    """Turns progress of the two stages into one fraction that only grows."""

    def __init__(self, link: _Link) -> None:
        self._link = link
        self._sent = 0.0
        self._best = 0.0

    def __call__(self, progress: Progress) -> None:
        part = min(1.0, progress.done / progress.total) if progress.total else None
        if part is not None:
            whole = (
                ANALYSIS_SHARE * part if progress.stage == "analyse" else ANALYSIS_SHARE + (1 - ANALYSIS_SHARE) * part
            )
            self._best = max(self._best, whole)
        if time.monotonic() - self._sent >= REPORT_EVERY:
            self._sent = time.monotonic()
            frames = progress.done if progress.stage == "render" else 0
            self._link.send(progress=self._best or None, frames=frames)


def main(connection: Connection, device: str) -> None:
    """Takes jobs until the worker is gone. Runs in a process of its own."""
    die_with_parent()
    for ignored in (signal.SIGINT, signal.SIGTERM):  # a terminal or a supervisor sends them to all; the parent decides
        signal.signal(ignored, signal.SIG_IGN)
    faulthandler.enable()
    _be_modest()
    logs.configure(settings(), process="device")
    link = _Link(connection)
    threading.Thread(target=link.listen, daemon=True, name="listen").start()
    from vidprod.errors import VidprodError

    try:
        found, devices = _warm(device, link)
    except VidprodError as error:
        link.send(unfit=error.message)
        return
    link.send(ready=found, devices=devices)
    while True:
        message = link.jobs.get()
        with logs.bound(job_id=message["job"]):
            _work(message, found, link)


def _be_modest() -> None:
    try:
        os.nice(NICE)
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    except OSError:
        pass


def _warm(name: str, link: _Link) -> tuple[str, list[str]]:
    """Imports everything and wakes the device; returns its full name and those of all devices of its kind."""
    import torch

    from vidprod.actions import ACTIONS
    from vidprod.actions.run import Context

    device = Context.make(name).device
    names = [str(device)]
    if device.type == "cuda":
        link.memory = lambda: torch.cuda.mem_get_info(device)[1] - torch.cuda.mem_get_info(device)[0]
        torch.ones(8, 8, device=device).sum().item()
        names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    for spec in ACTIONS.values():
        try:
            spec.steps  # noqa: B018 - imported for its effect
        except Exception:  # one broken action must not stop the others
            logs.get("vidprod.jobs").exception("the steps of an action cannot be imported", action=spec.name)
    return str(device), names


def _work(message: dict[str, Any], device: str, link: _Link) -> None:
    from vidprod.actions import ACTIONS
    from vidprod.actions.run import Context, run
    from vidprod.errors import Cancelled, VidprodError

    try:
        spec = ACTIONS[message["action"]]
        params = spec.params.parse(message["parameters"])
        control = Control(_Reporter(link), link.cancelled.is_set)
        result = run(spec, params, Path(message["output"]), Context.make(device, control=control))
        timing = result.timing
        done = {
            "data": result.data(),
            "notes": list(result.notes),
            "frames": timing.frames,
            "analyse": timing.analyse,
            "render": timing.render,
        }
    except Cancelled:
        link.send(cancelled=True)
    except VidprodError as error:
        link.send(failed=error.code, message=error.message)
    except Exception as error:  # a bug; the parent logs it, and ends this process, whose state nobody knows
        link.send(
            failed=None,
            message=f"{message['action']} failed unexpectedly ({type(error).__name__})",
            traceback=traceback.format_exc(),
        )
    else:
        link.send(done=done, resident=resident_bytes())


def resident_bytes() -> int | None:
    """Memory of this process, None where the system does not tell."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
