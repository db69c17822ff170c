""".cube files: look-up tables as text, in the dialects of IRIDAS/Adobe (DOMAIN_MIN, DOMAIN_MAX) and DaVinci Resolve (shaper,
LUT_1D_INPUT_RANGE, LUT_3D_INPUT_RANGE, video range).

The format: Adobe, "Cube LUT Specification" 1.0, 2013; Blackmagic Design, "DaVinci Resolve LUTs", 2015. A file holds curves, a
table, or curves in front of a table. In a table's rows red runs fastest.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.lut import LARGEST_1D, LARGEST_3D, ONES, ZEROS, Lut1D, Lut3D, LutChain, Triple

Rows = npt.NDArray[np.float32]  # (count, 3)

_LONGEST_LINE = 1000
_SIZES = {"LUT_1D_SIZE": LARGEST_1D, "LUT_3D_SIZE": LARGEST_3D}
# How many numbers follow a keyword.
_NUMBERS = {"DOMAIN_MIN": 3, "DOMAIN_MAX": 3, "LUT_1D_INPUT_RANGE": 2, "LUT_3D_INPUT_RANGE": 2}
_FLAGS = ("LUT_IN_VIDEO_RANGE", "LUT_OUT_VIDEO_RANGE")
# Video range, as shares of 10-bit codes.
_BLACK, _SPAN = 64 / 1023, 876 / 1023


def read_cube(path: str | os.PathLike[str]) -> LutChain:
    """What a .cube file holds; the title is the file's, or its name.

    Raises:
        InvalidParameter: the file cannot be read, or is not a sound .cube file; with the line's number and what is wrong in it.
    """
    name = Path(path).name
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline=None) as file:
            return _Parser(name).parse(iter(lambda: file.readline(_LONGEST_LINE + 1), ""))
    except OSError as error:
        raise InvalidParameter(f"LUT {str(path)!r} cannot be read: {error.strerror}") from None


def parse_cube(text: str, name: str = "LUT") -> LutChain:
    """The same for text; `name` is what errors call it."""
    return _Parser(name).parse(iter(text.splitlines()))


def write_cube(path: str | os.PathLike[str], lut: LutChain | Lut1D | Lut3D, *, comment: str = "") -> None:
    """Writes curves, a table, or both, to seven digits after the point.

    Args:
        path: of the file; one that is there is replaced.
        lut: what to write.
        comment: lines to put below the title.

    Raises:
        InvalidParameter: the format cannot hold it: it is empty, or has curves before a table with another domain for
            each channel.
        OSError: the file cannot be written.
    """
    Path(path).write_text(_text(LutChain.of(lut), comment), encoding="utf-8")


def rows_of(table: Tensor, spec: str = "%.9g") -> str:
    """Lines of three numbers: of curves (n, 3), or of a table (n, n, n, 3) in the order of .cube files."""
    if table.ndim == 4:
        table = table.permute(2, 1, 0, 3)
    values = table.reshape(-1).tolist()
    text: str = (f"{spec} {spec} {spec}\n" * (len(values) // 3)) % tuple(values)
    return text


def _text(chain: LutChain, comment: str) -> str:
    lines = [f'TITLE "{_printable(chain.title)}"'] if chain.title else []
    lines += [f"# {_printable(line)}" for line in comment.splitlines()]
    curves, table = chain.curves, chain.table
    if curves is None and table is None:
        raise InvalidParameter(f"LUT {chain.title!r} is empty; a .cube file must hold curves or a table")
    if curves is not None:
        lines.append(f"LUT_1D_SIZE {curves.size}")
    if table is not None:
        lines.append(f"LUT_3D_SIZE {table.size}")
    if curves is None or table is None:
        only = curves or table
        assert only is not None
        if (only.domain_min, only.domain_max) != (ZEROS, ONES):
            lines += [f"DOMAIN_MIN {_numbers(only.domain_min)}", f"DOMAIN_MAX {_numbers(only.domain_max)}"]
    else:
        for key, part in (("LUT_1D_INPUT_RANGE", curves), ("LUT_3D_INPUT_RANGE", table)):
            if len(set(part.domain_min)) > 1 or len(set(part.domain_max)) > 1:
                raise InvalidParameter(
                    f"LUT {chain.title!r}: .cube files cannot hold curves and a table with another domain for each channel"
                )
            lines.append(f"{key} {_numbers((part.domain_min[0], part.domain_max[0]))}")
    parts = [part.table for part in (curves, table) if part is not None]
    return "\n".join(lines) + "\n" + "".join(rows_of(part, "%.7f") for part in parts)


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c != '"')


class _Parser:
    """Line by line, so that every error has its number."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._sizes: dict[str, int] = {}
        self._ranges: dict[str, tuple[float, ...]] = {}
        self._flags: set[str] = set()
        self._title = ""
        self._rows: Rows | None = None
        self._count = 0

    def parse(self, lines: Iterator[str]) -> LutChain:
        for line in lines:
            self._number += 1
            if len(line) > _LONGEST_LINE:
                raise self._error(f"more than {_LONGEST_LINE} characters")
            self._line(line.strip())
        if not self._sizes:
            raise InvalidParameter(f"LUT {self._name}: neither LUT_1D_SIZE nor LUT_3D_SIZE is given")
        wanted = self._wanted()
        if self._count < wanted:
            raise self._error(f"the file ends after {self._count} rows of numbers, {self._described()} need {wanted}")
        return self._chain()

    def _line(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        if re.match(r"[+\-.\d]|nan\b|inf", line, re.IGNORECASE):
            self._row(line)
            return
        word, *others = line.split(None, 1)
        word, rest = word.upper(), "".join(others).strip()
        if word == "TITLE":
            self._title = rest.strip('"')
        elif word in _SIZES:
            self._size(word, rest)
        elif word in _NUMBERS:
            if word in self._ranges:
                raise self._error(f"{word} is given twice")
            self._ranges[word] = self._floats(rest, _NUMBERS[word], word)
        elif word in _FLAGS:
            self._flags.add(word)
        else:
            known = ", ".join(("TITLE", *_SIZES, *_NUMBERS, *_FLAGS))
            raise self._error(f"{shown(word)} is neither a row of numbers nor one of {known}")

    def _size(self, word: str, rest: str) -> None:
        if self._count:
            raise self._error(f"{word} comes after the first row of numbers")
        if word in self._sizes:
            raise self._error(f"{word} is given twice")
        if not re.fullmatch(r"\d{1,6}", rest) or not 2 <= int(rest) <= _SIZES[word]:
            raise self._error(f"{word} is {shown(rest)}, must be a whole number in 2..{_SIZES[word]}")
        self._sizes[word] = int(rest)

    def _row(self, line: str) -> None:
        if self._rows is None:
            if not self._sizes:
                raise self._error("numbers before LUT_1D_SIZE or LUT_3D_SIZE")
            self._rows = np.empty((self._wanted(), 3), np.float32)
        values = self._floats(line, 3, "a row")
        if self._count == len(self._rows):
            raise self._error(f"more than the {len(self._rows)} rows of numbers that {self._described()} need")
        self._rows[self._count] = values
        self._count += 1

    def _floats(self, text: str, count: int, what: str) -> tuple[float, ...]:
        words = text.split()
        try:
            values = tuple(map(float, words))
        except ValueError:
            raise self._error(f"{what} is {shown(text)}, must be {count} numbers") from None
        if len(values) != count:
            raise self._error(f"{what} has {len(values)} numbers, must have {count}")
        if not all(math.isfinite(value) and abs(value) < 1e30 for value in values):
            raise self._error(f"{what} is {shown(text)}, must be finite numbers")
        return values

    def _wanted(self) -> int:
        return self._sizes.get("LUT_1D_SIZE", 0) + self._sizes.get("LUT_3D_SIZE", 0) ** 3

    def _described(self) -> str:
        return " and ".join(f"{word} {size}" for word, size in self._sizes.items())

    def _error(self, reason: str) -> InvalidParameter:
        return InvalidParameter(f"LUT {self._name}, line {self._number}: {reason}")

    def _chain(self) -> LutChain:
        assert self._rows is not None
        samples, nodes = (self._sizes.get(word, 0) for word in _SIZES)
        rows = torch.from_numpy(self._rows)
        curves = rows[:samples].clone() if samples else None
        table = rows[samples:].reshape(nodes, nodes, nodes, 3).permute(2, 1, 0, 3).contiguous() if nodes else None
        first, last = "curves" if samples else "table", "table" if nodes else "curves"
        if "LUT_OUT_VIDEO_RANGE" in self._flags:
            target = table if last == "table" else curves
            assert target is not None
            target.sub_(_BLACK).div_(_SPAN)
        built: dict[str, Lut1D | Lut3D] = {}
        for name, kind, values in (("curves", "1D", curves), ("table", "3D", table)):
            if values is None:
                continue
            low, high = self._domain(kind)
            if name == first and "LUT_IN_VIDEO_RANGE" in self._flags:
                low, high = (_triple([(v - _BLACK) / _SPAN for v in side]) for side in (low, high))
            built[name] = Lut1D(values, low, high) if kind == "1D" else Lut3D(values, low, high)
        found_curves, found_table = built.get("curves"), built.get("table")
        assert not isinstance(found_curves, Lut3D)
        assert not isinstance(found_table, Lut1D)
        return LutChain(found_curves, found_table, self._title or self._name)

    def _domain(self, kind: str) -> tuple[Triple, Triple]:
        key = f"LUT_{kind}_INPUT_RANGE"
        if key in self._ranges:
            low, high = self._ranges[key]
            lows, highs = (low,) * 3, (high,) * 3
        else:
            key = "DOMAIN_MIN ... DOMAIN_MAX"
            lows, highs = _triple(self._ranges.get("DOMAIN_MIN", ZEROS)), _triple(self._ranges.get("DOMAIN_MAX", ONES))
        if not all(a < b for a, b in zip(lows, highs, strict=True)):
            raise InvalidParameter(f"LUT {self._name}: {key} is {lows} ... {highs}, the end must be above the start")
        return lows, highs


def _triple(values: tuple[float, ...] | list[float]) -> Triple:
    r, g, b = values
    return r, g, b
