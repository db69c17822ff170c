"""What the misbehaving actions do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NoPlan:
    """Nothing to plan."""


class Steps:
    """A module of steps is replaced by these names of it."""

    @staticmethod
    def analyse(params: Any, context: Any) -> NoPlan:
        return NoPlan()

    @staticmethod
    def load_plan(data: dict[str, Any]) -> NoPlan:
        return NoPlan()
