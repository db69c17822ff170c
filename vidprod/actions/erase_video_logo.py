"""EraseVideoLogo: station logos and watermarks go, everything else stays as it was decoded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class LogoBox(Params):
    """Where a logo is, as parts of the picture; what leaves the picture is cut off at its edge."""

    x: Annotated[float, Field(ge=0, lt=1, description="left edge / picture width")] = 0.0
    y: Annotated[float, Field(ge=0, lt=1, description="top edge / picture height")] = 0.0
    w: Annotated[float, Field(gt=0, le=1, description="width / picture width")]
    h: Annotated[float, Field(gt=0, le=1, description="height / picture height")]


class EraseVideoLogoParams(Params):
    """Parameters of EraseVideoLogo."""

    video_url: VideoUrl
    boxes: Annotated[
        tuple[LogoBox, ...],
        Field(description="where the logos are; without any, logos that stay for most of the video are found"),
    ] = ()


SPEC = ActionSpec(
    name="EraseVideoLogo",
    params=EraseVideoLogoParams,
    summary="Erases logos and watermarks, inside boxes or wherever they are found.",
    steps_module="vidprod.actions.steps.erase_video_logo",
)
