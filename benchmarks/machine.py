"""What a measurement was made on, and how much CPU time something took."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass
class Cost:
    """Seconds of one run: `cpu` is user plus system time of this process and of finished children."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Fills in the cost of what runs inside the `with`."""
    cost = Cost()
    cpu, wall = _cpu(), time.monotonic()
    try:
        yield cost
    finally:
        cost.cpu, cost.wall = _cpu() - cpu, time.monotonic() - wall


def _cpu() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def machine() -> dict[str, str | int | float]:
    """Processor, cores and load, GPU, and the versions of what computes."""
    found: dict[str, str | int | float] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "av": importlib.metadata.version("av"),
        "date": time.strftime("%Y-%m-%d"),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def version(package: str) -> str:
    """Version of an installed package, for the list of peers."""
    return importlib.metadata.version(package)


def ffmpeg_version() -> str | None:
    """Version of the ffmpeg program, None where there is none."""
    try:
        text = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return text.split()[2]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def convolution_rate(seconds: float = 1.0, channels: int = 256, size: int = 48) -> float:
    """Measured rate of a convolution large enough to hide everything but arithmetic, in FLOP/s.

    On some processors it is twice that of PyTorch's matrix products, so that these alone would flatter a network.
    """
    x = torch.rand(1, channels, size, size).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    best, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.monotonic()
        torch.nn.functional.conv2d(x, weight, padding=1)
        best = max(best, 2 * 9 * channels**2 * size**2 / (time.monotonic() - started))
    return best


def sgemm_rate(seconds: float = 1.0, size: int = 1536) -> float:
    """Measured peak of fp32 matrix products in FLOP/s, with the threads torch has now."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    a @ b
    best, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.monotonic()
        a @ b
        best = max(best, 2 * size**3 / (time.monotonic() - started))
    return best
