"""What `GET /metrics` tells, in Prometheus' text format.

The requests counted here, the queue as it is, and what the worker and its device processes measured. Processes share their numbers
through small files in the folder that PROMETHEUS_MULTIPROC_DIR names; the command line
sets it before prometheus_client is imported.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from vidprod import __version__, logs
from vidprod.errors import VidprodError
from vidprod.jobs.status import JobStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""Stands for names that clients make up: they must not become series."""

_log = logs.get(__name__)

_REQUESTS = Counter(
    "vidprod_requests", "Requests answered, by action and code (OK, or that of the error).", ("action", "code")
)
_SECONDS = Histogram(
    "vidprod_request_seconds",
    "Time from a request's first byte to its answer.",
    ("action",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)  # fmt: skip


class Queue(Protocol):
    """What is asked of the queue."""

    def counts(self) -> Mapping[tuple[str, JobStatus], int]:
        """Jobs by action and status."""

    def oldest_waiting(self) -> float | None:
        """Seconds that the job at the head of the queue has waited; None when nothing waits."""


def observe(action: str, code: str, seconds: float) -> None:
    """Counts one answered request.

    Args:
        action: one that is served, or `OTHER`.
        code: `OK`, or the code of the error.
        seconds: that it took.
    """
    _REQUESTS.labels(action, code).inc()
    _SECONDS.labels(action).observe(seconds)


def render(queue: Queue) -> bytes:
    """The page. Asks the database, so it is to be called in a thread; a queue that does not answer is told as such."""
    body = b""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        for attempt in range(3):
            try:
                body = generate_latest(registry)
                break
            except (OSError, ValueError, RuntimeError, struct.error) as error:  # a file that is just being made
                if attempt == 2:
                    _log.error("metrics of a process cannot be read", reason=str(error))
    else:
        body = generate_latest(REGISTRY)
    own = CollectorRegistry()
    own.register(_QueueCollector(queue))
    return body + generate_latest(own)


class _QueueCollector(Collector):
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def collect(self) -> Iterable[GaugeMetricFamily]:
        build = GaugeMetricFamily("vidprod_build_info", "Version of the server.", labels=("version",))
        build.add_metric((__version__,), 1)
        memory = GaugeMetricFamily(
            "vidprod_server_memory_bytes", "Resident memory of the process that answers requests."
        )
        memory.add_metric((), _resident())
        up = GaugeMetricFamily("vidprod_queue_up", "1 when the queue's database answers, 0 when it does not.")
        jobs = GaugeMetricFamily("vidprod_jobs", "Jobs known to the queue.", labels=("action", "status"))
        oldest = GaugeMetricFamily(
            "vidprod_queue_oldest_seconds", "Age of the job that has waited longest; 0: none waits."
        )
        try:
            for (action, status), number in sorted(self._queue.counts().items()):
                jobs.add_metric((action, str(status)), number)
            oldest.add_metric((), self._queue.oldest_waiting() or 0)
            up.add_metric((), 1)
        except VidprodError as error:
            _log.warning("the queue does not answer", reason=error.message)
            up.add_metric((), 0)
        return build, memory, up, jobs, oldest  # fmt: skip


def _resident() -> int:
    """Bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
