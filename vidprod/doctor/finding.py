"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from vidprod.errors import VidprodError


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Works; good to know."""
    WARNING = "warning"
    """Works, and may stop working."""
    BROKEN = "broken"
    """The server, or some of its jobs, cannot work."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: of what was tried.
        state: how it went.
        text: what was tried and found.
        advice: what to do about it; empty where nothing need be done.
    """

    name: str
    state: State
    text: str
    advice: str = ""


def guarded(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A check's findings. An exception becomes one, too: a check that cannot be made has not passed."""
    try:
        yield from check()
    except Exception as error:
        text = (
            error.message
            if isinstance(error, VidprodError)
            else f"{type(error).__name__}: {' '.join(str(error).split())}"
        )
        yield Finding(name, State.BROKEN, text)


def size(count: float) -> str:
    """Bytes for people: `12.3 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1024
    return f"{count:.1f} TiB"
