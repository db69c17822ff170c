"""Whether subtitles are found, from exactly which picture to which, and how well their masks fit.

    python -m benchmarks erase-events
    python -m benchmarks.erase_events MEDIA FOLDER [--tuning] [--only WORD...]   # keeps the clips, names what went wrong

Subtitles in every style of `erase_truth` on every clip that was not used for tuning, through x264 at CRF 23. A found event and a
true one belong together if they share more than half of the time that either takes; every event that belongs to none is missed
or false. Masks are compared on the middle picture of each subtitle.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.erase_truth import HELD_BACK, STYLES, TUNING, Clip, TrueEvent, events_of, fonts_missing, make, path_of
from benchmarks.tables import table as markdown
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.ops.text_boxes import Box, TextDetector
from vidprod.ops.text_events import SubtitleDetection
from vidprod.ops.text_plan import TextPlan

REGION = 0.75
"""Part of the height at which the region begins that an action looks at unless told otherwise."""

VISIBLE = 0.1
"""Alpha from which on a pixel must not be missed."""

COVERED = 0.02
"""Alpha from which on a pixel belongs to the true mask, which is then grown by `GROWTH` pixels."""

GROWTH = 2

CLEAN = (
    "basketball_426x240.mp4",
    "bbb_1080p60_2s.mp4",
    "bbb_480p_30s.mp4",
    "bee_720p.mp4",
    "bikes_640x272_10s.mp4",
    "bottles_640x360_40s.mp4",
    "bt601_talking_head_1s.mov",
    "carphone_qcif.mp4",
    "cat_vfr_568x320.mp4",
    "cockatoo_720p_yuv444.mp4",
    "coffee_pour_720p.mp4",
    "crystal_product_480p.mp4",
    "dog_training_720p.mp4",
    "flower_540p.mp4",
    "flower_field_540p_17s.mp4",
    "friday_bw_film_480p.mp4",
    "gesture_woman_720p.mp4",
    "hlg10_colorchecker_1080p.mp4",
    "kohlipe_drone_hevc_37s.mp4",
    "lofoten_drone_1024x750.mp4",
    "man_and_dog_bed_720p.mp4",
    "marathon_720x400.mp4",
    "phone_roof_pan_360p_17s.mp4",
    "rot90_10bit_hevc_1080p.mp4",
    "seattle_handheld_640x360.avi",
    "selfie_portrait_720x1280.mp4",
    "selfie_rot90_hevc.mp4",
    "sign_language_640x480.mkv",
    "sintel_trailer_848x480_26s.mp4",
    "stream_of_water.webm",
    "talking_head_1s.flv",
    "woman_coffee_portrait_720x1364.mp4",
)
"""Clips without subtitles in the bottom quarter, signs, labels and title cards included."""


@dataclass(frozen=True)
class Scores:
    """What came out on one clip.

    Attributes:
        true: subtitles that there are.
        exact: those whose first and last picture are right.
        starts, ends: those of which this one is.
        missed: those that nothing was found of.
        false: events found that are none of them.
        missed_pixels: means over the subtitles, of the pixels that are plainly covered, in %.
        outside: means over the subtitles, of the mask, in %.
        ms: of one core, a picture.
        wrong: what is not exact, in words.
    """

    true: int
    exact: int
    starts: int
    ends: int
    missed: int
    false: int
    missed_pixels: float
    outside: float
    ms: float
    wrong: tuple[str, ...] = ()


def detect(path: Path, detector: TextDetector) -> tuple[TextPlan, VideoInfo, int, float]:
    """The plan of a file's bottom quarter, its pictures, and seconds of one core that this took with decoding."""
    with VideoReader(path, threads=1) as reader:
        width, height = reader.info.display_width, reader.info.display_height
        count, begin = 0, time.process_time()
        detection = SubtitleDetection(detector, Box(0, int(height * REGION), width, height))
        for frames in reader:
            detection.update(frames)
            count += len(frames)
        return detection.finish(), reader.info, count, time.process_time() - begin


def pairs(true: Sequence[tuple[int, int]], found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Indexes of what belongs together: times (first, stop) that share more than half of their union, each once."""
    chosen: list[tuple[int, int]] = []
    shares = []
    for i, (a, b) in enumerate(true):
        for k, (c, d) in enumerate(found):
            common = min(b, d) - max(a, c)
            shares.append((common / (max(b, d) - min(a, c)), i, k))
    for share, i, k in sorted(shares, reverse=True):
        if share > 0.5 and all(i != one and k != other for one, other in chosen):
            chosen.append((i, k))
    return sorted(chosen)


def mask_errors(event: TrueEvent, plan: TextPlan) -> tuple[float, float]:
    """Per cent of the plainly covered pixels that the mask misses, and of the mask that lies outside the true one."""
    height, width = event.alpha.shape
    mask = plan.mask((event.first + event.stop) // 2, Box(0, 0, width, height))
    if mask is None or not mask.any():
        return 100.0, 0.0
    visible = event.alpha > VISIBLE
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROWTH + 1, 2 * GROWTH + 1))
    allowed = cv2.dilate((event.alpha > COVERED).astype(np.uint8), disc).astype(bool)
    return 100 * float((visible & ~mask).sum() / visible.sum()), 100 * float((mask & ~allowed).sum() / mask.sum())


def score(clip: Clip, style: str, path: Path, detector: TextDetector) -> Scores:
    """Measures one clip."""
    plan, info, count, seconds = detect(path, detector)
    size = info.display_width, info.display_height
    truth = events_of(clip, style, size, count, Fraction(info.frame_rate or 25).limit_denominator(1001))
    true = [(event.first, event.stop) for event in truth]
    found = [(event.first, event.stop) for event in plan.events]
    together = pairs(true, found)
    starts = [true[i][0] == found[k][0] for i, k in together]
    ends = [true[i][1] == found[k][1] for i, k in together]
    errors = np.array([mask_errors(event, plan) for event in truth])
    wrong = [f"{true[i]} found as {found[k]}" for i, k in together if true[i] != found[k]]
    wrong += [f"{one} missed" for i, one in enumerate(true) if i not in [pair[0] for pair in together]]
    wrong += [f"{one} false" for k, one in enumerate(found) if k not in [pair[1] for pair in together]]
    return Scores(
        len(true),
        sum(start and end for start, end in zip(starts, ends, strict=True)),
        sum(starts),
        sum(ends),
        len(true) - len(together),
        len(found) - len(together),
        float(errors[:, 0].mean()),
        float(errors[:, 1].mean()),
        1000 * seconds / count,
        tuple(wrong),
    )


def false_events(media: Path, detector: TextDetector, *, quick: bool = False) -> dict[str, dict[str, Any]]:
    """What is found on clips that have no subtitles."""
    found: dict[str, dict[str, Any]] = {}
    for name in CLEAN[: 3 if quick else None]:
        plan, _, count, seconds = detect(media / "videos" / name, detector)
        found[name] = {
            "pictures": count,
            "ms": 1000 * seconds / count,
            "events": [(event.first, event.stop, [asdict(box) for box in event.boxes]) for event in plan.events],
            "kept": len(plan.kept),
        }
        if plan.events:
            print(f"{name:36}", found[name]["events"], flush=True)
    return found


def measure(clips: Sequence[Clip], styles: Sequence[str], media: Path, folder: Path) -> dict[str, dict[str, Scores]]:
    """Scores by style and clip."""
    detector = TextDetector()
    found: dict[str, dict[str, Scores]] = {}
    for style in styles:
        found[style] = {}
        for clip in clips:
            path = path_of(clip, style, folder)
            if not path.exists():
                make(clip, style, media, folder)
            one = score(clip, style, path, detector)
            found[style][clip.name] = one
            line = f"{one.exact}/{one.true} missed {one.missed_pixels:5.2f} % outside {one.outside:5.1f} % {one.ms:4.1f} ms"
            print(f"{clip.name:11}{style:10} {line} {'; '.join(one.wrong)}", flush=True)
    return found


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures all styles on all clips that were held back, and the clips without subtitles."""
    if media is None:
        raise SystemExit("erase-events needs the folder of real clips: --media")
    if missing := fonts_missing():
        raise SystemExit(f"erase-events needs fonts that are missing: {', '.join(missing)}")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clips, styles = (HELD_BACK[:2], list(STYLES)[:2]) if quick else (HELD_BACK, list(STYLES))
    with tempfile.TemporaryDirectory() as folder:
        found = measure(clips, styles, media, Path(folder))
    return {
        "styles": {style: {name: asdict(one) for name, one in rows.items()} for style, rows in found.items()},
        "clean": false_events(media, TextDetector(), quick=quick),
        "versions": {"torch": torch.__version__, "opencv": cv2.__version__},
    }


def table(result: dict[str, Any]) -> str:
    """One row for every style, one for all, and a sentence on the clips without subtitles."""
    everything: list[dict[str, Any]] = []
    rows = []
    for style, clips in result["styles"].items():
        rows.append(_row(style, list(clips.values())))
        everything += clips.values()
    rows.append(_row("all", everything))
    head = ["style", "subtitles", "exact, %", "first, %", "last, %", "missed", "false"]
    text = markdown([*head, "text not masked, %", "mask beside text, %", "CPU ms a picture"], rows)
    clean = result["clean"]
    pictures, false = sum(one["pictures"] for one in clean.values()), sum(len(one["events"]) for one in clean.values())
    note = f"{len(result['styles'])} styles on {len(next(iter(result['styles'].values())))} clips."
    note += f" {len(clean)} clips without subtitles, {pictures} pictures: {false} false events."
    return f"{text}\n\n{note} CPU time includes decoding, one thread."


def _row(name: str, scores: Sequence[dict[str, Any]]) -> list[Any]:
    total = {key: sum(one[key] for one in scores) for key in ("true", "exact", "starts", "ends", "missed", "false")}
    share = [100 * total[key] / total["true"] for key in ("exact", "starts", "ends")]
    means = [sum(one[key] * one["true"] for one in scores) / total["true"] for key in ("missed_pixels", "outside")]
    cost = float(np.mean([one["ms"] for one in scores]))
    return [name, total["true"], *share, total["missed"], total["false"], *means, cost]


def main() -> None:
    """Keeps the clips, and tells of each what went wrong."""
    parser = argparse.ArgumentParser(description="measure the subtitles that are found")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path, help="for the clips and scores.json")
    parser.add_argument("--tuning", action="store_true", help="the clips for tuning instead of those held back")
    parser.add_argument("--only", nargs="+", default=[], help="styles and clips")
    parser.add_argument("--clean", action="store_true", help="the clips without subtitles only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.clean:
        false_events(args.media, TextDetector())
        return
    styles = [style for style in STYLES if style in args.only] or list(STYLES)
    chosen = TUNING if args.tuning else HELD_BACK
    clips = [clip for clip in chosen if clip.name in args.only] or chosen
    found = measure(clips, styles, args.media, args.folder)
    result = {style: {name: asdict(one) for name, one in rows.items()} for style, rows in found.items()}
    (args.folder / "scores.json").write_text(json.dumps(result, indent=1))
    print(table({"styles": result, "clean": {}}))


if __name__ == "__main__":
    main()
