"""A real worker process in a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from vidprod.jobs.queue import Job, JobQueue, JobRequest

ROOT = Path(__file__).parents[2]
BASE_URL = "http://127.0.0.1:8080"

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], patience: float = 60.0, what: str = "") -> T:
    """The first true value of a condition."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what or condition}")
        time.sleep(0.03)


def pid_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


class Installation:
    """A data folder, its queue, and the worker on it."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDPROD_")},
            "VIDPROD_DATA": str(data),
            "VIDPROD_DEVICES": "cpu",
            "VIDPROD_EXTRA_ACTIONS": "tests.jobs.misbehaving",
            "VIDPROD_FETCH_ALLOW": "127.0.0.0/8",
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "default",
            **{f"VIDPROD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.database_url = self.environment.get("VIDPROD_DATABASE", f"sqlite:///{data}/jobs.sqlite")
        self.queue = JobQueue(self.database_url)
        self.queue.prepare()
        self.log_path = data / "worker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True, first: str = "") -> subprocess.Popen[bytes]:
        """Starts a worker, after some Python code, and waits until it takes jobs."""
        marker = "worker ready"
        before = self.log().count(marker)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{first}\nfrom vidprod.cli import main; main()", "worker"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        if wait:
            process = self.process
            wait_for(
                lambda: self.log().count(marker) > before or process.poll() is not None, what="a worker that is ready"
            )
            assert process.poll() is None, self.log()
        return self.process

    def log(self) -> str:
        """All that the worker has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def child(self) -> int:
        """The process that works on the device, the last one made."""
        return int(re.findall(r"device \S+ is ready in process (\d+)", self.log())[-1])

    def submit(self, action: str, account: str = "me", base_url: str = BASE_URL, **parameters: Any) -> str:
        """Submits a job under a fresh id."""
        job_id = str(uuid.uuid4()).upper()
        self.queue.submit(JobRequest(job_id, account, action, parameters, base_url))
        return job_id

    def job(self, job_id: str) -> Job:
        """A job that is known."""
        found = self.queue.get(job_id, account=None)
        assert found is not None
        return found

    def ended(self, job_id: str, patience: float = 60.0) -> Job:
        """A job when it has ended."""

        def final() -> Job | None:
            job = self.job(job_id)
            return job if job.status.final else None

        try:
            return wait_for(final, patience, what=f"the end of {job_id}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.job(job_id)}\n{self.log()}") from None

    def kill(self) -> None:
        """kill -9 of the worker."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self, patience: float = 60.0) -> int:
        """SIGTERM to the worker; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=patience)

    def close(self) -> None:
        """Ends what is left."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.queue.close()


@contextmanager
def installation(data: Path, *, start: bool = True, **settings: Any) -> Iterator[Installation]:
    """An installation that leaves no process behind."""
    found = Installation(data, **settings)
    try:
        if start:
            found.start()
        yield found
    finally:
        found.close()
