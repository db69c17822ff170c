"""What a video file is, found out without trusting it: `probe` and `VideoInfo`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av

from vidprod.errors import (
    FileCategory,
    FileContent,
    FileDecode,
    FileDownload,
    FileResolution,
    FileType,
    InvalidFile,
)
from vidprod.media import _opening
from vidprod.media.color import BT709, LIMITED, ColorTags

_REFUSALS: dict[str, type[InvalidFile]] = {
    kind.__name__: kind for kind in (FileCategory, FileContent, FileDecode, FileResolution, FileType)
}

_STILLS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}


@dataclass(frozen=True)
class Limits:
    """What is refused, so that a small file cannot take the whole machine.

    Attributes:
        max_pixels: width x height.
        max_side: width or height.
        max_errors: damaged packets that are skipped before the file is given up.
        memory: bytes of address space of the process that opens the file first.
    """

    max_pixels: int = 7680 * 4320
    max_side: int = 8192
    max_errors: int = 200
    memory: int = 3 << 30


@dataclass(frozen=True)
class AudioInfo:
    """One audio stream: its index in the file, codec, Hz, channels, start in seconds (None: unknown), ISO 639 language."""

    index: int
    codec: str
    sample_rate: int
    channels: int
    start: Fraction | None
    language: str | None


@dataclass(frozen=True)
class VideoInfo:
    """A video file, as far as its header and first picture tell.

    Attributes:
        path: absolute path.
        container: FFmpeg's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name, such as "h264".
        width: pixels as coded; `display_width` has the rotation applied.
        height: see `width`.
        pix_fmt: FFmpeg's name of the decoded pixel format.
        bits: per component.
        frame_rate: average pictures a second; None if the file does not tell.
        time_base: seconds per unit of pts.
        duration: seconds; None if the file does not tell.
        frame_count: what the container claims; None if it claims nothing.
        bit_rate: of the video stream in bit/s, else an estimate from the file's size.
        sample_aspect_ratio: width / height of one pixel of the upright picture; 1 if unknown.
        rotation: 0, 90, 180 or 270 degrees that the coded picture must be turned clockwise to stand upright.
        mirrored: whether it must be mirrored left to right first.
        color: as tagged in the file; see `ColorTags.resolved`.
        interlaced: whether the first picture is.
        audio: the audio streams.
        subtitles: number of subtitle streams.
        chapters: number of chapters.
        start: seconds; the earliest start of video or audio, which readers and writers subtract from all times.
        stream: index of the video stream in the file.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    pix_fmt: str
    bits: int
    frame_rate: Fraction | None
    time_base: Fraction
    duration: float | None
    frame_count: int | None
    bit_rate: int | None
    sample_aspect_ratio: Fraction
    rotation: int
    mirrored: bool
    color: ColorTags
    interlaced: bool
    audio: tuple[AudioInfo, ...]
    subtitles: int
    chapters: int
    start: Fraction
    stream: int

    @property
    def display_width(self) -> int:
        """Pixels of the upright picture; what `Frames` have."""
        return self.height if self.rotation % 180 else self.width

    @property
    def display_height(self) -> int:
        """Pixels of the upright picture; what `Frames` have."""
        return self.width if self.rotation % 180 else self.height

    @classmethod
    def of_new(cls, path: Path, width: int, height: int, rate: Fraction) -> Self:
        """Of a video that is yet to be made: BT.709, limited range, square pixels, 8 bits, silent."""
        return cls(
            path=path,
            container="",
            codec="",
            width=width,
            height=height,
            pix_fmt="yuv420p",
            bits=8,
            frame_rate=rate,
            time_base=1 / rate,
            duration=None,
            frame_count=None,
            bit_rate=None,
            sample_aspect_ratio=Fraction(1),
            rotation=0,
            mirrored=False,
            color=ColorTags(LIMITED, BT709, BT709, BT709),
            interlaced=False,
            audio=(),
            subtitles=0,
            chapters=0,
            start=Fraction(0),
            stream=0,
        )

    @property
    def start_pts(self) -> int:
        """`start` in units of `time_base`."""
        return round(self.start / self.time_base)


def probe(path: str | os.PathLike[str], *, limits: Limits | None = None, timeout: float = 30.0) -> VideoInfo:
    """Looks at a file in a child process limited in memory and time.

    Raises:
        FileDownload: missing or unreadable.
        FileType: the container is not one of those accepted.
        FileCategory: audio only, cover art only, or a still picture.
        FileDecode: damaged beyond use, or opening it took more than `timeout` seconds or the memory allowed.
        FileContent: a video without pictures, or of unknown codec.
        FileResolution: the picture exceeds `limits`.
    """
    limits = limits or Limits()
    path = Path(path).absolute()
    _check_readable(path)
    return _parse(path, inspect(_opening.__file__, path, limits, timeout))


def inspect(program: str, path: Path, limits: Limits, timeout: float) -> dict[str, Any]:
    """What one of the programs of this package that look at untrusted files prints, run in a child process of its own.

    Args:
        program: the Python file; it may import the standard library and av.
        path: the file, absolute.
        limits: what the child must keep to.
        timeout: seconds.

    Raises:
        InvalidFile: what the program found wrong; FileDecode if it exceeds the limits.
    """
    # -I -S: neither the user's environment nor site packages; with only av to import this takes a third of a second.
    site = str(Path(av.__file__).parent.parent)
    start = f"import sys, runpy; sys.path.append({site!r}); del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    numbers = (limits.max_pixels, limits.max_side, limits.max_errors, limits.memory, max(1, int(timeout)))
    command = [sys.executable, "-I", "-S", "-c", start, program, str(path), *map(str, numbers)]
    try:
        child = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise FileDecode(f"{path.name}: opening it took more than {timeout:g} s") from None
    if child.returncode or not child.stdout:
        raise FileDecode(f"{path.name}: opening it used more than the memory or time allowed, or crashed the decoder")
    found: dict[str, Any] = json.loads(child.stdout)
    if "error" in found:
        raise _REFUSALS[found["error"]](f"{path.name}: {found['message']}")
    return found


def seconds_of(info: VideoInfo) -> float:
    """How long a video is; where the file does not tell, up to its last packet."""
    if info.duration is not None:
        return info.duration
    latest = 0.0
    with _opening.open_input(str(info.path), max_pixels=Limits().max_pixels) as container:
        for packet in container.demux(container.streams[info.stream]):
            if packet.pts is not None and packet.time_base is not None:
                latest = max(latest, float(packet.pts * packet.time_base - info.start))
    return latest


def _check_readable(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise FileDownload(f"{path} is not a file")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise FileDownload(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise FileDecode(f"{path.name} is empty")
    still = next((name for magic, name in _STILLS.items() if head.startswith(magic)), None)
    if still is None and head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        still = "WebP"
    if still:
        raise FileCategory(f"{path.name} is a still picture ({still}); a video is required")


def _parse(path: Path, found: dict[str, Any]) -> VideoInfo:
    optional = {key: None if found[key] is None else Fraction(found[key]) for key in ("frame_rate",)}
    exact = {key: Fraction(found[key]) for key in ("time_base", "sample_aspect_ratio", "start")}
    audio = tuple(
        AudioInfo(**{**stream, "start": None if stream["start"] is None else Fraction(stream["start"])})
        for stream in found.pop("audio")
    )
    bit_rate = found.pop("file_bit_rate")
    color = ColorTags(*found.pop("color"))
    found["bit_rate"] = found["bit_rate"] or bit_rate or None
    return VideoInfo(path=path, color=color, audio=audio, **{**found, **optional, **exact})
