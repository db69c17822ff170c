"""EraseVideoLogo: logos of known place and alpha on real clips, taken off with a box given and without, and logos that are none.

    python -m benchmarks erase-logos
    python -m benchmarks.erase_logos MEDIA FOLDER [--case NAME]...   # pictures as well: burned, ours, original

The cases are the held-back ones of `logo_truth`, through x264 at CRF 23. Scores are taken where the logo truly is and two pixels
around it, against the clip from before it was drawn and compressed. Without a box, a logo that is not found stays, and is scored
as it stays.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.erase_fills import Method, by_picture, delogo, in_boxes, nothing
from benchmarks.erase_pictures import sheet
from benchmarks.erase_products import LogoProduct
from benchmarks.erase_scores import Cover, Material, score
from benchmarks.erase_truth import HELD_BACK, Pictures, read_clip
from benchmarks.inpaint_network import grown, opencv
from benchmarks.logo_truth import (
    CASES_HELD_BACK,
    RATE,
    SOURCES,
    LogoCase,
    LogoTruth,
    fonts_missing,
    make_logo,
    read_source,
)
from benchmarks.machine import ffmpeg_version, version
from benchmarks.tables import table as markdown
from vidprod.media.frames import Frames
from vidprod.media.reader import VideoReader
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.logo_detect import SAMPLES, LogoDetection
from vidprod.ops.text_boxes import Box

ROOM = 4
"""Pixels by which a box is marked too large: nobody marks one to the pixel."""

TELEA, TELEA_BOX = "Telea, true mask", "Telea, true box"
BOXED, FOUND = "ours, box given", "ours, without box"


def material(case: LogoCase, media: Path, folder: Path) -> tuple[Material, LogoTruth]:
    """The case, compressed, and decoded again; every shot is an appearance of its own."""
    truth = make_logo(case, media, folder)
    with VideoReader(truth.path, bits=8) as reader:
        burned = np.concatenate([frames.data.permute(0, 2, 3, 1).numpy() for frames in reader])
    mask = grown(truth.mask())
    ends = [0, *itertools.accumulate(clip.count for clip in SOURCES[case.source][1])]
    covers = tuple(Cover(first, stop, mask) for first, stop in itertools.pairwise(ends))
    return Material(case.name, truth.path, RATE, burned, truth.clean(), covers), truth


def _samples(pictures: Pictures, count: int) -> Pictures:
    """Some of them, spread evenly."""
    some: Pictures = pictures[np.unique(np.linspace(0, len(pictures) - 1, count).round().astype(int))]
    return some


def _frames(pictures: Pictures) -> Frames:
    return Frames(torch.from_numpy(pictures).permute(0, 3, 1, 2), tuple(range(len(pictures))), 1 / RATE)


def iou(one: Box, other: Box) -> float:
    """Intersection over union."""
    common = (one & other).area
    return common / (one.area + other.area - common)


def measure(chosen: Sequence[LogoCase], media: Path, folder: Path, keep: Path | None = None) -> dict[str, Any]:
    """All methods on some cases; `keep` is for a picture of each."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    telea, fill = by_picture(opencv(3, cv2.INPAINT_TELEA)), NetworkFill()
    boxed, unboxed = LogoProduct(fill), LogoProduct(fill)
    methods: dict[str, Method] = {"as it came": nothing}
    if shutil.which("ffmpeg"):
        methods["ffmpeg delogo, true box"] = delogo
    methods |= {TELEA_BOX: lambda of: telea(in_boxes(of)), TELEA: telea, BOXED: boxed, FOUND: unboxed}
    rows: dict[str, Any] = {}
    for case in chosen:
        given, truth = material(case, media, folder)
        true_box = Box(*truth.box)
        boxed.box = true_box.grown(ROOM, ROOM, given.whole)
        scores: dict[str, dict[str, float]] = {}
        sheets: dict[str, Pictures] = {}
        for name, method in methods.items():
            done = method(given)
            scores[name] = {**score(given, done.pictures), "ms": 1000 * done.seconds / len(given.burned)}
            if name in (TELEA, BOXED):
                sheets[name] = done.pictures
        if keep is not None:
            sheet(keep, given, sheets)
        assert boxed.plan is not None
        found, logo = unboxed.places(given), next(iter(boxed.plan.logos), None)
        best = max((iou(box, true_box) for box in found), default=0.0)
        rows[case.name] = {
            "kind": case.kind,
            "alpha": case.alpha,
            "background": case.background,
            "pictures": len(given.burned),
            "iou": round(best, 3),
            "elsewhere": sum((box & true_box).area == 0 for box in found),
            "treated": logo.kind if logo else "none",
            "reason": logo.reason if logo else "no logo was found in the box",
            "measured": logo.alpha if logo else 0.0,
            "measuring_ms": 1000 * boxed.finding / len(given.burned),
            "finding_ms": 1000 * unboxed.finding / len(given.burned),
            "scores": scores,
        }
        print(f"{case.name:32} {best:.2f}", *(f"{s['psnr']:.2f}/{s['ssim']:.3f}" for s in scores.values()), flush=True)
    peers = {"ffmpeg": ffmpeg_version() or "none", "opencv": version("opencv-python-headless")}
    return {"methods": list(methods), "cases": rows, "peers": peers}


def false_logos(media: Path) -> dict[str, int]:
    """How many logos are found on clips without any: what is behind the logos, and clips of `erase_truth` that are not there."""
    found = {name: _count(read_source(name, media)) for name in SOURCES}
    alone = {clips[0].file for _, clips in SOURCES.values() if len(clips) == 1}
    for clip in HELD_BACK:
        if clip.file not in alone:
            found[Path(clip.file).stem] = _count(read_clip(clip, media)[0])
    return found


def _count(pictures: Pictures) -> int:
    detection = LogoDetection()
    detection.update(_frames(_samples(pictures, SAMPLES)))
    return len(detection.finish())


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """The benchmark."""
    if media is None:
        raise SystemExit("erase-logos needs the folder of real clips: --media")
    if missing := fonts_missing():
        raise SystemExit(f"erase-logos needs fonts: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(CASES_HELD_BACK[:2] if quick else CASES_HELD_BACK, media, Path(folder))
    result["false"] = {} if quick else false_logos(media)
    return {**result, "targets": targets(result)}


def targets(result: dict[str, Any]) -> dict[str, float]:
    """The figures that matter, each as one number."""
    rows = list(result["cases"].values())
    groups = {
        "alpha 0.5": [row for row in rows if row["kind"] == "translucent" and row["alpha"] < 0.6],
        "alpha 0.7": [row for row in rows if row["kind"] == "translucent" and row["alpha"] > 0.6],
        "opaque": [row for row in rows if row["kind"] == "opaque"],
        "animated": [row for row in rows if row["kind"] == "animated"],
    }
    found: dict[str, float] = {}
    for name, group in groups.items():
        gains = [row["scores"][BOXED]["psnr"] - row["scores"][TELEA]["psnr"] for row in group]
        if gains:
            found[f"with box, PSNR over Telea with the true mask, dB, mean: {name}"] = float(np.mean(gains))
            found[f"the same, worst case: {name}"] = min(gains)
    for name, still in (("the picture moves", False), ("the camera is still", True)):
        group = [row for row in rows if (row["background"] == "static") is still and row["kind"] != "animated"]
        if group:
            found[f"without box, where {name}: found with IoU >= 0.75"] = sum(row["iou"] >= 0.75 for row in group)
            found[f"without box, where {name}: cases"] = len(group)
    found["logos found where none is, in the cases"] = sum(row["elsewhere"] for row in rows)
    found["logos found in clips without any"] = sum(result["false"].values())
    found["clips without any"] = len(result["false"])
    return found


def table(result: dict[str, Any]) -> str:
    """Every case, and the figures in short, as markdown."""
    rows = result["cases"]
    names = result["methods"]
    single = []
    for name, row in rows.items():
        cells = [f"{row['scores'][m]['psnr']:.1f} / {row['scores'][m]['ssim']:.2f}" for m in names]
        single.append([name, row["background"], *cells, f"{row['iou']:.2f}", row["reason"]])
    head = ["clip, logo, alpha, corner", "background", *names, "IoU", "what was said of it"]
    means = []
    for name in names:
        scores = [row["scores"][name] for row in rows.values()]
        mean = {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
        quality = [mean["psnr"], f"{mean['ssim']:.3f}", f"{mean['gradients']:.3f}", mean["ghost"], mean["flicker"]]
        means.append([name, *quality, round(mean["outside"], 1), round(mean["ms"], 1)])
    figures = [[key, value if isinstance(value, int) else f"{value:.3g}"] for key, value in result["targets"].items()]
    where, peers = result["machine"], ", ".join(f"{name} {v}" for name, v in result["peers"].items())
    peers += f", torch {where['torch']}, {where['date']}"
    parts = [
        markdown(
            ["fill", "PSNR, dB", "SSIM", "gradients", "ghost", "flicker", "changed outside", "CPU ms a picture"],
            means,
        ),
        "PSNR in dB / SSIM of every case, and the IoU of the box that was found:",
        markdown(head, single),
        "In short:",
        markdown(["figure", "value"], figures),
        f"{len(rows)} cases, {sum(row['pictures'] for row in rows.values())} pictures of 640x360. {where['processor']}, "
        f"1 thread; {peers}.",
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Some cases, with pictures."""
    parser = argparse.ArgumentParser(description="logos taken off clips of known truth, with pictures")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path, help="for clips, pictures and scores.json")
    parser.add_argument("--case", action="append", help="name of a case; default: all")
    parser.add_argument("--false", action="store_true", help="only the clips without logos")
    args = parser.parse_args()
    if args.false:
        print(false_logos(args.media))
        return
    names = [case.name for case in CASES_HELD_BACK]
    if unknown := set(args.case or ()) - set(names):
        parser.error(f"unknown cases {sorted(unknown)}; there are {', '.join(names)}")
    chosen = [case for case in CASES_HELD_BACK if not args.case or case.name in args.case]
    result = measure(chosen, args.media, args.folder / "clips", args.folder)
    (args.folder / "logos.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
