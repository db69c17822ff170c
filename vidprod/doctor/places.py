"""Where the server keeps things: data folder, store, database, keys."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vidprod.doctor.finding import Finding, State, size
from vidprod.errors import VidprodError
from vidprod.jobs.queue import JobQueue
from vidprod.logs import redact
from vidprod.service.keys import FILE, AccessKeys
from vidprod.settings import Settings
from vidprod.storage.errors import NoSuchKey
from vidprod.storage.store import open_store

_LOW = 20 * 2**30
_TOO_LOW = 2**30
_SKEW = 60.0  # seconds between the clocks of this machine and of its disks
_LONG = 600.0  # seconds for which a job should not wait unnoticed
_CONTENT = b"vidprod doctor\n"


@contextmanager
def _made_for_now(folder: Path) -> Iterator[Path]:
    """The folder, which is made and taken away again where there is none."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        for path in absent:
            try:
                path.rmdir()
            except OSError:
                break


def data(settings: Settings) -> Iterator[Finding]:
    """Writes, syncs, links, renames and locks in the data folder; looks at the space."""
    folder = settings.data.absolute()
    advice = f"give this user (uid {os.geteuid()}) a folder it can write: --data, or chown"
    try:
        with _made_for_now(folder), tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
            file, linked, moved = (Path(name) / part for part in ("a", "b", "c"))
            file.write_bytes(_CONTENT)
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            skew = abs(file.stat().st_mtime - time.time())
            file.replace(moved)
            links = True
            try:
                os.link(moved, linked)
            except OSError:
                links = False
            if moved.read_bytes() != _CONTENT:
                yield Finding("data", State.BROKEN, f"{folder}: what was written is not what is read", "check the disk")
                return
            usage = shutil.disk_usage(folder)
    except OSError as error:
        yield Finding("data", State.BROKEN, f"{folder}: {error.strerror}", advice)
        return
    yield Finding("data", State.OK, f"{folder}: written, synced, renamed, locked{', linked' if links else ''}")
    if not links:
        yield Finding(
            "data", State.NOTE, "this file system has no hard links: files are copied instead, which takes time"
        )
    if skew > _SKEW:
        yield Finding(
            "data",
            State.WARNING,
            f"the file system's clock is {skew:.0f} s off this machine's",
            "set both clocks by NTP: files are deleted by their age",
        )
    text = f"{size(usage.free)} of {size(usage.total)} free"
    need = f"an input may have {size(settings.max_input_bytes)}, its result about as much"
    if usage.free < _TOO_LOW:
        yield Finding("disk", State.BROKEN, text, f"make room; {need}")
    elif usage.free < max(_LOW, 2 * settings.max_input_bytes):
        yield Finding(
            "disk", State.WARNING, text, f"{need}; VIDPROD_MAX_INPUT_BYTES lowers that, VIDPROD_FILE_TTL tidies sooner"
        )
    else:
        yield Finding("disk", State.OK, text)


def store(settings: Settings) -> Iterator[Finding]:
    """Puts an object, looks at it, reads a part, signs a link, deletes it."""
    if settings.data.exists():
        yield from _store(settings, settings.storage_url)
        return
    # A trial must not leave a data folder with a link key behind: it gets one for now.
    with tempfile.TemporaryDirectory(prefix="vidprod-doctor-") as name:
        shown = settings.storage or "made at the first start; a trial in a temporary folder"
        yield from _store(settings.model_copy(update={"data": Path(name)}), shown)


def _store(settings: Settings, shown: str) -> Iterator[Finding]:
    local = settings.storage_url.startswith("file:")
    advice = (
        "the folder of VIDPROD_STORAGE must be writable"
        if local
        else "check the bucket of VIDPROD_STORAGE, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )
    key = f"doctor/{secrets.token_hex(8)}.txt"
    try:
        found = open_store(settings)
        with tempfile.NamedTemporaryFile(dir=settings.data) as file:
            file.write(_CONTENT)
            file.flush()
            found.put(Path(file.name), key)
        try:
            there = found.head(key)
            part = b"".join(found.open_range(key, 8, 14))
            link = found.link(key, base_url="http://localhost", expires=datetime.now(UTC) + timedelta(minutes=1))
        finally:
            found.delete(key)
        try:
            found.head(key)
            gone = False
        except NoSuchKey:
            gone = True
    except (VidprodError, OSError) as error:
        reason = error.message if isinstance(error, VidprodError) else str(error.strerror)
        cause = f" ({' '.join(str(error.__cause__).split())[:300]})" if error.__cause__ else ""
        yield Finding("store", State.BROKEN, f"{shown}: {reason}{cause}", advice)
        return
    if there.size != len(_CONTENT) or part != _CONTENT[8:14] or not gone or "ignature" not in link:
        yield Finding("store", State.BROKEN, f"{shown}: an object came back changed, or stayed", advice)
    else:
        yield Finding("store", State.OK, f"{shown}: put, read, linked, deleted")


def database(settings: Settings) -> Iterator[Finding]:
    """Opens the queue and counts its jobs; where its file is still to be made, tries that with another one beside it."""
    url = settings.database_url
    shown = redact(url)
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    if file is None:
        advice = "check that the server of VIDPROD_DATABASE runs, and its user, password and rights"
    else:
        advice = f"if it stays so: stop the server, then put back a copy of {file}, or move it away (its jobs are lost)"
    with ExitStack() as stack:
        if file is not None and not file.exists():
            there = file.parent if file.parent.is_dir() else None
            if there is None and settings.database:
                yield Finding("database", State.BROKEN, f"{shown}: there is no folder {file.parent}", "make it")
                return
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".doctor-", dir=there))
            url, shown = f"sqlite:///{Path(folder) / file.name}", f"{shown}: still to be made; a trial"
            advice = f"the folder {file.parent} must be writable, on a file system with locks (not every NFS has them)"
        try:
            with closing(JobQueue(url)) as queue:
                queue.prepare()
                number, oldest, healthy = sum(queue.counts().values()), queue.oldest_waiting(), queue.healthy()
        except VidprodError as error:
            yield Finding("database", State.BROKEN, f"{shown}: {error.message}", advice)
            return
    text = f"{shown}: {number} job{'s' * (number != 1)}"
    if not healthy:
        yield Finding("database", State.BROKEN, f"{shown}: its tables are not there", advice)
    elif oldest is not None and oldest > _LONG:
        yield Finding("database", State.WARNING, f"{text}, the oldest waits for {oldest:.0f} s", "does a worker run?")
    else:
        yield Finding("database", State.OK, text)


def keys(settings: Settings) -> Iterator[Finding]:
    """Reads the access keys; looks at who else can."""
    found = AccessKeys(settings).list()
    active = [key for key in found if not key.disabled]
    file = settings.data / FILE
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding("keys", State.WARNING, f"{file} can be read by others", f"chmod 600 {file}")
    if active:
        yield Finding("keys", State.OK, f"{len(active)} active, {len(found) - len(active)} disabled")
    elif found:
        yield Finding("keys", State.WARNING, "all keys are disabled", "vidprod keys create")
    else:
        yield Finding("keys", State.NOTE, "none yet; the first start of the server makes one and prints it")
