"""Writes files from `Video`, `Sound` and `Text`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np

from .pictures import Array
from .planes import to_frame, weave
from .sound import beeps
from .spec import Chapters, Packets, Sound, Text, Video


def write(
    path: Path,
    *streams: Video | Sound | Text,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    chapters: Chapters = (),
    metadata: Mapping[str, str] | None = None,
    data: Sequence[tuple[Fraction, bytes]] = (),
) -> None:
    """Encodes and multiplexes the streams in the order given, then a stream of private `data` (time in s, payload)."""
    with av.open(str(path), "w", format=format, options=dict(options or {})) as out:
        out.metadata.update(metadata or {})
        pending = [_ADD[type(stream)](out, stream) for stream in streams]
        if data:
            pending.append(_add_data(out, data))
        if chapters:
            out.set_chapters(
                [
                    {
                        "id": i,
                        "start": round(a * 1000),
                        "end": round(b * 1000),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": t},
                    }
                    for i, (a, b, t) in enumerate(chapters)
                ]
            )
        out.start_encoding()
        for packets in [encode() for encode in pending]:
            out.mux(packets)


def _add_video(out: av.container.OutputContainer, video: Video) -> Callable[[], Packets]:
    os.environ.setdefault("SVT_LOG", "0")  # libsvtav1 writes a page of its own otherwise
    stream = out.add_stream(video.codec, rate=video.rate, options=dict(video.options))
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    width, height = video.size if video.rotation % 180 == 0 else video.size[::-1]
    stream.width, stream.height, stream.pix_fmt = width, height, video.pix_fmt
    context.time_base = video.time_base or 1 / video.rate
    context.thread_count = 1
    context.color_range, context.colorspace = video.tags.range, video.tags.matrix
    context.color_primaries, context.color_trc = video.tags.primaries, video.tags.transfer
    if video.sar:
        context.sample_aspect_ratio = video.sar
    if video.rotation or video.mirror:
        stream.set_display_matrix(display_matrix(video.rotation, video.mirror, width, height))
    if video.attached:
        stream.disposition = av.stream.Disposition.attached_pic
    elif video.default is not None:
        stream.disposition = av.stream.Disposition.default if video.default else av.stream.Disposition(0)

    def encode() -> Packets:
        packets = [p for frame in _frames(video) for p in stream.encode(frame)] + stream.encode(None)
        return video.edit(packets) if video.edit else packets

    return encode


def display_matrix(rotation: int, mirror: bool, width: int, height: int) -> list[int]:
    """The matrix of ISO/IEC 14496-12 (a b u, c d v, x y w) that turns clockwise, after mirroring left and right."""
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[rotation]
    if mirror:
        a, b = -a, -b
    x = (width if a < 0 else 0) + (height if c < 0 else 0)
    y = (width if b < 0 else 0) + (height if d < 0 else 0)
    one = 1 << 16
    return [a * one, b * one, 0, c * one, d * one, 0, x * one, y * one, 1 << 30]


def stored(video: Video, number: int) -> Array:
    """The picture as it lies in the file: turned back so that the display matrix puts it right."""
    image = video.upright(number)
    image = np.rot90(image, video.rotation // 90)  # numpy turns anticlockwise
    return image[:, ::-1] if video.mirror else image


def _frames(video: Video) -> Iterable[av.VideoFrame]:
    base = video.time_base or 1 / video.rate
    matrix = video.matrix or (video.tags.matrix if video.tags.matrix in (1, 5, 6, 9) else 6)
    flag = _setfield(video) if video.fields else None
    for number, seconds in zip(video.numbers, video.seconds, strict=True):
        if video.fields:
            late = stored(video, number + 1)
            pair = (stored(video, number), late) if video.fields == "tff" else (late, stored(video, number))
            top, bottom = (image[parity::2] for parity, image in enumerate(pair))
            frame = weave(*(to_frame(half, video.pix_fmt, matrix, video.tags.range == 2) for half in (top, bottom)))
        else:
            frame = to_frame(stored(video, number), video.pix_fmt, matrix, video.tags.range == 2)
        frame.color_range, frame.colorspace = video.tags.range, video.tags.matrix
        frame.color_primaries, frame.color_trc = video.tags.primaries, video.tags.transfer
        frame.time_base, frame.pts = base, round(seconds / base)
        if flag:
            flag.push(frame)
            flagged = flag.pull()
            assert isinstance(flagged, av.VideoFrame)
            flagged.time_base = base
            frame = flagged
        yield frame


def _setfield(video: Video) -> av.filter.Graph:
    """Marks frames as interlaced: PyAV shows that flag but does not let one set it."""
    graph = av.filter.Graph()
    width, height = video.size
    source = graph.add_buffer(
        width=width,
        height=height,
        format=av.VideoFormat(video.pix_fmt, width, height),
        time_base=video.time_base or 1 / video.rate,
    )
    mark, sink = graph.add("setfield", video.fields), graph.add("buffersink")
    source.link_to(mark)
    mark.link_to(sink)
    graph.configure()
    return graph


def _add_sound(out: av.container.OutputContainer, sound: Sound) -> Callable[[], Packets]:
    stream = out.add_stream(sound.codec, rate=sound.rate, options=dict(sound.options))
    assert isinstance(stream, av.AudioStream)
    context = stream.codec_context
    context.layout = sound.layout
    context.time_base = Fraction(1, sound.rate)
    formats = context.codec.audio_formats or []
    context.format = formats[0] if formats else "s16"
    context.bit_rate = 64_000 * len(sound.tones)
    if sound.language:
        stream.metadata["language"] = sound.language

    def encode() -> Packets:
        samples = beeps(sound.rate, sound.duration, sound.tones, sound.beeps)
        resampler = av.AudioResampler(
            format=context.format, layout=sound.layout, rate=sound.rate, frame_size=context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = (
            sound.rate,
            round(sound.start * sound.rate),
            Fraction(1, sound.rate),
        )
        packets: Packets = []
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            packets += stream.encode(piece)
        packets += stream.encode(None)
        return sound.edit(packets) if sound.edit else packets

    return encode


def _add_text(out: av.container.OutputContainer, text: Text) -> Callable[[], Packets]:
    stream = out.add_mux_stream("subrip" if text.codec == "srt" else text.codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = text.language

    def encode() -> Packets:
        packets = []
        for start, end, words in text.lines:
            payload = words.encode()
            if text.codec == "mov_text":
                payload = len(payload).to_bytes(2, "big") + payload
            packet: av.Packet[Any] = av.Packet(payload)
            packet.stream = stream
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = round(start * 1000)
            packet.duration = round((end - start) * 1000)
            packet.is_keyframe = True
            packets.append(packet)
        return packets

    return encode


def _add_data(out: av.container.OutputContainer, data: Sequence[tuple[Fraction, bytes]]) -> Callable[[], Packets]:
    stream = out.add_data_stream("bin_data")

    def encode() -> Packets:
        packets = []
        for seconds, payload in data:
            packet: av.Packet[Any] = av.Packet(payload)
            packet.stream, packet.time_base = stream, Fraction(1, 90000)
            packet.pts = packet.dts = round(seconds * 90000)
            packets.append(packet)
        return packets

    return encode


_ADD: Mapping[type, Any] = {Video: _add_video, Sound: _add_sound, Text: _add_text}
