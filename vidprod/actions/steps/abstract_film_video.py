"""The steps of AbstractFilmVideo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidprod.actions.abstract_film_video import AbstractFilmVideoParams
from vidprod.actions.run import Context, Rendered
from vidprod.actions.steps.summary import plan_summary, render_summary
from vidprod.errors import InvalidParameter
from vidprod.media.probe import probe
from vidprod.ops.summary_plan import SummaryPlan


def analyse(params: AbstractFilmVideoParams, context: Context) -> SummaryPlan:
    """Scores the film and chooses the segments."""
    info = probe(Path(params.video_url))
    if info.duration is not None:  # told before the work, where the file tells
        _shorter(params.length, info.duration)
    plan, length = plan_summary(info, "film", params.length, context)
    _shorter(params.length, length)
    return plan


def load_plan(data: dict[str, Any]) -> SummaryPlan:
    """The plan that JSON holds."""
    return SummaryPlan.from_dict(data)


def render(params: AbstractFilmVideoParams, plan: SummaryPlan, output: Path, context: Context) -> Rendered:
    """Joins the segments."""
    return render_summary(probe(Path(params.video_url)), plan, output, context, cover=False)


def _shorter(length: int, duration: float) -> None:
    if length >= duration:
        raise InvalidParameter(f"Length is {length}, must be less than the video's {duration:.2f} seconds")
