"""The worker's side of the table of jobs: taking a job up, its progress, its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from vidprod.errors import VidprodError
from vidprod.jobs import database
from vidprod.jobs.database import jobs, workers
from vidprod.jobs.status import JobStatus

log = logging.getLogger("vidprod.jobs")

PATIENCE = 20.0  # seconds; a worker has time

_RUNNING = (JobStatus.QUEUING.value, JobStatus.PROCESSING.value)

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """A job as the worker needs it; see `JobRequest`. `starts` counts the workers that took it up, this one included."""

    id: str
    account: str
    action: str
    parameters: Mapping[str, Any]
    base_url: str
    request_id: str
    submitted: datetime
    starts: int


@dataclass(frozen=True)
class Answer:
    """How a job ended: a final status, and the result or a documented code and a message."""

    status: JobStatus
    result: Mapping[str, Any] | None = None
    code: str | None = None
    message: str | None = None


class Ledger:
    """The table of jobs, for one worker.

    Every method raises BusyError or InternalError when the database cannot be used; see `insist`.

    Args:
        database_url: `sqlite:////file` or `postgresql://...`.
        worker: this worker's id.
    """

    def __init__(self, database_url: str, worker: str) -> None:
        self.worker = worker
        self._engine = database.open_engine(database_url, patience=PATIENCE)

    def begin(self, job_id: str) -> Work | None:
        """Takes a job up; None where it has ended already, or is unknown."""
        change = (
            jobs.update()
            .where(jobs.c.id == job_id, jobs.c.status.in_(_RUNNING))
            .values(
                status=JobStatus.PROCESSING.value,
                started=sa.func.coalesce(jobs.c.started, time.time()),
                starts=jobs.c.starts + 1,
                worker=self.worker,
            )
        )
        query = sa.select(
            jobs.c.id,
            jobs.c.account,
            jobs.c.action,
            jobs.c.parameters,
            jobs.c.base_url,
            jobs.c.request_id,
            jobs.c.submitted,
            jobs.c.starts,
        ).where(jobs.c.id == job_id)
        with database.translated("a job was not taken up"), self._engine.begin() as connection:
            if connection.execute(change).rowcount == 0:
                return None
            row = connection.execute(query).one()._mapping
        return Work(**{**row, "submitted": datetime.fromtimestamp(row["submitted"], UTC)})

    def attempt(self, job_id: str) -> None:
        """Counts one more try, whose progress begins anew."""
        self._change(job_id, attempts=jobs.c.attempts + 1, progress=None)

    def progress(self, job_id: str, value: float) -> None:
        """Notes how far a job is, 0 to 1."""
        self._change(job_id, progress=value)

    def finish(self, job_id: str, answer: Answer) -> bool:
        """Ends a job. The first end counts: False where it had ended before, which changes nothing."""
        return self._change(
            job_id,
            status=answer.status.value,
            ended=time.time(),
            result=dict(answer.result) if answer.result is not None else None,
            error_code=answer.code,
            error_message=answer.message,
            **({"progress": 1.0} if answer.status is JobStatus.PROCESS_SUCCESS else {}),
        )

    def ended_among(self, job_ids: Iterable[str]) -> set[str]:
        """Which of these jobs have ended or are gone: a running one that has was cancelled."""
        wanted = set(job_ids)
        if not wanted:
            return set()
        query = sa.select(jobs.c.id).where(jobs.c.id.in_(wanted), jobs.c.status.in_(_RUNNING))
        with database.translated(), self._engine.connect() as connection:
            return wanted - set(connection.execute(query).scalars())

    def open_jobs(self, older_than: float, limit: int) -> list[str]:
        """Jobs that have not ended and were submitted more than `older_than` seconds ago, the oldest first."""
        query = (
            sa.select(jobs.c.id)
            .where(jobs.c.status.in_(_RUNNING), jobs.c.submitted < time.time() - older_than)
            .order_by(jobs.c.submitted)
            .limit(limit)
        )
        with database.translated(), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def heartbeat(self) -> None:
        """Says that this worker lives."""
        with database.translated("no sign of life could be given"), self._engine.begin() as connection:
            now = database.database_now(connection)
            change = workers.update().where(workers.c.id == self.worker).values(seen=now)
            if connection.execute(change).rowcount == 0:
                connection.execute(workers.insert().values(id=self.worker, seen=now))

    def leave(self) -> None:
        """Says that this worker ends, so that others need not wait to take over."""
        with database.translated(), self._engine.begin() as connection:
            connection.execute(workers.delete().where(workers.c.id == self.worker))

    def living(self, within: float) -> set[str]:
        """Workers that gave a sign of life in the last `within` seconds; forgets those silent for a day."""
        with database.translated(), self._engine.begin() as connection:
            now = database.database_now(connection)
            connection.execute(workers.delete().where(workers.c.seen < now - 86400))
            query = sa.select(workers.c.id).where(workers.c.seen >= now - within)
            return set(connection.execute(query).scalars())

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def _change(self, job_id: str, **values: Any) -> bool:
        change = jobs.update().where(jobs.c.id == job_id, jobs.c.status.in_(_RUNNING)).values(values)
        with database.translated("a job's state was not written"), self._engine.begin() as connection:
            return connection.execute(change).rowcount == 1


def insist(write: Callable[[], T], *, wait: Callable[[float], bool]) -> T:
    """Repeats what must not be lost until the database takes it.

    Args:
        write: the call; what it raises as VidprodError is logged by who raised it.
        wait: sleeps so many seconds; True tells that the worker is ending.

    Raises:
        VidprodError: the last error, when the worker is ending: the job then stays open, and is done again.
    """
    pause = 0.5
    while True:
        try:
            return write()
        except VidprodError:
            if wait(pause):
                raise
            pause = min(2 * pause, 15.0)
