"""How well holes are filled from one picture alone, given the true mask: the network against what OpenCV has.

    python -m benchmarks inpaint-network
    python -m benchmarks.inpaint_network MEDIA FOLDER [--weights FILE]   # pictures as well: burned, Telea, network, truth

Subtitles in many styles (`erase_truth`) on Kodak's photographs, as JPEG, and on clips that the network was not trained on,
through x264. The mask is the true one, grown by two pixels, and all scores are taken inside it; flicker is the mean difference
between the changes from picture to picture and the true ones, in grey levels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from benchmarks.erase_truth import CHINESE, ENGLISH, HELD_BACK, STYLES, TUNING, Clip, draw, make, true_mask
from benchmarks.tables import table as markdown
from vidprod.media.reader import VideoReader
from vidprod.models import inpaint_net
from vidprod.ops.harmonic import harmonic

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.bool_]  # (H, W)
Plane = NDArray[np.floating[Any]]  # (H, W) luma in 0..255

FRAMES = 16
"""Consecutive pictures of every clip, from the middle of its first subtitle."""

GROWTH = 2  # pixels
MARGIN = 48  # pixels of surroundings that a method is given
CLIPS = tuple(replace(clip, count=min(clip.count, 72)) for clip in (*TUNING, *HELD_BACK))


@dataclass(frozen=True)
class Case:
    """Pictures with something on them, what is beneath, and where."""

    name: str
    burned: tuple[Picture, ...]
    clean: tuple[Picture, ...]
    mask: Mask


Fill = Callable[[Picture, Mask], Picture]


def opencv(radius: int, method: int) -> Fill:
    """One of OpenCV's two methods."""
    return lambda picture, mask: np.asarray(cv2.inpaint(picture, mask.astype(np.uint8), radius, method), np.uint8)


def torch_fill(net: inpaint_net.InpaintNet | None) -> Fill:
    """The harmonic fill, corrected by the network if there is one."""

    @torch.inference_mode()
    def fill(picture: Picture, mask: Mask) -> Picture:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        hole = torch.from_numpy(mask)[None, None]
        y = harmonic(x, hole)
        if net is not None:
            y = net(x, hole, y)
        return np.asarray((y[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy(), np.uint8)

    return fill


def grown(mask: Mask) -> Mask:
    """Dilated by `GROWTH`."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROWTH + 1, 2 * GROWTH + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), np.bool_)


def crop(case: Case) -> Case:
    """Only the mask and `MARGIN` pixels around it."""
    rows, columns = np.flatnonzero(case.mask.any(1)), np.flatnonzero(case.mask.any(0))
    area = tuple(slice(max(int(found[0]) - MARGIN, 0), int(found[-1]) + MARGIN + 1) for found in (rows, columns))
    burned, clean = (tuple(np.ascontiguousarray(p[area]) for p in pictures) for pictures in (case.burned, case.clean))
    return Case(case.name, burned, clean, np.ascontiguousarray(case.mask[area]))


def photographs(media: Path) -> Iterator[Case]:
    """Kodak's, each in another style, as JPEG of quality 85."""
    for number, path in enumerate(sorted((media / "sr/Kodak24").glob("*.png"))):
        clean = np.ascontiguousarray(np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1])
        name = list(STYLES)[number % len(STYLES)]
        style = replace(STYLES[name], position=0.1 + 0.07 * (number % 9))
        texts = [
            (CHINESE if language == "zh" else ENGLISH)[(number + i) % 12] for i, (language, _) in enumerate(style.lines)
        ]
        overlay = draw(style, texts, clean.shape[1], clean.shape[0])
        burned = np.clip(clean * (1 - overlay.alpha[..., None]) + overlay.colour + 0.5, 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", burned[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        seen = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
        yield Case(f"{path.stem}-{name}", (seen,), (clean,), grown(overlay.alpha > 0.02))


def clips(media: Path, folder: Path) -> Iterator[Case]:
    """Pieces of clips, each in another style."""
    for number, clip in enumerate(CLIPS):
        yield clip_case(clip, list(STYLES)[number % len(STYLES)], media, folder)


def clip_case(clip: Clip, style: str, media: Path, folder: Path) -> Case:
    """`FRAMES` pictures of the longest subtitle."""
    truth = make(clip, style, media, folder)
    event = max(truth.events, key=lambda e: e.stop - e.first)
    start = max(event.first, (event.first + event.stop - FRAMES) // 2)
    stop = min(start + FRAMES, event.stop)
    with VideoReader(truth.path, start=start, stop=stop, bits=8) as reader:
        seen = [np.ascontiguousarray(p) for frames in reader for p in frames.data.permute(0, 2, 3, 1).numpy()]
    mask = true_mask(truth.events, start)
    assert mask is not None, "the pictures lie within the subtitle"
    return Case(f"{clip.name}-{style}", tuple(seen), tuple(truth.clean[start:stop]), grown(mask))


def _blur(plane: Plane) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float32)


def grey(picture: Picture) -> Plane:
    """Luma in 0..255."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def ssim_map(a: Plane, b: Plane) -> Plane:
    """Structural similarity around each pixel."""
    ma, mb = _blur(a), _blur(b)
    va, vb, cov = _blur(a * a) - ma * ma, _blur(b * b) - mb * mb, _blur(a * b) - ma * mb
    value: Plane = ((2 * ma * mb + 6.5) * (2 * cov + 58.5)) / ((ma**2 + mb**2 + 6.5) * (va + vb + 58.5))
    return value


def gradient_map(a: Plane, b: Plane) -> Plane:
    """Similarity of the size of gradients around each pixel (GMSD's map)."""
    size_a, size_b = (np.hypot(cv2.Scharr(p, cv2.CV_32F, 1, 0), cv2.Scharr(p, cv2.CV_32F, 0, 1)) / 16 for p in (a, b))
    value: Plane = (2 * size_a * size_b + 170) / (size_a**2 + size_b**2 + 170)
    return value


def measure(case: Case, fill: Fill) -> tuple[dict[str, float], list[Picture]]:
    """Scores in the mask, milliseconds of one core a picture, and the pictures."""
    begin = time.thread_time()
    out = [fill(picture, case.mask) for picture in case.burned]
    spent = 1000 * (time.thread_time() - begin) / len(out)
    squares = [
        float(np.mean((o[case.mask].astype(float) - c[case.mask]) ** 2)) for o, c in zip(out, case.clean, strict=True)
    ]
    planes = [(grey(o), grey(c)) for o, c in zip(out, case.clean, strict=True)]
    scores = {
        "psnr": float(np.mean([10 * np.log10(255**2 / max(square, 1e-3)) for square in squares])),
        "ssim": float(np.mean([ssim_map(a, b)[case.mask].mean() for a, b in planes])),
        "gradients": float(np.mean([gradient_map(a, b)[case.mask].mean() for a, b in planes])),
        "ms": spent,
    }
    if len(planes) > 1:
        steps = [np.abs((a1 - a0) - (b1 - b0))[case.mask].mean() for (a0, b0), (a1, b1) in itertools.pairwise(planes)]
        scores["flicker"] = float(np.mean(steps))
    return scores, out


def score(media: Path, folder: Path, net: inpaint_net.InpaintNet, *, quick: bool = False) -> dict[str, Any]:
    """Means over all photographs and clips of each measure, and every single one; pictures go to `folder`."""
    methods: dict[str, Fill] = {
        "Telea, radius 3": opencv(3, cv2.INPAINT_TELEA),
        "Telea, radius 5": opencv(5, cv2.INPAINT_TELEA),
        "Navier-Stokes, radius 3": opencv(3, cv2.INPAINT_NS),
        "harmonic": torch_fill(None),
        "network": torch_fill(net),
    }
    folder.mkdir(parents=True, exist_ok=True)
    cases: dict[str, dict[str, dict[str, dict[str, float]]]] = {"photographs": {}, "clips": {}}
    for group, found in (("photographs", photographs(media)), ("clips", clips(media, folder))):
        for full in itertools.islice(found, 3 if quick else None):
            case = crop(full)
            rows, middle = {}, len(case.burned) // 2
            sheet = [case.burned[middle]]
            for name, fill in methods.items():
                rows[name], out = measure(case, fill)
                if name in ("Telea, radius 3", "network"):
                    sheet.append(out[middle])
            cases[group][case.name] = rows
            cv2.imwrite(str(folder / f"{case.name}.png"), np.vstack([*sheet, case.clean[middle]])[..., ::-1])
            print(f"{case.name:28}", *(f"{row['psnr']:.2f}/{row['ssim']:.3f} " for row in rows.values()), flush=True)
    return {"methods": list(methods), "cases": cases}


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures the shipped weights."""
    if media is None:
        raise SystemExit("inpaint-network needs the folder of real clips: --media")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        return score(media, Path(folder), inpaint_net.load(), quick=quick)


def table(result: dict[str, Any]) -> str:
    """The means as markdown."""
    rows: list[list[Any]] = []
    for group, cases in result["cases"].items():
        for method in result["methods"]:
            scores = [case[method] for case in cases.values()]
            ahead = sum(case[method]["psnr"] > case[result["methods"][0]]["psnr"] for case in cases.values())
            mean = {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
            row = [f"{len(cases)} {group}", method, mean["psnr"], f"{mean['ssim']:.3f}", f"{mean['gradients']:.3f}"]
            rows.append([*row, ahead, mean.get("flicker", ""), round(mean["ms"])])
    head = ["on", "fill", "PSNR, dB", "SSIM", "gradients", "better PSNR than Telea 3 on", "flicker", "CPU ms a picture"]
    return markdown(head, rows)


def main() -> None:
    """Scores weights that are not shipped (yet), and keeps the pictures."""
    parser = argparse.ArgumentParser(description="score the network that fills holes")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path, help="for the pictures and scores.json")
    parser.add_argument("--weights", type=Path, help="a file of train_inpaint instead of the shipped weights")
    parser.add_argument("--quick", action="store_true", help="three photographs and three clips")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.weights:
        net = inpaint_net.InpaintNet().eval().to(memory_format=torch.channels_last)
        net.load_state_dict(load_file(args.weights))
    else:
        net = inpaint_net.load()
    result = score(args.media, args.folder, net, quick=args.quick)
    (args.folder / "scores.json").write_text(json.dumps(result, indent=1))
    print(table(result))


if __name__ == "__main__":
    main()
