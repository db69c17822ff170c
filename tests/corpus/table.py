"""The whole corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import colours, companions, containers, damage, geometry, impostors, timing
from .spec import Case

_GROUPS = (containers, timing, geometry, colours, companions, damage, impostors)

CASES: tuple[Case, ...] = tuple(
    replace(case, group=module.__name__.rpartition(".")[2]) for module in _GROUPS for case in module.CASES
)

# (file, check) -> why it cannot pass. The tests are strict: an entry that no longer holds is a failure.
KNOWN_LIMITS: Mapping[tuple[str, str], str] = {}


class Corpus:
    """A folder in which the files appear when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()

    def path(self, case: Case) -> Path:
        """The file of `case`, made at the first call."""
        path = self.folder / case.name
        if case.name not in self._made:
            case.make(path)
            self._made.add(case.name)
        return path
