"""Tables for people and for pipes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 400  # in a pipe nothing is wrapped or cut


def show(heads: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Prints a table on stdout; every cell is text as it is.

    Args:
        heads: of the columns.
        rows: of cells.
        empty: printed instead when there are no rows, on stderr.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if table.row_count:
        console.print(table)
    else:
        Console(stderr=True).print(empty, markup=False, highlight=False)


def moment(value: datetime | None) -> str:
    """In local time, to the second."""
    return f"{value.astimezone():%Y-%m-%d %H:%M:%S}" if value else ""


def span(value: timedelta | None) -> str:
    """`12s`, `3m 05s`, `2h 07m`, `3d 04h`."""
    if value is None:
        return ""
    seconds = max(0, round(value.total_seconds()))
    for unit, letter, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= unit:
            return f"{seconds // unit}{letter} {seconds % unit // part:02d}{small}"
    return f"{seconds}s"
