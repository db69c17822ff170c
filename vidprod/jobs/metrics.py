"""What the worker counts, for Prometheus.

The worker has no HTTP server. Where PROMETHEUS_MULTIPROC_DIR names a folder before this module is imported, the figures go there,
and the process that answers `/metrics` reads them from there.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)

DURATION = Histogram(
    "vidprod_job_duration_seconds", "From a worker taking a job up to its end.", ("action", "status"), buckets=_SECONDS
)
WAITED = Histogram(
    "vidprod_job_wait_seconds", "From submission to a worker taking a job up.", ("action",), buckets=_SECONDS
)
STAGE = Histogram(
    "vidprod_job_stage_seconds",
    "Parts of a job: fetch, device (waiting for one), analyse, render, publish.",
    ("action", "stage"),
    buckets=(0.1, *_SECONDS),
)
FRAMES = Counter("vidprod_frames_total", "Pictures rendered.", ("action",))
FRAMES_PER_SECOND = Histogram(
    "vidprod_frames_per_second",
    "Pictures rendered per second, per job.",
    ("action",),
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240, 480),
)
ERRORS = Counter("vidprod_job_errors_total", "Jobs that ended without a result.", ("action", "code"))
RETRIES = Counter("vidprod_job_retries_total", "Further tries of jobs whose process died.", ("action",))
TIMEOUTS = Counter("vidprod_job_timeouts_total", "Jobs that took too long.", ("action",))
CANCELLED = Counter("vidprod_jobs_cancelled_total", "Running jobs that were cancelled.", ("action",))
RUNNING = Gauge("vidprod_jobs_running", "Jobs in the worker's hands.", multiprocess_mode="livesum")
DEVICE_MEMORY = Gauge(
    "vidprod_device_memory_bytes", "Device memory in use.", ("device",), multiprocess_mode="livemostrecent"
)
CHILD_DEATHS = Counter("vidprod_child_deaths_total", "Child processes that ended by themselves.", ("device",))
