"""The queue's engine (DBOS) in the worker: one durable workflow per job.

Only this module and `vidprod.jobs.database` and `queue` know it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSClient
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from vidprod.jobs import database

PATIENCE = 20.0  # seconds for one question to the database
POLL_EVERY = 0.2  # seconds between looks into the queue
_ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

log = logging.getLogger("vidprod.jobs")


class DbosEngine:
    """The engine of this process; there can be only one.

    Args:
        database_url: `sqlite:////file` or `postgresql://...`.
        worker: this worker's id: what it had taken before a crash, it continues.
        concurrency: jobs at a time.
        run: does one job to its end, in a thread of the engine.

    Raises:
        BusyError, InternalError: the database cannot be used.
    """

    def __init__(self, database_url: str, worker: str, concurrency: int, run: Callable[[str], str]) -> None:
        database.quieten()
        self._connections = database.open_engine(database_url, patience=PATIENCE, size=concurrency + 8)
        with database.translated("the queue cannot be opened"):
            DBOS(
                config={
                    "name": database.APPLICATION,
                    "system_database_url": database.dbos_url(database_url),
                    "application_version": database.VERSION,
                    "executor_id": worker,
                    "sys_db_pool_size": concurrency + 8,
                    # Of a file, our own connections: they notice when it is replaced.
                    "system_database_engine": self._connections if database.sqlite_path(database_url) else None,
                    "scheduler_polling_interval_sec": 3600.0,  # no schedules are used
                    "log_level": "WARNING",
                }
            )

        # How often a job may be taken up is counted in our own table, where the end is told in our own words.
        @DBOS.workflow(name=database.WORKFLOW, max_recovery_attempts=None)
        def job(job_id: str) -> str:
            return run(job_id)

        self._concurrency = concurrency
        self._client = DBOSClient(
            system_database_engine=self._connections, application_name=database.APPLICATION, lazy=True
        )

    def launch(self) -> None:
        """Begins to take jobs, first those that this worker had not ended; raises BusyError or InternalError."""
        with database.translated("the queue cannot be opened"):
            self._client.register_queue(
                database.QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=POLL_EVERY
            )
            DBOS.launch()

    def checkpoint(self, name: str, function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Calls a function as a step of the running job; one that is already recorded is not called again."""
        return DBOS.run_step({"name": name}, function)

    def present(self) -> bool:
        """See `janitor.Engine`."""
        with database.translated():
            return self._client.retrieve_queue(database.QUEUE) is not None

    def taken(self) -> dict[str, str]:
        """See `janitor.Engine`."""
        with database.translated():
            found = self._listed(status="PENDING")
        return {workflow.workflow_id: workflow.executor_id or "" for workflow in found}

    def ended(self, job_ids: list[str]) -> set[str]:
        """See `janitor.Engine`."""
        if not job_ids:
            return set()
        with database.translated():
            found = self._listed(workflow_ids=job_ids)
        return set(job_ids) - {workflow.workflow_id for workflow in found if workflow.status not in _ENDED}

    def take_over(self, worker_ids: list[str]) -> None:
        """See `janitor.Engine`. Guarded by the worker's id in the database: of several workers that try it, one succeeds."""
        with database.translated():
            DBOS._recover_pending_workflows(worker_ids)

    def requeue(self, job_id: str) -> None:
        """See `janitor.Engine`."""
        with database.translated():
            self._client.resume_workflow(job_id, queue_name=database.QUEUE)

    def close(self) -> None:
        """Takes no further jobs; those in hand lose their connection to the queue, and stay its worker's."""
        try:
            DBOS.destroy(workflow_completion_timeout_sec=0)
        except (SQLAlchemyError, dbos_error.DBOSException) as error:
            log.warning("the queue could not be closed: %s", error)
        self._connections.dispose()

    def _listed(self, **wanted: Any) -> Any:
        return self._client.list_workflows(**wanted, queue_name=database.QUEUE, load_input=False, load_output=False)
