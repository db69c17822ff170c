"""SuperResolveVideo: twice the size with the detail enhanced; H.264 in MP4, sound kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class SuperResolveVideoParams(Params):
    """Parameters of SuperResolveVideo."""

    video_url: VideoUrl
    bit_rate: Annotated[
        int | None,
        Field(ge=1, le=100, description="bit rate of the result in Mbit/s; default: twice the input's"),
    ] = None


SPEC = ActionSpec(
    name="SuperResolveVideo",
    params=SuperResolveVideoParams,
    summary="Doubles width and height and enhances detail.",
    steps_module="vidprod.actions.steps.super_resolve_video",
    models=True,
)
