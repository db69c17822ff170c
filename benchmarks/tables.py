"""Markdown tables, and the places in documents that are made from results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A markdown table; numbers are right-aligned."""
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---:" if n else "---" for n in numeric) + "|"]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _text(cell: Any) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def fill(path: Path, name: str, text: str) -> bool:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->` in a document; False where it has no such place."""
    document = path.read_text(encoding="utf-8")
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    if first not in document:
        return False
    before, rest = document.split(first, 1)
    _, after = rest.split(last, 1)
    path.write_text(f"{before}{first}\n{text.strip()}\n{last}{after}", encoding="utf-8")
    return True
