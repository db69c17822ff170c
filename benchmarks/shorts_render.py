"""One list of shots, rendered by vidprod and by MoviePy, each in a process of its own; the same pictures, sound and encoder.

Counted is what comes after the imports: opening the files, up to the closed result; CPU time of all processes that it takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.timeline import MusicPiece, Shot, Soundtrack, Source, Timeline, TransitionSpan

Box = tuple[float, float, float, float]
"""x, y, width and height, as parts of the picture."""


@dataclass(frozen=True)
class Take:
    """What is seen.

    Attributes:
        path: of a video or a photograph.
        kind: which.
        size: width and height of its upright pictures.
        start: seconds of the video.
        at: seconds of the result.
        seconds: for how long, crossfades included.
        fade: seconds of the crossfade from the one before; 0 for a cut.
        window: what is seen of it when it comes, of a photograph.
        window_end: and when it goes; the camera moves evenly in between.
    """

    path: str
    kind: Literal["video", "image"]
    size: tuple[int, int]
    start: float
    at: float
    seconds: float
    fade: float
    window: Box
    window_end: Box


@dataclass(frozen=True)
class Job:
    """A short and how it is encoded.

    Attributes:
        encode: False to make the pictures and no file.
        usual: for MoviePy: clips are cut and scaled by its own effects, as its documentation does; otherwise by the decoder and,
            for photographs, by Pillow in one step, which is the cheapest way there is.
        loudness: in LUFS, for vidprod only; MoviePy has nothing like it.
    """

    takes: tuple[Take, ...]
    music: str
    width: int = 720
    height: int = 720
    rate: int = 30
    preset: str = "veryfast"
    crf: int = 18
    threads: int = 2
    style: str = "normal"
    encode: bool = True
    usual: bool = True
    loudness: float | None = None

    @property
    def seconds(self) -> float:
        """Of the result."""
        return self.takes[-1].at + self.takes[-1].seconds


def square_window(size: tuple[int, int], part: float = 1.0) -> Box:
    """The middle square of a picture, or a part of that."""
    width, height = size
    side = part * min(width, height)
    return ((width - side) / 2 / width, (height - side) / 2 / height, side / width, side / height)


def timeline_of_job(job: Job) -> Timeline:
    """As vidprod takes it. The camera's path is even only if it has points enough, as it starts and ends gently at each."""
    sources, shots, spans = [], [], []
    for number, take in enumerate(job.takes):
        name = Path(take.path).name
        sources.append(Source(name, take.kind))
        points: tuple[PathPoint, ...] = (PathPoint(take.start, *take.window),)
        if take.window_end != take.window:
            points = (*points, PathPoint(take.start + take.seconds, *take.window_end))
        end = take.at + take.seconds
        shots.append(Shot(number, take.start, take.start + take.seconds, take.at, end, path=points))
        if take.fade:
            spans.append(TransitionSpan(job.style, take.at, take.at + take.fade, seed=number))
    sources.append(Source(Path(job.music).name, "audio"))
    sound = Soundtrack(len(job.takes), (MusicPiece(0.0, job.seconds, 0.0),), loudness=job.loudness, fade_out=1.0)
    return Timeline(job.width, job.height, str(job.rate), tuple(sources), tuple(shots), tuple(spans), sound=sound)


def vidprod(job: Job, out: Path) -> dict[str, float]:
    """Renders with vidprod; `cpu` and `wall` in seconds, `rss` in MiB, and `pictures`."""
    return _run([sys.executable, "-m", "benchmarks.shorts_render"], job, out)


def moviepy(python: Path, job: Job, out: Path) -> dict[str, float]:
    """Renders with MoviePy 2; see `vidprod`. Its memory is that of Python, without the processes that decode."""
    return _run([str(python), "-c", MOVIEPY], job, out)


def _run(command: Sequence[str], job: Job, out: Path) -> dict[str, float]:
    request = json.dumps({**asdict(job), "seconds": job.seconds, "out": str(out)})
    root = Path(__file__).parents[1]
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, text=True, check=True, cwd=root)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


COST = """
import resource, time
def cpu():
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(k).ru_utime + resource.getrusage(k).ru_stime for k in kinds)
def peak():  # not ru_maxrss, which begins with the size of the process that started this one
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
"""

MOVIEPY = (
    COST
    + """
import json, sys
import numpy as np
from PIL import Image
from moviepy import AudioFileClip, CompositeVideoClip, ImageClip, VideoClip, VideoFileClip, afx, vfx
job = json.load(sys.stdin)
begun, started = cpu(), time.monotonic()
width, height = job["width"], job["height"]

def moving(picture, take):
    # the window goes from the one to the other evenly; Pillow cuts and scales in one go
    rows, columns = picture.size[1], picture.size[0]
    first, last = np.array(take["window"]), np.array(take["window_end"])
    def frame(t):
        x, y, w, h = first + (last - first) * min(t / take["seconds"], 1.0)
        box = (x * columns, y * rows, (x + w) * columns, (y + h) * rows)
        return np.asarray(picture.resize((width, height), Image.BILINEAR, box=box))
    return frame

def usual(take):
    x, y, w, h = take["window"]
    if take["kind"] == "video":
        clip = VideoFileClip(take["path"], audio=False).subclipped(take["start"], take["start"] + take["seconds"])
    else:
        clip = ImageClip(take["path"]).with_duration(take["seconds"])
    columns, rows = clip.size
    if take["window_end"] != take["window"]:
        last = take["window_end"][2]
        scale = lambda t: width / (columns * (w + (last - w) * min(t / take["seconds"], 1.0)))
        return clip.resized(scale).with_position("center")
    clip = clip.cropped(x1=round(x * columns), y1=round(y * rows), width=round(w * columns), height=round(h * rows))
    return clip if tuple(clip.size) == (width, height) else clip.resized((width, height))

def tuned(take):
    x, y, w, h = take["window"]
    if take["kind"] == "video":
        # the decoder scales
        columns, rows = round(width / w), round(height / h)
        clip = VideoFileClip(take["path"], audio=False, target_resolution=(columns, rows))
        clip = clip.subclipped(take["start"], take["start"] + take["seconds"])
        if (columns, rows) == (width, height):
            return clip
        return clip.cropped(x1=round(x * columns), y1=round(y * rows), width=width, height=height)
    picture = Image.open(take["path"]).convert("RGB")
    if take["window_end"] == take["window"]:
        box = (x * picture.size[0], y * picture.size[1], (x + w) * picture.size[0], (y + h) * picture.size[1])
        clip = ImageClip(np.asarray(picture.resize((width, height), Image.BILINEAR, box=box)))
    else:
        # as sharp as the closest window needs, like vidprod
        closest = min(take["window"][2], take["window_end"][2])
        factor = min(1.25 * width / (closest * picture.size[0]), 1.0)
        picture = picture.resize([round(side * factor) for side in picture.size], Image.LANCZOS)
        clip = VideoClip(moving(picture, take))
    return clip.with_duration(take["seconds"])

clips = []
for take in job["takes"]:
    clip = usual(take) if job["usual"] else tuned(take)
    clip = clip.with_start(take["at"])
    if take["fade"]:
        clip = clip.with_effects([vfx.CrossFadeIn(take["fade"])])
    clips.append(clip)
short = CompositeVideoClip(clips, size=(width, height), bg_color=(0, 0, 0)).with_duration(job["seconds"])
if job["encode"]:
    music = AudioFileClip(job["music"]).subclipped(0, job["seconds"])
    short = short.with_audio(music.with_effects([afx.AudioFadeIn(0.1), afx.AudioFadeOut(1.0)]))
    short.write_videofile(
        job["out"], fps=job["rate"], codec="libx264", preset=job["preset"], audio_codec="aac", audio_bitrate="192k",
        threads=job["threads"], ffmpeg_params=["-crf", str(job["crf"]), "-movflags", "+faststart"], logger=None,
        temp_audiofile=job["out"] + ".m4a", pixel_format="yuv420p",
    )
    music.close()
else:
    for _ in short.iter_frames(fps=job["rate"]):
        pass
for clip in clips:
    clip.close()
short.close()
print(json.dumps({"cpu": cpu() - begun, "wall": time.monotonic() - started, "rss": peak()}))
"""
)


def main() -> None:
    """Renders the job on standard input with vidprod."""
    from vidprod.media.probe import VideoInfo, probe
    from vidprod.media.writer import VideoWriter
    from vidprod.memory import keep_freed
    from vidprod.ops.compose import Composition
    from vidprod.ops.render import render
    from vidprod.ops.soundtrack import soundtrack_of

    keep_freed()
    cost: dict[str, Any] = {}
    exec(COST, cost)  # the same for both
    request = json.load(sys.stdin)
    out = Path(request.pop("out"))
    request.pop("seconds")
    job = Job(**{**request, "takes": tuple(_take(take) for take in request["takes"])})
    begun, started = cost["cpu"](), cost["time"].monotonic()
    timeline = timeline_of_job(job)
    paths = [*(Path(take.path) for take in job.takes), Path(job.music)]
    known = {take.path: probe(take.path) for take in job.takes if take.kind == "video"}
    infos = [*(known.get(take.path) for take in job.takes), None]
    starts = [Fraction(0) if info is None else info.start for info in infos]
    like = VideoInfo.of_new(out, job.width, job.height, Fraction(job.rate))
    with Composition(timeline, paths, infos=infos) as composition:
        if job.encode:
            sound = soundtrack_of(timeline, paths, starts)
            assert sound is not None
            encoder = {"preset": job.preset, "crf": job.crf, "threads": job.threads}
            with sound, VideoWriter(out, like=like, sound=sound, **encoder) as writer:  # type: ignore[arg-type]
                pictures = render(iter(composition), [], writer)
        else:
            pictures = sum(len(frames) for frames in composition)
    found = {"cpu": cost["cpu"]() - begun, "wall": cost["time"].monotonic() - started, "rss": cost["peak"]()}
    print(json.dumps({**found, "pictures": pictures}))


def _take(data: dict[str, Any]) -> Take:
    return Take(**{**data, **{name: tuple(data[name]) for name in ("size", "window", "window_end")}})


if __name__ == "__main__":
    main()
