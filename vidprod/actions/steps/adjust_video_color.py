"""The steps of AdjustVideoColor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.actions.adjust_video_color import AdjustVideoColorParams
from vidprod.actions.run import Context, Rendered
from vidprod.media import camera
from vidprod.media.color import BT709, FULL, LIMITED, ColorTags
from vidprod.media.frames import Frames
from vidprod.media.picture import write_png
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.samples import samples
from vidprod.media.thumbnails import thumbnails
from vidprod.media.writer import VideoWriter
from vidprod.ops.color_op import ColorOp, Shrink
from vidprod.ops.color_plan import ColorPlan
from vidprod.ops.grade import GradeAnalysis
from vidprod.ops.grade_plan import GradedShot
from vidprod.ops.log_curves import CURVES, HDR_CURVES, LOG_CURVES
from vidprod.ops.lut_apply import LutFilter
from vidprod.ops.op import Op
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.render import render as run_render
from vidprod.ops.scopes import strip

LONGEST = 3840
"""Pixels of the longer side of results."""

DEFAULT_CURVE = "logc3"
AUTO = "auto"

STRIPS = 12
"""Shots that are shown at most for `debug`."""


def analyse(params: AdjustVideoColorParams, context: Context) -> ColorPlan:
    """Finds out what recorded log footage, or how each shot of other footage should be graded."""
    info = probe(Path(params.video_url))
    named = camera.recorded_curve(camera.tags(info))
    return _log_plan(info, named, context) if params.mode == "LogC" else _grade_plan(info, named, context)


def load_plan(data: dict[str, Any]) -> ColorPlan:
    """The plan that JSON holds."""
    return ColorPlan.from_dict(data)


def render(params: AdjustVideoColorParams, plan: ColorPlan, output: Path, context: Context) -> Rendered:
    """Puts every picture through its table."""
    info = probe(Path(params.video_url))
    limited = info.color.resolved(info.height).range == LIMITED
    width, height = _size(info)
    ops: list[Op] = [ColorOp(plan, device=context.device, limited=limited)]
    if (width, height) != (info.display_width, info.display_height):
        ops.insert(0, Shrink(width, height))
    prores = params.video_codec == "prores"
    writer = VideoWriter(
        output,
        like=info,
        width=width,
        height=height,
        codec=params.video_codec,
        bit_rate=None if prores else params.bit_rate or info.bit_rate,
        preset=context.settings.preset,
        color=_tags(info, plan),
        audio_from=info,
        metadata=camera.kept(camera.tags(info)),
        device=context.device,
    )
    with VideoReader(params.video_url, info=info, device=context.device, batch=context.batch_of(info)) as reader:
        with writer:
            frames = run_render(reader, ops, writer, control=context.control, total=info.frame_count)
        notes = (*plan.notes, *reader.stats.notes(), *writer.notes())
    if prores and params.bit_rate:
        notes = (*notes, "VideoBitrate was not used: the size of ProRes follows from the pictures")
    return Rendered(frames, notes)


def debug(params: AdjustVideoColorParams, plan: ColorPlan, output: Path, context: Context) -> None:
    """Draws shots before and after with their scopes, from the middle of each; of many shots some."""
    info = probe(Path(params.video_url))
    shots = plan.shots or (_whole(info),)
    chosen = [shots[i * len(shots) // min(len(shots), STRIPS)] for i in range(min(len(shots), STRIPS))]
    limited = info.color.resolved(info.height).range == LIMITED
    op = ColorOp(plan, device="cpu", limited=limited)
    rows = []
    with VideoReader(info.path, info=info) as reader:
        pictures = samples(reader, [(shot.start + shot.end) / 2 for shot in chosen])
        for frames in pictures:
            context.control.check()
            second = float(frames.seconds[0])
            shot = max((shot for shot in chosen if shot.start <= second + 1e-6), key=lambda shot: shot.start)
            before, after = (_bytes(data) for data in (frames.data[0], op(frames, slice(0, 1))[0]))
            rows.append((before, after, f"{shot.start:.2f} to {shot.end:.2f} s{_told(shot)}"))
    if rows:
        write_png(output, torch.from_numpy(strip(rows)).permute(2, 0, 1))


def _bytes(picture: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) of either depth -> (H, W, 3)."""
    levels = (picture.to(torch.int32) >> 8).to(torch.uint8) if picture.dtype == torch.uint16 else picture
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def _told(shot: GradedShot) -> str:
    names = ("exposure", "temperature", "tint", "contrast", "saturation", "black", "white")
    return "".join(f"   {name} {getattr(shot, name):+.2f}" for name in names)


def _log_plan(info: VideoInfo, named: str | None, context: Context) -> ColorPlan:
    wanted = context.settings.log_curve
    curve = wanted if wanted != AUTO else named or DEFAULT_CURVE
    notes = []
    if wanted == AUTO and named is None:
        others = ", ".join(name for name in LOG_CURVES if name != curve)
        notes.append(
            f"the file does not tell its log curve; it was taken for {CURVES[curve].title}"
            f" (VIDPROD_LOG_CURVE, or lut in the plan, names another: {others})"
        )
    if info.bits <= 8:
        notes.append("the input has only 8 bits, too few for log footage: smooth areas may show bands")
    return ColorPlan(curve, (_whole(info),), tuple(notes))


def _grade_plan(info: VideoInfo, named: str | None, context: Context) -> ColorPlan:
    notes = []
    if named is not None:
        notes.append(f"the file says that it holds {CURVES[named].title}: the mode LogC is made for that")
    signal = HDR_CURVES.get(info.color.transfer)
    plan = ColorPlan("" if signal is None else signal.name)
    analysis = GradeAnalysis(info)
    with VideoReader(info.path, info=info) as reader:
        pictures = _converted(thumbnails(reader), plan, info)
        graded = run_analysis(pictures, analysis, control=context.control, total=info.frame_count)
    if signal is not None:
        notes.append(f"HDR video ({signal.title}) was converted to Rec.709")
    return ColorPlan(plan.lut, graded.shots, tuple(notes))


def _converted(pictures: Iterator[Frames], plan: ColorPlan, info: VideoInfo) -> Iterator[Frames]:
    """Thumbnails as the plan's table makes them."""
    table = plan.table(limited=info.color.range != FULL)
    if table is None:
        yield from pictures
        return
    filter = LutFilter(table)
    for batch in pictures:
        yield batch.with_data(filter(batch.data))


def _whole(info: VideoInfo) -> GradedShot:
    """The whole video as one shot, as far as its header tells how long it is."""
    rate = float(info.frame_rate or 25)
    count = info.frame_count or max(1, round((info.duration or 0) * rate))
    return GradedShot(start=0.0, end=info.duration or count / rate, first=0, stop=count)


def _size(info: VideoInfo) -> tuple[int, int]:
    """Width and height of the result."""
    width, height = info.display_width, info.display_height
    longer = max(width, height)
    if longer <= LONGEST:
        return width, height
    # even, as most codecs want it
    width, height = (max(2, 2 * round(side * LONGEST / longer / 2)) for side in (width, height))
    return width, height


def _tags(info: VideoInfo, plan: ColorPlan) -> ColorTags | None:
    """A table from a camera's or an HDR signal makes Rec.709 of it; other tables and grades keep what the numbers mean."""
    return ColorTags(LIMITED, BT709, BT709, BT709) if plan.lut in CURVES else None
