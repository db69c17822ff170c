"""What a worker looks after besides its jobs: cancelled ones, signs of life, machines that are gone, old jobs and files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from vidprod import logs
from vidprod.errors import InternalError, VidprodError
from vidprod.jobs.ledger import Answer, Ledger
from vidprod.jobs.queue import JobQueue
from vidprod.jobs.runner import Runner
from vidprod.jobs.status import JobStatus
from vidprod.settings import Settings
from vidprod.storage.objects import Store

log = logs.get("vidprod.jobs")

CANCEL_EVERY = 0.5  # seconds between looks for cancelled jobs, as all of these
BEAT_EVERY = 10.0
SILENCE = 60.0  # without a sign of life for so long, a worker counts as gone
RESCUE_EVERY = 20.0
SWEEP_EVERY = 300.0


class Engine(Protocol):
    """What the janitor needs of the queue's engine."""

    def present(self) -> bool:
        """Whether the queue is still in the database."""

    def taken(self) -> dict[str, str]:
        """Jobs that a worker has taken and not ended, and which worker."""

    def ended(self, job_ids: list[str]) -> set[str]:
        """Which of these jobs have ended for the engine, or are unknown to it."""

    def take_over(self, worker_ids: list[str]) -> None:
        """Puts the jobs of these workers back into the queue, if they are still theirs."""

    def requeue(self, job_id: str) -> None:
        """Puts a job back into the queue."""


class Janitor:
    """Runs in a thread of its own.

    Args:
        settings: how long things are kept.
        ledger: the table of jobs.
        queue: to purge it.
        store: to sweep it.
        engine: of the queue.
        runner: which jobs are in hand.
        give_up: ends the worker.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        queue: JobQueue,
        store: Store,
        engine: Engine,
        runner: Runner,
        give_up: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._queue = queue
        self._store = store
        self._engine = engine
        self._runner = runner
        self._give_up = give_up
        self._suspects: set[str] = set()
        self._lost: set[str] = set()
        self._unowned: set[str] = set()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(every, action), name=action.__name__, daemon=True)
            for every, action in (
                (CANCEL_EVERY, self.look_for_cancelled),
                (BEAT_EVERY, ledger.heartbeat),
                (RESCUE_EVERY, self.rescue),
                (SWEEP_EVERY, self.sweep),
            )
        ]

    def start(self) -> None:
        """Starts all of it."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops all of it."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def look_for_cancelled(self) -> None:
        """Stops the work on jobs that have ended meanwhile."""
        for job_id in self._ledger.ended_among(self._runner.running):
            self._runner.cancel(job_id)

    def rescue(self) -> None:
        """Sees to jobs that nobody works on though they have not ended.

        What looks wrong must look so twice in a row, that is, for 20 seconds: between two tables and two clocks there is always a
        moment in which things only seem so.
        """
        if not self._engine.present():
            log.error("the database was replaced, a new worker is needed")
            self._give_up()
            return
        self._ledger.heartbeat()
        living = self._ledger.living(SILENCE)
        taken = self._engine.taken()
        gone = set(taken.values()) - living
        if confirmed := gone & self._suspects:
            log.warning("other workers are gone, taking over their jobs", workers=sorted(confirmed))
            self._engine.take_over(sorted(confirmed))
        self._suspects = gone - confirmed

        # Taken by this worker, which knows nothing of it: reading the job failed right after it was taken.
        mine = {job for job, worker in taken.items() if worker == self._ledger.worker}
        lost = mine - set(self._runner.running)
        for job_id in lost & self._lost:
            log.warning("job was taken and forgotten, queueing it again", job_id=job_id)
            self._engine.requeue(job_id)
        self._lost = lost - self._lost

        # Ended for the engine, and open for the client: nobody will ever touch it again.
        open_jobs = self._ledger.open_jobs(older_than=RESCUE_EVERY, limit=200)
        unowned = self._engine.ended(open_jobs) - set(self._runner.running)
        for job_id in unowned & self._unowned:
            log.error("job was given up by the queue's engine", job_id=job_id)
            message = "Given up: the job was lost inside the server."
            self._ledger.finish(job_id, Answer(JobStatus.LIMIT_RETRY_FAILED, code=InternalError.code, message=message))
        self._unowned = unowned

    def sweep(self) -> None:
        """Deletes what is too old."""
        now = datetime.now(UTC)
        files = self._store.sweep(self._settings.kept_for, now)
        old = self._queue.purge(self._settings.job_ttl, now)
        if files or old:
            log.info("swept", files=files, jobs=old)

    def _repeat(self, every: float, action: Callable[[], None]) -> None:
        while True:
            started = time.monotonic()
            try:
                action()
            except VidprodError:
                pass  # the database's errors have been logged where they were raised; next time, perhaps
            except Exception:
                log.exception("%s failed", action.__name__)
            if self._stop.wait(max(0.0, every - (time.monotonic() - started))):
                return
