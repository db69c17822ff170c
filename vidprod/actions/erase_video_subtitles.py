"""EraseVideoSubtitles: burned-in subtitles inside a region go, everything else stays as it was decoded."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class EraseVideoSubtitlesParams(Params):
    """Parameters of EraseVideoSubtitles. A region that leaves the picture is cut off at its edge."""

    video_url: VideoUrl
    bx: Annotated[float, Field(alias="BX", ge=0, le=1, description="left edge of the region / picture width")] = 0.0
    by: Annotated[float, Field(alias="BY", ge=0, le=1, description="top edge of the region / picture height")] = 0.75
    bw: Annotated[float, Field(alias="BW", ge=0, le=1, description="width of the region / picture width")] = 1.0
    bh: Annotated[float, Field(alias="BH", ge=0, le=1, description="height of the region / picture height")] = 0.25

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for start, size, at, length in (("BX", "BW", self.bx, self.bw), ("BY", "BH", self.by, self.bh)):
            if min(at + length, 1.0) <= at:
                raise ValueError(
                    f"the region is empty: {start}={at:g} and {size}={length:g}, must have {start} < 1 and {size} > 0"
                )
        return self


SPEC = ActionSpec(
    name="EraseVideoSubtitles",
    params=EraseVideoSubtitlesParams,
    summary="Erases burned-in subtitles inside a region.",
    steps_module="vidprod.actions.steps.erase_video_subtitles",
)
