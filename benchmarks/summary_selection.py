"""Summaries: are lengths exact, does filler stay out, are highlights found, is anything shown twice? Beside even and random picks.

Clips are analysed once, as pieces of a few seconds; hundreds of videos are then made by joining what was found, with the true cuts,
so this measures the choice, not the detection of shots (`shots` does that). Weights were set on `TUNED`; `UNSEEN` confirms them.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.tables import table as markdown
from vidprod.actions.run import Context
from vidprod.actions.steps.summary import render_summary
from vidprod.media.loudness import STEP, Loudness, loudness
from vidprod.media.previews import Preview, previews
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.ops.attention import EVERY_CPU, Attention, AttentionAnalysis
from vidprod.ops.op import Folding, PlanT
from vidprod.ops.quality import Quality, QualityAnalysis
from vidprod.ops.shots import ShotPlan
from vidprod.ops.summary import summarise
from vidprod.ops.summary_plan import Stretch, SummaryPlan

Video = NDArray[np.uint8]
Span = tuple[int, int]

RATE = 25
SIDE = 480
SECONDS = 5.0

TUNED = (
    "bikes_640x272_10s.mp4",
    "coffee_pour_720p.mp4",
    "dog_training_720p.mp4",
    "friday_bw_film_480p.mp4",
    "bee_720p.mp4",
)
UNSEEN = (
    "crystal_product_480p.mp4",
    "cat_vfr_568x320.mp4",
    "gesture_woman_720p.mp4",
    "lofoten_drone_1024x750.mp4",
    "marathon_720x400.mp4",
    "woman_coffee_portrait_720x1364.mp4",
)
CALM = ("bottles_640x360_40s.mp4", "flower_540p.mp4", "kohlipe_drone_hevc_37s.mp4")
LIVELY = (
    "dog_training_720p.mp4",
    "friday_bw_film_480p.mp4",
    "gesture_woman_720p.mp4",
    "woman_coffee_portrait_720x1364.mp4",
)
FILLERS = ("black", "frozen", "blurred", "shaky")


@dataclass(frozen=True)
class Piece:
    """A few seconds of one clip, analysed."""

    name: str
    attention: Attention
    quality: Quality
    sound: Loudness | None
    seconds: float


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures all that is asked for at the top."""
    if media is None:
        raise SystemExit("needs --media: a folder with videos/")
    torch.set_num_threads(1)
    videos = media / "videos"
    cpu: dict[str, float] = {}
    tuned, unseen, calm = (
        [_analysed(videos / name, cpu) for name in names[: 2 if quick else None]] for names in (TUNED, UNSEEN, CALM)
    )
    filler = [_analysed(videos / name, cpu, kind) for kind in FILLERS for name in (TUNED[1], UNSEEN[1])]
    several = 4 if quick else 60
    rows = []
    for label, pieces in (("tuned", tuned), ("unseen", unseen)):
        names = {piece.name for piece in pieces}
        own = [piece for piece in filler if piece.name.rsplit(" ", 1)[0] in names]
        rows += _filler(label, pieces, own, several)
        rows += _repeats(label, pieces, several)
        rows += _highlights(label, calm, [piece for piece in pieces if piece.name in LIVELY], several)
    exact = _exact([*tuned, *unseen, *calm], 20 if quick else 500)
    return {"rows": rows, "exact": exact, "files": _encoded(3 if quick else 12), "cpu": cpu}


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    head = ["what", "clips", "kind", "videos", "vidprod", "even", "random"]
    rows = [
        [row["what"], row["clips"], row["kind"], row["videos"], *(f"{100 * row[who]:.1f} %" for who in WHO)]
        for row in result["rows"]
    ]
    exact, files, cpu = result["exact"], result["files"], result["cpu"]
    stages = ", ".join(f"{name} {seconds / cpu['video']:.3f}" for name, seconds in cpu.items() if name != "video")
    lines = (
        f"{exact['requests']} random requests: {exact['wrong']} of another length than asked for, {exact['overlapping']} with",
        f"segments that overlap; shortest segment {exact['shortest']:.2f} s where half the video or less was asked for.",
        f"{files['files']} encoded files: pictures at most {files['video_ms']:.1f} ms off, sound at most",
        f"{files['audio_ms']:.1f} ms off the pictures. CPU seconds per second of video, 1 thread: {stages}.",
    )
    return f"{markdown(head, rows)}\n\n{' '.join(lines)}"


WHO = ("vidprod", "even", "random")


def _analysed(path: Path, cpu: dict[str, float], kind: str = "") -> Piece:
    """The first seconds of a clip, or filler made of them, through a small file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = _pictures(path)
        small = _write(Path(folder) / "piece.mp4", _spoilt(pictures, kind))
        info = probe(small)
        attention, quality = AttentionAnalysis("cpu"), QualityAnalysis()
        began = time.process_time()
        with VideoReader(small, info=info) as reader:
            stream = list(previews(reader, every=EVERY_CPU))
        cpu["decode and scale"] = cpu.get("decode and scale", 0) + time.process_time() - began
        seen = _timed("attention", attention, stream, cpu)
        found = _timed("quality", quality, stream, cpu)
        began = time.process_time()
        sound = None if kind else loudness(path, len(pictures) / RATE)
        cpu["sound"] = cpu.get("sound", 0) + time.process_time() - began
    cpu["video"] = cpu.get("video", 0) + len(pictures) / RATE
    return Piece(f"{path.name} {kind}".strip(), seen, found, sound, len(pictures) / RATE)


def _timed(name: str, analysis: Folding[Preview, PlanT], stream: Sequence[Preview], cpu: dict[str, float]) -> PlanT:
    began = time.process_time()
    for preview in stream:
        analysis.update(preview)
    found = analysis.finish()
    cpu[name] = cpu.get(name, 0) + time.process_time() - began
    return found


def _pictures(path: Path) -> list[Video]:
    """At `RATE`, the longer side `SIDE`."""
    found: list[Video] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.time is not None
            if frame.time >= len(found) / RATE - 0.5 / RATE:
                scale = SIDE / max(frame.width, frame.height)
                size = (round(frame.width * scale / 2) * 2, round(frame.height * scale / 2) * 2)
                found.append(frame.reformat(*size, "rgb24", interpolation="AREA").to_ndarray().astype(np.uint8))
            if len(found) >= SECONDS * RATE:
                break
    return found


def _spoilt(pictures: list[Video], kind: str) -> list[Video]:
    rng = np.random.default_rng(len(pictures))
    if kind == "black":
        return [np.full_like(picture, 8) for picture in pictures]
    if kind == "frozen":
        return [pictures[0]] * len(pictures)
    if kind == "blurred":
        return [np.asarray(cv2.GaussianBlur(picture, (0, 0), 7), np.uint8) for picture in pictures]
    if kind == "shaky":
        height, width = pictures[0].shape[:2]
        way = rng.normal(0, 0.04 * width, (len(pictures) + 1, 2))
        way = (way[1:] + way[:-1]) / 2
        moves = [np.array([[1, 0, x], [0, 1, y]], np.float32) for x, y in way]
        return [
            np.asarray(cv2.warpAffine(p, m, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)
            for p, m in zip(pictures, moves, strict=True)
        ]
    return pictures


def _write(path: Path, pictures: Sequence[Video]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "20"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        container.mux(stream.encode(None))
    return path


def joined(pieces: Sequence[Piece]) -> tuple[Attention, Quality, Loudness, list[Span]]:
    """What the analyses would have found in a video of these pieces, and the pictures of each."""
    spans: list[Span] = []
    at = 0
    for piece in pieces:
        spans.append((at, at + len(piece.quality.seconds)))
        at = spans[-1][1]
    shift = [first / RATE for first, _ in spans]

    def several(of: str, name: str, offset: bool = False) -> Any:
        values = [getattr(getattr(piece, of), name) for piece in pieces]
        return np.concatenate([v + s if offset else v for v, s in zip(values, shift, strict=True)])

    shots = [
        replace(one, start=one.start + begin, end=one.end + begin, first=one.first + first, stop=one.stop + first)
        for piece, (first, _), begin in zip(pieces, spans, shift, strict=True)
        for one in piece.attention.shots.shots
    ]
    plan = ShotPlan(tuple(shots), ())
    attention = Attention(
        seconds=several("attention", "seconds", True),
        subjects=tuple(found for piece in pieces for found in piece.attention.subjects),
        shots=plan,
        **{name: several("attention", name) for name in ("across", "down", "focus", "embedding")},
    )
    quality = Quality(
        seconds=several("quality", "seconds", True),
        sample_seconds=several("quality", "sample_seconds", True),
        **{name: several("quality", name) for name in ("light", "contrast", "change", "shake")},
        **{name: several("quality", name) for name in ("sharpness", "colourfulness")},
    )
    levels: list[NDArray[np.float32]] = []
    speech: list[NDArray[np.float32]] = []
    for piece, (first, stop) in zip(pieces, spans, strict=True):
        count = round((stop - first) / RATE / STEP)
        for made, name, nothing in ((levels, "level", -80.0), (speech, "speech", 0.0)):
            values = np.full(count, nothing, np.float32)
            if piece.sound is not None:
                own = getattr(piece.sound, name)[:count]
                values[: len(own)] = own
            made.append(values)
    return attention, quality, Loudness(np.concatenate(levels), np.concatenate(speech)), spans


Kind = Literal["ecommerce", "film"]
KINDS: tuple[Kind, ...] = ("ecommerce", "film")


def _shown(
    pieces: Sequence[Piece], kind: Kind, wanted: int, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.bool_]], list[Span]]:
    """(N,) which pictures are shown: by us, by even picks of two seconds, and by random ones."""
    attention, quality, sound, spans = joined(pieces)
    count = spans[-1][1]
    plan = summarise(attention, quality, sound, kind=kind, rate=Fraction(RATE), count=count, wanted=wanted)
    found = {who: np.zeros(count, bool) for who in WHO}
    for first, stop in plan.grid():
        found["vidprod"][first:stop] = True
    parts = max(round(wanted / RATE / 2), 1)
    size = wanted // parts
    for at in range(parts):
        middle = round((at + 0.5) * count / parts)
        found["even"][max(middle - size // 2, 0) : middle - size // 2 + size] = True
        start = int(rng.integers(0, max(count - size, 1)))
        found["random"][start : start + size] = True
    return found, spans


def _filler(label: str, pieces: list[Piece], filler: list[Piece], several: int) -> list[dict[str, Any]]:
    """Share of filler in the summaries of videos with one piece of each filler among good ones."""
    rng = np.random.default_rng(0)
    rows = []
    for kind in KINDS:
        share: dict[str, list[float]] = {who: [] for who in WHO}
        for _ in range(several):
            bad = [filler[i] for i in rng.permutation(len(filler))]
            mixed = [*pieces, *bad]
            order = rng.permutation(len(mixed))
            shown, spans = _shown([mixed[i] for i in order], kind, int(rng.integers(3, 13)) * RATE, rng)
            spoilt = np.concatenate([np.full(b - a, i >= len(pieces)) for i, (a, b) in zip(order, spans, strict=True)])
            for who in WHO:
                share[who].append(float(spoilt[shown[who]].mean()))
        rows.append({"what": "filler shown", "clips": label, "kind": kind, "videos": several, **_means(share)})
    return rows


def _repeats(label: str, pieces: list[Piece], several: int) -> list[dict[str, Any]]:
    """Videos in which one piece is there three times: how often one of its shots is shown more than once."""
    rng = np.random.default_rng(1)
    rows = []
    for kind in KINDS:
        twice: dict[str, list[float]] = {who: [] for who in WHO}
        for _ in range(several):
            order = rng.permutation([*range(len(pieces)), *[int(rng.integers(len(pieces)))] * 2])
            again = int(np.bincount(order).argmax())
            shown, spans = _shown([pieces[i] for i in order], kind, int(rng.integers(4, 11)) * RATE, rng)
            copies = [first for i, (first, _) in zip(order, spans, strict=True) if i == again]
            parts = [(shot.first, shot.stop) for shot in pieces[again].attention.shots.shots]
            for who in WHO:
                seen = [sum(bool(shown[who][at + a : at + b].any()) for at in copies) for a, b in parts]
                twice[who].append(float(max(seen) > 1))
        rows.append({"what": "repeat shown twice", "clips": label, "kind": kind, "videos": several, **_means(twice)})
    return rows


def _highlights(label: str, calm: list[Piece], lively: list[Piece], several: int) -> list[dict[str, Any]]:
    """Films of calm pieces with one lively one somewhere: how often at least a second of it is shown."""
    rng = np.random.default_rng(2)
    found: dict[str, list[float]] = {who: [] for who in WHO}
    for _ in range(several if lively else 0):
        mixed = [calm[int(rng.integers(len(calm)))] for _ in range(11)]
        place = int(rng.integers(len(mixed) + 1))
        mixed.insert(place, lively[int(rng.integers(len(lively)))])
        shown, spans = _shown(mixed, "film", int(rng.integers(4, 9)) * RATE, rng)
        for who in WHO:
            found[who].append(float(shown[who][slice(*spans[place])].sum() >= RATE))
    return (
        [{"what": "highlight found", "clips": label, "kind": "film", "videos": several, **_means(found)}]
        if lively
        else []
    )


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {who: float(np.mean(own)) for who, own in values.items()}


def _exact(pieces: list[Piece], requests: int) -> dict[str, Any]:
    """Random videos, kinds, rates and lengths."""
    rng = np.random.default_rng(3)
    wrong = overlapping = 0
    shortest = np.inf
    for _ in range(requests):
        some = [pieces[i] for i in rng.integers(0, len(pieces), int(rng.integers(1, 9)))]
        attention, quality, sound, spans = joined(some)
        rate = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)][int(rng.integers(4))]
        seconds = spans[-1][1] / RATE
        count = round(seconds * rate)
        wanted = max(round(float(rng.uniform(0.01, 1.1)) * seconds * rate), 1)
        plan = summarise(
            attention, quality, sound, kind=KINDS[int(rng.integers(2))], rate=rate, count=count, wanted=wanted
        )
        grid = plan.grid()
        wrong += sum(b - a for a, b in grid) != min(wanted, count)
        overlapping += any(a[1] > b[0] for a, b in itertools.pairwise(grid))
        if 1.6 * rate < wanted < 0.5 * count:
            shortest = min(shortest, min(float((b - a) / rate) for a, b in grid))
    return {"requests": requests, "wrong": wrong, "overlapping": overlapping, "shortest": float(shortest)}


def _encoded(files: int) -> dict[str, Any]:
    """Lengths of pictures and sound in files, read back."""
    rng = np.random.default_rng(4)
    video, audio = [], []
    with tempfile.TemporaryDirectory() as name:
        source = _sounding(Path(name) / "in.mp4")
        info = probe(source)
        for number in range(files):
            edges = np.sort(rng.uniform(0, 12, 8))
            rate = [Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)][number % 3]
            segments = tuple(Stretch(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))
            plan = SummaryPlan(str(rate), (), segments)
            output = Path(name) / f"{number}.mp4"
            render_summary(info, plan, output, Context(torch.device("cpu")), cover=False)
            with av.open(str(output)) as container:
                pictures, sound = (
                    float(one.duration * one.time_base)  # type: ignore[operator]
                    for one in (container.streams.video[0], container.streams.audio[0])
                )
            video.append(abs(pictures - plan.frames / float(rate)))
            audio.append(abs(sound - pictures))
    return {"files": files, "video_ms": 1000 * max(video), "audio_ms": 1000 * max(audio)}


def _sounding(path: Path) -> Path:
    """Twelve seconds of noise and a tone."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        tone = container.add_stream("aac", rate=44100, layout="mono")
        for _ in range(12 * RATE):
            data = rng.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(picture.encode(av.VideoFrame.from_ndarray(data, "rgb24")))
        container.mux(picture.encode(None))
        wave = (0.3 * np.sin(np.arange(12 * 44100) / 15)).astype(np.float32)[None]
        for first in range(0, wave.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, first : first + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, first, Fraction(1, 44100)
            container.mux(tone.encode(frame))
        container.mux(tone.encode(None))
    return path
