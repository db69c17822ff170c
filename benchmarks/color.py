"""Automatic grading: how much of a known fault it takes back, and what it does to footage without one; matching of shots.

Every fault is drawn at random, made in light, rounded to 8 bits and put through H.264 (photographs: not), then graded and
rounded to 8 bits again. What counts is CIEDE2000 to the picture before the fault. The faults called unseen are of kinds that
nothing was trained or tuned on.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from av import VideoFormat, VideoFrame
from av.filter import Graph

from benchmarks import tables
from benchmarks.color_groups import matching
from benchmarks.color_scenes import Bytes, Scene, coded, scenes
from benchmarks.color_truth import Colors, delta_e
from vidprod.ops.grade_estimate import estimate, trust
from vidprod.ops.grade_plan import GradedShot, grade_lut
from vidprod.ops.grade_statistics import measure
from vidprod.weights.tools.color_faults import FAULTS
from vidprod.weights.tools.grade_pairs import shrink

PIXELS = 1200
Grader = Callable[[Bytes], Bytes]  # pictures of a shot -> graded


def _gamma(random: np.random.Generator) -> Callable[[Colors], Colors]:
    """A wrong transfer function: code values to a power."""
    power = random.choice([1 / 1.35, 1.35])
    return lambda colors: colors**power


def _crosstalk(random: np.random.Generator) -> Callable[[Colors], Colors]:
    """Colours of a wrong camera matrix, in light."""
    matrix = np.eye(3) + random.uniform(-0.12, 0.12, (3, 3))
    matrix /= matrix.sum(1, keepdims=True)
    return lambda colors: np.clip(np.clip(colors, 0, 1) ** 2.4 @ matrix.T, 0, 1) ** (1 / 2.4)


UNSEEN = {"unseen: gamma": _gamma, "unseen: matrix": _crosstalk}
KINDS = (*FAULTS, *UNSEEN)


def small(pictures: Bytes) -> torch.Tensor:
    """(N, 3, h, w) thumbnails."""
    return torch.from_numpy(np.stack([shrink(picture, 64) for picture in pictures])).permute(0, 3, 1, 2)


def through(pictures: Bytes, shot: GradedShot) -> Bytes:
    """The pictures through the shot's table."""
    table = grade_lut(shot)
    return np.round(table(torch.from_numpy(pictures).float() / 255).numpy() * 255).astype(np.uint8)


def ours(pictures: Bytes) -> Bytes:
    """The grade as vidprod makes it."""
    parameters, _ = estimate(small(pictures))
    return through(pictures, GradedShot(0, 1, 0, 1, look=None, **parameters))


def rules(strength: float, *, dead_zone: bool) -> Grader:
    """A stretch of black and white, the same for R, G and B, by the shot's quantiles 0.001 and 0.999."""

    def grader(pictures: Bytes) -> Bytes:
        thumbnails = small(pictures)
        statistics = measure(thumbnails)
        black, white = strength * statistics.low, 1 - strength * (1 - statistics.high)
        white = max(white, black + 0.1, 0.2)
        if dead_zone:
            share = trust(thumbnails, torch.tensor([0, 0, 0, 1, 1, black, white]))
            black, white = black * share, 1 - (1 - white) * share
        return through(pictures, GradedShot(0, 1, 0, 1, black=min(black, 0.6), white=white))

    return grader


def ffmpeg(name: str, arguments: str = "", *, multiple: int = 1) -> Grader:
    """A filter of FFmpeg's. Widths are padded to a multiple of `multiple` pixels by repeating the edge."""

    def grader(pictures: Bytes) -> Bytes:
        shown = pictures.shape[2]
        pictures = np.pad(pictures, ((0, 0), (0, 0), (0, -shown % multiple), (0, 0)), mode="edge")
        height, width = pictures.shape[1:3]
        graph = Graph()
        pixels = VideoFormat("rgb24", width, height)
        source = graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1))
        effect, sink = graph.add(name, arguments), graph.add("buffersink")
        source.link_to(effect)
        effect.link_to(sink)
        graph.configure()
        result = []
        for i, picture in enumerate(pictures):
            frame = VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = i
            graph.push(frame)
            done = graph.pull()
            assert isinstance(done, VideoFrame)
            result.append(done.to_ndarray(format="rgb24"))
        return np.asarray(np.stack(result)[:, :, :shown], np.uint8)

    return grader


METHODS: dict[str, Grader] = {
    "nothing": lambda pictures: pictures,
    "ffmpeg normalize, joint": ffmpeg("normalize", "independence=0"),
    "ffmpeg normalize": ffmpeg("normalize"),
    # FFmpeg 8.1's filter spoils pictures of other widths.
    "ffmpeg colorlevels, automatic": ffmpeg(
        "colorlevels", "rimin=-1:gimin=-1:bimin=-1:rimax=-1:gimax=-1:bimax=-1", multiple=64
    ),
    "ffmpeg greyedge": ffmpeg("greyedge", "difford=1:minknorm=5:sigma=2"),
    "stretch": rules(0.8, dead_zone=False),
    "stretch, dead zone": rules(0.6, dead_zone=True),
    "vidprod": ours,
}


def spoilt(scene: Scene, kind: str) -> Bytes:
    """The scene with a fault, coded."""
    random = np.random.default_rng(zlib.crc32(f"{scene.name} {kind}".encode()))
    fault = FAULTS[kind](random) if kind in FAULTS else UNSEEN[kind](random)
    pictures = np.round(fault(scene.pictures / 255.0) * 255).astype(np.uint8)
    return pictures if scene.still else coded(pictures)


def errors(scene: Scene, methods: dict[str, Grader]) -> dict[str, dict[str, float]]:
    """Mean CIEDE2000 by kind of fault and method."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, scene.pictures[..., 0].size, PIXELS)
    truth = scene.pictures.reshape(-1, 3)[pixels] / 255.0
    found: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        seen = spoilt(scene, kind)
        found[kind] = {
            name: float(delta_e(method(seen).reshape(-1, 3)[pixels] / 255.0, truth).mean())
            for name, method in methods.items()
        }
    return found


def flicker(scene: Scene, method: Grader) -> float:
    """Mean CIEDE2000 between what the method makes of the same greys in consecutive pictures, of a scene laid beside them."""
    height = scene.pictures.shape[1]
    ramp = np.broadcast_to(np.linspace(16, 235, height).astype(np.uint8)[None, :, None, None], (1, height, 4, 3))
    beside = np.concatenate([scene.pictures, np.repeat(ramp, len(scene.pictures), 0)], 2)
    greys = method(beside)[:, :, -4:] / 255.0
    return float(delta_e(greys[1:], greys[:-1]).mean())


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures everything."""
    if media is None:
        raise SystemExit("color needs the folder of real clips (--media)")
    torch.set_num_threads(1)
    all_scenes = scenes(media)
    if quick:
        all_scenes = all_scenes[::6]
    by_scene = {scene.name: errors(scene, METHODS) for scene in all_scenes}
    moving = [scene for scene in all_scenes if not scene.still][:6]
    return {
        "scenes": {scene.name: {"kind": scene.kind, "delta_e": by_scene[scene.name]} for scene in all_scenes},
        "flicker": {name: float(np.mean([flicker(s, method) for s in moving])) for name, method in METHODS.items()},
        "matching": matching(all_scenes),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    clips = [s for s in result["scenes"].values() if s["kind"] != "photograph"]
    photos = [s for s in result["scenes"].values() if s["kind"] == "photograph"]
    parts = []
    for title, chosen in (("Clips", clips), ("Photographs", photos)):
        rows = []
        for name in METHODS:
            by_kind = {kind: _mean([s["delta_e"][kind][name] for s in chosen]) for kind in KINDS}
            faulty = _mean([by_kind[kind] for kind in list(FAULTS)[1:]])
            rows.append((name, *(by_kind[kind] for kind in KINDS), faulty))
        parts.append(f"{title} ({len(chosen)}):\n\n" + tables.table([title, *KINDS, "all faults"], rows))
    kinds = sorted({s["kind"] for s in result["scenes"].values()})
    rows = []
    for kind in kinds:
        chosen = [s["delta_e"] for s in result["scenes"].values() if s["kind"] == kind]
        faults = list(FAULTS)[1:]
        row: list[Any] = [kind, len(chosen)]
        for name in ("nothing", "ffmpeg normalize, joint", "vidprod"):
            row += [
                round(_mean([d["untouched"][name] - d["untouched"]["nothing"] for d in chosen]), 2) + 0.0,  # no -0.00
                _mean([d[f][name] for d in chosen for f in faults]),
            ]
        rows.append(tuple(row))
    head = ["footage", "scenes"]
    for name in ("nothing", "normalize", "vidprod"):
        head += [f"{name}: added to untouched", f"{name}: faults"]
    parts.append(tables.table(head, rows))
    parts.append(tables.table(["method", "flicker"], list(result["flicker"].items())))
    parts.append(tables.table(["shots of a scene, to their reference", "delta E"], list(result["matching"].items())))
    return "\n\n".join(parts)
