"""Actions by their names, and names for what they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidprod.actions import ACTIONS
from vidprod.actions.files import files_of
from vidprod.actions.spec import ActionSpec
from vidprod.errors import InvalidParameter


def find(action: str) -> ActionSpec[Any]:
    """The action of this name; raises InvalidParameter listing those there are."""
    try:
        return ACTIONS[action]
    except KeyError:
        raise InvalidParameter(f"action is {action!r}, must be one of {', '.join(ACTIONS)}") from None


def default_output(spec: ActionSpec[Any], params: Any) -> Path:
    """A name in the current folder that is still free, after the first file."""
    first = next(iter(files_of(params).values()), "video")
    stem = Path(first.split("?")[0]).stem
    base, number = f"{stem}-{spec.kebab_name}", 1
    while True:
        path = Path(base + ("" if number == 1 else f"-{number}") + spec.suffix_of(params))
        if not path.exists():
            return path
        number += 1
