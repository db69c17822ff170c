"""The steps of FirstFrame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.actions import FirstFrameParams
from vidprod.actions.run import Context, Rendered
from vidprod.media.reader import VideoReader


@dataclass(frozen=True)
class Moment:
    """Unix seconds."""

    seconds: float


def analyse(params: FirstFrameParams, context: Context) -> Moment:
    with VideoReader(params.video_url, stop=1, batch=1, device=context.device) as reader:
        next(iter(reader))
    return Moment(time.time())


def load_plan(data: dict[str, Any]) -> Moment:
    return Moment(**data)


def render(params: FirstFrameParams, plan: Moment, output: Path, context: Context) -> Rendered:
    output.write_text(repr(plan.seconds), encoding="utf-8")
    return Rendered(1)
