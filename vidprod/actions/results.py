"""What a run writes: where that can be written, and overwrites neither what is read nor anything else that is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from vidprod.errors import InternalError, InvalidParameter, shown


def check_apart(results: Mapping[str, Path | None], inputs: Sequence[str] = ()) -> None:
    """Refuses files that are to be written twice, and inputs that are to be overwritten.

    Args:
        results: what is written, by the parameter that names it; None for what is not wanted.
        inputs: paths of what is read.

    Raises:
        InvalidParameter: with the parameter and the path.
    """
    read = {_real(path) for path in inputs}
    written: dict[str, str] = {}
    for name, path in results.items():
        if path is None:
            continue
        place = _real(path)
        if place in read:
            raise InvalidParameter(f"{name} {shown(str(path))} would overwrite an input file; name another")
        if place in written:
            raise InvalidParameter(f"{name} {shown(str(path))} is also {written[place]}; name another")
        written[place] = name


def check_writable(path: Path) -> None:
    """Tells now, not after an hour of work, that there is no such folder, or that nothing can be written there.

    Raises:
        InternalError: that is so.
    """
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = "is not writable" if folder.is_dir() else "is not a folder"
        raise InternalError(f"cannot write {path}: {folder} {reason}")


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))
