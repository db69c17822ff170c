"""The queue as its clients see it; no worker runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vidprod.errors import BusyError, InternalError, InvalidParameter
from vidprod.jobs import queue as queue_module
from vidprod.jobs.ledger import Answer, Ledger
from vidprod.jobs.queue import Job, JobQueue, JobRequest
from vidprod.jobs.status import JobStatus


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "jobs.sqlite"


@pytest.fixture
def queue(file: Path) -> Iterator[JobQueue]:
    found = JobQueue(f"sqlite:///{file}", max_queued=50)
    found.prepare()
    yield found
    found.close()


@pytest.fixture
def ledger(file: Path, queue: JobQueue) -> Iterator[Ledger]:
    found = Ledger(f"sqlite:///{file}", "worker-1")
    yield found
    found.close()


def request(job_id: str = "1", account: str = "me", /, **changes: Any) -> JobRequest:
    return JobRequest(job_id, account, "SuperResolveVideo", {"VideoUrl": "http://h/a.mp4", **changes}, "http://h:8080")


def test_a_new_job(queue: JobQueue) -> None:
    before = datetime.now(UTC)
    queue.submit(request())
    job = queue.get("1", account="me")
    assert job is not None
    assert before <= job.submitted <= datetime.now(UTC)
    assert job == Job("1", "me", "SuperResolveVideo", JobStatus.QUEUING, job.submitted, request_id="1")


def test_jobs_are_seen_by_their_account(queue: JobQueue) -> None:
    queue.submit(request())
    assert queue.get("1", account="you") is None
    assert queue.get("1", account=None) is not None
    assert queue.get("2", account="me") is None
    assert not queue.cancel("1", account="you")
    assert queue.cancel("1", account="me")


@pytest.mark.parametrize("parameters", [{"Text": "Ünïcode 字幕 '\"\\ \0 🎬"}, {"Deep": {"List": [1, 2.5, None, True]}}])
def test_parameters_arrive_as_they_are(queue: JobQueue, ledger: Ledger, parameters: dict[str, object]) -> None:
    queue.submit(request(**parameters))
    work = ledger.begin("1")
    assert work is not None
    assert work.parameters == {"VideoUrl": "http://h/a.mp4", **parameters}


def test_life_of_a_job(queue: JobQueue, ledger: Ledger) -> None:
    queue.submit(request())
    work = ledger.begin("1")
    assert work is not None
    assert (work.account, work.base_url, work.request_id, work.starts) == ("me", "http://h:8080", "1", 1)
    ledger.attempt("1")
    ledger.progress("1", 0.5)
    running = queue.get("1", account="me")
    assert running is not None
    assert (running.status, running.progress, running.attempts) == (JobStatus.PROCESSING, 0.5, 1)
    assert running.started is not None

    again = ledger.begin("1")  # by another worker, after a crash
    assert again is not None
    assert again.starts == 2
    assert ledger.finish("1", Answer(JobStatus.PROCESS_SUCCESS, {"VideoUrl": "http://h/r.mp4"}))
    ended = queue.get("1", account="me")
    assert ended is not None
    assert ended.started == running.started
    assert (ended.status, ended.result, ended.progress) == (
        JobStatus.PROCESS_SUCCESS,
        {"VideoUrl": "http://h/r.mp4"},
        1,
    )


@pytest.mark.parametrize("status", [status for status in JobStatus if status.final])
def test_an_ended_job_never_changes(queue: JobQueue, ledger: Ledger, file: Path, status: JobStatus) -> None:
    queue.submit(request())
    ledger.begin("1")
    assert ledger.finish("1", Answer(status, code="InternalServerError", message="because"))
    other = JobQueue(f"sqlite:///{file}")  # which remembers nothing
    first = other.get("1", account=None)
    assert first is not None
    assert first.status is status
    assert not ledger.finish("1", Answer(JobStatus.PROCESS_SUCCESS, {"VideoUrl": "x"}))
    assert not queue.cancel("1")
    assert ledger.begin("1") is None
    ledger.attempt("1")
    ledger.progress("1", 0.25)
    other.close()
    fresh = JobQueue(f"sqlite:///{file}")
    assert fresh.get("1", account=None) == first
    fresh.close()


def test_cancel_against_finish(queue: JobQueue, ledger: Ledger) -> None:
    """Of a cancellation and an end at the same time, one happens."""
    for number in range(20):
        job_id = str(number)
        queue.submit(request(job_id))
        ledger.begin(job_id)
        won: list[str] = []
        barrier = threading.Barrier(2)

        def cancel(job_id: str = job_id, won: list[str] = won, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            if queue.cancel(job_id):
                won.append("cancel")

        def finish(job_id: str = job_id, won: list[str] = won, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            if ledger.finish(job_id, Answer(JobStatus.PROCESS_SUCCESS, {"VideoUrl": "x"})):
                won.append("finish")

        threads = [threading.Thread(target=cancel), threading.Thread(target=finish)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        job = queue.get(job_id, account=None)
        assert job is not None
        assert won == (["cancel"] if job.cancelled else ["finish"])


def test_list_and_counts(queue: JobQueue) -> None:
    for number in range(5):
        queue.submit(request(str(number), "me" if number % 2 else "you"))
    queue.cancel("0")
    assert [job.id for job in queue.list()] == ["4", "3", "2", "1", "0"]
    assert [job.id for job in queue.list("me")] == ["3", "1"]
    assert [job.id for job in queue.list(status=JobStatus.PROCESS_FAILED)] == ["0"]
    assert [job.id for job in queue.list("you", JobStatus.QUEUING, limit=1)] == ["4"]
    assert queue.counts() == {
        ("SuperResolveVideo", JobStatus.QUEUING): 4,
        ("SuperResolveVideo", JobStatus.PROCESS_FAILED): 1,
    }


def test_oldest_waiting(queue: JobQueue) -> None:
    assert queue.oldest_waiting() is None
    old = datetime.now(UTC) - timedelta(seconds=90)
    queue.submit(JobRequest("old", "me", "A", {}, "http://h", submitted=old))
    queue.submit(request("new"))
    waited = queue.oldest_waiting()
    assert waited is not None
    assert 90 <= waited < 150
    queue.submit(JobRequest("future", "me", "A", {}, "http://h", submitted=datetime.now(UTC) + timedelta(hours=1)))
    queue.cancel("old")
    queue.cancel("new")
    assert queue.oldest_waiting() == 0


def test_too_many_waiting(queue: JobQueue) -> None:
    for number in range(50):
        queue.submit(request(str(number)))
    with pytest.raises(BusyError, match="50 jobs are waiting, at most 50 may"):
        queue.submit(request("one more"))
    assert queue.get("one more", account=None) is None
    queue.cancel("0")
    queue.submit(request("one more"))


def test_the_same_id_twice(queue: JobQueue) -> None:
    queue.submit(request())
    with pytest.raises(InternalError):
        queue.submit(request("1", "you"))
    assert [job.account for job in queue.list()] == ["me"]


def test_purge(queue: JobQueue, ledger: Ledger, file: Path) -> None:
    for number in range(4):
        queue.submit(request(str(number)))
    queue.cancel("0")
    ledger.begin("1")
    ledger.finish("1", Answer(JobStatus.PROCESS_SUCCESS, {"VideoUrl": "x"}))
    ledger.begin("2")
    assert queue.get("0", account=None) is not None
    assert queue.purge(timedelta(days=1)) == 0
    assert queue.purge(timedelta(days=1), datetime.now(UTC) + timedelta(days=2)) == 2
    assert {job.id for job in queue.list()} == {"2", "3"}
    assert queue.get("0", account=None) is None
    with sqlite3.connect(file) as connection:
        for table in ("workflow_status", "workflow_input"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,)
    connection.close()


def test_many_threads(queue: JobQueue) -> None:
    errors: list[Exception] = []

    def submit(thread: int) -> None:
        try:
            for number in range(6):
                queue.submit(request(f"{thread}-{number}"))
                assert queue.get(f"{thread}-{number}", account="me") is not None
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(queue.list()) == 48


def submitted_together(queue: JobQueue, ids: list[str]) -> dict[str, Exception | None]:
    """Submits from a thread each, while the database is held: what waits is then written together."""
    ends: dict[str, Exception | None] = {}

    def submit(job_id: str) -> None:
        try:
            queue.submit(request(job_id))
            ends[job_id] = None
        except Exception as error:
            ends[job_id] = error

    threads = [threading.Thread(target=submit, args=(job_id,)) for job_id in ids]
    with queue._turn:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while len(queue._submissions) < len(ids):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    for thread in threads:
        thread.join(30)
    return ends


def test_what_waits_together_is_accepted_together(queue: JobQueue) -> None:
    ids = [f"job-{number}" for number in range(20)]
    assert submitted_together(queue, ids) == dict.fromkeys(ids)
    assert {job.id for job in queue.list()} == set(ids)


def test_the_limit_holds_for_what_is_accepted_together(queue: JobQueue) -> None:
    ends = submitted_together(queue, [f"job-{number}" for number in range(60)])
    assert sum(isinstance(error, BusyError) for error in ends.values()) == 10
    assert sum(error is None for error in ends.values()) == 50
    assert {job.id for job in queue.list()} == {job_id for job_id, error in ends.items() if error is None}


def test_one_that_cannot_be_accepted_does_not_stop_the_others(queue: JobQueue) -> None:
    queue.submit(request("taken"))
    ends = submitted_together(queue, ["a", "taken", "b"])
    assert isinstance(ends.pop("taken"), InternalError)
    assert ends == {"a": None, "b": None}
    assert {job.id for job in queue.list()} == {"a", "b", "taken"}


def test_an_accepted_job_is_on_the_disk(queue: JobQueue, file: Path) -> None:
    """What a killed process had accepted is there: it does not even close its database."""
    code = (
        "import os, sys; from vidprod.jobs.queue import JobQueue, JobRequest; queue = JobQueue(sys.argv[1]);"
        "queue.submit(JobRequest('killed', 'me', 'A', {}, 'http://h')); os.kill(os.getpid(), 9)"
    )
    found = subprocess.run([sys.executable, "-c", code, f"sqlite:///{file}"], check=False, timeout=60)
    assert found.returncode == -9
    assert queue.get("killed", account="me") is not None
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    with queue._engine.connect() as ours:
        assert ours.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_a_missing_database_is_an_error_and_not_created(file: Path) -> None:
    queue = JobQueue(f"sqlite:///{file}")
    assert not queue.healthy()
    for call in (lambda: queue.get("1", account=None), lambda: queue.submit(request()), queue.counts):
        with pytest.raises(InternalError, match="its file cannot be opened") as caught:
            call()
        assert str(file.parent) not in str(caught.value)
    assert not file.exists()
    queue.prepare()
    assert queue.healthy()
    queue.close()


def test_a_deleted_database_is_noticed(queue: JobQueue, file: Path) -> None:
    """A file that has no name any more takes writes happily; a job accepted there would be lost."""
    queue.submit(request())
    kept = file.with_name("kept")
    for suffix in ("", "-wal", "-shm"):
        if (found := file.with_name(file.name + suffix)).exists():
            found.rename(kept.with_name(kept.name + suffix))
    with pytest.raises(InternalError):
        queue.submit(request("2"))
    assert not queue.healthy()
    for suffix in ("", "-wal", "-shm"):
        if (found := kept.with_name(kept.name + suffix)).exists():
            found.rename(file.with_name(file.name + suffix))
    queue.submit(request("2"))
    assert len(queue.list()) == 2


def test_a_damaged_database(queue: JobQueue, file: Path) -> None:
    queue.submit(request())
    queue.close()
    with file.open("r+b") as damaged:
        damaged.write(os.urandom(8192))
    other = JobQueue(f"sqlite:///{file}")
    with pytest.raises(InternalError, match="not a database") as caught:
        other.submit(request("2"))
    assert str(file.parent) not in str(caught.value)
    assert not other.healthy()
    with pytest.raises(InternalError):
        other.prepare()
    other.close()


def test_a_locked_database(queue: JobQueue, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "PATIENCE", 0.5)
    other = JobQueue(f"sqlite:///{file}")
    locker = sqlite3.connect(file, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    with pytest.raises(BusyError, match="it is locked"):
        other.submit(request())
    assert time.monotonic() - started < 5
    assert other.get("1", account=None) is None  # readers do not wait for writers
    locker.execute("ROLLBACK")
    locker.close()
    other.submit(request())
    other.close()


def test_a_full_disk(queue: JobQueue, file: Path) -> None:
    """SQLite refuses pages beyond a limit as it does on a full disk."""
    with queue._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    queue._engine.dispose()
    import sqlalchemy as sa

    @sa.event.listens_for(queue._engine, "connect")
    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(BusyError, match="its disk is full"):
        _fill(queue)
    assert all(queue.get(job.id, account="me") for job in queue.list())


def _fill(queue: JobQueue) -> None:
    for number in range(49):
        queue.submit(request(str(number), Text="x" * 4000))


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_other_databases(url: str) -> None:
    with pytest.raises(InvalidParameter, match="sqlite:////file or postgresql"):
        JobQueue(url)


def test_no_heavy_imports() -> None:
    code = "import sys, vidprod.jobs.queue; print([m for m in ('torch', 'cv2', 'av', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_a_table_of_an_older_version_gets_its_columns(file: Path) -> None:
    queue = JobQueue(f"sqlite:///{file}")
    queue.prepare()
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE vidprod_jobs DROP COLUMN starts")
        connection.execute("ALTER TABLE vidprod_jobs DROP COLUMN progress")
    connection.close()
    queue.prepare()
    queue.submit(request())
    job = queue.get("1", account="me")
    assert job is not None
    assert job.progress is None
    queue.close()
