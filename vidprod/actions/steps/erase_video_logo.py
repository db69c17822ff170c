"""The steps of EraseVideoLogo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidprod.actions.erase_video_logo import EraseVideoLogoParams, LogoBox
from vidprod.actions.run import Context, Rendered
from vidprod.errors import InvalidParameter, shown
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.samples import samples
from vidprod.media.thumbnails import thumbnails
from vidprod.media.writer import VideoWriter
from vidprod.ops.erase import Tally, erase, like_decoded
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.logo_detect import SAMPLES, LogoDetection, moments
from vidprod.ops.logo_erase import LogoEraser, region
from vidprod.ops.logo_matte import Matte, estimate, surroundings
from vidprod.ops.logo_plan import Logo, LogosPlan, Span
from vidprod.ops.logo_presence import Presence, comes_and_goes, spans
from vidprod.ops.render import analyse as run_analysis
from vidprod.ops.shots import Shot, ShotDetection
from vidprod.ops.subtitle_erase import Part, affordable_reach
from vidprod.ops.subtitle_plan import Area
from vidprod.ops.text_boxes import Box

NOTHING_FOUND = "no logo was found; the pictures are unchanged"

MEASURED = 100
"""Samples from which a logo's colour and alpha are measured."""

MEMORY = 192 * 2**20
"""Bytes that they may take; of a large part of a large picture there are fewer."""

LEAST_MEASURED = 24

LARGE = 0.1
"""Part of the picture from which on a box is a place to search for logos in rather than a logo's own."""

WHOLE = 0.5
"""Part of the picture from which on a box is no place of a logo at all."""

RIM = 2
"""Pixels around a box, for what compression has smeared out of it."""


def analyse(params: EraseVideoLogoParams, context: Context) -> LogosPlan:
    """Finds the logos, and measures what they did to the picture."""
    info = probe(Path(params.video_url))
    given = [_pixels(box, f"Boxes.{number}", info) for number, box in enumerate(params.boxes, 1)]
    with VideoReader(params.video_url, info=info) as reader:
        detection = ShotDetection()
        shots = run_analysis(thumbnails(reader), detection, control=context.control, total=info.frame_count)
        places = _searched(_merged(given), reader, shots, context) if given else _found(reader, shots, context)
        logos = _measured(places, reader, shots, context)
    ordered = sorted(logos, key=lambda logo: (logo.box.x, logo.box.y))
    return LogosPlan(info.display_width, info.display_height, tuple(ordered), tuple(detection.cuts()))


def load_plan(data: dict[str, Any]) -> LogosPlan:
    """The plan that JSON holds."""
    return LogosPlan.from_dict(data)


def render(params: EraseVideoLogoParams, plan: LogosPlan, output: Path, context: Context) -> Rendered:
    """Takes the logos off, and copies everything else."""
    info = probe(Path(params.video_url))
    if (plan.width, plan.height) != (info.display_width, info.display_height):
        raise InvalidParameter(
            f"the plan is for pictures of {plan.width}x{plan.height}, these are {info.display_width}x{info.display_height}"
        )
    erasers = _erasers(plan, info, context)
    with VideoWriter(output, **like_decoded(info, params.video_url, context.settings.preset)) as writer:
        with VideoReader(params.video_url, info=info) as reader:
            tally = erase(reader, erasers, writer, control=context.control)
        notes = (*reader.stats.notes(), *writer.notes())
    return Rendered(tally.frames, notes if plan.logos else (*notes, NOTHING_FOUND), report=_report(plan, tally))


def _erasers(plan: LogosPlan, info: VideoInfo, context: Context) -> list[LogoEraser]:
    if not plan.logos:
        return []
    mattes = [plan.matte(logo) for logo in plan.logos]
    boxes = [region(matte, info) for matte in mattes]
    reach = affordable_reach(info, [Part(box, ()) for box in boxes])
    fill = NetworkFill(context.device)
    rest: dict[str, Any] = {"cuts": plan.cuts, "reach": reach, "batch": context.batch, "device": context.device}
    return [
        LogoEraser(logo, matte, box, fill, **rest) for logo, matte, box in zip(plan.logos, mattes, boxes, strict=True)
    ]


def _pixels(box: LogoBox, name: str, info: VideoInfo) -> Box:
    """A box of the caller's in pixels, cut off at the edges of the picture."""
    width, height = info.display_width, info.display_height
    found = Area(box.x, box.y, min(box.w, 1 - box.x), min(box.h, 1 - box.y)).pixels(width, height)
    if not found.area:
        raise InvalidParameter(
            f"{name} holds no pixel of a picture of {width}x{height}: {shown(box.model_dump())}, must be larger"
        )
    return found


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that overlap made one."""
    found: list[Box] = []
    for box in boxes:
        while others := [other for other in found if (box & other).area]:
            box = Box.around([box, *others])
            found = [other for other in found if other not in others]
        found.append(box)
    return found


def _searched(boxes: Sequence[Box], reader: VideoReader, shots: Sequence[Shot], context: Context) -> list[Box]:
    """Where to measure for boxes of the caller's: within them, or within logos that are found in large ones."""
    whole = Box(0, 0, reader.info.display_width, reader.info.display_height)
    large = [box for box in boxes if box.area > LARGE * whole.area]
    places = [box.grown(RIM, RIM, whole) for box in boxes if box not in large]
    if large:
        everywhere = _found(reader, shots, context)
        for box in large:
            inside = [place for place in everywhere if place.covered_by(box) > 0.5]
            # Nothing can be measured in a box that leaves nothing of the picture around it.
            fallback = [box] if box.area < WHOLE * whole.area else []
            places += [place & box for place in inside] or fallback
    return places


def _found(reader: VideoReader, shots: Sequence[Shot], context: Context) -> list[Box]:
    """Where logos are that nobody told of."""
    detection = LogoDetection(context.device)
    for frames in samples(reader, moments(shots, SAMPLES)):
        context.control.check()
        detection.update(frames)
    return [logo.pixels(reader.info.display_width, reader.info.display_height) for logo in detection.finish()]


def _measured(places: Sequence[Box], reader: VideoReader, shots: Sequence[Shot], context: Context) -> list[Logo]:
    """What the logos at some places did to the picture; nothing for a place without any."""
    if not places:
        return []
    width, height = reader.info.display_width, reader.info.display_height
    views = [surroundings(place, Box(0, 0, width, height)) for place in places]
    count = MEMORY // (3 * sum(view.area for view in views))
    seen: list[list[Tensor]] = [[] for _ in places]
    for frames in samples(reader, moments(shots, min(max(count, LEAST_MEASURED), MEASURED))):
        context.control.check()
        for pictures, view in zip(seen, views, strict=True):
            pictures.append(frames.data[0, :, *view.slices].clone())
    found = []
    for place, view, pictures in zip(places, views, seen, strict=True):
        if pictures:
            inner, origin = place.moved(-view.left, -view.top), (view.left, view.top)
            found.append(_one(torch.stack(pictures), inner, origin))
    mattes = [one for one in found if one is not None]
    times = _times(mattes, reader, context)
    return [Logo.of(matte, width, height, when) for (matte, _), when in zip(mattes, times, strict=True)]


def _one(pictures: Tensor, place: Box, origin: tuple[int, int]) -> tuple[Matte, bool] | None:
    """The logo at a place of samples, and whether it comes and goes."""
    matte = estimate(pictures, place, origin=origin)
    if matte is None:
        return None
    own = matte.box.moved(-origin[0], -origin[1]).slices
    there = comes_and_goes(Presence(matte).scores(pictures[:, :, *own]))
    if there is None:
        return matte, False
    # Samples without the logo have spoilt the estimate.
    better = estimate(pictures[torch.from_numpy(there)], place, origin=origin)
    return (better, True) if better is not None else (matte, False)


def _times(found: Sequence[tuple[Matte, bool]], reader: VideoReader, context: Context) -> list[tuple[Span, ...]]:
    """When each logo is seen; empty for always."""
    watched: list[tuple[Matte, Presence, list[NDArray[np.float64]]]] = [
        (matte, Presence(matte), []) for matte, comes in found if comes
    ]
    seconds: list[float] = []
    if watched:
        for frames in samples(reader):
            context.control.check()
            seconds.append(float(frames.seconds[0]))
            for matte, presence, scores in watched:
                scores.append(presence.scores(frames.data[:, :, *matte.box.slices]))
    known = {id(matte): spans(np.concatenate(scores), seconds) for matte, _, scores in watched}
    return [known.get(id(matte), ()) for matte, _ in found]


def _report(plan: LogosPlan, tally: Tally) -> Mapping[str, Any]:
    return {
        "logos": len(plan.logos),
        "frames": tally.frames,
        "frames_changed": tally.changed,
        "pixels_changed": tally.pixels,
        "share_real": round(tally.real / tally.pixels, 4) if tally.pixels else None,
    }
