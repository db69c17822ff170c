"""Workers and children that are killed at any moment, stopped and started again: every job ends, once, with its output."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.jobs.harness import Installation, installation, pid_gone, wait_for
from vidprod.jobs.status import JobStatus


def outputs(server: Installation) -> list[str]:
    """Names of all stored results, covers left aside."""
    return sorted(path.stem for path in (server.data / "objects").rglob("*.mp4"))


def assert_all_done(server: Installation, job_ids: list[str], patience: float = 90) -> None:
    """Every job has succeeded and has its output, once; the work folder is empty. (The store sweeps what killed writers left.)"""
    for job_id in job_ids:
        job = server.ended(job_id, patience)
        assert job.status is JobStatus.PROCESS_SUCCESS, job
        assert job.result is not None
        assert (server.data / "objects" / urlsplit(job.result["VideoUrl"]).path.lstrip("/")).is_file()
    assert outputs(server) == sorted(job_ids)
    wait_for(lambda: not list((server.data / "work").iterdir()), 10, "an empty work folder")


def test_drain_and_restart(tmp_path: Path) -> None:
    """A stopping worker ends what it does and leaves the rest; the next one does it."""
    with installation(tmp_path) as server:
        job_ids = [server.submit("TestSleep", Seconds=2) for _ in range(4)]
        wait_for(lambda: server.job(job_ids[0]).progress)
        child = server.child()
        assert server.stop() == 0
        wait_for(lambda: pid_gone(child), 5)
        done = [server.job(job_id) for job_id in job_ids if server.job(job_id).status.final]
        assert 0 < len(done) < len(job_ids)
        assert {job.status for job in done} == {JobStatus.PROCESS_SUCCESS}
        server.start()
        assert_all_done(server, job_ids)
        assert server.job(done[0].id) == done[0]
        assert "Traceback" not in server.log()


@pytest.mark.slow
def test_drain_in_vain(tmp_path: Path) -> None:
    """A job that takes longer than the patience of a stopping worker is done again after the restart; retries are not spent."""
    with installation(tmp_path, drain_timeout=0.5, max_retries=0) as server:
        job_id = server.submit("TestSleep", Seconds=4)
        wait_for(lambda: server.job(job_id).progress)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 20
        assert server.job(job_id).status is JobStatus.PROCESSING
        server.start()
        assert_all_done(server, [job_id])
        assert server.job(job_id).attempts == 2


def test_stuck_child_does_not_outlive_the_worker(tmp_path: Path) -> None:
    with installation(tmp_path) as server:
        job_id = server.submit("TestStuck")
        wait_for(lambda: server.job(job_id).attempts == 1)
        child = server.child()
        server.kill()
        wait_for(lambda: pid_gone(child), 10)


@pytest.mark.slow
def test_kill_the_worker_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(7)
    with installation(tmp_path, max_retries=0) as server:
        job_ids = []
        for _ in range(6):
            job_ids += [server.submit("TestSleep", Seconds=round(chance.uniform(0, 0.6), 2)) for _ in range(6)]
            time.sleep(chance.uniform(0, 2))
            child = server.child()
            server.kill()
            wait_for(lambda child=child: pid_gone(child), 10)  # type: ignore[misc]
            answers = {job_id: server.job(job_id) for job_id in job_ids if server.job(job_id).status.final}
            server.start()
            for job_id, answer in answers.items():
                assert server.job(job_id) == answer
        assert_all_done(server, job_ids)


@pytest.mark.slow
def test_kill_the_child_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(11)
    with installation(tmp_path, max_retries=20) as server:
        job_ids = [server.submit("TestSleep", Seconds=0.4) for _ in range(15)]
        kills = 0
        while not all(server.job(job_id).status.final for job_id in job_ids):
            time.sleep(chance.uniform(0.1, 1.5))
            child = server.child()
            if not pid_gone(child):
                os.kill(child, signal.SIGKILL)
                kills += 1
        assert kills > 5
        assert_all_done(server, job_ids)
