"""The steps of EraseVideoSubtitles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from torch import Tensor

from vidprod.actions.erase_video_subtitles import EraseVideoSubtitlesParams
from vidprod.actions.run import Context, Rendered
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.patch import Region
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import shrunk
from vidprod.media.writer import VideoWriter
from vidprod.ops.erase import Tally, erase, fitting, like_decoded, prepared, region_of
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.shot_analysis import SIDE, ShotAnalysis
from vidprod.ops.subtitle_erase import Part, SubtitleEraser, affordable_reach, parts
from vidprod.ops.subtitle_plan import Area, SubtitlesPlan
from vidprod.ops.text_boxes import WORKING_WIDTH, Box, TextDetector
from vidprod.ops.text_events import SubtitleDetection
from vidprod.ops.text_residual import ResidualText

LEAST_WIDTH = 64
"""Pixels at which the finished pictures are looked at, at least."""

NOTHING_FOUND = "no subtitles were found in the region; the pictures are unchanged"


class SubtitleAnalysis:
    """Analysis: subtitles and shots, in one pass over the pictures."""

    def __init__(self, detector: TextDetector, region: Box, info: VideoInfo, shots: ShotAnalysis) -> None:
        self._text = SubtitleDetection(detector, region)
        self._shots = shots
        self._size = info.display_width, info.display_height

    def update(self, frames: Frames) -> None:
        """Takes whole pictures."""
        self._text.update(frames)
        self._shots.update(shrunk(frames, side=SIDE))

    def finish(self) -> SubtitlesPlan:
        """The plan."""
        return SubtitlesPlan.of(self._text.finish(), self._shots.finish(), *self._size)


def analyse(params: EraseVideoSubtitlesParams, context: Context) -> SubtitlesPlan:
    """Finds the subtitles, and the cuts that nothing may be copied across."""
    info = probe(Path(params.video_url))
    width, height = info.display_width, info.display_height
    area = Area(params.bx, params.by, min(params.bw, 1 - params.bx), min(params.bh, 1 - params.by))
    region = area.pixels(width, height)
    if not region.area:
        raise InvalidParameter(f"the region holds no pixel of a picture of {width}x{height}: BW or BH is too small")
    analysis = SubtitleAnalysis(TextDetector(context.device), region, info, ShotAnalysis(context.device))
    with VideoReader(params.video_url, info=info, batch=context.batch_of(info), bits=8) as reader:
        return run_analysis(reader, analysis, control=context.control, total=info.frame_count)


def load_plan(data: dict[str, Any]) -> SubtitlesPlan:
    """The plan that JSON holds."""
    return SubtitlesPlan.from_dict(data)


def render(params: EraseVideoSubtitlesParams, plan: SubtitlesPlan, output: Path, context: Context) -> Rendered:
    """Fills what the subtitles cover, and copies everything else."""
    info = probe(Path(params.video_url))
    if (plan.width, plan.height) != (info.display_width, info.display_height):
        raise InvalidParameter(
            f"the plan is for pictures of {plan.width}x{plan.height}, these are {info.display_width}x{info.display_height}"
        )
    with VideoWriter(output, **like_decoded(info, params.video_url, context.settings.preset)) as writer:
        found = parts(plan, info)
        reach = affordable_reach(info, found)
        fill = NetworkFill(context.device) if found else None
        erasers = [
            SubtitleEraser(
                part,
                plan,
                fill,
                rate=info.frame_rate,
                reach=reach,
                batch=context.batch_of(info),
                device=context.device,
                ahead=lambda box, second: _ahead(info, writer, box, second),
            )
            for part in found
            if fill is not None
        ]
        with VideoReader(params.video_url, info=info) as reader:
            residual = _Residual(found, plan, context)
            tally = erase(reader, erasers, writer, control=context.control, look=residual)
        notes = (*reader.stats.notes(), *writer.notes())
    return Rendered(
        tally.frames, notes if tally.changed else (*notes, NOTHING_FOUND), report=_report(plan, tally, residual)
    )


def _ahead(info: VideoInfo, writer: VideoWriter, box: Box, second: float) -> tuple[int, Tensor] | None:
    """The picture at a time later in the video, found by the frame rate; None where the times do not bear that out."""
    if info.frame_rate is None:
        return None
    number = round(second * float(info.frame_rate))
    with VideoReader(info.path, info=info, start=number, stop=number + 1) as reader:
        for frame in reader.native():
            if frame.pts is None or abs(float(frame.pts * info.time_base) - second) > 1.5 / float(info.frame_rate):
                return None
            return number, region_of(info, box).read(prepared(frame, info, writer), writer.tags)
    return None


class _Residual:
    """Asks the detector about a few finished pictures of every subtitle, at the scale at which it was found."""

    def __init__(self, found: Sequence[Part], plan: SubtitlesPlan, context: Context) -> None:
        across = max(plan.region.w * plan.width, 1)
        self._asked = {}
        for part in found:
            width = max(round(WORKING_WIDTH * part.box.width / max(across, WORKING_WIDTH)), LEAST_WIDTH)
            spans = [(event.start, event.end) for event in part.events]
            self._asked[part.box] = ResidualText(TextDetector(context.device, width=width), spans)

    def __call__(self, second: Fraction, region: Region, read: Callable[[], Tensor], mask: Tensor) -> None:
        asked = self._asked[fitting(region)]
        if asked.wants(float(second)):
            asked.update(read(), mask.numpy())

    def report(self) -> dict[str, float] | None:
        parts = [asked.finish() for asked in self._asked.values()]
        count = sum(part.count for part in parts)
        if not count:
            return None
        mean = sum(part.mean * part.count for part in parts) / count
        return {"mean": round(mean, 4), "worst": round(max(part.worst for part in parts), 4), "pictures": count}


def _report(plan: SubtitlesPlan, tally: Tally, residual: _Residual) -> Mapping[str, Any]:
    return {
        "events": len(plan.events),
        "frames": tally.frames,
        "frames_changed": tally.changed,
        "pixels_changed": tally.pixels,
        "share_from_other_frames": round(tally.real / tally.pixels, 4) if tally.pixels else None,
        "residual_text_probability": residual.report(),
    }
