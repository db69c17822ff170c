"""Shorts: the same shots, crossfades, music and encoder settings, rendered by vidprod and by MoviePy 2 in turn.

The shots are given: this is about rendering, not about choosing. Both results must be equally long and look alike (PSNR of pictures
in the middle of shots), or the comparison would mean nothing. MoviePy is installed by `shorts_peers` and left out where that
cannot be. Besides: whether cuts come on the beat in the file, whether its length is exact, and whether memory grows with it.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import wave
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.metrics import psnr
from benchmarks.peers import package_clip
from benchmarks.shorts_beats import mono
from benchmarks.shorts_peers import environment
from benchmarks.shorts_render import Job, Take, moviepy, square_window, vidprod
from benchmarks.songs import RATE, song
from benchmarks.tables import table as markdown
from vidprod.media.probe import probe
from vidprod.ops.beats import beats
from vidprod.ops.pacing import PACES, pacing

Picture = NDArray[np.uint8]

MOVIEPY = ("moviepy==2.2.1", "imageio-ffmpeg==0.6.0")
"""It reads the words that the ffmpeg program prints: those of newer ones it does not always understand."""
OURS, USUAL, TUNED = "vidprod", "MoviePy, as documented", "MoviePy, tuned"
CLIPS = (
    "videos/coffee_pour_720p.mp4",
    "videos/dog_training_720p.mp4",
    "videos/crystal_product_480p.mp4",
    "videos/flower_540p.mp4",
    "videos/gesture_woman_720p.mp4",
    "videos/woman_coffee_portrait_720x1364.mp4",
)
PHOTOS = (
    "photos/dress_1200x1600.jpg",
    "photos/mugs_1024x685.jpg",
    "photos/jeans_man_1200x1600.jpg",
    "photos/cap_1200x1600.jpg",
)
MUSIC = "music/vibe_ace_cc-by.ogg"
SHOT, FADE = 2.0, 0.5
"""Seconds of a shot and of a crossfade; every third joint is a cut."""


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material = Material.of(media, folder)
        peer = environment(*MOVIEPY)
        length, repeats = (4.0, 1) if quick else (12.0, 2)
        main = short(material, length)
        rows = [
            _compared("videos and photographs", main, peer, folder, repeats),
            _compared("the same, 1080x1080", replace(main, width=1080, height=1080), peer, folder, repeats),
            _compared(
                "photographs that move", short(material.photographs(), length, moves=True), peer, folder, repeats
            ),
            _compared("the first, -16 LUFS", replace(main, loudness=-16.0), None, folder, repeats),
        ]
        memory = []
        for seconds in (5.0, 10.0) if quick else (20.0, 60.0):
            found = vidprod(short(material, seconds, moves=True), folder / "long.mp4")
            memory.append({"seconds": seconds, "rss_mib": found["rss"]})
        # the clips of the package have cuts of their own
        calm = material if media is not None else material.photographs()
        cuts = [_cut_accuracy(calm, pace, folder, 8.0 if quick else 30.0) for pace in PACES]
    return {
        "peers": {"moviepy": MOVIEPY[0].split("==")[1]} if peer else {},
        "media": media is not None,
        "rows": rows,
        "memory": memory,
        "cuts": cuts,
    }


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    head = [
        "short",
        "program",
        "CPU s per s of video",
        "over ours",
        "pictures alone, CPU s per s",
        "over ours",
        "wall s per s",
        "pictures",
        "seconds",
    ]
    rows = []
    for row in result["rows"]:
        own = row["programs"][OURS]
        for who, one in row["programs"].items():
            alone = f"{one['cpu_alone']:.2f}" if "cpu_alone" in one else ""
            over = f"{one['cpu_alone'] / own['cpu_alone']:.1f}" if alone else ""
            rows.append(
                [
                    row["short"],
                    who,
                    one["cpu"],
                    f"{one['cpu'] / own['cpu']:.1f}",
                    alone,
                    over,
                    one["wall"],
                    one["pictures"],
                    f"{one['seconds']:.3f}",
                ]
            )
    like = [value for row in result["rows"] for value in row.get("psnr", [])]
    cuts = markdown(
        [
            "pace",
            "cuts",
            "found",
            "off their beats, ms: mean / most",
            "crossfades: mean / most",
            "pictures too many",
            "sound too long, ms",
        ],
        [
            [
                one["pace"],
                one["planned"],
                one["found"],
                _mean_most(one["cuts_ms"]),
                _mean_most(one["crossfades_ms"]),
                one["extra"],
                f"{one['sound_ms']:.1f}",
            ]
            for one in result["cuts"]
        ],
    )
    memory = ", ".join(f"{m['seconds']:.0f} s: {m['rss_mib']:.0f} MiB" for m in result["memory"])
    note = "720x720 unless said, 30 pictures a second, libx264 veryfast, CRF 18, 2 threads; AAC. Peak memory of a short of "
    if like:
        note = f"Pictures of both programs beside each other: PSNR {min(like):.1f} to {max(like):.1f} dB. {note}"
    return f"{markdown(head, rows)}\n\n{note}{memory}.\n\n{cuts}"


def _mean_most(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.0f} / {max(values):.0f}"


@dataclass(frozen=True)
class File:
    """A video or photograph: width and height of its upright pictures, and seconds."""

    path: Path
    kind: Literal["video", "image"]
    size: tuple[int, int]
    seconds: float


@dataclass(frozen=True)
class Material:
    """What shorts are made of."""

    files: tuple[File, ...]
    music: Path

    @classmethod
    def of(cls, media: Path | None, folder: Path) -> Self:
        """Real clips, photographs and music; without them what a package carries, pictures of that, and a song that is made."""
        if media is not None:
            clips, photos = [media / name for name in CLIPS], [media / name for name in PHOTOS]
            return cls(_mixed(clips, photos), media / MUSIC)
        clips = [package_clip(name) for name in ("bigbuckbunny.mp4", "bikes.mp4")]
        photos = [_photo(clip, folder / f"{clip.stem}.png") for clip in clips]
        return cls(_mixed(clips, photos), _song(folder / "song.wav"))

    def photographs(self) -> Material:
        """Without the videos."""
        return replace(self, files=tuple(file for file in self.files if file.kind == "image"))


def short(material: Material, seconds: float, *, moves: bool = False) -> Job:
    """Shots of all files in turn, as often as it takes; over photographs the camera stands or moves."""
    count = math.ceil(seconds / SHOT - 1e-9)
    return shots(material, [min((i + 1) * SHOT, seconds) for i in range(count)], FADE, moves=moves)


def shots(material: Material, ends: Sequence[float], fade: float, *, moves: bool = False, cut_every: int = 3) -> Job:
    """Shots that end at these seconds; the middle of each crossfade is there."""
    fades = [fade if (i + 1) % cut_every and i < len(ends) - 1 else 0.0 for i in range(len(ends))]
    takes = []
    for number, (begin, end) in enumerate(pairwise([0.0, *ends])):
        file = material.files[number % len(material.files)]
        before = fades[number - 1] if number else 0.0
        at = begin - before / 2
        seconds = end + fades[number] / 2 - at
        first = square_window(file.size)
        last = square_window(file.size, 0.9) if moves and file.kind == "image" else first
        start = 0.0 if file.kind == "image" else max(min(1.0, file.seconds - seconds - 0.2), 0.0)
        takes.append(Take(str(file.path), file.kind, file.size, start, at, seconds, before, first, last))
    return Job(tuple(takes), str(material.music))


def _mixed(clips: Sequence[Path], photos: Sequence[Path]) -> tuple[File, ...]:
    """Clip, photograph, clip, ..."""
    files: list[File] = []
    for clip, photo in itertools.zip_longest(clips, photos):
        if clip is not None:
            info = probe(clip)
            files.append(File(clip, "video", (info.display_width, info.display_height), float(info.duration or 0)))
        if photo is not None:
            with Image.open(photo) as picture:
                files.append(File(photo, "image", picture.size, math.inf))
    return tuple(files)


def _photo(clip: Path, path: Path) -> Path:
    with av.open(str(clip)) as container:
        Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24")).save(path)
    return path


def _song(path: Path) -> Path:
    samples = song(120, 62.0, noise=0.02)[0]
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes((samples.clamp(-1, 1) * 20000).short().numpy().tobytes())
    return path


def _compared(label: str, job: Job, python: Path | None, folder: Path, repeats: int) -> dict[str, Any]:
    """Both programs in turn, the best run of each."""
    ours, theirs = folder / "ours.mp4", folder / "theirs.mp4"
    programs: dict[str, Callable[[Job], dict[str, float]]] = {OURS: lambda job: vidprod(job, ours)}
    if python is not None:
        programs[USUAL] = lambda job: moviepy(python, job, theirs)
        programs[TUNED] = lambda job: moviepy(python, replace(job, usual=False), theirs)
    whole: dict[str, list[dict[str, float]]] = {who: [] for who in programs}
    alone: dict[str, list[dict[str, float]]] = {who: [] for who in programs}
    row: dict[str, Any] = {"short": label, "programs": {}}
    for _ in range(repeats):
        for who, program in programs.items():
            whole[who].append(program(job))
            row["programs"][who] = _lengths(ours if who == OURS else theirs)
            if python is not None:
                alone[who].append(program(replace(job, encode=False)))
    for who, found in whole.items():
        row["programs"][who] |= {
            "cpu": min(one["cpu"] for one in found) / job.seconds,
            "wall": min(one["wall"] for one in found) / job.seconds,
            "rss_mib": max(one["rss"] for one in found),
        }
        if alone[who]:
            row["programs"][who]["cpu_alone"] = min(one["cpu"] for one in alone[who]) / job.seconds
    if python is not None:
        row["psnr"] = _likeness(job, ours, theirs)
    return row


def _lengths(path: Path) -> dict[str, float]:
    """Pictures, seconds of them, and seconds of sound."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.duration is not None
        assert video.time_base is not None
        assert audio.duration is not None
        assert audio.time_base is not None
        return {
            "pictures": video.frames,
            "seconds": float(video.duration * video.time_base),
            "sound": float(audio.duration * audio.time_base),
        }


def _likeness(job: Job, ours: Path, theirs: Path) -> list[float]:
    """PSNR in the middle of each shot, with the best of three pictures, as 25 a second become 30 in more ways than one."""
    points = [round((take.at + take.seconds / 2) * job.rate) for take in job.takes]
    wanted = {point + step for point in points for step in (-1, 0, 1)}
    a, b = (_pictures(path, wanted) for path in (ours, theirs))
    return [max(psnr(a[point], b[point + step]) for step in (-1, 0, 1)) for point in points]


def _pictures(path: Path, wanted: Collection[int]) -> dict[int, Picture]:
    with av.open(str(path)) as container:
        return {
            number: frame.to_ndarray(format="rgb24").astype(np.uint8)
            for number, frame in enumerate(container.decode(video=0))
            if number in wanted
        }


def _cut_accuracy(material: Material, pace: str, folder: Path, seconds: float) -> dict[str, Any]:
    """A short cut on the beats of the music: where cuts and the middle of crossfades really are in the file."""
    rate = 30
    music = beats(mono(material.music), RATE)
    plan = pacing(pace, round(seconds * rate), Fraction(rate), music)
    stills = material.photographs()
    ends = [*(cut.at / rate for cut in plan.cuts), plan.pictures / rate]
    cut = folder / "cut.mp4"
    vidprod(shots(material, ends, 0.0), cut)
    found = _jumps(cut)
    crossed = folder / "crossed.mp4"
    half = min((c.before for c in plan.cuts), default=0)
    vidprod(shots(stills, ends, 2 * half / rate, cut_every=10**6), crossed)
    middles = _middles(crossed, ends[:-1], 2 * half / rate)
    true = [float(music.seconds[(music.seconds - end).abs().argmin()]) for end in ends[:-1]]
    return {
        "pace": pace,
        "planned": len(true),
        "found": len(found),
        "cuts_ms": [1000 * min(abs(at - beat) for at in found) for beat in true],
        "crossfades_ms": [1000 * abs(at - beat) for at, beat in zip(middles, true, strict=True)],
        "extra": _lengths(cut)["pictures"] - plan.pictures,
        "sound_ms": 1000 * (_lengths(cut)["sound"] - plan.pictures / rate),
    }


def _jumps(path: Path) -> list[float]:
    """Seconds at which a picture is quite another one than the one before: five times as different as those around it."""
    steps, before = [], None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            now = frame.reformat(96, 96, format="gray").to_ndarray().astype(np.float32)
            steps.append(0.0 if before is None else float(np.abs(now - before).mean()))
            before = now
    change = np.array(steps)
    around = [np.median(change[max(i - 8, 0) : i + 9]) for i in range(len(change))]
    return [i / 30 for i in range(1, len(change)) if change[i] > 8 and change[i] > 5 * around[i]]


def _middles(path: Path, ends: Sequence[float], fade: float) -> list[float]:
    """Seconds at which crossfades between pictures that stand are half done."""
    with av.open(str(path)) as container:
        pictures = [
            frame.reformat(96, 96, format="gray").to_ndarray().astype(np.float64) for frame in container.decode(video=0)
        ]
    middles = []
    for end in ends:
        first, last = (round((end + side * (fade / 2 + 0.1)) * 30) for side in (-1, 1))
        a, b = pictures[first], pictures[min(last, len(pictures) - 1)]
        way = b - a
        share = [float(((one - a) * way).sum() / (way * way).sum()) for one in pictures[first : last + 1]]
        after = next(i for i, x in enumerate(share) if x >= 0.5)
        part = (0.5 - share[after - 1]) / (share[after] - share[after - 1])
        # a picture is seen for a while: its middle counts
        middles.append((first + after - 1 + part + 0.5) / 30)
    return middles
