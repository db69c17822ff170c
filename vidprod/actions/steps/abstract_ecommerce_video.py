"""The steps of AbstractEcommerceVideo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidprod.actions.abstract_ecommerce_video import AbstractEcommerceVideoParams
from vidprod.actions.run import Context, Rendered
from vidprod.actions.steps.summary import plan_summary, render_summary
from vidprod.media.probe import VideoInfo, probe
from vidprod.ops.summary_plan import SummaryPlan

LARGEST = 1300
"""Pixels of the result's longer side."""


def analyse(params: AbstractEcommerceVideoParams, context: Context) -> SummaryPlan:
    """Scores the video and chooses the segments."""
    info = probe(Path(params.video_url))
    plan, _ = plan_summary(info, "ecommerce", params.duration, context, size=size(info, params.width, params.height))
    return plan


def load_plan(data: dict[str, Any]) -> SummaryPlan:
    """The plan that JSON holds."""
    return SummaryPlan.from_dict(data)


def render(params: AbstractEcommerceVideoParams, plan: SummaryPlan, output: Path, context: Context) -> Rendered:
    """Joins the segments, and writes the cover picture."""
    return render_summary(probe(Path(params.video_url)), plan, output, context, cover=True)


def size(info: VideoInfo, width: int | None, height: int | None) -> tuple[int, int]:
    """Width and height of the result, even: as asked for, else as the source is seen, never longer than `LARGEST`."""
    wide, high = float(info.display_width * info.sample_aspect_ratio), float(info.display_height)
    if width is not None and height is not None:
        wide, high = float(width), float(height)
    elif width is not None:
        wide, high = float(width), high * width / wide
    elif height is not None:
        wide, high = wide * height / high, float(height)
    scale = min(1.0, LARGEST / max(wide, high))
    return max(round(wide * scale / 2) * 2, 2), max(round(high * scale / 2) * 2, 2)
