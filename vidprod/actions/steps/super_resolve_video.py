"""The steps of SuperResolveVideo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidprod.actions.run import Context, Rendered
from vidprod.actions.super_resolve_video import SuperResolveVideoParams
from vidprod.errors import FileResolution
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import thumbnails
from vidprod.media.writer import VideoWriter
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.render import render as run_render
from vidprod.ops.upscale import SCALE, UpscaleAnalysis, UpscalePlan
from vidprod.ops.upscale_recurrent import upscaling

SMALLEST = (32, 32)
LARGEST = (1080, 1920)

BITS_PER_MBIT = 1_000_000


def analyse(params: SuperResolveVideoParams, context: Context) -> UpscalePlan:
    """Finds shots and how hard each was compressed, on small pictures."""
    info = _checked(params.video_url)
    analysis = UpscaleAnalysis(context.model or context.settings.sr_model, info)
    with VideoReader(params.video_url, info=info, qp=True) as reader:
        return run_analysis(thumbnails(reader), analysis, control=context.control, total=info.frame_count)


def load_plan(data: dict[str, Any]) -> UpscalePlan:
    """The plan that JSON holds."""
    return UpscalePlan.from_dict(data)


def render(params: SuperResolveVideoParams, plan: UpscalePlan, output: Path, context: Context) -> Rendered:
    """Upscales every picture."""
    info = _checked(params.video_url)
    op = upscaling(plan, device=context.device)
    writer = VideoWriter(
        output,
        like=info,
        width=SCALE * info.display_width,
        height=SCALE * info.display_height,
        codec="h264",
        bit_rate=_bit_rate(params, info),
        preset=context.settings.preset,
        audio_from=params.video_url,
        device=context.device,
    )
    with VideoReader(params.video_url, info=info, device=context.device, batch=context.batch) as reader:
        with writer:
            frames = run_render(reader, [op], writer, control=context.control, total=info.frame_count)
        return Rendered(frames, (*reader.stats.notes(), *writer.notes()))


def _bit_rate(params: SuperResolveVideoParams, info: VideoInfo) -> int | None:
    if params.bit_rate is not None:
        return params.bit_rate * BITS_PER_MBIT
    return 2 * info.bit_rate if info.bit_rate else None


def _checked(path: str) -> VideoInfo:
    info = probe(Path(path))
    short, long = sorted((info.display_width, info.display_height))
    large_enough = short >= SMALLEST[0] and (short, long) != SMALLEST
    small_enough = short <= LARGEST[0] and long <= LARGEST[1] and (short, long) != LARGEST
    if not (large_enough and small_enough):
        raise FileResolution(
            f"the picture is {info.display_width}x{info.display_height}, must be larger than "
            f"{SMALLEST[0]}x{SMALLEST[1]} and smaller than {LARGEST[0]}x{LARGEST[1]}"
        )
    return info
