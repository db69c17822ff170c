"""The steps of ChangeVideoSize."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidprod.actions.change_video_size import ChangeVideoSizeParams
from vidprod.actions.run import Context, Rendered
from vidprod.errors import FileContent
from vidprod.media.frames import Frames
from vidprod.media.picture import pending_jpeg
from vidprod.media.previews import previews
from vidprod.media.probe import VideoInfo, probe, seconds_of
from vidprod.media.reader import VideoReader
from vidprod.media.samples import samples
from vidprod.media.writer import VideoWriter
from vidprod.ops.attention import EVERY_CPU, EVERY_GPU, Attention, AttentionAnalysis
from vidprod.ops.attention_overlay import AttentionOverlay
from vidprod.ops.crop_window import Fit
from vidprod.ops.reframe import Reframe, blurred_cover
from vidprod.ops.reframe_plan import Fill, ReframePlan, ShotTimes, Windows
from vidprod.ops.reframing import cover_time, path, still, times_of
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.render import render as run_render

LONGEST = Fraction(2 * 3600)
"""Seconds after which a video is cut off."""

SAME = 0.99
"""Part of the picture that fills the frame: where it is that much, nothing is lost by showing just that, wherever it lies."""


def analyse(params: ChangeVideoSizeParams, context: Context) -> ReframePlan:
    """Finds what matters, if it is asked for, and lays the window's path."""
    info = probe(Path(params.video_url))
    fit = Fit.of(_aspect(info), params.width / params.height)
    known = seconds_of(info)
    length = min(known, float(LONGEST))
    fill = Fill(params.fill_type, params.r, params.g, params.b, round(length / 2, 3))
    end = float(LONGEST) if known > LONGEST else None
    if params.crop_type != "smart" or fit.least >= SAME:
        part = 1.0 if params.crop_type == "fill" or params.tightness == 0 else fit.least
        whole = (ShotTimes(0.0, round(length, 6)),)
        return ReframePlan(
            params.width, params.height, whole, (still(fit, part, 0.0),), fill, round(length / 2, 3), end
        )
    found = _attention(params.video_url, info, context)
    if not found.shots.shots:
        raise FileContent("the video has no picture")
    return ReframePlan(
        params.width,
        params.height,
        times_of(found.shots),
        path(found, fit, params.tightness),
        fill,
        round(cover_time(found), 3),
        end,
    )


def load_plan(data: dict[str, Any]) -> ReframePlan:
    """The plan that JSON holds."""
    return ReframePlan.from_dict(data)


def render(params: ChangeVideoSizeParams, plan: ReframePlan, output: Path, context: Context) -> Rendered:
    """Renders the window, and the cover picture."""
    info = probe(Path(params.video_url))
    end = None if plan.end is None else Fraction(plan.end)
    writer = VideoWriter(
        output,
        like=info,
        width=plan.width,
        height=plan.height,
        codec="hevc" if info.bits > 8 else "h264",
        preset=context.settings.preset,
        sample_aspect_ratio=Fraction(1),
        audio_from=params.video_url,
        audio_stop=end,
        device=context.device,
    )
    cover = context.cover_beside(output)
    with ExitStack() as covers:
        with writer, VideoReader(params.video_url, info=info, device=context.device, batch=context.batch) as reader:
            op = Reframe(
                plan,
                sample_aspect_ratio=info.sample_aspect_ratio,
                background=_background(plan, info, params.video_url).to(context.device)
                if plan.fill.type == "image"
                else None,
                cover=plan.cover,
            )
            batches = iter(reader) if end is None else _until(iter(reader), end)
            frames = run_render(batches, [op], writer, control=context.control, total=info.frame_count)
            if op.covered is None:
                raise FileContent("the video has no picture")
            picture = covers.enter_context(pending_jpeg(cover, op.covered))
            notes = (*reader.stats.notes(), *writer.notes())
        picture.commit()  # only now that its video is complete
    return Rendered(frames, notes if end is None else (*notes, f"cut off after {plan.end:g} seconds"), cover)


def debug(params: ChangeVideoSizeParams, plan: ReframePlan, output: Path, context: Context) -> None:
    """Writes the source with the window, the subjects and the saliency drawn on it. It is analysed for that, again."""
    info = probe(Path(params.video_url))
    found = _attention(params.video_url, info, context, maps=True)
    with (
        VideoWriter(output, like=info, preset=context.settings.preset, pix_fmt="yuv420p") as writer,
        VideoReader(params.video_url, info=info, bits=8, batch=context.batch) as reader,
    ):
        overlay = AttentionOverlay(found, Windows(plan))
        run_render(_until(iter(reader), LONGEST), [overlay], writer, control=context.control, total=info.frame_count)


def _attention(path: str, info: VideoInfo, context: Context, *, maps: bool = False) -> Attention:
    every = EVERY_CPU if context.device.type == "cpu" else EVERY_GPU
    with VideoReader(path, info=info) as reader:
        stream = previews(reader, every=every, until=LONGEST)
        analysis = AttentionAnalysis(context.device, maps=maps)
        return run_analysis(stream, analysis, control=context.control, total=info.frame_count)


def _until(batches: Iterator[Frames], end: Fraction) -> Iterator[Frames]:
    for frames in batches:
        count = sum(second < end for second in frames.seconds)
        if count:
            yield frames[:count]
        if count < len(frames):
            return


def _background(plan: ReframePlan, info: VideoInfo, path: str) -> Tensor:
    """The picture of the middle, blurred; of a part of the video that cannot be read, the first one."""
    with VideoReader(path, info=info) as reader:
        picture: Tensor | None = None
        for at in ([plan.fill.at], [0.0]):
            for frames in samples(reader, at):
                picture = frames.data[0]
            if picture is not None:
                break
    if picture is None:
        raise FileContent("the video has no picture")
    made = blurred_cover(picture, plan.width, plan.height, float(info.sample_aspect_ratio))
    return (made.to(torch.int32) * 257).to(torch.uint16) if info.bits > 8 else made


def _aspect(info: VideoInfo) -> float:
    return float(info.display_width * info.sample_aspect_ratio / info.display_height)
