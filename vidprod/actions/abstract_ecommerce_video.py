"""AbstractEcommerceVideo: the seconds of a product video that show the product best."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class AbstractEcommerceVideoParams(Params):
    """Parameters of AbstractEcommerceVideo. The result's longer side is at most 1300 pixels."""

    video_url: VideoUrl
    duration: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="seconds of the summary; the whole video if it is no longer"),
    ]
    width: Annotated[
        int | None,
        Field(ge=32, le=2160, description="of the result, in pixels; default: as the height demands, or the input's"),
    ] = None
    height: Annotated[
        int | None,
        Field(ge=32, le=2160, description="of the result, in pixels; default: as the width demands, or the input's"),
    ] = None


SPEC = ActionSpec(
    name="AbstractEcommerceVideo",
    params=AbstractEcommerceVideoParams,
    summary="Cuts a product video down to its best seconds.",
    steps_module="vidprod.actions.steps.abstract_ecommerce_video",
    storyboard="vidprod.ops.storyboard",
    cover=True,
)
