"""Beats of music: songs whose beats are known, and real tracks whose beats nobody wrote down; ours beside librosa's, in one run.

A beat counts as found if it lies within 70 ms of a true one (F-measure, as MIREX scores it). Half or double the tempo is scored as
wrong although it does no harm when cutting. Of real tracks only the agreement of the two can be told. librosa is installed by
`shorts_peers`; beat-this is run too where the variable VIDPROD_BEAT_THIS names a file with its weights, which are not on PyPI.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from benchmarks.shorts_peers import ask, environment, target
from benchmarks.songs import KNOWN, RATE, f_measure, song
from benchmarks.tables import table as markdown
from vidprod.ops.beats import Beats, beats

LIBROSA = "librosa==0.11.0"
BEAT_THIS = ("beat-this==1.1.0", "einops==0.8.2", "rotary-embedding-torch==0.9.1", "soxr==1.1.0", "torchaudio==2.11.0")
WEIGHTS = "VIDPROD_BEAT_THIS"

Case = tuple[tuple[float, str, float, float, float], int]
"""The same, and a seed."""

TRACKS = (
    "music/vibe_ace_cc-by.ogg",
    "music/outfoxing.mp3",
    "music/ffcreator_01.wav",
    "videos/promo_cn_text_600x400_14s.mp4",
    "videos/promo_vertical_12s.mov",
    "videos/promo_vertical_cn_logo_15s.mp4",
    "videos/flower_field_540p_17s.mp4",
)
"""Real ones; the last four are the music of edited videos."""

_LIBROSA = """
import json, sys, time
import numpy as np, librosa
request = json.load(sys.stdin)
librosa.beat.beat_track(y=np.random.default_rng(0).standard_normal(60000), sr=22050)  # compiles
out = []
for name in request:
    samples = np.load(name)
    started = time.process_time()
    found = librosa.beat.beat_track(y=samples, sr=22050, units="time")[1]
    out.append({"seconds": found.tolist(), "cpu": time.process_time() - started})
print(json.dumps(out))
"""

_BEAT_THIS = """
import json, sys, time
import numpy as np, torch
from beat_this.inference import Audio2Beats
request = json.load(sys.stdin)
torch.set_num_threads(1)
track = Audio2Beats(checkpoint_path=request["weights"], device="cpu", dbn=False)
out = []
for name in request["names"]:
    samples = np.load(name)
    started = time.process_time()
    found, downbeats = track(samples, 22050)
    out.append({"seconds": found.tolist(), "cpu": time.process_time() - started})
print(json.dumps(out))
"""


@dataclass(frozen=True, eq=False)
class Found:
    """Beats of one tracker and its CPU seconds."""

    seconds: Tensor
    cpu: float


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    torch.set_num_threads(1)
    groups: dict[str, list[Case]] = {
        "seen while tuning": [(case, seed) for seed, case in enumerate(KNOWN)],
        "not seen": unseen(8 if quick else 60),
    }
    rows, peers = [], []
    for label, cases in groups.items():
        songs = [
            song(bpm, pattern=pattern, drift=drift, swing=swing, noise=noise, seed=seed)
            for (bpm, pattern, drift, swing, noise), seed in cases
        ]
        trackers, full = tracked([samples for samples, _ in songs])
        rows += [_score(label, name, found, [true for _, true in songs]) for name, found in trackers.items()]
        strong = [f_measure(one.seconds[one.downbeats], true[::4]) for one, (_, true) in zip(full, songs, strict=True)]
        rows[-len(trackers)]["downbeats"] = sum(strong) / len(strong)
        peers = list(trackers)
    return {"peers": peers, "rows": rows, "tracks": _tracks(media, quick=quick) if media else []}


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    songs = markdown(
        [
            "songs of known beats",
            "tracker",
            "songs",
            "F at 70 ms",
            "least F",
            "F, other tempo allowed",
            "middle error, ms",
            "CPU ms/s of music",
        ],
        [
            [
                row["songs"],
                row["tracker"],
                row["count"],
                f"{row['f']:.3f}",
                f"{row['least']:.3f}",
                f"{row['f_any']:.3f}",
                f"{row['error_ms']:.0f}",
                f"{row['cpu_ms']:.2f}",
            ]
            for row in result["rows"]
        ],
    )
    bars = ", ".join(f"{row['downbeats']:.2f} ({row['songs']})" for row in result["rows"] if "downbeats" in row)
    text = f"{songs}\n\nF of our first beats of bars: {bars}."
    if not result["tracks"]:
        return text
    names = [name for name in result["tracks"][0]["trackers"] if name != "vidprod"]
    head = ["real track", "seconds", "tempo", "confidence", *(f"{n}: tempo | F of ours | other tempo" for n in names)]
    rows = []
    for track in result["tracks"]:
        own = track["trackers"]["vidprod"]
        other = [f"{t['tempo']:.1f} / {t['f']:.2f} / {t['f_any']:.2f}" for t in map(track["trackers"].get, names)]
        rows.append(
            [track["name"], f"{track['seconds']:.0f}", f"{own['tempo']:.1f}", f"{own['confidence']:.2f}", *other]
        )
    return f"{text}\n\n{markdown([h.replace(' | ', ' / ') for h in head], rows)}"


def unseen(count: int) -> list[Case]:
    """Songs by chance: tempo, pattern, drift, swing and noise."""
    draw = random.Random(7)
    cases = []
    for number in range(count):
        pattern = draw.choice(["rock", "house", "ballad", "breaks"])
        swing = draw.choice([0.0, 0.0, 0.3]) if pattern == "rock" else 0.0
        bpm = 65 * (178 / 65) ** draw.random()
        cases.append(((bpm, pattern, draw.uniform(0, 0.04), swing, draw.uniform(0, 0.2)), 1000 + number))
    return cases


def tracked(pieces: Sequence[Tensor]) -> tuple[dict[str, list[Found]], list[Beats]]:
    """What each tracker finds in mono samples at `RATE`, ours first; and all that ours does."""
    beats(pieces[0], RATE)  # the first run of anything is slow
    ours, full = [], []
    for samples in pieces:
        started = time.process_time()
        full.append(beats(samples, RATE))
        ours.append(Found(full[-1].seconds, time.process_time() - started))
    found = {"vidprod": ours}
    with tempfile.TemporaryDirectory() as name:
        files = [f"{name}/{number}.npy" for number in range(len(pieces))]
        for file, samples in zip(files, pieces, strict=True):
            np.save(file, samples.numpy())
        python = environment(LIBROSA)
        if python is not None:
            found[LIBROSA.replace("==", " ")] = _answers(ask(python, _LIBROSA, files))
        weights = os.environ.get(WEIGHTS)
        if not weights:
            print(f"without beat-this: {WEIGHTS} names no file with its weights", file=sys.stderr)
        elif (folder := target(*BEAT_THIS)) is not None:
            request = {"weights": weights, "names": files}
            answer = ask(sys.executable, _BEAT_THIS, request, path=folder)
            found[BEAT_THIS[0].replace("==", " ")] = _answers(answer)
    return found, full


def any_tempo(found: Tensor, other: Tensor) -> float:
    """The best F-measure where either may have been found at half or at double the tempo of the other."""
    return max(
        f_measure(a, b)
        for a, b in [*((one, other) for one in _metres(found)), *((found, one) for one in _metres(other))]
    )


def _metres(seconds: Tensor) -> list[Tensor]:
    """All beats, every second one."""
    return [seconds, seconds[::2], seconds[1::2]]


def _answers(answer: list[dict[str, Any]]) -> list[Found]:
    return [Found(torch.tensor(one["seconds"], dtype=torch.float64), one["cpu"]) for one in answer]


def _score(songs: str, tracker: str, found: Sequence[Found], true: Sequence[Tensor]) -> dict[str, Any]:
    scores = [f_measure(one.seconds, beats_) for one, beats_ in zip(found, true, strict=True)]
    either = [any_tempo(one.seconds, beats_) for one, beats_ in zip(found, true, strict=True)]
    # Of those within 70 ms: whether cuts are on the beat or beside it.
    off = torch.cat(
        [(one.seconds[:, None] - beats_[None]).abs().amin(1) for one, beats_ in zip(found, true, strict=True)]
    )
    return {
        "songs": songs,
        "tracker": tracker,
        "count": len(true),
        "f": sum(scores) / len(scores),
        "least": min(scores),
        "f_any": sum(either) / len(either),
        "error_ms": 1000 * float(off[off <= 0.07].median()),
        "cpu_ms": 1000 * sum(one.cpu for one in found) / (30.0 * len(found)),
        "scores": [round(score, 3) for score in scores],
    }


def _tracks(media: Path, *, quick: bool) -> list[dict[str, Any]]:
    names = [name for name in TRACKS[: 2 if quick else None] if (media / name).exists()]
    pieces = [mono(media / name) for name in names]
    if not pieces:
        return []
    found, full = tracked(pieces)
    rows = []
    for number, (name, samples) in enumerate(zip(names, pieces, strict=True)):
        own = full[number]
        trackers: dict[str, Mapping[str, float]] = {"vidprod": {"tempo": own.tempo, "confidence": own.confidence}}
        for tracker, results in list(found.items())[1:]:
            other = results[number].seconds
            gap = float((other[1:] - other[:-1]).median()) if len(other) > 1 else float("inf")
            trackers[tracker] = {
                "tempo": 60 / gap,
                "f": f_measure(own.seconds, other),
                "f_any": any_tempo(own.seconds, other),
            }
        rows.append({"name": Path(name).name, "seconds": len(samples) / RATE, "trackers": trackers})
    return rows


def mono(path: Path) -> Tensor:
    """All sound of a file at `RATE`: (n,) float32."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts = []
    with av.open(str(path)) as container:
        for frame in [*container.decode(audio=0), None]:
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return torch.from_numpy(np.concatenate(parts).astype(np.float32))
