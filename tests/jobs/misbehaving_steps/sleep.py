"""Sleeps in small pieces, telling its progress; the result says how often the action was run for this output."""

from __future__ import annotations

import time
from pathlib import Path

from tests.jobs.misbehaving import SleepParams
from tests.jobs.misbehaving_steps import Steps
from vidprod.actions.run import Context, Rendered

analyse, load_plan = Steps.analyse, Steps.load_plan

TICK = 0.05


def render(params: SleepParams, plan: object, output: Path, context: Context) -> Rendered:
    ticks = max(1, round(params.seconds / TICK))
    for _ in context.control.watch(([None] for _ in range(ticks)), "render", ticks):
        time.sleep(min(TICK, params.seconds))
    inputs = [*([params.video_url] if params.video_url else []), *(params.files or [])]
    output.write_bytes(b"slept\n" + b"".join(Path(path).read_bytes() for path in inputs))
    cover = output.with_suffix(".jpg")
    cover.write_bytes(b"cover")
    return Rendered(ticks, cover=cover)
