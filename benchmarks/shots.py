"""Shots: cuts, dissolves and fades found, against PySceneDetect's detectors, on the same pictures in one run.

Real clips with known transitions (their list is `annotations/shot_cuts.tsv` beside the clips), real takes without any, and
transitions made from real takes: cuts, dissolves of 8 to 24 pictures, fades by way of black, among flashes and fast pans. What is
found counts if it comes within two pictures of a transition; more finds within one transition count once, those outside of all
are wrong. Pictures are 256 wide, as PySceneDetect makes them by default; times are CPU time of one thread, without decoding.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from benchmarks.machine import version
from benchmarks.peers import ensure
from benchmarks.tables import table as markdown
from vidprod.media.frames import Frames
from vidprod.ops.shot_analysis import ShotAnalysis
from vidprod.ops.shots import ShotDetection

TOLERANCE = 2
WIDTH, HEIGHT = 256, 144
RATE = 25
BATCH = 32

# Pictures [first, stop) of real takes in which nothing is cut, for transitions to be made of.
TAKES = (
    ("basketball_426x240.mp4", 0, 90),
    ("bbb_480p_30s.mp4", 286, 377),
    ("bbb_480p_30s.mp4", 380, 480),
    ("bikes_640x272_10s.mp4", 77, 136),
    ("bikes_640x272_10s.mp4", 138, 186),
    ("cat_vfr_568x320.mp4", 0, 100),
    ("coffee_pour_720p.mp4", 20, 110),
    ("crystal_product_480p.mp4", 100, 190),
    ("dog_training_720p.mp4", 0, 90),
    ("flower_field_540p_17s.mp4", 0, 90),
    ("friday_bw_film_480p.mp4", 20, 110),
    ("gesture_woman_720p.mp4", 30, 120),
    ("kohlipe_drone_hevc_37s.mp4", 0, 90),
    ("lofoten_drone_1024x750.mp4", 0, 90),
    ("man_and_dog_bed_720p.mp4", 20, 120),
    ("marathon_720x400.mp4", 0, 90),
    ("seattle_handheld_640x360.avi", 200, 300),
    ("sintel_trailer_848x480_26s.mp4", 130, 230),
    ("sintel_trailer_848x480_26s.mp4", 460, 544),
    ("stream_of_water.webm", 0, 90),
)
SINGLE_TAKES = (
    "basketball_426x240.mp4",
    "cat_vfr_568x320.mp4",
    "lofoten_drone_1024x750.mp4",
    "man_and_dog_bed_720p.mp4",
    "marathon_720x400.mp4",
    "seattle_handheld_640x360.avi",
)
TOGETHER = (("ContentDetector", "ThresholdDetector"), ("HistogramDetector", "ThresholdDetector"))
"""Pairs whose finds are also taken together: one is made for cuts, the other for fades."""

KINDS = ("cut", "dissolve", "fade", "gradual")
"""The table of real clips does not tell dissolves from fades."""


MADE = ("cut", "dissolve", "fade")

Span = tuple[int, int]
Pictures = NDArray[np.uint8]
"""(N, H, W, 3) RGB."""


@dataclass
class Case:
    """Pictures, and the transitions in them: kind and [first, stop), which are equal for a cut."""

    name: str
    group: str
    pictures: Pictures
    truth: list[tuple[str, Span]]


@dataclass
class Score:
    """Of one detector, over several cases."""

    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    wrong: int = 0
    missed: int = 0
    seconds: float = 0.0
    pictures: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        right = sum(self.right.values())
        return 2 * right / max(2 * right + self.wrong + self.missed, 1)


Detector = Callable[[Pictures], list[Span]]


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    if media is None:
        raise SystemExit("this benchmark needs the folder of real clips (--media)")
    ensure(scenedetect="scenedetect==0.7.2")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detectors = {**_ours(), **_peers()}
    scores: dict[str, dict[str, Score]] = {}
    totals: dict[str, dict[str, int]] = {}
    for case in _cases(media, quick=quick):
        counts = totals.setdefault(case.group, {**dict.fromkeys(KINDS, 0), "pictures": 0, "clips": 0})
        counts["pictures"] += len(case.pictures)
        counts["clips"] += 1
        for kind, _ in case.truth:
            counts[kind] += 1
        finds: dict[str, tuple[list[Span], float]] = {}
        for name, detect in detectors.items():
            started = time.process_time()
            found = detect(case.pictures)
            finds[name] = found, time.process_time() - started
        for one, other in TOGETHER:
            (a, cost), (b, more) = finds[one], finds[other]
            finds[f"{one} + {other}"] = sorted({*a, *b}), cost + more
        for name, (found, seconds) in finds.items():
            score = scores.setdefault(name, {}).setdefault(case.group, Score())
            score.seconds += seconds
            score.pictures += len(case.pictures)
            compare(case, found, score)
        print(f"{case.name}: {len(case.pictures)} pictures, {finds['vidprod'][1]:.1f} s", file=sys.stderr, flush=True)
    rows = [
        {
            "detector": name,
            "group": group,
            "f1": score.f1,
            "right": score.right,
            "wrong": score.wrong,
            "missed": score.missed,
            "ms_per_picture": 1000 * score.seconds / score.pictures,
            "notes": score.notes if name.startswith("vidprod") else [],
        }
        for name, groups in scores.items()
        for group, score in groups.items()
    ]
    return {"peers": {"scenedetect": version("scenedetect")}, "totals": totals, "rows": rows}


def compare(case: Case, found: list[Span], score: Score) -> None:
    """Adds to the score what was found in a case."""
    hit: set[int] = set()
    for first, stop in found:
        near = [i for i, (_, (a, b)) in enumerate(case.truth) if first <= b + TOLERANCE and a - TOLERANCE <= stop]
        if not near:
            score.wrong += 1
            score.notes.append(f"{case.name}: wrong at {first}-{stop}")
        # One find is one transition, even where two are near.
        fresh = [i for i in near if i not in hit]
        hit.update(fresh[:1])
    for i, (kind, (a, b)) in enumerate(case.truth):
        if i in hit:
            score.right[kind] += 1
        else:
            score.missed += 1
            score.notes.append(f"{case.name}: missed {kind} {a}-{b}")


def table(result: dict[str, Any]) -> str:
    """The result as markdown."""
    totals = result["totals"]
    groups = [group for group, counts in totals.items() if any(counts[kind] for kind in KINDS)]
    columns = [(group, kind) for group in groups for kind in KINDS if totals[group][kind]]
    pictures = sum(counts["pictures"] for counts in totals.values())
    lines: list[list[Any]] = []
    for name in dict.fromkeys(row["detector"] for row in result["rows"]):
        own = {row["group"]: row for row in result["rows"] if row["detector"] == name}
        cost = sum(row["ms_per_picture"] * totals[row["group"]]["pictures"] for row in own.values()) / pictures
        found = [f"{own[group]['right'][kind]}/{totals[group][kind]}" for group, kind in columns]
        wrong = sum(row["wrong"] for row in own.values())
        lines.append([name, *(f"{own[group]['f1']:.3f}" for group in groups), *found, wrong, round(cost, 2)])
    head = ["detector", *(f"F1, {group}" for group in groups)]
    head += [f"{group}: {kind}" for group, kind in columns] + ["wrong", "ms/picture"]
    what = "; ".join(f"{group}: {t['clips']} clips, {t['pictures']} pictures" for group, t in totals.items())
    return f"{markdown(head, lines)}\n\n{what}. PySceneDetect {result['peers']['scenedetect']}, its defaults."


def _ours() -> dict[str, Detector]:
    def analysis(device: str) -> Detector:
        def detect(pictures: Pictures) -> list[Span]:
            shots = ShotAnalysis(device)
            for frames in _frames(pictures):
                shots.update(frames)
            return [(t.first, t.stop) for t in shots.finish().transitions]

        return detect

    def cheap(pictures: Pictures) -> list[Span]:
        shots = ShotDetection()
        for frames in _frames(pictures):
            shots.update(frames)
        return [(cut, cut) for cut in shots.cuts()]

    gpu = {"vidprod, GPU": analysis("cuda")} if torch.cuda.is_available() else {}
    return {"vidprod": analysis("cpu"), **gpu, "vidprod, cuts only": cheap}


def _frames(pictures: Pictures) -> Iterator[Frames]:
    for first in range(0, len(pictures), BATCH):
        data = torch.from_numpy(pictures[first : first + BATCH]).permute(0, 3, 1, 2)
        yield Frames(data, tuple(range(first, first + len(data))), Fraction(1, RATE), first)


def _peers() -> dict[str, Detector]:
    import scenedetect
    from scenedetect import detectors as d

    def peer(kind: Callable[[], Any]) -> Detector:
        def detect(pictures: Pictures) -> list[Span]:
            detector = kind()
            found: list[Any] = []
            stamp = scenedetect.FrameTimecode(0, float(RATE))
            for number, picture in enumerate(pictures):
                stamp = scenedetect.FrameTimecode(number, float(RATE))
                found += detector.process_frame(stamp, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            found += detector.post_process(stamp)
            return [(cut, cut) for cut in sorted({int(stamp.frame_num) for stamp in found}) if cut]

        return detect

    return {
        "ContentDetector": peer(d.ContentDetector),
        "AdaptiveDetector": peer(d.AdaptiveDetector),
        "HistogramDetector": peer(d.HistogramDetector),
        "HashDetector": peer(d.HashDetector),
        "ThresholdDetector": peer(d.ThresholdDetector),
    }


def _cases(media: Path, *, quick: bool) -> Iterator[Case]:
    videos = media / "videos"
    truth = annotated(media / "annotations" / "shot_cuts.tsv")
    takes = [_read(videos / name, a, b) for name, a, b in TAKES[: 6 if quick else None]]
    for seed in range(1 if quick else 3):
        yield made(takes, seed)
    for name in list(truth)[: 2 if quick else None]:
        yield Case(name, "real edits" if truth[name] else "one take", _read(videos / name), truth[name])
    for name in SINGLE_TAKES[: 1 if quick else None]:
        if name not in truth:
            yield Case(name, "one take", _read(videos / name), [])


def annotated(path: Path) -> dict[str, list[tuple[str, Span]]]:
    """Clips and their transitions, from the table beside the clips."""
    found: dict[str, list[tuple[str, Span]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            own = found.setdefault(row["clip"], [])
            for part in filter(None, (row["first_frame_of_new_shot_or_range"] or "").split(",")):
                first, _, stop = part.partition("-")
                kind = "cut" if row["type"] == "cut" else "gradual"
                own.append((kind, (int(first), int(stop or first))))
    return {clip: sorted(own, key=lambda t: t[1]) for clip, own in found.items()}


def made(takes: list[Pictures], seed: int) -> Case:
    """A video of all takes in random order and transitions of all kinds between them, with flashes and pans."""
    rng = np.random.default_rng(seed)
    parts = [takes[i] for i in rng.permutation(len(takes))]
    kinds = [MADE[i % len(MADE)] for i in rng.permutation(len(parts) - 1)]
    out: list[Pictures] = []
    truth: list[tuple[str, Span]] = []
    head = _troubled(parts[0], rng)
    at = 0
    for kind, raw in zip(kinds, parts[1:], strict=True):
        tail = _troubled(raw, rng)
        length = int(rng.integers(8, 25))
        if kind == "cut":
            out.append(head)
            at += len(head)
            truth.append((kind, (at, at)))
            head = tail
            continue
        rise = ((np.arange(length, dtype=np.float32) + 1) / (length + 1))[:, None, None, None]
        if kind == "dissolve":
            between = (1 - rise) * head[-length:] + rise * tail[:length]
        else:
            black = np.zeros((int(rng.integers(0, 12)), *head.shape[1:]), np.float32)
            between = np.concatenate([(1 - rise) * head[-length:], black, rise * tail[:length]])
        out += [head[:-length], between.round().astype(np.uint8)]
        at += len(head) - length
        truth.append((kind, (at, at + len(between))))
        at += len(between)
        head = tail[length:]
    return Case(f"made {seed}", "made", np.concatenate([*out, head]), truth)


def _troubled(take: Pictures, rng: np.random.Generator) -> Pictures:
    """A third of the takes get a photographer's flash, a sixth are panned over fast by a camera of twice the focal length."""
    draw = rng.random()
    middle = len(take) // 2
    if draw < 0.33:
        take = take.copy()
        length, strength = int(rng.integers(1, 4)), float(rng.uniform(0.4, 0.9))
        part = take[middle : middle + length].astype(np.float32)
        take[middle : middle + length] = (part + strength * (255 - part)).round().astype(np.uint8)
    elif draw < 0.5:
        move = np.clip((np.arange(len(take)) - middle + 8) / 16, 0, 1)  # there in 16 pictures
        left = (move * (WIDTH // 2)).astype(int)
        crops = [cv2.resize(p[36:108, x : x + 128], (WIDTH, HEIGHT)) for p, x in zip(take, left, strict=True)]
        take = np.stack(crops).astype(np.uint8)
    return take


def _read(path: Path, first: int = 0, stop: int | None = None) -> Pictures:
    """Pictures of a clip, squeezed into 256x144."""
    scaler = VideoReformatter()
    found = []
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number == stop:
                break
            if number >= first:
                small = scaler.reformat(frame, WIDTH, HEIGHT, "rgb24", interpolation=Interpolation.AREA, threads=1)
                found.append(small.to_ndarray())
    return np.stack(found)
