"""Downloads that go on where they broke off."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2

from vidprod.connection import SLOW, TRIES, pause, reaching, refused
from vidprod.errors import InternalError, shown
from vidprod.service.errors import Unavailable

Listener = Callable[[int, int | None], None]
"""Called with the bytes so far and their total, None where the server does not tell."""


def download(http: httpx2.Client, url: str, path: Path, progress: Listener | None = None) -> Path:
    """Fetches a link of a result into a file, which appears complete or not at all.

    Args:
        http: whose connections are used.
        url: the link.
        path: the file; an existing one is replaced at the end.
        progress: called after every piece.

    Raises:
        Unavailable: the server cannot be reached, or does not go on.
        VidprodError: what the server answered: AccessDenied for a link whose time is over.
        InternalError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("wb") as file:
            transfer = _Download(http, url, file.fileno(), progress)
            while not transfer.step():
                pass
        os.replace(part, path)
    except OSError as error:
        raise InternalError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return path


class _Download:
    """One download over as many connections as it takes."""

    def __init__(self, http: httpx2.Client, url: str, file: int, progress: Listener | None) -> None:
        self.http, self.url, self.file = http, url, file
        self.progress = progress
        self.done = 0
        self.total: int | None = None
        self.etag: str | None = None
        self.failures = 0

    def step(self) -> bool:
        """One connection; True when the file is complete."""
        before = self.done
        try:
            with reaching(self.url):
                self._read()
        except Unavailable:
            # A connection that brought something is not a failure: a long file may break as often as it likes.
            self.failures = 0 if self.done > before else self.failures + 1
            if self.failures >= TRIES:
                raise
            time.sleep(pause(self.failures))
        return self.done == self.total

    def _read(self) -> None:
        headers = {"accept-encoding": "identity"}
        if self.done and self.etag:
            headers |= {"range": f"bytes={self.done}-", "if-range": self.etag}
        with self.http.stream("GET", self.url, headers=headers, timeout=SLOW) as response:
            if response.status_code == 206:
                self._continue(response.headers.get("content-range", ""))
            elif response.status_code == 200:
                self._start(response)
            else:
                response.read()
                raise refused(response, "the download")
            for chunk in (
                response.iter_raw()
            ):  # as it comes: what was gathered for a larger piece would be lost with the connection
                os.pwrite(self.file, chunk, self.done)
                self.done += len(chunk)
                if self.progress is not None:
                    self.progress(self.done, self.total)
        if self.total is None:  # it told no length, and ended in order
            self.total = self.done

    def _start(self, response: httpx2.Response) -> None:
        os.ftruncate(self.file, 0)
        self.done = 0
        length = response.headers.get("content-length")
        self.total = int(length) if length else None
        self.etag = response.headers.get("etag")

    def _continue(self, content_range: str) -> None:
        found = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+)", content_range)
        if found is None or int(found[1]) != self.done or self.total not in (None, int(found[2])):
            raise InternalError(
                f"the server answered Content-Range {shown(content_range)} for bytes {self.done} and on"
            )
