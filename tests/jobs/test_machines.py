"""Several workers on one database: none does what another does, and what a dead one had is taken over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.harness import Installation, pid_gone, wait_for
from vidprod.jobs.status import JobStatus

# Sixty seconds of silence are too many for a test.
IMPATIENT = "import vidprod.jobs.janitor as j; j.SILENCE, j.RESCUE_EVERY, j.BEAT_EVERY = 3.0, 1.0, 0.5"

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database: a file, or one of the server that VIDPROD_TEST_POSTGRESQL names or that can be started here."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.sqlite'}"
        return
    if url := os.environ.get("VIDPROD_TEST_POSTGRESQL"):
        yield url
        return
    path = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    if shutil.which("initdb", path=path) is None:
        pytest.skip("PostgreSQL is not installed, and VIDPROD_TEST_POSTGRESQL is not set")
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)  # short: sockets have short names
        if user is not None:
            shutil.chown(folder, user)
        environment = {"PATH": path}
        subprocess.run(
            ["initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
            user=user,
            cwd=folder,
        )
        with subprocess.Popen(
            ["postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="],
            env=environment,
            user=user,
            cwd=folder,
        ) as process:
            wait_for(lambda: (folder / ".s.PGSQL.5432").exists(), 30)
            yield f"postgresql://postgres@/postgres?host={folder}"
            process.send_signal(signal.SIGINT)


@pytest.fixture
def pair(database: str, tmp_path: Path) -> Iterator[tuple[Installation, Installation]]:
    """Two workers, each with a data folder of its own, one database and one store."""
    shared = {"database": database, "storage": (tmp_path / "objects").as_uri()}
    first, second = (Installation(tmp_path / name, **shared) for name in ("a", "b"))
    try:
        for one in (first, second):
            one.start(first=IMPATIENT)
        yield first, second
    finally:
        first.close()
        second.close()


def test_two_machines(pair: tuple[Installation, Installation], tmp_path: Path) -> None:
    first, second = pair
    job_ids = [first.submit("TestSleep", Seconds=0.3) for _ in range(10)]
    for job_id in job_ids:
        job = second.ended(job_id)
        assert (job.status, job.attempts) == (JobStatus.PROCESS_SUCCESS, 1)
    for one in pair:
        assert one.log().count("job ended") > 0
        assert "Traceback" not in one.log()

    long = first.submit("TestSleep", Seconds=5)
    wait_for(lambda: first.job(long).attempts == 1)
    dying, living = (first, second) if f'"{long}"' in first.log() else (second, first)
    child = dying.child()
    dying.kill()
    wait_for(lambda: pid_gone(child), 10)
    killed = time.monotonic()
    job = living.ended(long)
    assert (job.status, job.attempts) == (JobStatus.PROCESS_SUCCESS, 2)
    assert time.monotonic() - killed < 60
    assert "taking over" in living.log()
    dying.start(first=IMPATIENT)
    assert dying.ended(dying.submit("TestSleep")).status is JobStatus.PROCESS_SUCCESS
    assert len(list((tmp_path / "objects").rglob("*.mp4"))) == 12
