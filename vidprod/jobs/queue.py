"""The durable queue as its clients see it: accept a job, look at it, cancel it.

Importing this module loads neither torch nor any codec: it is the API process's side. All methods may be called from any thread,
and none blocks for more than about five seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, WorkflowSerializationFormat

from vidprod.errors import BusyError, InternalError
from vidprod.jobs import database
from vidprod.jobs.database import jobs
from vidprod.jobs.status import JobStatus

log = logging.getLogger("vidprod.jobs")

PATIENCE = 4.0  # seconds for one question to the database
CACHED = 4096  # ended jobs kept at hand
CACHED_FOR = 600.0  # seconds

CANCELLED_CODE = "InternalServerError"
CANCELLED_MESSAGE = "The job was cancelled."

_RUNNING = (JobStatus.QUEUING.value, JobStatus.PROCESSING.value)


@dataclass(frozen=True)
class JobRequest:
    """A job to be done.

    Attributes:
        id: unique; the name of its outputs as well.
        account: who may see it.
        action: the cloud's name.
        parameters: of the action, under the cloud's names: `Params.model_dump(by_alias=True, exclude_none=True)`.
        base_url: scheme and host that links to results begin with.
        submitted: aware.
        request_id: of the HTTP request, for the log; the id where there is none.
    """

    id: str
    account: str
    action: str
    parameters: dict[str, Any]
    base_url: str
    submitted: datetime = field(default_factory=lambda: datetime.now(UTC))
    request_id: str = ""


@dataclass(frozen=True)
class Job:
    """What is known about a job. One that has ended never changes.

    Attributes:
        id: as submitted.
        account: who may see it.
        action: the cloud's name.
        status: QUEUING ... LIMIT_RETRY_FAILED.
        submitted: aware, as all times.
        started: when a worker first took it.
        ended: when it got its final status.
        progress: 0 to 1, None while unknown.
        result: the action's result with links, of a successful job.
        error_code: a documented code, of a failed job.
        error_message: one line, of a failed job.
        attempts: how often its work was begun.
        cancelled: ended by `JobQueue.cancel`.
        request_id: of the HTTP request that submitted it.
    """

    id: str
    account: str
    action: str
    status: JobStatus
    submitted: datetime
    started: datetime | None = None
    ended: datetime | None = None
    progress: float | None = None
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempts: int = 0
    cancelled: bool = False
    request_id: str = ""


_COLUMNS = (
    jobs.c.id,
    jobs.c.account,
    jobs.c.action,
    jobs.c.status,
    jobs.c.submitted,
    jobs.c.started,
    jobs.c.ended,
    jobs.c.progress,
    jobs.c.result,
    jobs.c.error_code,
    jobs.c.error_message,
    jobs.c.attempts,
    jobs.c.cancelled,
    jobs.c.request_id,
)


@dataclass(eq=False)
class _Submission:
    """A job on its way into the database, and what became of it."""

    request: JobRequest
    done: bool = False
    error: Exception | None = None


class JobQueue:
    """The queue in a database.

    Args:
        database_url: `sqlite:////file` or `postgresql://...`.
        max_queued: jobs that may wait at a time.

    Raises:
        InvalidParameter: another kind of database.
    """

    def __init__(self, database_url: str, *, max_queued: int = 10_000) -> None:
        database.quieten()
        self._url = database_url
        self._max_queued = max_queued
        self._engine = database.open_engine(database_url, patience=PATIENCE)
        self._client = DBOSClient(system_database_engine=self._engine, application_name=database.APPLICATION, lazy=True)
        self._ended: OrderedDict[str, tuple[float, Job]] = OrderedDict()
        self._lock = threading.Lock()
        # SQLite has one writer at a time: waiting here is fair, its own waiting is sleep and retry.
        self._writing = threading.Lock()
        self._submissions: list[_Submission] = []
        self._turn = threading.Lock()

    def prepare(self) -> None:
        """Creates what is missing in the database. Called once at the start of a process; may take some seconds."""
        database.create(self._url)

    def submit(self, request: JobRequest) -> None:
        """Accepts a job: when this returns, it is on the disk.

        Raises:
            BusyError: too many jobs wait, or the database is locked, unreachable or on a full disk.
            InternalError: the database cannot be used.
        """
        # A commit costs a write to the disk whatever is in it: whoever gets the turn takes along all that wait for theirs.
        mine = _Submission(request)
        with self._lock:
            self._submissions.append(mine)
        if not self._turn.acquire(timeout=PATIENCE):
            with self._lock:
                if mine in self._submissions:  # else it is being written right now
                    self._submissions.remove(mine)
                    raise BusyError("the job was not accepted: the database is busy")
            self._turn.acquire()
        try:
            if not mine.done:
                with self._lock:
                    batch, self._submissions = self._submissions, []
                self._submit_all(batch)
        finally:
            self._turn.release()
        if mine.error is not None:
            raise mine.error

    def _submit_all(self, batch: Sequence[_Submission]) -> None:
        try:
            with self._write("the job was not accepted") as connection:
                waiting = connection.execute(
                    sa.select(sa.func.count()).select_from(jobs).where(jobs.c.status == JobStatus.QUEUING.value)
                ).scalar_one()
                room = max(0, self._max_queued - waiting)
                if batch[:room]:
                    connection.execute(jobs.insert(), [_row(each.request) for each in batch[:room]])
                for each in batch[:room]:
                    self._enqueue(connection, each.request.id)
            for each in batch[room:]:
                each.error = BusyError(f"{waiting} jobs are waiting, at most {self._max_queued} may; try again later")
        except Exception as error:
            if len(batch) > 1 and not isinstance(
                error, BusyError
            ):  # one that cannot be written must not stop the others
                for each in batch:
                    self._submit_all([each])
                return
            for each in batch:
                each.error = error
        finally:
            for each in batch:
                each.done = True

    def _enqueue(self, connection: sa.Connection, job_id: str) -> None:
        self._client.enqueue_in_transaction(
            connection,
            {
                "queue_name": database.QUEUE,
                "workflow_name": database.WORKFLOW,
                "workflow_id": job_id,
                "app_version": database.VERSION,
                "serialization_type": WorkflowSerializationFormat.PORTABLE,
            },
            job_id,
        )

    def get(self, job_id: str, *, account: str | None) -> Job | None:
        """A job; None for one that is unknown, expired or another account's (with None, any account's is found).

        Raises:
            BusyError: the database is locked or unreachable.
            InternalError: the database cannot be used.
        """
        job = self._cached(job_id)
        if job is None:
            with database.translated(), self._engine.connect() as connection:
                row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.id == job_id)).one_or_none()
            if row is None:
                return None
            job = _job(row)
            if job.status.final:
                self._cache(job)
        return job if account is None or job.account == account else None

    def list(self, account: str | None = None, status: JobStatus | None = None, limit: int = 100) -> list[Job]:
        """Jobs, the youngest first. Raises as `get` does."""
        query = sa.select(*_COLUMNS).order_by(jobs.c.submitted.desc()).limit(limit)
        if account is not None:
            query = query.where(jobs.c.account == account)
        if status is not None:
            query = query.where(jobs.c.status == status.value)
        with database.translated(), self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def cancel(self, job_id: str, *, account: str | None = None) -> bool:
        """Ends a job as failed, at once for clients; a worker that runs it stops within about a second.

        The documented statuses know no cancelled job, so it shows as PROCESS_FAILED. Of the documented codes it gets
        InternalServerError: all others blame the input or name a fault that did not occur.

        Returns:
            Whether it was this call that ended it: False for one that is unknown, another account's or had ended.

        Raises:
            BusyError: the database is locked or unreachable.
            InternalError: the database cannot be used.
        """
        change = (
            jobs.update()
            .where(jobs.c.id == job_id, jobs.c.status.in_(_RUNNING))
            .values(
                status=JobStatus.PROCESS_FAILED.value,
                ended=time.time(),
                error_code=CANCELLED_CODE,
                error_message=CANCELLED_MESSAGE,
                cancelled=True,
            )
        )
        if account is not None:
            change = change.where(jobs.c.account == account)
        with self._write("the job was not cancelled") as connection:
            return connection.execute(change).rowcount == 1

    def counts(self) -> dict[tuple[str, JobStatus], int]:
        """How many jobs there are of each action in each status. Raises as `get` does."""
        query = sa.select(jobs.c.action, jobs.c.status, sa.func.count()).group_by(jobs.c.status, jobs.c.action)
        with database.translated(), self._engine.connect() as connection:
            return {(action, JobStatus(status)): count for action, status, count in connection.execute(query)}

    def oldest_waiting(self) -> float | None:
        """Seconds since the oldest waiting job was submitted, None where none waits. Raises as `get` does."""
        query = sa.select(sa.func.min(jobs.c.submitted)).where(jobs.c.status == JobStatus.QUEUING.value)
        with database.translated(), self._engine.connect() as connection:
            oldest = connection.execute(query).scalar_one()
        return None if oldest is None else max(0.0, time.time() - oldest)

    def purge(self, older_than: timedelta, now: datetime | None = None) -> int:
        """Forgets jobs that ended longer ago than that; returns how many. Raises as `get` does."""
        limit = (now or datetime.now(UTC)).timestamp() - older_than.total_seconds()
        total = 0
        while True:
            with database.translated(), self._engine.begin() as connection:
                query = sa.select(jobs.c.id).where(jobs.c.ended < limit).limit(500)
                found = list(connection.execute(query).scalars())
                if not found:
                    return total
            with database.translated():
                # The engine's rows first: ours are what a purge that was cut short finds them by.
                self._client.delete_workflows(found)
                with self._engine.begin() as connection:
                    connection.execute(jobs.delete().where(jobs.c.id.in_(found)))
            with self._lock:
                for job_id in found:
                    self._ended.pop(job_id, None)
            total += len(found)

    def healthy(self) -> bool:
        """Whether the database answers and has its tables."""
        try:
            with database.translated("the queue is not healthy"), self._engine.connect() as connection:
                connection.execute(sa.select(jobs.c.id).limit(1)).first()
        except (BusyError, InternalError):
            return False
        return True

    def close(self) -> None:
        """Closes the connections."""
        self._client.destroy()
        self._engine.dispose()

    @contextmanager
    def _write(self, what: str) -> Iterator[sa.Connection]:
        alone = self._engine.dialect.name == "sqlite"
        if alone and not self._writing.acquire(timeout=PATIENCE):
            raise BusyError(f"{what}: the database is busy")
        try:
            with database.translated(what), self._engine.begin() as connection:
                yield connection
        finally:
            if alone:
                self._writing.release()

    def _cached(self, job_id: str) -> Job | None:
        with self._lock:
            found = self._ended.get(job_id)
            if found is None:
                return None
            since, job = found
            if time.monotonic() - since > CACHED_FOR:
                del self._ended[job_id]
                return None
            self._ended.move_to_end(job_id)
            return job

    def _cache(self, job: Job) -> None:
        with self._lock:
            self._ended[job.id] = (time.monotonic(), job)
            while len(self._ended) > CACHED:
                self._ended.popitem(last=False)


def _row(request: JobRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "account": request.account,
        "action": request.action,
        "parameters": request.parameters,
        "base_url": request.base_url,
        "request_id": request.request_id or request.id,
        "status": JobStatus.QUEUING.value,
        "submitted": request.submitted.timestamp(),
    }


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        account=row.account,
        action=row.action,
        status=JobStatus(row.status),
        submitted=datetime.fromtimestamp(row.submitted, UTC),
        started=None if row.started is None else datetime.fromtimestamp(row.started, UTC),
        ended=None if row.ended is None else datetime.fromtimestamp(row.ended, UTC),
        progress=row.progress,
        result=row.result,
        error_code=row.error_code,
        error_message=row.error_message,
        attempts=row.attempts,
        cancelled=row.cancelled,
        request_id=row.request_id,
    )
