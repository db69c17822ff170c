"""EraseVideoSubtitles: real clips with subtitles of known truth, erased by all that can be had, and by our parts one by one.

    python -m benchmarks erase
    python -m benchmarks.erase MEDIA FOLDER [--case NAME]...   # pictures as well: burned, ours, original

The held-back clips of `erase_truth` in all of its styles, cut to `COUNT` pictures and compressed with x264 at CRF 23. All methods
but the last are given the true mask, grown by two pixels; the last one is the product: it finds the subtitles itself. Scores are
taken in that true mask, against the clip from before anything was drawn or compressed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.erase_fills import Method, OpenCVFill, batched, by_picture, delogo, nothing, removelogo, temporal
from benchmarks.erase_pictures import sheet
from benchmarks.erase_products import SubtitlesProduct
from benchmarks.erase_scores import Cover, Material, camera, residual, score
from benchmarks.erase_truth import HELD_BACK, STYLES, Clip, fonts_missing, make
from benchmarks.inpaint_network import grown, opencv
from benchmarks.machine import ffmpeg_version, version
from benchmarks.tables import table as markdown
from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import thumbnails
from vidprod.ops.inpaint import NetworkFill
from vidprod.ops.shots import ShotDetection
from vidprod.ops.text_boxes import TextDetector

COUNT = 72
"""Pictures of every clip."""

TWICE = "dog", "marathon"
"""Clips with a still camera, of which there are few: they come in a second style."""

STILL = 0.15
"""Pixels from picture to picture below which a camera counts as standing still."""

TELEA, PARTS, PRODUCT = "Telea, radius 3", "temporal + network", "the product, mask found by itself"


@dataclass(frozen=True)
class Case:
    """A clip in a style."""

    clip: Clip
    style: str

    @property
    def name(self) -> str:
        """For tables and files."""
        return f"{self.clip.name}-{self.style}"


def cases() -> list[Case]:
    """Every held-back clip in a style, going round until every style has come, and some again."""
    styles, short = list(STYLES), [replace(clip, count=min(clip.count, COUNT)) for clip in HELD_BACK]
    found = [Case(short[number % len(short)], style) for number, style in enumerate(styles)]
    again = [clip for clip in short if clip.name in TWICE]
    return found + [Case(clip, style) for clip, style in zip(again, ("plain", "outline"), strict=True)]


def material(case: Case, media: Path, folder: Path) -> Material:
    """The case, burned, compressed, and decoded again."""
    truth = make(case.clip, case.style, media, folder)
    with VideoReader(truth.path, bits=8) as reader:
        burned = np.concatenate([frames.data.permute(0, 2, 3, 1).numpy() for frames in reader])
        rate = reader.info.frame_rate
    assert rate is not None, "we wrote it"
    covers = tuple(Cover(event.first, event.stop, grown(event.alpha > 0.02)) for event in truth.events)
    return Material(case.name, truth.path, rate, burned, truth.clean, covers)


def cuts(of: Material) -> list[int]:
    """First pictures of new shots, as the product finds them."""
    shots = ShotDetection()
    for frames in thumbnails(VideoReader(of.path)):
        shots.update(frames)
    return shots.cuts()


def measure(chosen: Sequence[Case], media: Path, folder: Path, keep: Path | None = None) -> dict[str, Any]:
    """All methods on some cases; `keep` is for a picture of each."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector, network, telea = TextDetector(), NetworkFill(), opencv(3, cv2.INPAINT_TELEA)
    product = SubtitlesProduct()
    methods: dict[str, Method] = {"as it came": nothing}
    if shutil.which("ffmpeg"):
        methods |= {"ffmpeg delogo, true box": delogo, "ffmpeg removelogo": removelogo}
    methods |= {
        TELEA: by_picture(telea),
        "Navier-Stokes, radius 3": by_picture(opencv(3, cv2.INPAINT_NS)),
        "network alone": batched(network),
        "temporal + Telea": temporal(OpenCVFill(telea), cuts),
        PARTS: temporal(network, cuts),
        PRODUCT: product,
    }
    rows: dict[str, Any] = {}
    for case in chosen:
        given = material(case, media, folder)
        covered = sum(cover.stop - cover.first for cover in given.covers)
        scores: dict[str, dict[str, float]] = {}
        for name, method in methods.items():
            done = method(given)
            scores[name] = {
                **score(given, done.pictures),
                **residual(given, done.pictures, detector),
                "ms": 1000 * done.seconds / covered,
            }
            if name == PRODUCT and keep is not None:
                sheet(keep, given, {"ours": done.pictures})
        found = product.numbers(given)
        rows[case.name] = {
            "size": f"{given.whole.width}x{given.whole.height}",
            "pictures": len(given.burned),
            "covered": covered,
            "camera": round(camera(given.clean), 3),
            "events": len(given.covers),
            "exact": sum((cover.first, cover.stop) in found for cover in given.covers),
            "found": len(found),
            "finding_ms": 1000 * product.finding / len(given.burned),
            "original": residual(given, given.clean, detector),
            "scores": scores,
        }
        print(f"{case.name:22}", *(f"{s['psnr']:.2f}/{s['ssim']:.3f}" for s in scores.values()), flush=True)
    peers = {"ffmpeg": ffmpeg_version() or "none", "opencv": version("opencv-python-headless")}
    return {"methods": list(methods), "cases": rows, "peers": peers}


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """The benchmark."""
    if media is None:
        raise SystemExit("erase needs the folder of real clips: --media")
    if missing := fonts_missing():
        raise SystemExit(f"erase needs fonts: {', '.join(missing)}")
    chosen = cases()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(chosen[:2] if quick else chosen, media, Path(folder))
    return {**result, "targets": targets(result)}


def _gains(rows: Sequence[dict[str, Any]], method: str) -> list[float]:
    return [row["scores"][method]["psnr"] - row["scores"][TELEA]["psnr"] for row in rows]


def targets(result: dict[str, Any]) -> dict[str, list[float]]:
    """The figures that matter, each for our parts with the true mask and for the product."""
    rows = list(result["cases"].values())
    still = [row for row in rows if row["camera"] < STILL]
    telea = float(np.mean([row["scores"][TELEA]["flicker"] for row in rows]))
    found: dict[str, list[float]] = {}
    for name in (PARTS, PRODUCT):
        scores, gains = [row["scores"][name] for row in rows], _gains(rows, name)
        figures = {
            "PSNR over Telea given the true mask, dB: mean": float(np.mean(gains)),
            "the same, median": float(np.median(gains)),
            "the same, worst case": min(gains),
            f"the same, mean of the {len(still)} cases with a still camera": float(
                np.mean(_gains(still, name) or [0.0])
            ),
            f"cases of {len(rows)} with a better SSIM than Telea's": sum(
                s["ssim"] > row["scores"][TELEA]["ssim"] for s, row in zip(scores, rows, strict=True)
            ),
            f"cases of {len(rows)} with less flicker than Telea's": sum(
                s["flicker"] < row["scores"][TELEA]["flicker"] for s, row in zip(scores, rows, strict=True)
            ),
            "flicker against Telea's": float(np.mean([s["flicker"] for s in scores])) / telea,
            "text probability left: mean": float(np.mean([s["text"] for s in scores])),
            "text probability left: worst case": max(s["text"] for s in scores),
        }
        for key, value in figures.items():
            found.setdefault(key, []).append(value)
    found["text probability of the originals: mean"] = [float(np.mean([row["original"]["text"] for row in rows]))]
    exact, events = (sum(row[key] for row in rows) for key in ("exact", "events"))
    found[f"subtitles of {events} found from the first to the last picture"] = [exact]
    found["finding, CPU ms for each picture of the clip, decoding included"] = [
        float(np.mean([row["finding_ms"] for row in rows]))
    ]
    return found


def table(result: dict[str, Any]) -> str:
    """Means over all cases, every case, and the figures in short, as markdown."""
    rows = result["cases"]
    means = []
    for name in result["methods"]:
        scores = [row["scores"][name] for row in rows.values()]
        mean = {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
        quality = [mean["psnr"], mean["psnr_mean"], f"{mean['ssim']:.3f}", f"{mean['gradients']:.3f}", mean["flicker"]]
        text = f"{mean['text']:.3f}", f"{100 * mean['seen']:.0f} %"
        means.append([name, *quality, round(mean["outside"], 1), *text, round(mean["ms"])])
    head = ["fill", "PSNR, dB", "mean of pictures", "SSIM", "gradients", "flicker", "changed outside"]
    head += ["text left", "still seen", "CPU ms a picture"]
    short = {TELEA: "Telea", "network alone": "network", PARTS: "true mask", PRODUCT: "product"}
    single = []
    for name, row in rows.items():
        cells = [f"{row['scores'][m]['psnr']:.2f} / {row['scores'][m]['ssim']:.3f}" for m in short]
        single.append([name, f"{row['camera']:.1f}", *cells, f"{row['exact']} of {row['events']}"])
    figures = []
    for key, values in result["targets"].items():
        cells = [str(value) if isinstance(value, int) else f"{value:.3g}" for value in values]
        figures.append([key, *(cells if len(cells) == 2 else ["", *cells])])
    where, peers = result["machine"], ", ".join(f"{name} {v}" for name, v in result["peers"].items())
    count, covered = (sum(row[key] for row in rows.values()) for key in ("pictures", "covered"))
    peers += f", torch {where['torch']}, {where['date']}"
    parts = [
        markdown(head, means),
        "PSNR in dB / SSIM of every case; the camera's motion in pixels a picture; subtitles found exactly:",
        markdown(["clip and style", "camera", *short.values(), "exact"], single),
        "In short:",
        markdown(["figure", "given the true mask", "the product"], figures),
        f"{len(rows)} cases, {count} pictures, {covered} with a subtitle. {where['processor']}, 1 thread; {peers}.",
    ]
    return "\n\n".join(parts)


def main() -> None:
    """Some cases, with pictures."""
    parser = argparse.ArgumentParser(description="subtitles erased from clips of known truth, with pictures")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path, help="for clips, pictures and scores.json")
    parser.add_argument("--case", action="append", help="name of a case; default: all")
    args = parser.parse_args()
    names = [case.name for case in cases()]
    if unknown := set(args.case or ()) - set(names):
        parser.error(f"unknown cases {sorted(unknown)}; there are {', '.join(names)}")
    chosen = [case for case in cases() if not args.case or case.name in args.case]
    result = measure(chosen, args.media, args.folder / "clips", args.folder)
    (args.folder / "scores.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
