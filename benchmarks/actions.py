"""An action for measuring the way to a job's first picture; a server knows it through VIDPROD_EXTRA_ACTIONS=benchmarks.actions."""

from __future__ import annotations

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class FirstFrameParams(Params):
    """Parameters of FirstFrame."""

    video_url: VideoUrl


ACTIONS = (
    ActionSpec(
        name="FirstFrame",
        params=FirstFrameParams,
        summary="Decodes one picture; the result is the time at which it was there, as text.",
        steps_module="benchmarks.first_frame",
    ),
)
