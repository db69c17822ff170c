"""AbstractFilmVideo: a film in a few seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vidprod.actions.spec import ActionSpec, Params, VideoUrl


class AbstractFilmVideoParams(Params):
    """Parameters of AbstractFilmVideo."""

    video_url: VideoUrl
    length: Annotated[int, Field(gt=1, description="seconds of the summary; less than the input has")]


SPEC = ActionSpec(
    name="AbstractFilmVideo",
    params=AbstractFilmVideoParams,
    summary="Sums up a film in a given number of seconds.",
    steps_module="vidprod.actions.steps.abstract_film_video",
    storyboard="vidprod.ops.storyboard",
)
