"""ChangeVideoSize: how much of what matters stays in 9:16, how calm the camera is, and what it costs; against the PyPI package
pyautoflip and a crop of the middle.

Real clips of one shot are scored by the saliency that a window keeps. That favours the one whose saliency it is: ours, as
pyautoflip looks with another version of the same network. The fair test is a figure put on real clips, whose place is known and
which neither knows of. pyautoflip's own face detector comes with weights for research only; it is given our faces.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import version
from benchmarks.reframe_truth import BEHIND, CLIPS, FIGURES, MOTIONS, RATE, SECONDS, TUNED, Clip, real, with_figure
from benchmarks.tables import table as markdown
from vidprod.media.frames import Frames
from vidprod.media.previews import previews
from vidprod.media.reader import VideoReader
from vidprod.ops.attention import EVERY_CPU, FLOOR, Attention, AttentionAnalysis
from vidprod.ops.camera_path import camera_path, jerk, still_share
from vidprod.ops.crop_window import Fit, good_enough
from vidprod.ops.faces import FaceDetector
from vidprod.ops.reframe import Reframe
from vidprod.ops.reframe_plan import Fill, PathPoint, ReframePlan, ShotTimes, Windows
from vidprod.ops.reframing import path, profile_of
from vidprod.ops.saliency import SaliencyDetector
from vidprod.ops.shot_analysis import ShotAnalysis
from vidprod.ops.shots import Shot, ShotPlan
from vidprod.ops.subjects import SubjectDetection
from vidprod.ops.things import ThingDetector

PEER, CROPPER = "pyautoflip==0.2.1", "pyautoflip.cropping.saliency_cropper"
TARGET = 9 / 16
GROUPS = {
    "figure": "figures on clips not tuned with",
    "tuned": "figures on clips tuned with",
    "saliency": "real clips, by our saliency",
}
STEP = 0.2
"""Seconds between the moments at which windows are compared."""

CENTRE, THEIRS, OURS, OWN, TIGHT = "centre", "pyautoflip 0.2.1", "ours, its width", "ours, default", "ours, tightness 1"
TIMED = "cockatoo_720p_yuv444.mp4"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """A window over time: (N,) starts and widths, fractions of the picture, every `STEP` seconds."""

    starts: Floats
    widths: Floats


class Peer:
    """pyautoflip's own window, from its saliency mode. Its modules are loaded one by one: the package imports much more."""

    def __init__(self) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise SystemExit("the package onnxruntime is missing: make install")
        if importlib.util.find_spec("pyautoflip") is None:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", PEER]
            subprocess.run(command, check=True)
        spec = importlib.util.find_spec("pyautoflip")
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for name in ("", ".cropping", ".detection"):
            shell = types.ModuleType(f"pyautoflip{name}")
            shell.__path__ = [str(root / name.removeprefix("."))]
            sys.modules[shell.__name__] = shell
        self._faces = FaceDetector()
        self._cropper = import_module(CROPPER).SaliencyCropper
        self.seconds = 0.0  # of CPU time, without our faces

    def detect(self, frame: NDArray[np.uint8]) -> list[dict[str, float]]:
        """Our faces, as its detector tells them."""
        started = time.process_time()
        found = self._faces(torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)[None])
        self.seconds -= time.process_time() - started
        boxes = found.boxes.tolist()
        return [{"x": a, "y": b, "width": c - a, "height": d - b} for a, b, c, d in boxes]

    def __call__(self, clip: Clip) -> Way:
        cropper = self._cropper(TARGET)
        cropper._face_detector = self
        count = len(clip.pictures)
        numbers = [int(at) for at in np.linspace(0, count - 1, cropper.max_frames_per_scene)]
        started = time.process_time()
        windows = cropper.process_scene([clip.pictures[at][..., ::-1].copy() for at in numbers], count)
        self.seconds += time.process_time() - started
        chosen = np.array(windows)[:: round(STEP * RATE)]
        return Way(chosen[:, 0], chosen[:, 2])


@dataclass(frozen=True, eq=False)
class Seen:
    """A clip, what our analysis found in it, and pyautoflip's window."""

    clip: Clip
    attention: Attention
    theirs: Way
    seconds: tuple[float, float]


class Look:
    """Analyses clips; the networks are loaded once."""

    def __init__(self) -> None:
        self._saliency = SaliencyDetector()
        self._faces, self._things = FaceDetector(), ThingDetector()
        self._peer = Peer()

    def __call__(self, clip: Clip) -> Seen:
        subjects = SubjectDetection(faces=self._faces, things=self._things)
        analysis = AttentionAnalysis(saliency=self._saliency, subjects=subjects, maps=True)
        pieces = list(clip.previews(EVERY_CPU))
        started = time.process_time()
        for piece in pieces:
            analysis.update(piece)
        found = analysis.finish()
        ours = time.process_time() - started
        before = self._peer.seconds
        theirs = self._peer(clip)
        return Seen(clip, found, theirs, (ours, self._peer.seconds - before))


def look(media: Path, *, quick: bool = False) -> list[Seen]:
    """All clips: the real ones, and those with a figure."""
    torch.set_num_threads(1)
    see = Look()
    found = []
    for clip in _clips(media, quick=quick):
        found.append(see(clip))
        print(
            f"{clip.name:40} {found[-1].seconds[0]:.2f} s, theirs {found[-1].seconds[1]:.2f} s",
            file=sys.stderr,
            flush=True,
        )
    return found


def _clips(media: Path, *, quick: bool) -> Iterator[Clip]:
    for name in list(CLIPS)[:1] if quick else CLIPS:
        yield real(name, media)
    for behind in BEHIND[:1] if quick else (*BEHIND, *TUNED):
        for of in FIGURES[:1] if quick else FIGURES:
            for motion in MOTIONS:
                yield with_figure(behind, of, motion, media)


def ways(seen: Seen) -> dict[str, Way]:
    """Each method's window."""
    clip, attention = seen.clip, seen.attention
    fit = Fit.of(clip.aspect, TARGET)
    length = len(clip.pictures) / RATE
    moments = np.arange(0, length - 1e-6, STEP)
    whole = ShotPlan((Shot(0.0, length, 0, len(clip.pictures)),), ())
    widths = seen.theirs.widths[: len(moments)]
    profile = profile_of(attention, np.arange(len(attention.seconds)), fit)
    width = float(widths[0])
    same = camera_path(good_enough(profile, width), width, attention.seconds)
    made = {
        CENTRE: Way((1 - widths) / 2, widths),
        THEIRS: Way(seen.theirs.starts[: len(moments)], widths),
        OURS: Way(same.at(moments), widths),
    }
    for name, tightness in ((OWN, 0.6), (TIGHT, 1.0)):
        points = path(attention, fit, tightness, whole)
        windows = Windows(ReframePlan(90, 160, (ShotTimes(0.0, length),), points, Fill()))
        found = np.array([windows.at(float(moment)) for moment in moments])
        made[name] = Way(found[:, 0], found[:, 2])
    return made


def kept_saliency(seen: Seen, way: Way) -> Floats:
    """(T,) at each sample, of the saliency above a tenth of its peak."""
    maps = seen.attention.maps.astype(np.float64) / 255
    rows = np.where(maps > FLOOR, maps, 0).sum(1)
    rows = np.hstack([np.zeros((len(rows), 1)), (rows / rows.sum(1, keepdims=True)).cumsum(1)])
    at = np.minimum(np.round(seen.attention.seconds / STEP).astype(int), len(way.starts) - 1)
    cells = np.linspace(0, 1, rows.shape[1])
    pairs = zip(rows, way.starts[at], way.widths[at], strict=True)
    return np.array([np.interp(low + size, cells, row) - np.interp(low, cells, row) for row, low, size in pairs])


def kept_figure(clip: Clip, way: Way) -> Floats:
    """(N,) at each moment, of the width of the figure."""
    assert clip.extents is not None
    extents = clip.extents[:: round(STEP * RATE)][: len(way.starts)]
    inside = np.minimum(extents[:, 1], way.starts + way.widths) - np.maximum(extents[:, 0], way.starts)
    return (inside / (extents[:, 1] - extents[:, 0])).clip(0, 1)


def scores(found: Sequence[Seen]) -> dict[str, Any]:
    """What each method keeps: of the saliency of real clips, and of the figures on others."""
    rows: dict[str, Any] = {group: {} for group in GROUPS}
    for seen in found:
        clip, made = seen.clip, ways(seen)
        kept = {
            m: kept_saliency(seen, way) if clip.extents is None else kept_figure(clip, way) for m, way in made.items()
        }
        rows[_group(clip)][clip.name] = {m: _measures(kept[m], way) for m, way in made.items()}
    return {group: clips for group, clips in rows.items() if clips}


def _group(clip: Clip) -> str:
    if clip.extents is None:
        return "saliency"
    return "tuned" if any(f" on {behind}," in clip.name for behind in TUNED) else "figure"


def _measures(kept: Floats, way: Way) -> dict[str, float]:
    return {
        "kept": float(kept.mean()),
        "worst": float(np.quantile(kept, 0.1)),
        "lost": float((kept < 0.5).mean()),
        "width": float(way.widths.mean()),
        "jerk": jerk(way.starts, STEP),
        "still": still_share(way.starts),
    }


def summary_of(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Means over clips by method; "worst" is the mean of the clips' worst deciles of moments."""
    methods = next(iter(rows.values()))
    return {m: {key: float(np.mean([row[m][key] for row in rows.values()])) for key in methods[m]} for m in methods}


def costs(media: Path) -> dict[str, float]:
    """CPU milliseconds: of the analysis for a second of 720p by part, and of rendering a picture of 720x1280 from one."""
    file = media / "videos" / TIMED
    spent: dict[str, float] = {}
    with (
        _timed(spent, SaliencyDetector, "saliency"),
        _timed(spent, FaceDetector, "faces"),
        _timed(spent, ThingDetector, "things"),
        _timed(spent, ShotAnalysis, "shots", "update"),
        VideoReader(file, bits=8) as reader,
    ):
        analysis = AttentionAnalysis()
        started, last = time.process_time(), 0.0
        for piece in previews(reader, every=EVERY_CPU, until=Fraction(SECONDS)):
            analysis.update(piece)
            last = float(piece.tiny.seconds[-1])
        analysis.finish()
        whole = time.process_time() - started
    made = {f"analysis, {name}": 1000 * value / last for name, value in spent.items()}
    made["analysis, decoding and the rest"] = 1000 * (whole - sum(spent.values())) / last
    made["analysis, all"] = 1000 * whole / last
    return made | _rendering(file)


@contextmanager
def _timed(spent: dict[str, float], kind: type, name: str, method: str = "__call__") -> Iterator[None]:
    """Adds up the CPU time of a method, while this lasts."""
    original: Callable[..., Any] = getattr(kind, method)

    def call(*arguments: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - started

    setattr(kind, method, call)
    try:
        yield
    finally:
        setattr(kind, method, original)


def _rendering(file: Path, count: int = 12) -> dict[str, float]:
    padded = import_module(CROPPER).apply_padding_to_crop
    with VideoReader(file, bits=8, batch=count) as reader:
        frames = next(iter(reader))
    still, moving = PathPoint(0.0, 0.3, 0.0, 0.316, 1.0), PathPoint(10.0, 0.5, 0.0, 0.316, 1.0)
    made = {}
    for name, points in (("rendering, still", (still,)), ("rendering, moving", (still, moving))):
        op = Reframe(ReframePlan(720, 1280, (ShotTimes(0.0, 10.0),), points, Fill("color")))
        op(frames, slice(0, 2))
        started = time.process_time()
        for at in range(0, len(frames), 4):
            op(frames, slice(at, min(at + 4, len(frames))))
        made[name] = 1000 * (time.process_time() - started) / len(frames)
    pictures = Frames.cat([frames]).data.permute(0, 2, 3, 1).contiguous().numpy()
    wide = int(0.41 * pictures.shape[2]) // 2 * 2
    started = time.process_time()
    for picture in pictures:
        padded(picture, (200, 0, wide, pictures.shape[1]), (9, 16))
    made["rendering, pyautoflip"] = 1000 * (time.process_time() - started) / len(pictures)
    return made


def result_of(found: Sequence[Seen], cost: dict[str, float]) -> dict[str, Any]:
    """The benchmark's figures."""
    rows = scores(found)
    short = {group: summary_of(rows[group]) for group in rows}
    figure, seconds = short["figure"], np.array([seen.seconds for seen in found])
    length = len(found[0].clip.pictures) / RATE
    targets = {
        "figure kept at default tightness": (0.85, figure[OWN]["kept"]),
        "more than the middle, at the same width": (0.15, figure[OURS]["kept"] - figure[CENTRE]["kept"]),
        "more than pyautoflip, at the same width": (0.0, figure[OURS]["kept"] - figure[THEIRS]["kept"]),
        "jerk on real clips": (0.3, short["saliency"][OWN]["jerk"]),
        "still share on real clips": (0.35, short["saliency"][OWN]["still"]),
        "CPU seconds of analysis per second of 720p": (0.35, cost["analysis, all"] / 1000),
    }
    cost = cost | {
        "the same clip at 640 pixels, ours": 1000 * float(seconds[:, 0].mean()) / length,
        "the same clip at 640 pixels, pyautoflip": 1000 * float(seconds[:, 1].mean()) / length,
    }
    peers = {"pyautoflip": PEER.split("==")[1], "onnxruntime": version("onnxruntime")}
    return {"rows": rows, "means": short, "costs_ms": cost, "targets": targets, "peers": peers}


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """The benchmark."""
    if media is None:
        raise SystemExit("reframe needs the folder of real clips: --media")
    return result_of(look(media, quick=quick), costs(media))


def table(result: Mapping[str, Any]) -> str:
    """Tables: figures, real clips, costs."""
    texts = []
    for group in result["means"]:
        title = GROUPS[group]
        means, count = result["means"][group], len(result["rows"][group])
        head = [f"{count} {title}", "kept", "worst tenth", "more than half lost", "width", "jerk", "still"]
        rows = [
            [m, *(round(v[k], 3) for k in ("kept", "worst", "lost", "width", "jerk", "still"))]
            for m, v in means.items()
        ]
        texts.append(markdown(head, rows))
    texts.append(
        markdown(["CPU time, one thread", "ms"], [[name, f"{v:.1f}"] for name, v in result["costs_ms"].items()])
    )
    return "\n\n".join(texts)
