"""The worker's surroundings fail: its database, its disk, its folder. Accepted jobs are done when they are back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.harness import ROOT, Installation, installation, pid_gone, wait_for
from vidprod.errors import InternalError
from vidprod.jobs.status import JobStatus

HASTY = "import vidprod.jobs.janitor as j; j.RESCUE_EVERY = 1.0"
MODEST = "import vidprod.jobs.device as d; d.MAX_GROWTH = -(1 << 40)"


def move(server: Installation, source: str, target: str) -> None:
    for suffix in ("-wal", "-shm", ""):
        file = server.data / (source + suffix)
        if file.exists():
            file.rename(server.data / (target + suffix))


@pytest.mark.slow
def test_trouble(tmp_path: Path) -> None:
    """One worker, one trouble after another: starting one takes long."""
    with installation(tmp_path, start=False, max_retries=1) as server:
        server.start(first=HASTY)

        # The database is away in the middle of a job, and comes back.
        job_id = server.submit("TestSleep", Seconds=1)
        wait_for(lambda: server.job(job_id).attempts == 1)
        move(server, "jobs.sqlite", "kept.sqlite")
        with pytest.raises(InternalError):
            server.submit("TestSleep")
        wait_for(lambda: "the queue failed under a job" in server.log())
        move(server, "kept.sqlite", "jobs.sqlite")
        assert server.ended(job_id).status is JobStatus.PROCESS_SUCCESS

        # Another database is put in its place: the worker ends, and the next one does what is accepted there.
        assert server.process is not None
        move(server, "jobs.sqlite", "lost.sqlite")
        server.queue.prepare()
        assert server.queue.list() == []
        assert server.process.wait(timeout=60) == 1
        server.start(first=MODEST)
        assert server.ended(server.submit("TestSleep")).status is JobStatus.PROCESS_SUCCESS

        # There is no room for the job's files.
        work = tmp_path / "work"
        work.rmdir()
        work.write_text("in the way")
        failed = server.ended(server.submit("TestSleep"))
        assert (failed.status, failed.error_code, failed.attempts) == (
            JobStatus.LIMIT_RETRY_FAILED,
            "InternalServerError",
            2,
        )
        assert str(tmp_path) not in str(failed.error_message)
        work.unlink()

        # The store cannot be written: kept in the queue's retries, done when it can.
        objects, away = tmp_path / "objects" / ".incoming", tmp_path / "away"
        objects.rename(away)
        objects.write_text("in the way")
        job_id = server.submit("TestSleep")
        wait_for(lambda: "result could not be stored, trying again" in server.log())
        objects.unlink()
        away.rename(objects)
        done = server.ended(job_id)
        assert (done.status, done.attempts) == (JobStatus.PROCESS_SUCCESS, 1)

        # A child that grows is replaced between jobs (here: any that does not shrink).
        before = server.child()
        for _ in range(3):
            server.ended(server.submit("TestSleep"))
        assert "and is replaced" in server.log()
        wait_for(lambda: pid_gone(before))
        assert server.stop() == 0


def test_a_signal_to_all_processes_drains(tmp_path: Path) -> None:
    """As `systemctl stop` sends it."""
    with installation(tmp_path, start=False) as server:
        server.start(first="import os; os.setpgid(0, 0)")
        assert server.process is not None
        job_ids = [server.submit("TestSleep", Seconds=2.5) for _ in range(3)]
        wait_for(lambda: server.job(job_ids[0]).progress)
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        assert server.job(job_ids[0]).status is JobStatus.PROCESS_SUCCESS
        assert not server.job(job_ids[2]).status.final


def test_device_that_does_not_exist(tmp_path: Path) -> None:
    server = Installation(tmp_path, devices="cuda:77")
    try:
        process = server.start(wait=False)
        assert process.wait(timeout=60) > 0
        assert "cuda:77" in server.log()
        assert "Traceback" not in server.log()
    finally:
        server.close()


@pytest.mark.parametrize("what", ["database", "work"])
def test_a_worker_that_cannot_start_says_why_and_ends(tmp_path: Path, what: str) -> None:
    server = Installation(tmp_path)
    try:
        if what == "database":
            server.queue.close()
            (tmp_path / "jobs.sqlite").write_bytes(os.urandom(8192))
        else:
            (tmp_path / "work").write_text("in the way")
        process = server.start(wait=False)
        assert process.wait(timeout=60) > 0
        assert ("not a database" if what == "database" else f"data folder {tmp_path} cannot be used") in server.log()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("no.such.module", "names 'no.such.module', which must be a module with ACTIONS"),
        ("json", "names 'json', which must be a module with ACTIONS"),
        ("vidprod.actions.super_resolve_video", "must be a module with ACTIONS"),
        ("tests.jobs.misbehaving, tests.jobs.misbehaving", "there are two actions TestSleep"),
    ],
)
def test_extra_actions_that_are_none(modules: str, message: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import vidprod.actions"],
        env={**os.environ, "VIDPROD_EXTRA_ACTIONS": modules},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert found.returncode == 1
    assert "vidprod.errors.InvalidParameter" in found.stderr
    assert message in found.stderr
