"""What AdjustVideoColor does to each shot, as data, and as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.cube import read_cube
from vidprod.ops.grade_plan import GradedShot, GradePlan, grade, grade_lut
from vidprod.ops.log_curves import CURVES
from vidprod.ops.log_look import log_lut
from vidprod.ops.lut import Lut3D, LutChain

CUBE = ".cube"


@dataclass(frozen=True)
class ColorPlan:
    """One table for the whole video, a grade for each shot, or both, the table first.

    Attributes:
        lut: the table: the name of a camera's or an HDR signal's curve ("logc3", "logc4", "slog3", "vlog", "hlg", "pq"), which
            brings it to Rec.709; the path of a .cube file; or nothing.
        shots: in order, without gaps; the last one lasts to the end of the video. None at all: nothing is graded.
        notes: what the user should know about the choice.
    """

    lut: str = ""
    shots: tuple[GradedShot, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.lut and self.lut not in CURVES and Path(self.lut).suffix.lower() != CUBE:
            raise InvalidParameter(
                f"plan: lut is {shown(self.lut)}, must be one of {', '.join(CURVES)}, the path of a .cube file, or empty"
            )
        GradePlan(self.shots)  # checks their order

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        if unknown := data.keys() - {"lut", "shots", "notes"}:
            raise InvalidParameter(f"plan: {shown(sorted(unknown)[0])} is not one of lut, shots, notes")
        lut, notes = data.get("lut", ""), data.get("notes", [])
        if not isinstance(lut, str):
            raise InvalidParameter(f"plan: lut is {shown(lut)}, must be a name or a path")
        if not (isinstance(notes, list | tuple) and all(isinstance(note, str) for note in notes)):
            raise InvalidParameter("plan: notes must be a list of texts")
        shots = GradePlan.from_dict({"shots": data.get("shots", [])}).shots
        return cls(lut, shots, tuple(notes))

    def table(self, *, limited: bool = True) -> LutChain | None:
        """What `lut` stands for; None for nothing.

        Args:
            limited: whether the video has limited range.

        Raises:
            InvalidParameter: the .cube file cannot be read.
        """
        if not self.lut:
            return None
        curve = CURVES.get(self.lut)
        return read_cube(self.lut) if curve is None else log_lut(curve, limited=limited)


def shot_lut(table: LutChain | None, shot: GradedShot | None) -> LutChain | None:
    """The table of a plan and the grade of one of its shots as one; None where nothing changes.

    It can be written as a .cube file.
    """
    if shot is None or shot.changes_nothing:
        return table
    if table is None:
        return LutChain(table=grade_lut(shot))
    graded: Callable[[Tensor], Tensor] = lambda colors: grade(colors, shot)  # noqa: E731
    last = Lut3D.of(graded, 33) if table.table is None else table.table.then(graded)
    return LutChain(table.curves, last, table.title)
