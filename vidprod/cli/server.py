"""`vidprod serve` and `vidprod worker`."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from vidprod import logs
from vidprod.cli.options import ALL, takes_settings
from vidprod.errors import VidprodError
from vidprod.settings import Settings

_OF_THE_FRONT = {"host", "port", "tls_cert", "tls_key", "rate_limit", "max_queued", "max_upload_bytes"}
_ABANDONED = 60.0  # seconds in which a server that starts makes its first file
_SHARED = "PROMETHEUS_MULTIPROC_DIR"


def add_to(app: App) -> None:
    """Adds both commands."""
    app.command(serve)
    app.command(worker)


@takes_settings(ALL)
def serve(
    settings: Settings,
    *,
    worker: Annotated[
        bool, Parameter(negative="--no-worker", help="start a worker on this machine too", show_default=False)
    ] = True,
) -> int:
    """Runs the server: the cloud's HTTP API, uploads, result links, the explorer page, and a worker.

    Every option is also an environment variable: --max-queued is VIDPROD_MAX_QUEUED. Access keys come from VIDPROD_ACCESS_KEYS
    (id:secret[,id:secret...]) and `vidprod keys`; the first start makes one and prints it.
    """
    with _running(settings, "server"):
        from vidprod.service.server import serve as run_server

        return run_server(settings, worker=worker)


@takes_settings([name for name in ALL if name not in _OF_THE_FRONT])
def worker(settings: Settings) -> int:
    """Runs a worker without a server: for further machines, and beside `vidprod serve --no-worker`.

    It must see the same data folder, or the same database and storage, as the server.
    """
    with _running(settings, "worker"):
        from vidprod.jobs.worker import run_worker

        return run_worker(settings)


@contextmanager
def _running(settings: Settings, process: str) -> Iterator[None]:
    logs.configure(settings, process=process)
    folder = _share_metrics(settings)
    try:
        yield
    except VidprodError:
        raise
    except Exception:
        logs.get(__name__).exception("stopped by an error")
        raise
    finally:
        _tidy(folder, own=True)
        with suppress(OSError):  # not empty: another process is still there
            folder.rmdir()


def _share_metrics(settings: Settings) -> Path:
    """Chooses the folder through which the processes of one installation share their metrics, and tells it to them.

    The files in it are mapped into memory, and a write to such a file kills the process when the disk is full. Hence memory
    rather than the data folder, where there is a choice. To be called before prometheus_client is imported.
    """
    if _SHARED not in os.environ:
        name = hashlib.sha256(os.fsencode(settings.data.absolute())).hexdigest()[:12]
        folder = Path(f"/dev/shm/vidprod-{os.geteuid()}-{name}")
        os.environ[_SHARED] = str(folder if _own(folder) else settings.data.absolute() / "metrics")
    folder = Path(os.environ[_SHARED])
    folder.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    for other in folder.parent.glob(f"vidprod-{os.geteuid()}-*"):  # of servers that were killed
        with suppress(OSError):
            if other != folder and time.time() - other.stat().st_mtime > _ABANDONED:
                _tidy(other)
                other.rmdir()
    return folder


def _own(folder: Path) -> bool:
    """Makes a folder that nobody else can have prepared."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _tidy(folder: Path, *, own: bool = False) -> None:
    """Removes the files of processes that are gone, and this one's if it is about to go."""
    for file in folder.glob("*_*.db"):
        number = file.stem.rpartition("_")[2]
        gone = number.isdecimal() and not Path(f"/proc/{number}").exists()
        if gone or (own and number == str(os.getpid())):
            file.unlink(missing_ok=True)
