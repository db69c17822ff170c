"""What EraseVideoSubtitles and EraseVideoLogo do between decoding and encoding, so that no codec has a say in the scores."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch

from benchmarks.erase_fills import BATCH, Done, tensor
from benchmarks.erase_scores import Material
from benchmarks.erase_truth import Pictures
from benchmarks.machine import measured
from vidprod.actions.erase_video_logo import EraseVideoLogoParams, LogoBox
from vidprod.actions.erase_video_subtitles import EraseVideoSubtitlesParams
from vidprod.actions.run import Context
from vidprod.actions.steps import erase_video_logo, erase_video_subtitles
from vidprod.media.probe import probe
from vidprod.ops.erase import Eraser, Patched
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.logo_erase import LogoEraser, region
from vidprod.ops.logo_plan import LogosPlan
from vidprod.ops.subtitle_erase import SubtitleEraser, parts
from vidprod.ops.subtitle_plan import SubtitlesPlan
from vidprod.ops.text_boxes import Box

CPU = torch.device("cpu")


class SubtitlesProduct:
    """A `Method` that finds the subtitles in the default region.

    Attributes:
        plan: of the clip worked on last.
        finding: seconds of CPU time that finding took there, decoding included.
    """

    def __init__(self) -> None:
        self._fill = NetworkFill()
        self.plan: SubtitlesPlan | None = None
        self.finding = 0.0

    def __call__(self, of: Material) -> Done:
        """See `Method`."""
        info = probe(of.path)
        with measured() as finding:
            plan = erase_video_subtitles.analyse(EraseVideoSubtitlesParams(video_url=str(of.path)), Context(CPU))
        self.plan, self.finding = plan, finding.cpu
        with measured() as cost:
            erasers = [
                SubtitleEraser(part, plan, self._fill, rate=info.frame_rate, batch=BATCH) for part in parts(plan, info)
            ]
            out = applied(erasers, of)
        return Done(out, finding.cpu + cost.cpu)

    def numbers(self, of: Material) -> list[tuple[int, int]]:
        """First pictures and stops of what was found."""
        assert self.plan is not None
        return [(round(event.start * of.rate), round(event.end * of.rate)) for event in self.plan.events]


class LogoProduct:
    """A `Method` that takes logos off: where `box` says, or where it finds any.

    Attributes:
        box: in pixels; None to look for logos.
        plan: of the clip worked on last.
        finding: seconds of CPU time that the analysis took there, decoding included.
    """

    def __init__(self, fill: NetworkFill) -> None:
        self._fill = fill
        self.box: Box | None = None
        self.plan: LogosPlan | None = None
        self.finding = 0.0

    def __call__(self, of: Material) -> Done:
        """See `Method`."""
        info = probe(of.path)
        boxes: tuple[LogoBox, ...] = ()
        if self.box is not None:
            (left, top), (width, height) = (self.box.left, self.box.top), (info.display_width, info.display_height)
            boxes = (LogoBox(x=left / width, y=top / height, w=self.box.width / width, h=self.box.height / height),)
        with measured() as finding:
            plan = erase_video_logo.analyse(EraseVideoLogoParams(video_url=str(of.path), boxes=boxes), Context(CPU))
        self.plan, self.finding = plan, finding.cpu
        with measured() as cost:
            mattes = [plan.matte(logo) for logo in plan.logos]
            erasers = [
                LogoEraser(logo, matte, region(matte, info), self._fill, cuts=plan.cuts, batch=BATCH)
                for logo, matte in zip(plan.logos, mattes, strict=True)
            ]
            out = applied(erasers, of)
        return Done(out, finding.cpu + cost.cpu)

    def places(self, of: Material) -> list[Box]:
        """Where logos were found."""
        assert self.plan is not None
        return [logo.box.pixels(of.whole.width, of.whole.height) for logo in self.plan.logos]


def applied(erasers: Sequence[Eraser], of: Material) -> Pictures:
    """All pictures, with what erasers make of them."""
    out = of.burned.copy()
    for eraser in erasers:
        where, box = eraser.box.slices, eraser.box
        done: list[Patched] = []
        for index in range(len(out)):
            done += eraser.push(index, Fraction(index) / of.rate, functools.partial(_read, of, index, box))
        for one in (*done, *eraser.finish()):
            if one.picture is not None and one.mask is not None:
                part = out[one.index][where]
                np.copyto(part, one.picture.permute(1, 2, 0).numpy(), where=one.mask.numpy()[..., None])
    return out


def _read(of: Material, index: int, box: Box) -> torch.Tensor:
    return tensor(of.burned[index : index + 1], box)[0]
