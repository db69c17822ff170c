"""SuperResolveVideo from file to file, against the bare network on pictures that already lie in memory.

What is lost between the two is the price of decoding, converting, guarding, encoding and muxing. Both run in this process with
all threads, alternating. Reuse of unchanged areas is off for the comparison; what it brings is shown apart, and is something only
where large parts stand perfectly still, as in the last clip, a slide show.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import package_clip
from benchmarks.tables import table as markdown
from vidprod.actions.run import Context
from vidprod.actions.super_resolve_video import SPEC
from vidprod.media.frames import Frames
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.models.registry import load
from vidprod.ops.pixels import to_unit
from vidprod.ops.render import render
from vidprod.ops.upscale import Upscale

PICTURES = 16
REPEATS = 2


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    clips = [package_clip("bikes.mp4")]
    if media is not None:
        clips += [media / "videos" / name for name in ("phone_roof_pan_360p_17s.mp4", "promo_vertical_cn_logo_15s.mp4")]
    pictures = 4 if quick else PICTURES
    return {
        "threads": torch.get_num_threads(),
        "settings": f"first {pictures} pictures, fp32, x264 preset medium, best of {1 if quick else REPEATS}",
        "rows": [_compare(clip, pictures, 1 if quick else REPEATS) for clip in clips],
    }


def table(result: dict[str, Any]) -> str:
    """The result as markdown."""
    text = markdown(
        [
            "clip",
            "bare network, fps",
            "file to file, fps",
            "file to file / bare",
            "with reuse, fps",
            "with reuse / bare",
        ],
        [
            [r["clip"], r["bare"], r["end_to_end"], r["end_to_end"] / r["bare"], r["reuse"], r["reuse"] / r["bare"]]
            for r in result["rows"]
        ],
    )
    return f"{text}\n\n{result['threads']} threads, {result['settings']}."


def _compare(clip: Path, pictures: int, repeats: int) -> dict[str, Any]:
    info = probe(clip)
    with VideoReader(clip, info=info, stop=pictures) as reader:
        frames = Frames.cat(list(reader))
    best = dict.fromkeys(("bare", "end_to_end", "reuse"), 0.0)
    for _ in range(repeats):
        best["bare"] = max(best["bare"], _bare(frames))
        best["end_to_end"] = max(best["end_to_end"], _pipeline(clip, pictures, reuse=False))
        best["reuse"] = max(best["reuse"], _pipeline(clip, pictures, reuse=True))
    return {"clip": f"{clip.name}, {info.display_width}x{info.display_height}", "pictures": len(frames), **best}


def _bare(frames: Frames) -> float:
    net, _ = load("span-x2")
    started = time.monotonic()
    with torch.inference_mode():
        for i in range(len(frames)):
            net(to_unit(frames.data[i : i + 1], torch.float32))
    return len(frames) / (time.monotonic() - started)


def _pipeline(clip: Path, pictures: int, *, reuse: bool) -> float:
    context = Context.make("cpu")
    params = SPEC.params(video_url=str(clip))
    plan = SPEC.steps.analyse(params, context)
    info = probe(clip)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with (
            VideoReader(clip, info=info, batch=8, stop=pictures) as reader,
            VideoWriter(
                Path(folder) / "out.mp4",
                like=info,
                width=2 * info.display_width,
                height=2 * info.display_height,
                bit_rate=2 * (info.bit_rate or 1_000_000),
                preset=context.settings.preset,
                audio_from=clip,
            ) as writer,
        ):
            count = render(reader, [Upscale(plan, device=context.device, reuse=reuse)], writer)
        return count / (time.monotonic() - started)
