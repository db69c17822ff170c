"""An independent reader for checks: plain PyAV, own colour maths, nothing of the package under test.

It believes the tags in the file, so a picture that was written with one matrix and tagged with another comes out wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from .pictures import Array
from .planes import from_frame
from .sound import onsets, pitch
from .spec import Chapters, Heard, Tags


@dataclass(frozen=True)
class Contents:
    """What lies in a file; times in s from the earliest start of audio and video."""

    codec: str
    pix_fmt: str
    size: tuple[int, int]
    sar: Fraction
    rotation: int
    tags: Tags
    times: tuple[float, ...]
    pictures: tuple[Array, ...]
    interlaced: bool
    audio: tuple[Heard, ...]
    lengths: tuple[float, ...]  # of the sounds, s
    subtitles: tuple[tuple[tuple[float, float, str], ...], ...]
    chapters: Chapters
    languages: tuple[str, ...]  # of sounds, then subtitles
    streams: tuple[str, ...]
    broken: tuple[str, ...]  # kind of stream of each packet that could not be decoded


def read(path: Path, main: int = 0) -> Contents:
    """Decodes everything; `main` is the video stream that counts (covers are not counted)."""
    with av.open(str(path), metadata_errors="replace") as file:
        videos = [s for s in file.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        heard = list(file.streams.audio)
        starts = [s.start_time * s.time_base for s in [*videos, *heard] if s.start_time is not None and s.time_base]
        zero = min(starts, default=Fraction(0))
        frames: list[av.VideoFrame] = []
        broken: list[str] = []
        sounds: dict[int, list[av.AudioFrame]] = {s.index: [] for s in heard}
        texts: dict[int, list[tuple[float, float, str]]] = {s.index: [] for s in file.streams.subtitles}
        for packet in file.demux([*videos, *heard, *file.streams.subtitles]):
            index = packet.stream.index
            if index in texts:
                texts[index] += _words(packet, zero)
                continue
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                broken.append(packet.stream.type)
                continue
            for frame in decoded:
                if isinstance(frame, av.AudioFrame):
                    sounds[index].append(frame)
                elif isinstance(frame, av.VideoFrame) and packet.stream is videos[main]:
                    frames.append(frame)
        first, stream = frames[0], videos[main]
        return Contents(
            codec=stream.codec_context.codec.canonical_name,
            pix_fmt=first.format.name,
            size=(first.width, first.height),
            sar=stream.sample_aspect_ratio or Fraction(1),
            rotation=first.rotation,
            tags=Tags(int(first.color_range), int(first.colorspace), int(first.color_primaries), int(first.color_trc)),
            times=tuple(float((f.pts or 0) * Fraction(f.time_base or 0) - zero) for f in frames),
            pictures=tuple(rgb(f) for f in frames),
            interlaced=any(f.interlaced_frame for f in frames),
            audio=tuple(_heard(s.codec_context.codec.canonical_name, sounds[s.index], zero) for s in heard),
            lengths=tuple(sum(f.samples for f in sounds[s.index]) / s.codec_context.sample_rate for s in heard),
            subtitles=tuple(tuple(lines) for lines in texts.values()),
            chapters=tuple(_chapter(c) for c in file.chapters()),
            languages=tuple(s.language or "und" for s in [*heard, *file.streams.subtitles]),
            streams=tuple(s.type for s in file.streams),
            broken=tuple(broken),
        )


def rgb(frame: av.VideoFrame) -> Array:
    """The picture (H, W, 3) in 0..1."""
    name = frame.format.name
    if name.startswith(("yuv", "gbrp")) and "yuyv" not in name:
        return from_frame(frame)
    if name == "gray":
        return np.repeat(frame.to_ndarray()[..., None], 3, axis=-1).astype(np.float32) / np.float32(255)
    if name == "yuyv422":
        packed = frame.to_ndarray()
        planar = av.VideoFrame(frame.width, frame.height, "yuv422p")
        for plane, values in zip(planar.planes, (packed[..., 0], packed[:, ::2, 1], packed[:, 1::2, 1]), strict=True):
            rows = np.zeros((plane.height, plane.line_size), dtype=np.uint8)
            rows[:, : plane.width] = values
            plane.update(rows.tobytes())
        return from_frame(planar, 6, False)
    return frame.to_ndarray(format="rgb24").astype(np.float32) / np.float32(255)  # packed RGB: no matrix in it


def _heard(codec: str, frames: list[av.AudioFrame], zero: Fraction) -> Heard:
    if not frames:
        return Heard(codec, (), ())
    rate = frames[0].sample_rate
    placed = [(round(float((f.pts or 0) * Fraction(f.time_base or 0) - zero) * rate), samples(f)) for f in frames]
    channels = placed[0][1].shape[0]
    assert placed[-1][0] < 60 * rate, f"a sound lasts until {placed[-1][0] / rate:.0f} s"
    early = max(0, -min(at for at, _ in placed))  # sound before zero would be a fault; keep it visible
    timeline = np.zeros((channels, early + max(at + s.shape[1] for at, s in placed)), dtype=np.float32)
    for at, values in placed:
        timeline[:, early + at : early + at + values.shape[1]] = values
    beeps = tuple(t - early / rate for t in onsets(timeline.mean(axis=0), rate))
    return Heard(codec, tuple(round(pitch(channel, rate)) for channel in timeline), beeps)


def samples(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    """(channels, samples) in -1..1 of a frame in any sample format."""
    values: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype == np.uint8:
        return ((values.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return values.astype(np.float32)


def _words(packet: av.Packet[Any], zero: Fraction) -> Iterable[tuple[float, float, str]]:
    data = bytes(packet)
    if not data or packet.pts is None:
        return
    if packet.stream.codec_context.name == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    if data:  # mov_text fills the gaps between lines with empty ones
        start = float(packet.pts * packet.time_base - zero)
        yield start, start + float((packet.duration or 0) * packet.time_base), data.decode(errors="replace")


def _chapter(chapter: Any) -> tuple[float, float, str]:
    base = chapter["time_base"]
    return float(chapter["start"] * base), float(chapter["end"] * base), chapter["metadata"].get("title", "")
