"""Joins parts of one video that were rendered separately, without encoding anything again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av

from vidprod.errors import FileDecode
from vidprod.media._opening import open_input, packets, rational
from vidprod.media.audio import Companions
from vidprod.media.pending import PendingFile, open_output
from vidprod.media.probe import Limits, VideoInfo
from vidprod.media.timing import rescale

_CONTAINERS = {".mp4": "mp4", ".mov": "mov"}


def concat(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    audio_from: VideoInfo | None = None,
) -> None:
    """Copies the pictures of `paths`, in order, into one file.

    The parts must come from `VideoWriter` with the same settings and carry the times of the whole video, as they do when each was
    rendered from a range of one source: then every time is exactly that of a rendering in one piece.

    Args:
        paths: the parts.
        out: the result, .mp4 or .mov.
        audio_from: the source whose audio, text subtitles and chapters are carried over; None for a silent result.

    Raises:
        ValueError: there are no parts, or they differ in codec, size or settings, or overlap in time.
        FileDecode: a part cannot be read.
        InternalError: the result cannot be written.
    """
    if not paths:
        raise ValueError("there is nothing to join")
    pending = PendingFile(out)
    output: av.container.OutputContainer | None = None
    companions: Companions | None = None
    try:
        with pending.reported():
            container = _CONTAINERS[pending.path.suffix.lower()]
            time_base = Fraction(1)
            last: int | None = None
            for stream, packet in _packets(paths):
                if output is None:
                    time_base = _time_base(stream)
                    output = open_output(pending, container, time_base)
                    target = _add_stream(output, stream)
                    if audio_from is not None:
                        companions = Companions(audio_from.path, output, container=container, start=audio_from.start)
                last = _place(packet, _time_base(stream), time_base, last)
                if companions is not None:
                    companions.carry(last * time_base)
                packet.stream = target
                output.mux(packet)
            if companions is not None:
                companions.carry(None)
            if output is None:
                raise ValueError("the parts hold no pictures")
            output.close()
        pending.commit()
    except BaseException:
        pending.discard()
        if output is not None:
            with contextlib.suppress(av.FFmpegError, OSError):
                output.close()
        pending.discard()
        raise
    finally:
        if companions is not None:
            companions.close()


def _time_base(stream: av.VideoStream) -> Fraction:
    return rational(stream.time_base) or Fraction(1, 90000)


def _packets(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[av.VideoStream, av.Packet[Any]]]:
    """All packets of all parts, after checking that one decoder can play them in a row."""
    wanted: tuple[object, ...] | None = None
    for path in paths:
        try:
            with open_input(str(path), max_pixels=Limits().max_pixels) as part:
                stream = part.streams.video[0]
                context = stream.codec_context
                # with MP4 the decoder gets its parameters once, from the header, so those must agree to the byte
                kind = (context.codec.canonical_name, context.width, context.height, context.pix_fmt, context.extradata)
                if wanted is not None and kind != wanted:
                    raise ValueError(f"{path} differs from the first part in codec, size or encoder settings")
                wanted = kind
                for packet in packets(part, stream):
                    yield stream, packet
        except av.FFmpegError as error:
            raise FileDecode(f"part {path} cannot be read: {error.strerror}") from error


def _add_stream(output: av.container.OutputContainer, like: av.VideoStream) -> av.VideoStream:
    stream = output.add_stream_from_template(like)
    if like.codec_context.codec.canonical_name == "hevc":
        stream.codec_context.codec_tag = "hvc1"
    return stream


def _place(packet: av.Packet[Any], source: Fraction, target: Fraction, last: int | None) -> int:
    """Brings a packet to the time base `target`; its decoding time, which is returned, must be after `last`."""
    assert packet.pts is not None
    assert packet.dts is not None
    pts, dts = rescale(packet.pts, source, target), rescale(packet.dts, source, target)
    if last is not None and dts <= last:
        # Where pictures come at uneven times, an encoder guesses the first decoding times; any up to pts will do.
        dts = last + 1
        if dts > pts:
            raise ValueError(f"parts overlap: a picture at {float(pts * target):.3f} s comes after a later one")
    packet.pts, packet.dts = pts, dts
    packet.duration = rescale(packet.duration or 0, source, target)
    packet.time_base = target
    return dts
