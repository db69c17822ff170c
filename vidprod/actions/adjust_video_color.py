"""AdjustVideoColor: log footage becomes a picture, ordinary footage is graded shot by shot; MOV or MP4, sound kept."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from vidprod.actions.spec import ActionSpec, Params, VideoUrl

_BIT_RATE = re.compile(r"([1-9][0-9]*)([kKmM]?)")
_UNITS = {"": 1, "k": 1000, "m": 1_000_000}
_LARGEST_IN_MBIT = 200
SLOWEST, FASTEST = 10_000, 1_000_000_000
"""Bit rates that are taken, in bit/s."""


def bits_per_second(value: str | int) -> int:
    """`15000k`, `15M`; a bare number up to 200 is Mbit/s, a larger one bit/s.

    Raises:
        ValueError: it is none of these, or out of range.
    """
    found = _BIT_RATE.fullmatch(str(value))
    if found is None or isinstance(value, bool) or len(found[1]) > 12:
        raise ValueError("must be a number of Mbit/s (up to 200) or bit/s, or a number with k or M: 15, 15000k, 15M")
    number, unit = int(found[1]), found[2].lower()
    if not unit and number <= _LARGEST_IN_MBIT:
        unit = "m"
    rate = number * _UNITS[unit]
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(
            f"stands for {rate} bit/s, must be within {SLOWEST}..{FASTEST} bit/s (a bare number up to 200: Mbit/s)"
        )
    return rate


def _bit_rate(value: Any) -> Any:
    if isinstance(value, str | int):
        bits_per_second(value)
    return value


class AdjustVideoColorParams(Params):
    """Parameters of AdjustVideoColor."""

    video_url: VideoUrl
    mode: Annotated[
        Literal["LogC", "Rec709"],
        Field(description="LogC for flat footage of a log camera, Rec709 for ordinary footage"),
    ]
    video_bitrate: Annotated[
        str | int | None,
        BeforeValidator(_bit_rate),
        Field(description="bit rate of the result: 15000k, 15M, or a number of Mbit/s; default: the input's"),
    ] = None
    video_codec: Annotated[
        Literal["h264", "hevc", "prores"], Field(description="codec of the result; prores needs the format mov")
    ] = "h264"
    video_format: Annotated[Literal["mov", "mp4"], Field(description="container of the result")] = "mov"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.video_codec == "prores" and self.video_format == "mp4":
            raise ValueError("VideoCodec is 'prores', which MP4 cannot hold: VideoFormat must be 'mov'")
        return self

    @property
    def bit_rate(self) -> int | None:
        """What `video_bitrate` stands for, in bit/s."""
        return None if self.video_bitrate is None else bits_per_second(self.video_bitrate)


SPEC = ActionSpec(
    name="AdjustVideoColor",
    params=AdjustVideoColorParams,
    summary="Grades a video: log footage for ordinary displays, ordinary footage shot by shot.",
    steps_module="vidprod.actions.steps.adjust_video_color",
    debug=(".png",),
    suffixes=(".mov", ".mp4"),
    suffix_field="video_format",
    lut_params={"mode": "Rec709"},  # a table says by itself what it does
)
