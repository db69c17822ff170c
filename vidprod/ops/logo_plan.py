"""The plan of EraseVideoLogo: where logos are, what they did to the picture, and when; it can be read and edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidprod.errors import InvalidParameter, shown
from vidprod.ops.logo_bands import SIGMAS
from vidprod.ops.logo_matte import Kind, Matte
from vidprod.ops.subtitle_plan import SLACK, Area
from vidprod.ops.text_boxes import Box

KINDS = ("unblend", "inpaint")

_MATTE = {"kind", "reason", "box", "support", "planes", "errors", "structure"}


@dataclass(frozen=True)
class Span:
    """A time during which a logo is seen: from `start` on and before `end`, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Logo:
    """One logo.

    Attributes:
        box: where it is.
        kind: "unblend" where the background can be got back from under it, "inpaint" where it must be made up.
        alpha: that most of it has, 0..1; 1 where it cannot be told.
        reason: why it is that kind, in words.
        spans: when it is seen; empty for always.
        matte: `Matte.packed`, in pixels of a picture of the plan's size; None for a logo that fills its box, which must be
            inpainted.
    """

    box: Area
    kind: Kind
    alpha: float
    reason: str = ""
    spans: tuple[Span, ...] = ()
    matte: dict[str, Any] | None = None

    @classmethod
    def of(cls, matte: Matte, width: int, height: int, spans: tuple[Span, ...] = ()) -> Logo:
        """What was measured, in a picture of that size."""
        rows, columns = np.flatnonzero(matte.support.any(1)), np.flatnonzero(matte.support.any(0))
        tight = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return cls(
            Area.of(tight.moved(matte.box.left, matte.box.top), width, height),
            matte.kind,
            round(matte.strength, 3) if matte.kind == "unblend" else 1.0,
            matte.reason,
            spans,
            matte.packed(),
        )

    def stands(self, second: float) -> bool:
        """Whether it is seen on the picture of that time."""
        return not self.spans or any(s.start - SLACK <= second < s.end - SLACK for s in self.spans)


@dataclass(frozen=True)
class LogosPlan:
    """What is to be erased.

    Attributes:
        width, height: of the upright picture, in pixels.
        logos: from the left to the right.
        cuts: numbers of the first pictures of new shots, ascending: nothing is copied across.
    """

    width: int
    height: int
    logos: tuple[Logo, ...]
    cuts: tuple[int, ...] = ()

    def matte(self, logo: Logo) -> Matte:
        """What a logo did to the picture."""
        if logo.matte is not None:
            return Matte.unpacked(logo.matte)
        box = logo.box.pixels(self.width, self.height)
        shape = box.height, box.width
        errors = np.ones((len(SIGMAS) + 1, 2, *shape), np.float32)
        return Matte(
            kind="inpaint",
            reason=logo.reason,
            box=box,
            support=np.ones(shape, bool),
            alpha=np.ones(shape, np.float32),
            colour=np.zeros((3, *shape), np.float32),
            unblend_error=errors * 6e4,
            inpaint_error=errors,
            structure=1.0,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogosPlan:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        if unknown := sorted(set(data) - {"width", "height", "logos", "cuts"}):
            raise InvalidParameter(f"{shown(unknown[0])} is not part of a plan of erase-video-logo")
        width, height = (_whole(data.get(key), key, 1) for key in ("width", "height"))
        logos, cuts = (_list(data.get(key, []), key) for key in ("logos", "cuts"))
        return cls(
            width,
            height,
            tuple(_logo(one, f"logos[{i}]", width, height) for i, one in enumerate(logos)),
            tuple(sorted(_whole(cut, f"cuts[{i}]", 0) for i, cut in enumerate(cuts))),
        )


def _logo(value: Any, at: str, width: int, height: int) -> Logo:
    needed = {"box", "kind", "alpha"}
    if not isinstance(value, Mapping) or not needed <= set(value) <= needed | {"reason", "spans", "matte"}:
        raise InvalidParameter(
            f"{at} is {shown(value)}, must be an object with box, kind, alpha and perhaps reason, spans and matte"
        )
    kind, alpha, reason, matte = value["kind"], value["alpha"], value.get("reason", ""), value.get("matte")
    if kind not in KINDS:
        raise InvalidParameter(f"{at}.kind is {shown(kind)}, must be unblend or inpaint")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 <= alpha <= 1:
        raise InvalidParameter(f"{at}.alpha is {shown(alpha)}, must be from 0 to 1")
    if not isinstance(reason, str):
        raise InvalidParameter(f"{at}.reason is {shown(reason)}, must be text")
    if matte is None and kind == "unblend":
        raise InvalidParameter(f"{at} has no matte, so its kind must be inpaint")
    box = Area.read(value["box"], f"{at}.box")
    if not box.pixels(width, height).area:
        raise InvalidParameter(f"{at}.box holds no pixel of a picture of {width}x{height}")
    spans = tuple(_span(one, f"{at}.spans[{i}]") for i, one in enumerate(_list(value.get("spans", []), f"{at}.spans")))
    if matte is not None:
        _check_matte(matte, f"{at}.matte", width, height)
    return Logo(box, kind, float(alpha), reason, spans, matte)


def _span(value: Any, at: str) -> Span:
    if not isinstance(value, Mapping) or set(value) != {"start", "end"}:
        raise InvalidParameter(f"{at} is {shown(value)}, must be an object with start and end")
    start, end = value["start"], value["end"]
    if not all(isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s < 1e9 for s in (start, end)):
        raise InvalidParameter(f"{at}: start and end must be seconds, got {shown([start, end])}")
    if end <= start:
        raise InvalidParameter(f"{at}: end must be after start, got {start} and {end}")
    return Span(float(start), float(end))


def _check_matte(value: Any, at: str, width: int, height: int) -> None:
    """Now, not in the middle of rendering."""
    if not isinstance(value, Mapping) or set(value) != _MATTE:
        raise InvalidParameter(f"{at} is {shown(value)}, must be as vidprod wrote it, or absent")
    box, mask = value["box"], value["support"]
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise InvalidParameter(f"{at}.box is {shown(box)}, must be four numbers")
    found = Box(*(_whole(v, f"{at}.box[{i}]", 0) for i, v in enumerate(box)))
    if found.area != (found & Box(0, 0, width, height)).area or min(found.width, found.height) <= 0:
        raise InvalidParameter(f"{at}.box is {shown(box)}, must lie in a picture of {width}x{height}")
    if not isinstance(mask, Mapping) or set(mask) != {"left", "top", "width", "height", "data"}:
        raise InvalidParameter(f"{at}.support is {shown(mask)}, must be as vidprod wrote it")
    sides = [_whole(mask[key], f"{at}.support.{key}", 0) for key in ("left", "top", "width", "height")]
    if not isinstance(mask["data"], str) or sides[0] + sides[2] > found.width or sides[1] + sides[3] > found.height:
        raise InvalidParameter(f"{at}.support does not fit a logo of {found.width}x{found.height} pixels")
    if value["kind"] not in KINDS or not isinstance(value["reason"], str):
        raise InvalidParameter(f"{at}.kind and reason must be as vidprod wrote them")
    level = value["structure"]
    if not isinstance(level, int | float) or isinstance(level, bool) or not 0 < level < 1e9:
        raise InvalidParameter(f"{at}.structure is {shown(level)}, must be a number above 0")
    for key in ("planes", "errors"):
        if not isinstance(value[key], str):
            raise InvalidParameter(f"{at}.{key} is {shown(value[key])}, must be text")
    matte = Matte.unpacked(dict(value))
    if not np.isfinite(matte.alpha).all() or not np.isfinite(matte.colour).all():
        raise InvalidParameter(f"{at}.planes hold values that are not numbers")


def _list(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidParameter(f"{name} is {shown(value)}, must be a list")
    return value


def _whole(value: Any, name: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 2**31:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a whole number from {least} on")
    return value
