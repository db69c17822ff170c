"""Carrying out a job: fetch, run on a device, publish; again where that may help.

Each try is a step that the queue's engine records, so a worker that continues a job after a crash knows the tries already made. A
step returns its outcome as plain data and never raises, because exceptions would be pickled into the database.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vidprod import logs
from vidprod.actions import ACTIONS
from vidprod.actions.spec import ActionSpec
from vidprod.errors import AlgorithmError, Cancelled, InternalError, VidprodError
from vidprod.jobs import metrics
from vidprod.jobs.device import ChildCancelled, ChildDied, ChildTimeout, Device, DevicePool
from vidprod.jobs.files import Inputs, fetch_inputs, links, output_path, publish, without_paths
from vidprod.jobs.ledger import Answer, Ledger, Work, insist
from vidprod.jobs.status import JobStatus
from vidprod.settings import Settings
from vidprod.storage.errors import StorageError, StoreFailed
from vidprod.storage.objects import Store

log = logs.get("vidprod.jobs")

MAX_STARTS = 50  # workers that may take a job up: one that takes the whole worker down must end some time
PROGRESS_EVERY = 1.0  # seconds between writes of a job's progress
PUBLISH_TRIES = 3

Outcome = dict[str, Any]
"""How a try went: `{"outcome": "success", "result": ...}`, `failed` with code and message, `timeout`, `cancelled`, or `again` with
a reason."""


class Stopping(BaseException):
    """The worker ends; the job stays open. Not an Exception: nothing may take it for a failure."""


class Forgotten(BaseException):
    """Nobody knows how far the job is; it stays open. Not an Exception, which the engine would record as the job's end."""


class Runner:
    """Does jobs, each in its own thread.

    Args:
        settings: of the installation.
        store: where results go.
        ledger: the table of jobs.
        devices: what to do them on.
        checkpoint: calls a function as a recorded step: `checkpoint(name, function)`.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        ledger: Ledger,
        devices: Sequence[Device],
        checkpoint: Callable[[str, Callable[[], Outcome]], Outcome],
    ) -> None:
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._checkpoint = checkpoint
        self._work = settings.data.absolute() / "work"
        self._devices = DevicePool(devices)
        self._running: dict[str, threading.Event] = {}  # id: cancelled
        self._lock = threading.Lock()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._released = threading.Event()
        self._busy: set[str] = set()

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the jobs in hand."""
        with self._lock:
            return tuple(self._running)

    @property
    def busy(self) -> int:
        """Jobs that are being worked on, and will be to their end: those that only wait for a device do not count."""
        with self._lock:
            return len(self._busy)

    def drain(self) -> None:
        """Starts nothing new from now on. What waits for a device, or is still fetching, stays undone."""
        self._draining.set()
        self._devices.close()

    def stop(self) -> None:
        """Ends everything now; jobs stay open."""
        self._draining.set()
        self._stopping.set()
        self._devices.close()
        for device in self._devices.all:
            device.stop()

    def release(self) -> None:
        """Lets the threads of unfinished jobs end."""
        self._released.set()

    def cancel(self, job_id: str) -> None:
        """Makes a running job stop, which has ended in the table already."""
        with self._lock:
            event = self._running.get(job_id)
        if event is not None:
            event.set()

    def run(self, job_id: str) -> str:
        """Does a job to its end; returns the final status.

        Where the worker ends before the job does, this does not return until `release`: the engine must not take another job for
        this one.

        Raises:
            Stopping: after `release`.
            Forgotten: the engine failed; the job is queued again by the janitor.
        """
        try:
            return self._run(job_id)
        except Stopping:
            self._released.wait()
            raise
        except Exception as error:  # a step could not be recorded, for one
            log.exception("the queue failed under a job", job_id=job_id)
            raise Forgotten from error

    def _run(self, job_id: str) -> str:
        if self._draining.is_set():
            raise Stopping
        with self._lock:
            cancelled = self._running.setdefault(job_id, threading.Event())
        try:
            work = insist(lambda: self._ledger.begin(job_id), wait=self._stopping.wait)
            if work is None:
                return "ended"
            with (
                logs.bound(job_id=work.id, request_id=work.request_id, action=work.action, account=work.account),
                metrics.RUNNING.track_inprogress(),
            ):
                return self._to_the_end(work, cancelled)
        except VidprodError:  # of insist: the database was gone to the last
            raise Stopping from None
        finally:
            with self._lock:
                self._running.pop(job_id, None)
                self._busy.discard(job_id)

    def _to_the_end(self, work: Work, cancelled: threading.Event) -> str:
        started = time.monotonic()
        if work.starts == 1:
            metrics.WAITED.labels(work.action).observe(max(0.0, time.time() - work.submitted.timestamp()))
        log.info("job started", starts=work.starts, waited=round(time.time() - work.submitted.timestamp(), 3))
        folder = self._work / work.id
        try:
            answer = self._answer(work, folder, cancelled)
            if answer is None:
                log.info("job cancelled")
                metrics.CANCELLED.labels(work.action).inc()
                return "cancelled"
            if not insist(lambda: self._ledger.finish(work.id, answer), wait=self._stopping.wait):
                log.info("job had ended before", status=answer.status.value)
                return "ended"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        seconds = time.monotonic() - started
        metrics.DURATION.labels(work.action, answer.status.value).observe(seconds)
        if answer.status is not JobStatus.PROCESS_SUCCESS:
            metrics.ERRORS.labels(work.action, answer.code).inc()
        log.info(
            "job ended", status=answer.status.value, code=answer.code, reason=answer.message, seconds=round(seconds, 3)
        )
        return answer.status.value

    def _answer(self, work: Work, folder: Path, cancelled: threading.Event) -> Answer | None:
        """Tries until there is an answer; None where the job was cancelled."""
        if work.starts > MAX_STARTS:
            return _gave_up(f"{MAX_STARTS} workers ended while they had this job in hand")
        reasons: list[str] = []
        while len(reasons) <= self._settings.max_retries:
            number = len(reasons) + 1
            outcome = self._checkpoint(f"try-{number}", lambda: self._try(work, folder, cancelled))
            match outcome["outcome"]:
                case "success":
                    return Answer(JobStatus.PROCESS_SUCCESS, outcome["result"])
                case "failed":
                    return Answer(JobStatus.PROCESS_FAILED, code=outcome["code"], message=outcome["message"])
                case "timeout":
                    return Answer(
                        JobStatus.TIMEOUT_FAILED,
                        code=InternalError.code,
                        message=f"not done after {self._settings.job_timeout.total_seconds():g} s, the time allowed",
                    )
                case "cancelled":
                    return None
            reasons.append(outcome["reason"])
            with self._lock:
                self._busy.discard(work.id)
            if number <= self._settings.max_retries:
                metrics.RETRIES.labels(work.action).inc()
                log.warning("job will be tried again", reason=outcome["reason"], tries=number)
                if cancelled.wait(min(2.0 ** (number - 1), 10.0)):
                    return None
                if self._stopping.is_set():
                    raise Stopping
        return _gave_up(f"{len(reasons)} tries failed, the last one because {reasons[-1]}")

    def _try(self, work: Work, folder: Path, cancelled: threading.Event) -> Outcome:
        """One try. Returns how it went, whatever that was."""
        try:
            insist(lambda: self._ledger.attempt(work.id), wait=self._stopping.wait)
        except VidprodError:
            raise Stopping from None
        try:
            return self._once(work, folder, cancelled)
        except (Cancelled, ChildCancelled):
            if cancelled.is_set():
                return {"outcome": "cancelled"}
            raise Stopping from None
        except ChildTimeout:
            metrics.TIMEOUTS.labels(work.action).inc()
            return {"outcome": "timeout"}
        except ChildDied as error:
            if self._stopping.is_set():
                raise Stopping from None
            return {"outcome": "again", "reason": f"the process at work ended ({error})"}
        except (StoreFailed, StorageError) as error:
            return {"outcome": "again", "reason": f"the result could not be stored ({error.message})"}
        except InternalError as error:  # no room, or the like
            return {"outcome": "again", "reason": without_paths(error.message)}
        except VidprodError as error:
            return {"outcome": "failed", "code": error.code, "message": without_paths(error.message)}
        except OSError as error:
            log.exception("job could not be handled")
            return {"outcome": "again", "reason": f"of the server's disk ({error.strerror or type(error).__name__})"}
        except Exception as error:
            log.exception("job failed unexpectedly")
            message = f"{work.action} failed unexpectedly ({type(error).__name__})"
            return {"outcome": "failed", "code": AlgorithmError.code, "message": message}

    def _once(self, work: Work, folder: Path, cancelled: threading.Event) -> Outcome:
        spec = ACTIONS.get(work.action)
        if spec is None:
            message = f"{work.action} is not an action of this server (any more)"
            return {"outcome": "failed", "code": InternalError.code, "message": message}
        params = spec.params.parse(dict(work.parameters))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

        def leaving() -> bool:
            return cancelled.is_set() or self._draining.is_set()

        with _timed(work, "fetch"):
            inputs = fetch_inputs(work, params, folder, store=self._store, settings=self._settings, cancelled=leaving)
        with _timed(work, "device"):
            device = self._devices.take(leaving)
        with self._lock:
            self._busy.add(work.id)
        try:
            answer = self._on_device(device, work, spec, inputs, folder, cancelled)
        finally:
            self._devices.give_back(device)
        if "failed" in answer:
            return self._failure(answer, inputs)
        with _timed(work, "publish"):
            keys = self._publish(work, spec, answer["done"]["data"], folder, cancelled)
        return {"outcome": "success", "result": links(work, keys, self._store, self._settings)}

    def _on_device(
        self,
        device: Device,
        work: Work,
        spec: ActionSpec[Any],
        inputs: Inputs,
        folder: Path,
        cancelled: threading.Event,
    ) -> dict[str, Any]:
        written, best = time.monotonic(), 0.0

        def on_progress(value: float | None, frames: int) -> None:
            nonlocal written, best
            if value is not None and value > best and time.monotonic() - written >= PROGRESS_EVERY:
                written, best = time.monotonic(), value
                _note_memory(device)
                with suppress(VidprodError):  # progress is a courtesy
                    self._ledger.progress(work.id, value)

        message = {
            "action": work.action,
            "parameters": inputs.parameters,
            "output": str(output_path(spec, spec.params.parse(dict(inputs.parameters)), folder)),
            "job": work.id,
        }
        try:
            answer = device.run(
                message,
                timeout=self._settings.job_timeout.total_seconds(),
                cancelled=lambda: cancelled.is_set() or self._stopping.is_set(),
                on_progress=on_progress,
            )
        except ChildDied:
            if not self._stopping.is_set():
                metrics.CHILD_DEATHS.labels(device.name).inc()
            raise
        finally:
            _note_memory(device)
        if "done" in answer:
            done = answer["done"]
            metrics.STAGE.labels(work.action, "analyse").observe(done["analyse"])
            metrics.STAGE.labels(work.action, "render").observe(done["render"])
            metrics.FRAMES.labels(work.action).inc(done["frames"])
            if done["render"] > 0:
                metrics.FRAMES_PER_SECOND.labels(work.action).observe(done["frames"] / done["render"])
            log.info(
                "job rendered",
                device=device.name,
                frames=done["frames"],
                seconds=round(done["render"], 3),
                notes=done["notes"],
            )
        return answer

    def _failure(self, answer: dict[str, Any], inputs: Inputs) -> Outcome:
        if "traceback" in answer:
            log.error("job failed unexpectedly", exception=answer["traceback"])
        code = answer["failed"] or AlgorithmError.code
        return {"outcome": "failed", "code": code, "message": inputs.public(answer["message"])}

    def _publish(
        self, work: Work, spec: ActionSpec[Any], data: dict[str, Any], folder: Path, cancelled: threading.Event
    ) -> dict[str, str]:
        """Stores the result; here again is cheaper than doing the whole job again."""
        for number in range(1, PUBLISH_TRIES + 1):
            if cancelled.is_set():
                raise Cancelled
            try:
                return publish(work, spec, data, folder, self._store)
            except (StoreFailed, StorageError) as error:
                if number == PUBLISH_TRIES:
                    raise
                log.warning("result could not be stored, trying again", reason=error.message, tries=number)
                cancelled.wait(2.0 ** (number - 1))
        raise AssertionError("unreachable")


@contextmanager
def _timed(work: Work, stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    metrics.STAGE.labels(work.action, stage).observe(time.monotonic() - started)


def _note_memory(device: Device) -> None:
    if device.memory is not None:
        metrics.DEVICE_MEMORY.labels(device.name).set(device.memory)


def _gave_up(reason: str) -> Answer:
    return Answer(JobStatus.LIMIT_RETRY_FAILED, code=InternalError.code, message=f"Given up: {reason}.")
