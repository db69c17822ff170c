from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from vidprod.errors import BusyError
from vidprod.jobs.status import JobStatus
from vidprod.service import metrics


class Queue:
    """A queue that says what it is told to."""

    def __init__(self, counts: Mapping[tuple[str, JobStatus], int], oldest: float | None = None) -> None:
        self._counts, self._oldest = counts, oldest

    def counts(self) -> Mapping[tuple[str, JobStatus], int]:
        return self._counts

    def oldest_waiting(self) -> float | None:
        return self._oldest


class BrokenQueue(Queue):
    def counts(self) -> Mapping[tuple[str, JobStatus], int]:
        raise BusyError("the database is locked")


def lines(body: bytes) -> list[str]:
    return body.decode().splitlines()


def test_the_queue_is_told() -> None:
    body = metrics.render(Queue({("SuperResolveVideo", JobStatus.QUEUING): 3}, 12.5))
    assert 'vidprod_jobs{action="SuperResolveVideo",status="QUEUING"} 3.0' in lines(body)
    assert "vidprod_queue_oldest_seconds 12.5" in lines(body)
    assert "vidprod_queue_up 1.0" in lines(body)


def test_a_queue_that_does_not_answer_is_told_too() -> None:
    body = metrics.render(BrokenQueue({}))
    assert "vidprod_queue_up 0.0" in lines(body)
    assert not any(line.startswith("vidprod_jobs{") for line in lines(body))


def test_requests_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)

    def count(code: str) -> float:
        start = f'vidprod_requests_total{{action="{metrics.OTHER}",code="{code}"}} '
        found = [line for line in lines(metrics.render(Queue({}))) if line.startswith(start)]
        return float(found[0].removeprefix(start)) if found else 0.0

    before = count("InvalidVersion")
    metrics.observe(metrics.OTHER, "InvalidVersion", 0.003)
    assert count("InvalidVersion") == before + 1


_PROCESS = """
import sys
from vidprod.service import metrics
metrics.observe("SuperResolveVideo", "OK", 0.2)
if sys.argv[1:]:
    class Queue:
        def counts(self): return {}
        def oldest_waiting(self): return None
    print(metrics.render(Queue()).decode())
"""


def test_numbers_of_several_processes_are_added(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for arguments in ([], [], ["show"]):
        done = subprocess.run(
            [sys.executable, "-c", _PROCESS, *arguments], env=environment, capture_output=True, text=True, check=True
        )
    shown = done.stdout.splitlines()
    assert 'vidprod_requests_total{action="SuperResolveVideo",code="OK"} 3.0' in shown
    assert 'vidprod_request_seconds_bucket{action="SuperResolveVideo",le="0.25"} 3.0' in shown
    assert 'vidprod_request_seconds_bucket{action="SuperResolveVideo",le="0.1"} 0.0' in shown


def test_a_damaged_file_of_one_process_does_not_take_the_page_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert "vidprod_queue_up 1.0" in lines(metrics.render(Queue({})))
