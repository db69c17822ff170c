"""What travels beside the pictures: audio, text subtitles and chapters of a source, carried into an output in step with its video.

A second demuxer over the source gives them, up to the time the video has reached, so that nothing piles up in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from av.stream import Discard, Disposition

from vidprod.media._opening import open_input, packets, rational
from vidprod.media.probe import Limits
from vidprod.media.timing import BROADCAST, PtsRepair, rescale

# What each container takes without re-encoding, of what players can be expected to play.
COPIED = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac"}
    | {f"pcm_{f}" for f in ("s16le", "s16be", "s24le", "s24be", "s32le", "f32le", "u8")},
}
TEXT_SUBTITLES = {"subrip", "ass", "ssa", "mov_text", "webvtt", "text"}
_METADATA = (
    "title", "artist", "album_artist", "album", "composer", "comment", "description", "synopsis", "genre", "date", "copyright",
    "show", "creation_time", "location",
)  # fmt: skip
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)
_AAC_BITS_PER_CHANNEL = 80_000
# Holes and overlaps of re-encoded audio up to this many seconds are left alone: rounding to coarse time bases makes them.
_TOLERANCE = Fraction(1, 100)
# Seconds by which the streams of a file may lie apart.
_INTERLEAVED = 10


@dataclass
class CarryStats:
    """What happened to the companions: audio streams copied, re-encoded, subtitles carried, packets dropped, streams left out."""

    copied: int = 0
    encoded: int = 0
    subtitles: int = 0
    damaged: int = 0
    left_out: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """One sentence per thing that the user should know."""
        notes = []
        if self.encoded:
            notes.append(f"audio streams re-encoded as AAC: {self.encoded}")
        if self.damaged:
            notes.append(f"damaged audio or subtitle packets left out: {self.damaged}")
        if self.left_out:
            notes.append(f"not carried over: {', '.join(self.left_out)}")
        return tuple(notes)


class _Track(Protocol):
    """One companion stream on its way."""

    def put(self, packet: av.Packet[Any]) -> None:
        """Takes a packet of the source, writes what it becomes."""

    def finish(self) -> None:
        """Writes what is still inside."""


class Companions:
    """Carries the companions of one source into one output container. Create it before the first packet is muxed."""

    def __init__(
        self,
        source: str | os.PathLike[str],
        output: av.container.OutputContainer,
        *,
        container: str,
        start: Fraction,
        stop: Fraction | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Adds the streams to `output`, of kind `container` ("mp4" or "mov").

        `start` seconds are subtracted from all times; what begins at `stop` seconds of the output or later is left out.
        """
        self.stats = CarryStats()
        self._input = open_input(str(source), max_pixels=(limits or Limits()).max_pixels)
        self._tracks: dict[int, _Track] = {}
        left_out = []
        for stream in self._input.streams:
            track: _Track | None = None
            if isinstance(stream, av.AudioStream):
                track = _audio_track(stream, output, container, start, self.stats)
            elif stream.type == "subtitle":
                track = _text_track(stream, output, start, self.stats)
            if track is not None:
                self._tracks[stream.index] = track
            elif stream.type in ("audio", "subtitle"):
                left_out.append(
                    f"{stream.type} stream {stream.index} ({stream.codec_context and stream.codec_context.name})"
                )
        self.stats.left_out = tuple(left_out)
        for stream in self._input.streams:
            if stream.index not in self._tracks:
                stream.discard = Discard.all  # spares reading the pictures a second time
        output.metadata.update({k: v for k, v in self._input.metadata.items() if k.lower() in _METADATA})
        chapters = [
            one for one in _chapters(self._input, start) if stop is None or one["start"] * one["time_base"] < stop
        ]
        if chapters:
            output.set_chapters(chapters)
        self._start = start
        self._stop = stop
        self._packets = self._demux()
        self._held: av.Packet[Any] | None = None

    def carry(self, until: Fraction | None) -> None:
        """Writes everything up to `until` seconds of the output; all the rest for None."""
        while True:
            packet = self._held or next(self._packets, None)
            self._held = None
            if packet is None:
                break
            ticks = packet.dts if packet.dts is not None else packet.pts
            time = None if ticks is None else ticks * _base(packet.time_base) - self._start
            if time is not None and self._stop is not None and time >= self._stop:
                if time > self._stop + _INTERLEAVED:
                    break
                continue
            if until is not None and time is not None and time > until:
                self._held = packet
                return
            self._tracks[packet.stream.index].put(packet)
        if until is None:
            for track in self._tracks.values():
                track.finish()
            self._tracks = {}

    def close(self) -> None:
        """Closes the source. Idempotent."""
        self._input.close()

    def notes(self) -> tuple[str, ...]:
        """One sentence per thing that the user should know."""
        return self.stats.notes()

    def _demux(self) -> Iterator[av.Packet[Any]]:
        streams = [s for s in self._input.streams if s.index in self._tracks]
        if not streams:
            return
        try:
            yield from packets(self._input, *streams)
        except av.FFmpegError:
            self.stats.damaged += 1  # the file breaks off


def _base(value: Any) -> Fraction:
    return rational(value) or Fraction(1, 1000)


def _chapters(source: av.container.InputContainer, start: Fraction) -> Iterator[Any]:
    for chapter in source.chapters():
        base = rational(chapter["time_base"]) or Fraction(1, 1000)
        shift = rescale(1, start, base)
        end = max(0, chapter["end"] - shift)
        if end > 0:
            yield {**chapter, "time_base": base, "start": max(0, chapter["start"] - shift), "end": end}


def _audio_track(
    stream: av.AudioStream, output: av.container.OutputContainer, container: str, start: Fraction, stats: CarryStats
) -> _Track | None:
    context = stream.codec_context
    clock = _Clock(stream, start)
    if context is None or not context.sample_rate or not context.layout.nb_channels:
        return None  # no decoder, or a stream that never began
    if context.codec.canonical_name in COPIED[container]:
        copy = output.add_stream_from_template(stream)
        _describe(stream, copy)
        stats.copied += 1
        return _Copy(copy, output, clock, stats)
    rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48000
    channels = context.layout.nb_channels
    encoder = output.add_stream("aac", rate=rate)
    # Never the source's layout name: old formats give "unknown" ones, which nothing accepts.
    encoder.codec_context.layout = _LAYOUTS.get(channels, "stereo")
    encoder.codec_context.bit_rate = _AAC_BITS_PER_CHANNEL * min(channels, 8)
    _describe(stream, encoder)
    stats.encoded += 1
    return _Encode(stream, encoder, output, clock, stats)


def _text_track(stream: Any, output: av.container.OutputContainer, start: Fraction, stats: CarryStats) -> _Track | None:
    context = stream.codec_context
    if context is None or context.codec.canonical_name not in TEXT_SUBTITLES:
        return None
    encoder = output.add_stream("mov_text")
    context.open(strict=False)
    encoder.codec_context.subtitle_header = context.subtitle_header
    _describe(stream, encoder)
    stats.subtitles += 1
    return _Text(context, encoder, output, start, stats)


def _describe(source: av.stream.Stream, target: av.stream.Stream) -> None:
    for key in ("language", "title"):
        if key in source.metadata:
            target.metadata[key] = source.metadata[key]
    target.disposition = Disposition(source.disposition & (Disposition.default | Disposition.forced))


class _Clock:
    """Moves the packets of one stream to the output's time, closing the joints between recordings as the pictures' times are."""

    def __init__(self, stream: av.AudioStream, start: Fraction) -> None:
        self._time_base = _base(stream.time_base)
        self._origin = round(start / self._time_base)
        source = stream.container
        assert isinstance(source, av.container.InputContainer)
        self._container = source.format.name
        # A time far behind the end is damage, and would make hours of silence; broadcasts may set their clock anew.
        self._end: int | None = None
        if source.duration is not None and self._container not in BROADCAST:
            self._end = round((Fraction(source.duration, 1_000_000) + abs(start) + 60) / self._time_base)
        self._repair: PtsRepair | None = None

    def set(self, packet: av.Packet[Any]) -> bool:
        """False if the packet has no time, or one that cannot be."""
        # Sound has no B-frames: both times are the same, and the second is the one that damage spoils more often.
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or (self._end is not None and time > self._end):
            return False
        if self._repair is None:
            self._repair = PtsRepair(
                origin=self._origin,
                step=packet.duration or 1,
                time_base=self._time_base,
                container=self._container,
            )
        packet.pts = packet.dts = self._repair(time)
        return True


class _Copy:
    """Packets as they are, moved in time."""

    def __init__(
        self, target: av.AudioStream, output: av.container.OutputContainer, clock: _Clock, stats: CarryStats
    ) -> None:
        self._target = target
        self._output = output
        self._clock = clock
        self._stats = stats

    def put(self, packet: av.Packet[Any]) -> None:
        if not self._clock.set(packet):
            self._stats.damaged += 1
            return
        packet.stream = self._target
        try:
            self._output.mux(packet)
        except av.error.InvalidDataError:
            self._stats.damaged += 1  # such as a broken ADTS header, which the muxer cannot take apart

    def finish(self) -> None:
        pass


class _Encode:
    """Decoded, brought to a layout and rate that AAC knows, and encoded; holes are filled with silence."""

    def __init__(
        self,
        source: av.AudioStream,
        target: av.AudioStream,
        output: av.container.OutputContainer,
        clock: _Clock,
        stats: CarryStats,
    ) -> None:
        self._source = source
        self._target = target
        self._output = output
        self._clock = clock
        self._stats = stats
        self._rate = target.codec_context.sample_rate
        self._channels = target.codec_context.layout.nb_channels
        self._resampler = av.AudioResampler(format="fltp", layout=target.codec_context.layout.name, rate=self._rate)
        self._next: int | None = None  # the next sample's number, in units of 1 / rate

    def put(self, packet: av.Packet[Any]) -> None:
        if not self._clock.set(packet):
            self._stats.damaged += 1
            return
        try:
            for frame in self._source.codec_context.decode(packet):
                for part in self._resampler.resample(frame):
                    self._encode(part)
        except (av.error.InvalidDataError, av.error.PatchWelcomeError, ValueError):
            self._stats.damaged += 1

    def finish(self) -> None:
        for part in self._resampler.resample(None):
            self._encode(part)
        self._output.mux(self._target.encode(None))

    def _encode(self, frame: av.AudioFrame) -> None:
        if frame.pts is not None:
            due = round(frame.pts * _base(frame.time_base) * self._rate)
        else:
            due = self._next or 0
        if self._next is None:
            self._next = max(0, due)
        tolerance = int(_TOLERANCE * self._rate)
        if due + frame.samples <= self._next - tolerance:
            return  # again what was heard already
        while due - self._next > tolerance:
            self._send(self._silence(min(due - self._next, self._rate)))
        self._send(frame)

    def _send(self, frame: av.AudioFrame) -> None:
        assert self._next is not None
        frame.pts, frame.time_base = self._next, Fraction(1, self._rate)
        self._next += frame.samples
        self._output.mux(self._target.encode(frame))

    def _silence(self, samples: int) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(
            np.zeros((self._channels, samples), np.float32),
            format="fltp",
            layout=self._target.codec_context.layout.name,
        )
        frame.sample_rate = self._rate
        return frame


class _Text:
    """Text subtitles of any kind as MP4's own."""

    def __init__(
        self, decoder: Any, target: Any, output: av.container.OutputContainer, start: Fraction, stats: CarryStats
    ) -> None:
        self._decoder = decoder
        self._target = target
        self._output = output
        self._start = start
        self._stats = stats

    def put(self, packet: av.Packet[Any]) -> None:
        if packet.pts is None:
            self._stats.damaged += 1
            return
        try:
            text = self._decoder.decode2(packet)
            if text is None or not len(text):
                return
            out = self._target.codec_context.encode_subtitle(text)
        except (av.FFmpegError, ValueError):
            self._stats.damaged += 1
            return
        base = _base(packet.time_base)
        out.time_base = base
        out.pts = out.dts = max(0, packet.pts - round(self._start / base))
        out.duration = packet.duration or max(1, round(Fraction(text.end_display_time, 1000) / base))
        out.stream = self._target
        self._output.mux(out)

    def finish(self) -> None:
        pass
