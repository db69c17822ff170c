"""`vidprod jobs`: what the queue holds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from vidprod.cli import tables
from vidprod.cli.options import takes_settings
from vidprod.errors import InvalidParameter, shown
from vidprod.settings import Settings

if TYPE_CHECKING:
    from vidprod.jobs.queue import Job, JobQueue

app = App(name="jobs", help="Jobs of the server: lists, shows and cancels them.")
_OWN = ("data", "database")


@app.default
@app.command(name="list")
@takes_settings(_OWN)
def list_(
    settings: Settings,
    *,
    status: Annotated[str | None, Parameter(help="only these: QUEUING, PROCESSING, PROCESS_SUCCESS, ...")] = None,
    account: Annotated[str | None, Parameter(help="only those of this account")] = None,
    limit: Annotated[int, Parameter(help="how many, the newest first")] = 50,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="one JSON object per line")] = False,
) -> None:
    """Lists jobs, the newest first."""
    from vidprod.jobs.status import JobStatus

    if status is not None and status.upper() not in JobStatus.__members__:
        raise InvalidParameter(f"--status is {shown(status)}: must be one of {', '.join(JobStatus)}")
    if not 1 <= limit <= 10_000:
        raise InvalidParameter(f"--limit is {limit}: must be 1 to 10000")
    wanted = JobStatus[status.upper()] if status else None
    with _queue(settings) as queue:
        found = queue.list(account=account, status=wanted, limit=limit)
    if as_json:
        for job in found:
            print(json.dumps(_plain(job), ensure_ascii=False))
        return
    heads = ("id", "action", "status", "progress", "submitted", "took", "account", "error")
    tables.show(heads, map(_row, found), empty="There are no such jobs")


@app.command
@takes_settings(_OWN)
def show(settings: Settings, job_id: Annotated[str, Parameter(name="ID")], /) -> None:
    """Shows all there is to know about a job, as JSON."""
    with _queue(settings) as queue:
        job = queue.get(job_id, account=None)
    if job is None:
        raise InvalidParameter(f"there is no job {shown(job_id)}; it may have expired (VIDPROD_JOB_TTL)")
    print(json.dumps(_plain(job), indent=1, ensure_ascii=False))


@app.command
@takes_settings(_OWN)
def cancel(settings: Settings, job_id: Annotated[str, Parameter(name="ID")], /) -> None:
    """Takes a job out of the queue, or stops it. It ends as PROCESS_FAILED."""
    with _queue(settings) as queue:
        job = queue.get(job_id, account=None)
        if job is None:
            raise InvalidParameter(f"there is no job {shown(job_id)}; vidprod jobs list")
        if not queue.cancel(job_id):
            raise InvalidParameter(f"job {job_id} has ended already: {job.status}")
    print(f"{job_id} is cancelled")


@contextmanager
def _queue(settings: Settings) -> Iterator[JobQueue]:
    file = settings.data / "jobs.sqlite"
    if not settings.database and not file.exists():  # asking must not make one
        raise InvalidParameter(
            f"there is no queue in {settings.data.absolute()}; --data or --database tells where it is"
        )
    from vidprod.jobs.queue import JobQueue

    queue = JobQueue(settings.database_url)
    try:
        queue.prepare()
        yield queue
    finally:
        queue.close()


def _row(job: Job) -> tuple[str, ...]:
    progress = "" if job.progress is None or job.status.final else f"{100 * job.progress:.0f} %"
    took = (job.ended or datetime.now(UTC)) - job.started if job.started else None
    error = "" if job.error_code is None else f"{job.error_code}: {job.error_message}"
    status = f"{job.status}"
    return job.id, job.action, status, progress, tables.moment(job.submitted), tables.span(took), job.account, error


def _plain(job: Job) -> dict[str, Any]:
    return {name: _value(value) for name, value in dataclasses.asdict(job).items()}


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Path) else value
