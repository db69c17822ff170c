"""Opens an untrusted file and looks at its first picture; also runs as a program of its own, in a limited child process.

FFmpeg already decodes while it opens a file, so a hostile file gets to work before anything can be checked. `probe` therefore
runs this file as a child with a memory limit and a time limit; hence no import here but the standard library and av, not even
from this package (whose imports would cost more than the probing).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.stream import Disposition

# What may be opened. A demuxer that follows references to other files (concat, HLS, DASH, image sequences) must never be added:
# such a "video" reads any file of the server.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,m4v,asf,gif,ogg,mxf,h264,hevc,ivf,obu,av1,dv,nut,"
    "yuv4mpegpipe,rm,wav,mp3,aac,flac"
)
# The only protocols; everything that could reach a network is left out.
PROTOCOLS = "file,crypto,data"
# How many packets may pass before the first picture; broadcasts may start in the middle of a long group of pictures.
_MAX_PACKETS_TO_FIRST_PICTURE = 2000
_MAX_BELIEVABLE_RATE = 120
_COUNTED_FOR_RATE = 120
_STILL_BRANDS = {"heic", "heix", "mif1", "avif", "msf1"}


class Refused(Exception):
    """Carries the name of an error class of `vidprod.errors` and its message out of the child."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def open_input(path: str, *, max_pixels: int | None, **options: Any) -> av.container.InputContainer:
    """Opens a local file with every door shut that FFmpeg offers.

    `file:` and the absolute path keep names such as `concat:a|b` and `%03d` from meaning anything; `format_whitelist` keeps
    playlists out; `max_pixels` makes decoders refuse pictures that would fill the memory.
    """
    # Decoders count padded pictures against max_pixels, so it needs headroom; the exact limit is applied by `check_size`.
    limits = {"protocol_whitelist": PROTOCOLS, "format_whitelist": DEMUXERS}
    if max_pixels is not None:
        limits["max_pixels"] = str(max_pixels * 5 // 4 + 65536)
    url = "file:" + os.path.abspath(path)
    container: av.container.InputContainer
    try:
        container = av.open(url, "r", options=dict(limits), metadata_errors="replace", **options)
    except av.error.ArgumentError:
        # FFmpeg takes sound for a picture, which is not allowed, if it is named like one
        format = _sound_by_its_beginning(path)
        if format is None:
            raise
        container = av.open(url, "r", format=format, options=limits, metadata_errors="replace", **options)
    return container


def _sound_by_its_beginning(path: str) -> str | None:
    """The demuxer for a file that begins like MP3 or AAC in packets of its own."""
    with open(path, "rb") as file:
        head = file.read(3)
    if head == b"ID3":
        return "mp3"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return {0: "aac", 1: "mp3"}.get(head[1] >> 1 & 3)


def packets(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet[Any]]:
    """Packets with data of the given streams. Raises `av.FFmpegError` where the file breaks off."""
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except IndexError:
        pass  # av stumbles at the end if streams turned up that were not there in the beginning


def choose_video(container: av.container.InputContainer) -> av.VideoStream:
    """The video stream to work on: no cover art, nor the few large stills that phones put beside a clip; the default one if any,
    then the largest.
    """
    if not len(container.streams):
        raise Refused("FileContent", "the file holds neither pictures nor sound")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kind = "only a cover picture" if container.streams.video else "no video stream"
        raise Refused("FileCategory", f"the file has {kind}; a video is required")
    known = [s for s in streams if s.codec_context is not None]
    if not known:
        raise Refused("FileContent", "the video stream's codec is unknown or its header is missing")
    default = [s for s in known if s.disposition & Disposition.default] or known
    fastest = max(s.average_rate or 0 for s in default)
    moving = [s for s in default if 4 * (s.average_rate or 0) >= fastest]
    return max(moving, key=lambda s: (s.width * s.height, -s.index))


def check_size(width: int, height: int, max_pixels: int, max_side: int) -> None:
    """Refuses a picture too large to work on."""
    if width * height > max_pixels or max(width, height) > max_side:
        raise Refused(
            "FileResolution",
            f"picture of {width}x{height}: at most {max_side} a side and {max_pixels} pixels are allowed",
        )


def first_picture(container: av.container.InputContainer, stream: av.VideoStream, max_errors: int) -> av.VideoFrame:
    """Decodes up to the first picture."""
    errors = 0
    source = packets(container, stream)
    for count in range(_MAX_PACKETS_TO_FIRST_PICTURE):
        packet: av.Packet[Any] | None = None  # at the end: let out what the decoder holds
        if count < _MAX_PACKETS_TO_FIRST_PICTURE - 1:
            with contextlib.suppress(av.FFmpegError):
                packet = next(source, None)
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            errors += 1
            if errors > max_errors:
                raise Refused("FileDecode", f"no picture could be decoded: {error.strerror}") from error
            frames = []
        if frames:
            return frames[0]
        if packet is None:
            break
    if errors:
        raise Refused("FileDecode", "no picture could be decoded, the data is damaged")
    raise Refused("FileContent", "the video has no pictures")


def rational(value: Any) -> Fraction | None:
    """An av rational as a Fraction; None for 0, 0/0 and unknown."""
    if value is None or not value.numerator or not value.denominator:
        return None
    return Fraction(value.numerator, value.denominator)


def frame_rate(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Average pictures a second. Where the file gives none, or one that can only be its clock's, as FLV does, a few are counted.

    An encoder told a wrong rate misses its bit rate by far.
    """
    rate = rational(stream.average_rate) or rational(stream.guessed_rate)
    if stream.frames or (rate is not None and rate <= _MAX_BELIEVABLE_RATE):
        return rate
    times = []
    try:
        for packet in packets(container, stream):
            if packet.pts is not None:
                times.append(packet.pts)
            if len(times) == _COUNTED_FOR_RATE:
                break
    except av.FFmpegError:
        pass  # breaks off; what there is may do
    if len(times) < 2 or max(times) == min(times):
        return rate
    base = rational(stream.time_base) or Fraction(1, 1000)
    return Fraction((len(times) - 1) / ((max(times) - min(times)) * base)).limit_denominator(1001)


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """(degrees to turn clockwise, whether mirrored left to right before that) that make the picture upright."""
    degrees = round(-frame.rotation / 90) % 4 * 90
    side_data: Any = frame.side_data
    for data in side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = memoryview(bytes(data)).cast("i").tolist()
            if a * d - b * c < 0:  # FFmpeg tells the angle that remains after mirroring top to bottom
                return (degrees + 180) % 360, True
    return degrees, False


def describe(path: str, max_pixels: int, max_side: int, max_errors: int) -> dict[str, Any]:
    """Everything `VideoInfo` holds, as JSON values (fractions as strings)."""
    try:
        container = open_input(path, max_pixels=max_pixels)
    except av.error.InvalidDataError as error:
        raise Refused("FileDecode", "not a media file, or its header is damaged or missing") from error
    except av.error.ArgumentError as error:
        raise Refused("FileType", f"this kind of file is not accepted; allowed containers: {DEMUXERS}") from error
    except av.FFmpegError as error:
        raise Refused("FileDecode", f"cannot be opened: {error.strerror}") from error
    with container:
        brand = container.metadata.get("major_brand", "")
        if brand in _STILL_BRANDS:
            raise Refused("FileCategory", f"a still picture ({brand}); a video is required")
        stream = choose_video(container)
        if not stream.width:
            # Perhaps the decoder refused the size and so kept it to itself. Without the limit it says; memory is limited anyway.
            with open_input(path, max_pixels=None) as again:
                bare = choose_video(again)
                check_size(bare.width, bare.height, max_pixels, max_side)
        check_size(stream.width, stream.height, max_pixels, max_side)
        frame = first_picture(container, stream, max_errors)
        check_size(frame.width, frame.height, max_pixels, max_side)
        return _describe(container, stream, frame)


def _describe(container: av.container.InputContainer, stream: av.VideoStream, frame: av.VideoFrame) -> dict[str, Any]:
    base = rational(stream.time_base) or Fraction(1, 90000)
    starts = [stream.start_time * base] if stream.start_time is not None else []
    if frame.pts is not None:
        starts.append(frame.pts * (rational(frame.time_base) or base))
    video_start = min(starts, default=Fraction(0))
    audio = []
    for s in container.streams.audio:
        if s.codec_context is None:  # av's stubs do not know that there may be no decoder
            continue  # type: ignore[unreachable]
        began = None if s.start_time is None else s.start_time * (rational(s.time_base) or Fraction(1))
        audio.append(
            {
                "index": s.index,
                "codec": s.codec_context.codec.canonical_name,
                "sample_rate": s.codec_context.sample_rate,
                "channels": s.codec_context.layout.nb_channels,
                "start": None if began is None else str(began),
                "language": s.language,
            }
        )
        if began is not None:
            # Audio may start below zero to make room for the encoder's priming samples, which are never heard.
            starts.append(began if began > 0 else min(began, Fraction(0)) if video_start < 0 else Fraction(0))
    duration = None if stream.duration is None else float(stream.duration * base)
    if duration is None and container.duration is not None:
        duration = container.duration / 1e6
    sar = rational(stream.sample_aspect_ratio) or Fraction(1)
    turn, mirrored = orientation(frame)
    color = [frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc]
    if frame.format.name.startswith("yuvj"):
        color[0] = 2  # full range
    elif frame.format.name.startswith(("gray", "ya")) and not frame.color_range:
        color[:2] = 2, 0  # untagged grey is RGB without colour: full range
    return {
        "container": container.format.name,
        "codec": stream.codec_context.codec.canonical_name,
        "width": frame.width,
        "height": frame.height,
        "pix_fmt": frame.format.name,
        "bits": max((c.bits for c in frame.format.components), default=8),
        "frame_rate": str(frame_rate(container, stream) or "") or None,
        "time_base": str(base),
        "duration": duration,
        "frame_count": stream.frames or None,
        "bit_rate": stream.codec_context.bit_rate or None,
        "file_bit_rate": container.bit_rate or (round(container.size * 8 / duration) if duration else None),
        "sample_aspect_ratio": str(1 / sar if turn % 180 else sar),
        "rotation": turn,
        "mirrored": mirrored,
        "color": color,
        "interlaced": frame.interlaced_frame,
        "audio": audio,
        "subtitles": sum(s.codec_context is not None for s in container.streams.subtitles),
        "chapters": len(container.chapters()),
        # a whole number of video ticks, so that pictures keep their exact times
        "start": str(min(starts, default=Fraction(0)) // base * base),
        "stream": stream.index,
    }


def main(
    path: str,
    max_pixels: int,
    max_side: int,
    max_errors: int,
    memory: int,
    seconds: int,
    *,
    task: Callable[[str, int, int, int], dict[str, Any]] = describe,
) -> None:
    """The child: limits itself, then prints what `task` finds as one JSON object."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = task(path, max_pixels, max_side, max_errors)
    except Refused as refused:
        answer = {"error": refused.kind, "message": str(refused)}
    except (MemoryError, av.error.MemoryError):
        answer = {"error": "FileDecode", "message": "opening it needs more memory than is allowed"}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # no need to wait for the interpreter to tidy up


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
