"""Several pictures side by side in one: where each goes."""

from __future__ import annotations

from dataclasses import dataclass

LAYOUTS = {"2-up": 2, "1+2": 3, "2x2": 4, "3-strip": 3}
"""How many pictures each layout takes."""

GAP = 0.012
"""Of the shorter side, between cells and around them."""


@dataclass(frozen=True)
class Cell:
    """A rectangle of the picture: column and row of its upper left pixel, and its size, all in pixels."""

    x: int
    y: int
    width: int
    height: int


def cells(layout: str, height: int, width: int, *, gap: int | None = None) -> tuple[Cell, ...]:
    """Cells of a layout, left to right and top to bottom; the large one of "1+2" first.

    A tall picture is parted into rows where a wide one is parted into columns. Gaps between cells and the border around them
    are equally wide everywhere; cells that are meant to be equal differ by a pixel at most.

    Args:
        layout: one of `LAYOUTS`.
        height: of the whole picture, pixels.
        width: of the whole picture, pixels.
        gap: pixels; by default about 1.2 % of the shorter side. Narrowed where cells would vanish.

    Raises:
        ValueError: an unknown layout, a picture below 4 x 4, or a gap below 0.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    if height < 4 or width < 4:
        raise ValueError(f"height and width must be at least 4, got {height} and {width}")
    if gap is not None and gap < 0:
        raise ValueError(f"gap must be at least 0, got {gap}")
    shorter = min(height, width)
    gap = round(GAP * shorter) if gap is None else gap
    gap = min(gap, (shorter - 3) // 4)  # three cells of a pixel at least, four gaps
    tall = height > width
    along, across = (height, width) if tall else (width, height)
    if layout == "2x2":
        found = [(x, y) for y in _parts(across, [1, 1], gap) for x in _parts(along, [1, 1], gap)]
    elif layout == "1+2":
        large, rest = _parts(along, [3, 2], gap)
        found = [(large, (gap, across - 2 * gap)), *((rest, y) for y in _parts(across, [1, 1], gap))]
    else:
        found = [(x, (gap, across - 2 * gap)) for x in _parts(along, [1] * LAYOUTS[layout], gap)]
    made = (Cell(y[0], x[0], y[1], x[1]) if tall else Cell(x[0], y[0], x[1], y[1]) for x, y in found)
    if layout == "2x2":
        return tuple(sorted(made, key=lambda cell: (cell.y, cell.x)))
    return tuple(made)


def _parts(length: int, shares: list[int], gap: int) -> list[tuple[int, int]]:
    """Begin and size of parts of those shares, with gaps around and between them."""
    room = length - gap * (len(shares) + 1)
    parts, begin, before = [], 0, 0
    for number, share in enumerate(shares, 1):
        before += share
        end = room * before // sum(shares)
        parts.append((begin + number * gap, end - begin))
        begin = end
    return parts
