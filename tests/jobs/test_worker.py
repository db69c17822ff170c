"""A real worker with a real child process, and jobs that end well, badly or not at all."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.jobs.harness import BASE_URL, Installation, installation, pid_gone, wait_for
from vidprod.jobs.status import JobStatus

TIMEOUT = 4.0  # a job of 1.7 s must be done in it on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A worker whose jobs may take two seconds and be tried twice."""
    with installation(tmp_path_factory.mktemp("data"), job_timeout=TIMEOUT, max_retries=1) as found:
        yield found


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    """Base URL of a web server that has the two files a and b."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = {"/a.mp4": b"\0aaa", "/b.mp4": b"\0bbb"}.get(urlsplit(self.path).path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}"
        web.shutdown()
        thread.join()


def child(server: Installation) -> int:
    """The process that works on the device."""
    return server.child()


def stored(server: Installation, link: str) -> Path:
    return server.data / "objects" / urlsplit(link).path.lstrip("/")


def test_success(server: Installation, files: str) -> None:
    job_id = server.submit("TestSleep", VideoUrl=f"{files}/a.mp4", Files=[f"{files}/b.mp4", f"{files}/a.mp4"])
    job = server.ended(job_id)
    assert (job.status, job.error_code, job.attempts) == (JobStatus.PROCESS_SUCCESS, None, 1)
    assert job.result is not None
    assert list(job.result) == ["VideoUrl", "VideoCoverUrl"]
    assert job.result["VideoUrl"].startswith(f"{BASE_URL}/vidprod/test-sleep/")
    assert stored(server, job.result["VideoUrl"]).read_bytes() == b"slept\n\0aaa\0bbb\0aaa"
    assert stored(server, job.result["VideoCoverUrl"]).read_bytes() == b"cover"
    assert job.submitted <= job.started <= job.ended  # type: ignore[operator]
    assert wait_for(lambda: not list((server.data / "work").iterdir()))


def test_result_of_another_job_is_read_from_the_store(server: Installation) -> None:
    first = server.ended(server.submit("TestSleep"))
    assert first.result is not None
    second = server.ended(server.submit("TestSleep", VideoUrl=first.result["VideoUrl"]))
    assert second.result is not None, second
    assert stored(server, second.result["VideoUrl"]).read_bytes() == b"slept\nslept\n"


def test_input_that_is_not_there(server: Installation, files: str) -> None:
    job = server.ended(server.submit("TestSleep", VideoUrl=f"{files}/none.mp4"))
    assert (job.status, job.error_code, job.attempts) == (JobStatus.PROCESS_FAILED, "InvalidFile.Download", 1)
    assert "404" in str(job.error_message)


def test_strangers_upload(server: Installation) -> None:
    job = server.ended(server.submit("TestSleep", VideoUrl=f"{BASE_URL}/upload/0123456789abcdef/2026-01-01-00/x"))
    assert (job.status, job.error_code) == (JobStatus.PROCESS_FAILED, "InvalidFile.Download")


def test_documented_error(server: Installation) -> None:
    before = child(server)
    job = server.ended(server.submit("TestCrash", How="error"))
    assert (job.status, job.error_code, job.attempts) == (JobStatus.PROCESS_FAILED, "InvalidFile.Decode", 1)
    assert job.error_message == "output.mp4 cannot be decoded"
    assert child(server) == before


def test_unexpected_error(server: Installation) -> None:
    job_id = server.submit("TestCrash", How="raise")
    job = server.ended(job_id)
    assert (job.status, job.error_code) == (JobStatus.PROCESS_FAILED, "InternalServerError.Algo")
    assert job.error_message == "TestCrash failed unexpectedly (ZeroDivisionError)"
    (line,) = [line for line in server.log().splitlines() if "Traceback" in line and job_id in line]
    assert "ZeroDivisionError: secret" in line


@pytest.mark.parametrize(
    ("how", "reason"), [("exit", "exit status 7"), ("segfault", "signal 11"), ("kill", "signal 9")]
)
def test_poison(server: Installation, tmp_path: Path, how: str, reason: str) -> None:
    starts = tmp_path / "starts"
    job = server.ended(server.submit("TestCrash", How=how, Counter=str(starts)))
    assert (job.status, job.error_code, job.attempts) == (JobStatus.LIMIT_RETRY_FAILED, "InternalServerError", 2)
    assert reason in str(job.error_message)
    assert starts.stat().st_size == 2
    assert server.ended(server.submit("TestSleep")).status is JobStatus.PROCESS_SUCCESS


def test_retry_that_helps(server: Installation, tmp_path: Path) -> None:
    job = server.ended(server.submit("TestCrash", How="kill", Counter=str(tmp_path / "starts"), Times=1))
    assert (job.status, job.attempts) == (JobStatus.PROCESS_SUCCESS, 2)


@pytest.mark.parametrize("gil", [True, False])
def test_timeout_of_a_stuck_call(server: Installation, gil: bool) -> None:
    before = child(server)
    job = server.ended(server.submit("TestStuck", Gil=gil))
    assert (job.status, job.error_code, job.attempts) == (JobStatus.TIMEOUT_FAILED, "InternalServerError", 1)
    assert job.ended is not None
    assert job.started is not None
    assert TIMEOUT <= (job.ended - job.started).total_seconds() < 60
    assert pid_gone(before)
    assert server.ended(server.submit("TestSleep")).status is JobStatus.PROCESS_SUCCESS


def test_cancel_running_keeps_the_child(server: Installation) -> None:
    server.ended(server.submit("TestSleep"))  # warm
    before = child(server)
    job_id = server.submit("TestSleep", Seconds=1.8)
    wait_for(lambda: server.job(job_id).status is JobStatus.PROCESSING)
    assert server.queue.cancel(job_id)
    job = server.job(job_id)
    assert (job.status, job.error_code, job.cancelled) == (JobStatus.PROCESS_FAILED, "InternalServerError", True)
    assert job.error_message == "The job was cancelled."
    wait_for(lambda: any("job cancelled" in line and job_id in line for line in server.log().splitlines()), 10)
    assert child(server) == before
    assert server.job(job_id) == job


def test_cancel_stuck_kills_the_child(server: Installation) -> None:
    server.ended(server.submit("TestSleep"))
    before = child(server)
    job_id = server.submit("TestStuck")
    wait_for(lambda: server.job(job_id).attempts == 1)
    assert server.queue.cancel(job_id)
    wait_for(lambda: pid_gone(before), 10)
    assert server.job(job_id).cancelled


def test_cancel_waiting(server: Installation) -> None:
    running = [server.submit("TestSleep", Seconds=0.4) for _ in range(3)]
    last = server.submit("TestSleep")
    assert server.queue.cancel(last)
    for job_id in running:
        assert server.ended(job_id).status is JobStatus.PROCESS_SUCCESS
    after = server.ended(server.submit("TestSleep"))
    assert after.status is JobStatus.PROCESS_SUCCESS
    assert (server.job(last).attempts, server.job(last).started) == (0, None)


def test_progress(server: Installation) -> None:
    job_id = server.submit("TestSleep", Seconds=1.7)
    seen = []

    def ended() -> bool:
        job = server.job(job_id)
        if not job.status.final and job.progress is not None:
            seen.append(job.progress)
        return job.status.final

    wait_for(ended)
    assert seen, "no progress was seen"
    assert seen == sorted(seen)
    assert 0 < seen[0] < 1
    assert server.job(job_id).progress == 1


def test_unregistered_action(server: Installation) -> None:
    job = server.ended(server.submit("NoSuchAction", A="b"))
    assert (job.status, job.error_code) == (JobStatus.PROCESS_FAILED, "InternalServerError")
    assert "NoSuchAction" in str(job.error_message)


def test_parameters_that_are_no_longer_valid(server: Installation) -> None:
    job = server.ended(server.submit("TestSleep", Seconds="long"))
    assert (job.status, job.error_code) == (JobStatus.PROCESS_FAILED, "InvalidParameter.Format")


def test_two_workers_on_one_folder(server: Installation) -> None:
    other = Installation(server.data)
    other.log_path = server.data / "other.log"
    try:
        process = other.start(wait=False, first="import vidprod.jobs.worker as w; w.LOCK_PATIENCE = 0.5")
        assert process.wait(timeout=60) > 0
        assert server.process is not None
        assert f"another worker (process {server.process.pid})" in other.log()
    finally:
        other.close()


def test_overhead_with_a_warm_child(server: Installation) -> None:
    server.ended(server.submit("TestSleep"))
    taken = []
    for _ in range(5):
        started = time.monotonic()
        server.ended(server.submit("TestSleep"))
        taken.append(time.monotonic() - started)
    assert min(taken) < 1.0, taken


def test_the_process_that_children_are_forked_from_dies(server: Installation) -> None:
    server.ended(server.submit("TestSleep"))
    before = child(server)
    parent = int(Path(f"/proc/{before}/stat").read_text().rpartition(")")[2].split()[1])
    assert server.process is not None
    assert parent != server.process.pid
    os.kill(parent, signal.SIGKILL)
    wait_for(lambda: pid_gone(before), 10)
    job = server.ended(server.submit("TestSleep"))
    assert job.status is JobStatus.PROCESS_SUCCESS
    assert child(server) != before
