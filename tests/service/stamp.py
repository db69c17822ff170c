"""An action for tests of the service, quick and telling of every attempt: VIDPROD_EXTRA_ACTIONS=tests.service.stamp."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class StampParams(Params):
    """Parameters of Stamp."""

    video_url: VideoUrl
    text: Annotated[str, Field(description="what the result says")]
    seconds: Annotated[float, Field(ge=0, le=60, description="how long it takes")] = 0.1


ACTIONS = (
    ActionSpec(
        name="Stamp",
        params=StampParams,
        summary="Writes what it was given, and which attempt it was.",
        steps_module="tests.service.stamp_steps",
    ),
)
