"""ChangeVideoSize: another frame for a video, with what matters kept in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl

CropType = Literal["smart", "fill", "cut"]
FillType = Literal["image", "color", "stretch"]


class ChangeVideoSizeParams(Params):
    """Parameters of ChangeVideoSize."""

    video_url: VideoUrl
    width: Annotated[int, Field(ge=32, le=2160, description="of the result, in pixels")]
    height: Annotated[int, Field(ge=32, le=2160, description="of the result, in pixels")]
    crop_type: Annotated[
        CropType,
        Field(
            description="smart: crops around what matters, and fills where that would lose too much; fill: shows all, fills the "
            "rest; cut: fills the frame with the middle"
        ),
    ] = "smart"
    fill_type: Annotated[
        FillType,
        Field(
            description="what is seen beside the picture: image: the video's middle picture, blurred; color; stretch: no bars"
        ),
    ] = "image"
    tightness: Annotated[
        float, Field(ge=0, le=1, description="how much smart crops: 0 shows all, 1 fills the frame")
    ] = 0.6
    r: Annotated[int, Field(ge=0, le=255, description="red of fill type color")] = 0
    g: Annotated[int, Field(ge=0, le=255, description="green of fill type color")] = 0
    b: Annotated[int, Field(ge=0, le=255, description="blue of fill type color")] = 0


SPEC = ActionSpec(
    name="ChangeVideoSize",
    params=ChangeVideoSizeParams,
    summary="Reframes to any size, around what matters.",
    steps_module="vidprod.actions.steps.change_video_size",
    cover=True,
    debug=(".mp4", ".mov"),
)
