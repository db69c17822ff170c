"""A file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from vidprod.errors import InternalError


class PendingFile:
    """A temporary file beside the wanted one, to be renamed when complete.

    Attributes:
        path: the wanted file, absolute.
        temporary: where to write meanwhile.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Creates the temporary file, which shows now rather than later whether the folder can be written.

        Raises:
            InternalError: it cannot.
        """
        self.path = Path(path).absolute()
        self.temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        with self.reported():
            os.close(os.open(self.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Turns what goes wrong while writing (a full disk, a lost folder) into one clear line."""
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise InternalError(f"cannot write {self.path}: {error.strerror or error}") from error

    def commit(self) -> None:
        """Gives the complete file its name, replacing what was there."""
        with self.reported():
            os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Removes the temporary file. Idempotent."""
        self.temporary.unlink(missing_ok=True)


def open_output(pending: PendingFile, container: str, time_base: Fraction) -> av.container.OutputContainer:
    """An MP4 or MOV writer whose index comes first in the file, so that playing can begin while it is still loading.

    `time_base` is the video's. The offset of a stream that does not start at zero is stored in units of the whole movie,
    milliseconds by default, so those are made to fit.
    """
    scale = time_base.denominator * -(-1000 // time_base.denominator)
    return av.open(
        f"file:{pending.temporary}",
        "w",
        format=container,
        options={"movflags": "+faststart+write_colr", "movie_timescale": str(scale)},
    )
