"""Finds the rule by which super-resolution blends its two sets of weights: python -m benchmarks.sr_blend MEDIA [OUT.json].

Validation clips (neither trained on nor in `sr_quality`) are halved and compressed at several rates; every blend is tried on
each, and the one with the best luma PSNR is set against the decoder's mean quantiser and the bits per pixel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.degrade import Clip, Pair, compress, originals
from benchmarks.metrics import psnr
from benchmarks.tables import table as markdown
from vidprod.ops.upscale import ADAPTIVE, SCALE, Upscale, UpscalePlan, UpscaleShot

CLIPS = (
    Clip("videos/cat_vfr_568x320.mp4", 40),
    Clip("videos/marathon_720x400.mp4", 20),
    Clip("videos/cockatoo_720p_yuv444.mp4", 100),
    Clip("videos/seattle_handheld_640x360.avi", 60),
    Clip("videos/kohlipe_drone_hevc_37s.mp4", 100),
)
CRFS = (0, 6, 10, 14, 18, 23, 28, 33)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
RUN, FIRST, COUNT = 36, 14, 3


def upscaled(pair: Pair, share: float, model: str = ADAPTIVE) -> torch.Tensor:
    """(N, 3, 2H, 2W) uint8: what the product makes of the compressed pictures with this blend."""
    plan = UpscalePlan(SCALE, model, (UpscaleShot(0.0, 1e6, share),))
    with torch.inference_mode():
        return Upscale(plan, device=torch.device("cpu"), reuse=False)(pair.low, slice(0, len(pair.low)))


def score(out: torch.Tensor, high: torch.Tensor) -> float:
    """Mean luma PSNR in dB."""
    pictures = zip(out.permute(0, 2, 3, 1).numpy(), high.permute(0, 2, 3, 1).numpy(), strict=True)
    return float(np.mean([psnr(a, b, border=4) for a, b in pictures]))


def measure(media: Path, codec: str = "libx264") -> list[dict[str, Any]]:
    """One row for every clip and rate."""
    rows = []
    for clip in CLIPS:
        frames = originals(media / clip.file, clip.start, RUN, width=384, height=320)
        for crf in CRFS:
            pair = compress(frames, crf=crf, first=FIRST, count=COUNT, codec=codec)
            scores = [score(upscaled(pair, share), pair.high) for share in SHARES]
            rows.append({"clip": clip.name, "crf": crf, "qp": pair.qp, "bpp": pair.bits_per_pixel, "psnr": scores})
            qp = "none" if pair.qp is None else f"{pair.qp:.1f}"
            print(clip.name, crf, f"qp {qp} bpp {pair.bits_per_pixel:.3f}", np.round(scores, 2), flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Mean over the clips: gain over a blend of 0 in dB."""
    lines = []
    for crf in CRFS:
        some = [row for row in rows if row["crf"] == crf]
        gains = np.mean([np.array(row["psnr"]) - row["psnr"][0] for row in some], axis=0)
        qps = [row["qp"] for row in some if row["qp"] is not None]
        line = [
            crf,
            f"{np.mean(qps):.1f}" if qps else "none",
            f"{np.exp(np.mean(np.log([r['bpp'] for r in some]))):.2f}",
        ]
        lines.append(line + [float(gain) for gain in gains])
    return markdown(["CRF", "mean QP", "bits per pixel", *(f"blend {share}" for share in SHARES)], lines)


def main() -> None:
    """The command."""
    torch.set_num_threads(1)
    rows = measure(Path(sys.argv[1]))
    print(table(rows))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
