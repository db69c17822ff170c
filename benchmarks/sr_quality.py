"""Super-resolution against interpolation and other networks: pictures of the usual test sets, and real clips compressed anew.

Test sets: Y-PSNR and SSIM at 2x with two pixels of border left out, as in the literature; low-resolution pictures of Set5 and
Set14 are those of MATLAB's bicubic, those of Kodak24 of PyTorch's, which is the same kernel. Clips: the middle of real
footage, halved by swscale, encoded with x264 (preset medium), decoded, doubled; compared with the footage. "span-x2-adaptive"
is what vidprod does by default: two sets of weights blended by the decoder's quantiser. None of the pictures or clips was
trained on, nor used to choose the blend.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.degrade import Clip, Pair, compress, originals
from benchmarks.metrics import Picture, psnr, ssim, temporal_error
from benchmarks.tables import table as markdown
from vidprod.media.frames import Frames
from vidprod.ops.guard import bicubic
from vidprod.ops.upscale import ADAPTIVE, SCALE, Upscale, UpscalePlan, UpscaleShot, compression_blend

CLIPS = (
    Clip("videos/bikes_640x272_10s.mp4", 60),
    Clip("videos/carphone_qcif.mp4", 20),
    Clip("videos/bbb_480p_30s.mp4", 300),
    Clip("videos/sintel_trailer_848x480_26s.mp4", 180),
    Clip("videos/flower_540p.mp4", 50),
    Clip("videos/basketball_426x240.mp4", 100),
    Clip("videos/friday_bw_film_480p.mp4", 60),
    Clip("videos/lofoten_drone_1024x750.mp4", 40),
    Clip("videos/woman_coffee_portrait_720x1364.mp4", 40),
)
CRFS = (0, 8, 18, 23, 28)  # 0 is lossless, 8 nearly so
SETS = ("Set5", "Set14", "Kodak24")
METHODS = ("bicubic", "lanczos", "span-x2", "span-x2-video", ADAPTIVE, "realesr-animevideov3")
RUN, FIRST, COUNT = 48, 20, 4

Method = Callable[[Frames], Tensor]


def _lanczos(frames: Frames) -> Tensor:
    size = SCALE * frames.width, SCALE * frames.height
    pictures = frames.data.permute(0, 2, 3, 1).contiguous().numpy()
    out = [np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4), np.uint8) for picture in pictures]
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2)


def _network(model: str, share: float) -> Method:
    plan = UpscalePlan(SCALE, model, (UpscaleShot(0.0, 1e9, share),))
    op = Upscale(plan, device=torch.device("cpu"), reuse=False)
    return lambda frames: op(frames, slice(0, len(frames)))


def method(name: str, qp: float | None = 0.0) -> Method:
    """What turns pictures into pictures of twice the size; `qp` is for the blend."""
    if name == "bicubic":
        return lambda frames: bicubic(frames.data.contiguous(), SCALE)
    if name == "lanczos":
        return _lanczos
    return _network(name, compression_blend(qp) if name == ADAPTIVE else 0.0)


def _pictures(data: Tensor) -> list[Picture]:
    return [np.asarray(picture, np.uint8) for picture in data.permute(0, 2, 3, 1).numpy()]


def _score(out: Tensor, high: Tensor, border: int) -> dict[str, float]:
    ours, truth = _pictures(out), _pictures(high)
    pairs = list(zip(ours, truth, strict=True))
    scores = {
        "psnr": float(np.mean([psnr(a, b, border=border) for a, b in pairs])),
        "ssim": float(np.mean([ssim(a, b, border=border) for a, b in pairs])),
    }
    if len(pairs) > 1:
        scores["temporal"] = temporal_error(ours, truth)
    return scores


def _read(path: Path) -> Tensor:
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(f"{path} is not a picture that OpenCV reads")
    return torch.from_numpy(np.asarray(picture, np.uint8)[:, :, ::-1].copy()).permute(2, 0, 1)[None]


def _stills(folder: Path, name: str, most: int) -> list[tuple[Tensor, Tensor]]:
    """Low and high resolution pictures of a test set, (1, 3, H, W) uint8."""
    if name == "Kodak24":
        pairs = []
        for path in sorted((folder / name).glob("*.png"))[:most]:
            high = _read(path)
            small = F.interpolate(high.float(), scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)
            pairs.append((small.round().clamp(0, 255).byte(), high))
        return pairs
    pairs = []
    for path in sorted((folder / name / "LRx2").glob("*.png"))[:most]:
        low = _read(path)
        high = _read(folder / name / "HR" / path.name.replace("_LR", "_HR"))
        pairs.append((low, high[:, :, : 2 * low.shape[2], : 2 * low.shape[3]]))
    return pairs


def _as_frames(picture: Tensor) -> Frames:
    from fractions import Fraction

    return Frames(picture.contiguous(memory_format=torch.channels_last), (0,), Fraction(1, 25))


def _measure_stills(media: Path, names: list[str], most: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for dataset in SETS:
        stills = _stills(media / "sr", dataset, most)
        for name in names:
            if name == ADAPTIVE:
                continue  # stills have no quantiser; clean ones get the weights of span-x2
            upscale = method(name)
            scores = [_score(upscale(_as_frames(low)), high, 2) for low, high in stills]
            mean = {key: float(np.mean([s[key] for s in scores])) for key in ("psnr", "ssim")}
            rows.append({"set": dataset, "pictures": len(stills), "method": name, **mean})
    return rows


def _measure_clip(pair: Pair, clip: Clip, crf: int, names: list[str]) -> list[dict[str, Any]]:
    share = compression_blend(pair.qp)
    about = {"clip": clip.name, "crf": crf, "qp": pair.qp, "bits_per_pixel": pair.bits_per_pixel, "blend": share}
    return [{**about, "method": name, **_score(method(name, pair.qp)(pair.low), pair.high, 4)} for name in names]


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    if media is None:
        raise ValueError("this benchmark needs the folder of real pictures and clips: --media")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    names = [name for name in METHODS if not (quick and name == "realesr-animevideov3")]
    try:
        stills = _measure_stills(media, names, 2 if quick else 99)
        clips = []
        for clip in CLIPS[:2] if quick else CLIPS:
            frames = originals(media / clip.file, clip.start, RUN)
            for crf in (18,) if quick else CRFS:
                pair = compress(frames, crf=crf, first=FIRST, count=2 if quick else COUNT)
                clips += _measure_clip(pair, clip, crf, names)
    finally:
        torch.set_num_threads(threads)
    return {"stills": stills, "clips": clips, "targets": targets(clips)}


def _mean(clips: list[dict[str, Any]], name: str, crfs: tuple[int, ...], key: str) -> float:
    return float(np.mean([row[key] for row in clips if row["method"] == name and row["crf"] in crfs]))


def targets(clips: list[dict[str, Any]]) -> dict[str, float]:
    """What was to be reached, as one number each, for the default model."""
    found = {row["crf"] for row in clips}
    coded = tuple(crf for crf in CRFS if crf in found and crf >= 18)
    clean = tuple(crf for crf in CRFS if crf in found and crf < 18)
    psnrs = {(row["clip"], row["crf"], row["method"]): row["psnr"] for row in clips}
    over = [value - psnrs[(clip, crf, "bicubic")] for (clip, crf, name), value in psnrs.items() if name == ADAPTIVE]
    result = {
        "gain over span-x2, CRF 18-28": _mean(clips, ADAPTIVE, coded, "psnr") - _mean(clips, "span-x2", coded, "psnr"),
        "gain over bicubic, CRF 18-28": _mean(clips, ADAPTIVE, coded, "psnr") - _mean(clips, "bicubic", coded, "psnr"),
        "least gain over bicubic on any clip": min(over),
        "temporal error over bicubic's, CRF 18-28": _mean(clips, ADAPTIVE, coded, "temporal")
        / _mean(clips, "bicubic", coded, "temporal"),
    }
    for crf in clean:
        key = f"against span-x2, CRF {crf}"
        result[key] = _mean(clips, ADAPTIVE, (crf,), "psnr") - _mean(clips, "span-x2", (crf,), "psnr")
    return result


def table(result: dict[str, Any]) -> str:
    """The result as markdown: test sets, clips by rate, every clip's PSNR, and the targets."""
    sets = list(dict.fromkeys(row["set"] for row in result["stills"]))
    names = list(dict.fromkeys(row["method"] for row in result["clips"]))
    cells = {(row["set"], row["method"]): f"{row['psnr']:.2f} / {row['ssim']:.4f}" for row in result["stills"]}
    stills = [[name, *(cells[(s, name)] for s in sets)] for name in names if (sets[0], name) in cells]
    clips = result["clips"]
    crfs = tuple(dict.fromkeys(row["crf"] for row in clips))
    lines = []
    for name in names:
        line = [name]
        for crf in crfs:
            mean = [_mean(clips, name, (crf,), key) for key in ("psnr", "ssim", "temporal")]
            line.append("{:.2f} / {:.4f} / {:.2f}".format(*mean))
        lines.append(line)
    single = []
    for clip in dict.fromkeys(row["clip"] for row in clips):
        values = {(row["crf"], row["method"]): row for row in clips if row["clip"] == clip}
        line = [clip]
        for crf in crfs:
            ours = values[(crf, ADAPTIVE)]
            three = [values[(crf, name)]["psnr"] for name in ("bicubic", "span-x2", ADAPTIVE)]
            line.append("{:.2f} / {:.2f} / {:.2f}".format(*three) + f" ({ours['blend']:.2f})")
        single.append(line)
    parts = [
        "Test sets, Y-PSNR in dB / SSIM:",
        markdown(["method", *sets], stills),
        "Real clips, mean of all, Y-PSNR in dB / SSIM / temporal error in grey levels:",
        markdown(["method", *(f"CRF {crf}" for crf in crfs)], lines),
        f"Every clip, Y-PSNR in dB of bicubic / span-x2 / {ADAPTIVE} (its blend):",
        markdown(["clip", *(f"CRF {crf}" for crf in crfs)], single),
        "In short:",
        markdown(["figure", "value"], [[key, float(value)] for key, value in result["targets"].items()]),
    ]
    return "\n\n".join(parts)
