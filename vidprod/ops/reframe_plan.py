"""The plan of ChangeVideoSize: which part of the picture is seen at which time, and what fills the rest."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.camera_path import interpolated

CropType = Literal["smart", "fill", "cut"]
FillType = Literal["image", "color", "stretch"]

SMALLEST, LARGEST = 32, 2160
"""Pixels of either side of the result."""


@dataclass(frozen=True)
class ShotTimes:
    """One shot: seconds, half open."""

    start: float
    end: float


@dataclass(frozen=True)
class PathPoint:
    """The part of the picture that is seen at a time, as fractions of it."""

    t: float
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class Fill:
    """What is seen where the picture does not reach.

    Attributes:
        type: "image" for a blurred picture of the video, "color", or "stretch" to pull the picture there.
        r, g, b: of the colour, 0..255.
        at: seconds at which that picture is taken.
    """

    type: FillType = "image"
    r: int = 0
    g: int = 0
    b: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class ReframePlan:
    """What is to be seen.

    Attributes:
        width, height: of the result, in pixels.
        shots: in order, without gaps.
        path: by time. Between two points of the same shot the window glides; it never glides across a cut.
        fill: see `Fill`.
        cover: seconds of the picture that becomes the cover.
        end: seconds at which the result ends; the end of the video for None.
    """

    width: int
    height: int
    shots: tuple[ShotTimes, ...]
    path: tuple[PathPoint, ...]
    fill: Fill
    cover: float = 0.0
    end: float | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        known = {"width", "height", "shots", "path", "fill", "cover", "end"}
        if unknown := sorted(set(data) - known):
            raise InvalidParameter(f"{shown(unknown[0])} is not part of a plan of change-video-size")
        for key in ("width", "height"):
            value = data.get(key)
            if not isinstance(value, int) or isinstance(value, bool) or not SMALLEST <= value <= LARGEST:
                raise InvalidParameter(f"{key} is {shown(value)}, must be a whole number from {SMALLEST} to {LARGEST}")
        shots = tuple(
            ShotTimes(_number(one["start"], f"{at}.start"), _number(one["end"], f"{at}.end"))
            for at, one in _objects(data.get("shots"), "shots", {"start", "end"})
        )
        path = tuple(
            PathPoint(
                _number(one["t"], f"{at}.t"), *(_fraction(one[key], f"{at}.{key}") for key in ("x", "y", "w", "h"))
            )
            for at, one in _objects(data.get("path"), "path", {"t", "x", "y", "w", "h"})
        )
        if not shots or not path:
            raise InvalidParameter("shots and path must hold at least one entry each")
        for at, point in enumerate(path):
            if point.w <= 0 or point.h <= 0 or point.x + point.w > 1 + 1e-6 or point.y + point.h > 1 + 1e-6:
                raise InvalidParameter(f"path[{at}] must be a part of the picture that is not empty, got {point}")
        end = data.get("end")
        return cls(
            data["width"],
            data["height"],
            tuple(sorted(shots, key=lambda shot: shot.start)),
            tuple(sorted(path, key=lambda point: point.t)),
            _fill(data.get("fill", {})),
            _number(data.get("cover", 0.0), "cover"),
            None if end is None else _number(end, "end"),
        )


class Windows:
    """Tells the window of any time: (x, y, w, h), fractions of the picture."""

    def __init__(self, plan: ReframePlan) -> None:
        self._starts = [shot.start for shot in plan.shots]
        points: list[list[PathPoint]] = [[] for _ in plan.shots]
        for point in plan.path:
            points[self.shot(point.t)].append(point)
        self._paths: list[tuple[np.ndarray, np.ndarray]] = []
        for own in points:
            if own:
                values = np.array([[p.x, p.y, p.w, p.h] for p in own])
                self._paths.append((np.array([p.t for p in own]), values))
            else:  # a shot without points of its own goes on as the one before
                self._paths.append(
                    (np.zeros(1), self._paths[-1][1][-1:]) if self._paths else (np.zeros(1), np.array([[0, 0, 1, 1.0]]))
                )

    def shot(self, second: float) -> int:
        """Number of the shot that a time is in."""
        return max(bisect_right(self._starts, second + 1e-4) - 1, 0)

    def still(self, shot: int) -> bool:
        """Whether the window stays where it is during a shot."""
        return bool(np.ptp(self._paths[shot][1], axis=0).max() == 0)

    def at(self, second: float) -> tuple[float, float, float, float]:
        """The window of a time."""
        times, values = self._paths[self.shot(second)]
        now = np.array([second])
        x, y, w, h = (float(interpolated(times, values[:, i], now)[0]) for i in range(4))
        return x, y, w, h


def _fill(value: Any) -> Fill:
    known = {"type", "r", "g", "b", "at"}
    if not isinstance(value, Mapping) or not set(value) <= known:
        raise InvalidParameter(f"fill is {shown(value)}, must be an object with {', '.join(sorted(known))}")
    kind = value.get("type", "image")
    if kind not in get_args(FillType):
        raise InvalidParameter(f"fill.type is {shown(kind)}, must be one of {', '.join(get_args(FillType))}")
    colour = [value.get(key, 0) for key in ("r", "g", "b")]
    for key, part in zip(("r", "g", "b"), colour, strict=True):
        if not isinstance(part, int) or isinstance(part, bool) or not 0 <= part <= 255:
            raise InvalidParameter(f"fill.{key} is {shown(part)}, must be a whole number from 0 to 255")
    return Fill(kind, colour[0], colour[1], colour[2], _number(value.get("at", 0.0), "fill.at"))


def _objects(value: Any, name: str, keys: set[str]) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter(f"{name} is {shown(value)}, must be a list")
    for i, one in enumerate(value):
        if not isinstance(one, Mapping) or set(one) != keys:
            raise InvalidParameter(f"{name}[{i}] is {shown(one)}, must be an object with {', '.join(sorted(keys))}")
    return [(f"{name}[{i}]", one) for i, one in enumerate(value)]


def _number(value: Any, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
        raise InvalidParameter(f"{name} is {shown(value)}, must be seconds")
    return float(value)


def _fraction(value: Any, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a fraction of the picture, 0 to 1")
    return float(value)
