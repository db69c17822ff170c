"""What both summaries share: one pass of analysis, and the joining of the stretches with their sound."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidprod.actions.run import Context, Rendered
from vidprod.errors import FileContent, InvalidParameter
from vidprod.media.cut import Cut, whole
from vidprod.media.loudness import loudness
from vidprod.media.picture import pending_jpeg
from vidprod.media.previews import Preview, previews
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.sound import Sound, SoundReader, joined, sound_format
from vidprod.media.writer import VideoWriter
from vidprod.ops.assemble import assemble, grid_size
from vidprod.ops.attention import EVERY_CPU, EVERY_GPU, Attention, AttentionAnalysis
from vidprod.ops.erase import like_decoded
from vidprod.ops.quality import Quality, QualityAnalysis
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.summary import Kind, summarise
from vidprod.ops.summary_plan import SummaryPlan

_FALLBACK_RATE = Fraction(25)
_LARGEST_DENOMINATOR = 1001
_LARGEST_RATE = 1000
_SLACK = 0.5  # seconds that a segment may end after the video: the last picture is held so long


class _Both:
    """Two analyses of one stream."""

    def __init__(self, attention: AttentionAnalysis, quality: QualityAnalysis) -> None:
        self._attention = attention
        self._quality = quality

    def update(self, preview: Preview) -> None:
        self._attention.update(preview)
        self._quality.update(preview)

    def finish(self) -> tuple[Attention, Quality]:
        return self._attention.finish(), self._quality.finish()


def rate_of(info: VideoInfo) -> Fraction:
    """The frame rate of a summary: the source's, or its average where it varies."""
    rate = Fraction(info.frame_rate or _FALLBACK_RATE).limit_denominator(_LARGEST_DENOMINATOR)
    return min(max(rate, Fraction(1)), Fraction(_LARGEST_RATE))


def plan_summary(
    info: VideoInfo, kind: Kind, seconds: float, context: Context, *, size: tuple[int | None, int | None] = (None, None)
) -> tuple[SummaryPlan, float]:
    """The plan, and how long the source is in seconds.

    Raises:
        FileContent: the video has no picture.
    """
    every = EVERY_CPU if context.device.type == "cpu" else EVERY_GPU
    with VideoReader(info.path, info=info) as reader:
        both = _Both(AttentionAnalysis(context.device), QualityAnalysis())
        stream = previews(reader, every=every)
        attention, quality = run_analysis(stream, both, control=context.control, total=info.frame_count)
    times = quality.seconds.tolist()
    if not times:
        raise FileContent("the video has no picture")
    rate = rate_of(info)
    step = float(np.median(np.diff(times))) if len(times) > 1 else float(1 / rate)
    count = grid_size(times, step, rate)
    length = count / float(rate)
    first = Fraction(times[0]).limit_denominator(1_000_000)
    sound = loudness(info.path, length, start=info.start + first)
    plan = summarise(
        attention,
        quality,
        sound,
        kind=kind,
        rate=rate,
        count=count,
        wanted=round(min(seconds, length) * rate),  # a huge number must not overflow
        size=size,
    )
    return plan, length


def render_summary(info: VideoInfo, plan: SummaryPlan, output: Path, context: Context, *, cover: bool) -> Rendered:
    """Joins the stretches of a plan, in its order.

    Raises:
        InvalidParameter: a segment lies after the end of the video, or the cover in none of them.
    """
    rate = Fraction(plan.rate)
    options = like_decoded(info, str(info.path), context.settings.preset) | {"audio_from": None}
    cut: Cut | None = None
    if plan.width is not None and plan.height is not None:
        turned = bool(info.rotation % 180)
        size = (plan.height, plan.width) if turned else (plan.width, plan.height)
        options |= {"width": size[0], "height": size[1], "sample_aspect_ratio": Fraction(1)}
        ratio = 1 / info.sample_aspect_ratio if turned else info.sample_aspect_ratio
        cut = Cut.to_shape(info.width, info.height, Fraction(*size) / ratio, deep=info.bits > 8)
    format = sound_format(info.path)
    pictures: list[av.VideoFrame] = []
    beside = context.cover_beside(output)
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(info.path, info=info))
        origin = _first_time(reader)
        stretches = plan.grid(origin)
        _check_end(plan, info)
        sound = None
        if format is not None:
            ears = stack.enter_context(SoundReader(info.path, format, start=info.start + origin))
            sound = Sound(format, joined(ears, format, samples_of(stretches, rate, format.rate)))
        show = (_cover_point(plan, stretches, origin), pictures.append) if cover else None
        writer = VideoWriter(output, time_base=1 / rate, frame_rate=rate, sound=sound, **options)
        with writer:
            frames = assemble(reader, stretches, rate, writer, cut=cut, control=context.control, show=show)
            picture = None
            if cover:
                picture = stack.enter_context(pending_jpeg(beside, whole(pictures[0], info.rotation, writer.tags)))
        if picture is not None:
            picture.commit()  # only now that its video is complete
        notes = (*reader.stats.notes(), *writer.notes())
    return Rendered(frames, notes, beside if cover else None)


def _cover_point(plan: SummaryPlan, stretches: Sequence[tuple[int, int]], origin: Fraction) -> int:
    """The point of the grid at which the cover is; the last of a segment where it is just behind that."""
    point = round((plan.cover - origin) * Fraction(plan.rate))
    for first, stop in stretches:
        if first <= point <= stop:
            return min(point, stop - 1)
    raise InvalidParameter(f"cover is {plan.cover}, must lie in one of the segments")


def _check_end(plan: SummaryPlan, info: VideoInfo) -> None:
    """Raises InvalidParameter for a plan of another, longer video. Where the file does not tell its length, `on_grid` finds out."""
    for at, one in enumerate(plan.segments):
        if info.duration is not None and one.end > info.duration + _SLACK:
            raise InvalidParameter(f"segments[{at}] ends at {one.end:g}, the video at {info.duration:.2f} seconds")


def samples_of(stretches: Sequence[tuple[int, int]], rate: Fraction, samples: int) -> list[tuple[int, int]]:
    """(first, count) in samples, of stretches of pictures: together exactly as long as the pictures are."""
    made, shown, heard = [], 0, 0
    for first, stop in stretches:
        shown += stop - first
        until = round(shown / rate * samples)
        made.append((round(first / rate * samples), until - heard))
        heard = until
    return made


def _first_time(reader: VideoReader) -> Fraction:
    """Seconds at which the first picture is seen: later than 0 where the sound begins earlier."""
    for frame in reader.native():
        assert frame.pts is not None
        return frame.pts * reader.info.time_base
    return Fraction(0)
