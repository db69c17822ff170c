"""`VideoWriter`: pictures and the companions of a source into an MP4 or MOV file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

import av
import torch

from vidprod.errors import InternalError, InvalidParameter
from vidprod.media.audio import Companions
from vidprod.media.color import FULL, LIMITED, RGB, ColorTags, ToYUV, picture_from_rgb, tag, tags_of
from vidprod.media.frames import Frames
from vidprod.media.hardware import ToEncoder, abilities
from vidprod.media.pending import PendingFile, open_output
from vidprod.media.probe import VideoInfo
from vidprod.media.sound import Sound, Soundtrack
from vidprod.media.timing import rescale

Codec = Literal["h264", "hevc", "prores"]

_SOFTWARE = {"h264": "libx264", "hevc": "libx265", "prores": "prores_ks"}
_CONTAINERS = {".mp4": ("mp4", {"h264", "hevc"}), ".mov": ("mov", {"h264", "hevc", "prores"})}
DEFAULT_CRF = 18.0
# The decoder's buffer model: short peaks may reach 1.5 times the wanted rate, averaged over two seconds.
_PEAK = Fraction(3, 2)
_BUFFER_SECONDS = 2
_FALLBACK_RATE = Fraction(30)
# x265 leaves the decoding times of a video of one or two pictures unset: they are whatever the memory held.
_TOO_SHORT = 2


class VideoWriter:
    """Encodes pictures with exact times, and carries audio, text subtitles and chapters along.

    Everything goes to a temporary file beside `path`, which `close` renames; an exception inside `with` removes it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        like: VideoInfo,
        width: int | None = None,
        height: int | None = None,
        codec: Codec = "h264",
        bit_rate: int | None = None,
        crf: float | None = None,
        preset: str = "veryfast",
        pix_fmt: str | None = None,
        time_base: Fraction | None = None,
        frame_rate: Fraction | None = None,
        color: ColorTags | None = None,
        sample_aspect_ratio: Fraction | None = None,
        rotation: int = 0,
        audio_from: str | os.PathLike[str] | VideoInfo | None = None,
        audio_stop: Fraction | None = None,
        sound: Sound | None = None,
        metadata: dict[str, str] | None = None,
        device: torch.device | str = "cpu",
        threads: int = 0,
    ) -> None:
        """Creates the temporary file; nothing is written to it before the first picture.

        Args:
            path: the output; its suffix, .mp4 or .mov, tells the container.
            like: the source, from which everything not given here is taken.
            width: of the pictures to come; by default those of the source's `Frames`.
            height: see `width`.
            codec: "h264" or "hevc", or "prores" in MOV.
            bit_rate: wanted average in bit/s; without it the quality is constant.
            crf: that constant quality, 0..51, lower is better; 18 by default.
            preset: x264's and x265's trade of speed for size.
            pix_fmt: FFmpeg's name; by default 4:2:0 with 8 or 10 bits as the source has (4:2:2 with 10 bits for ProRes).
            time_base: seconds per tick; the source's by default, so that times stay exact.
            frame_rate: what the stream claims; the source's average by default.
            color: colour of the output; the source's by default.
            sample_aspect_ratio: of the coded picture; the source's by default.
            rotation: degrees clockwise that players must turn the picture; for `write_native` of a turned source.
            audio_from: the file whose audio, text subtitles and chapters are carried over; None for a silent output.
            audio_stop: seconds at which they end; by default with the source.
            sound: new sound, in the place of `audio_from`.
            metadata: more entries, such as a title.
            device: where `Frames` come from; a GPU's own encoder is used if it has one.
            threads: of the encoder; 0 for as many as it thinks right.

        Raises:
            InvalidParameter: a combination that no file can hold.
            InternalError: the folder is missing or cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in _CONTAINERS:
            raise InvalidParameter(f"output {Path(path).name!r}: the suffix must be one of {', '.join(_CONTAINERS)}")
        self._container_name, codecs = _CONTAINERS[suffix]
        if codec not in codecs:
            raise InvalidParameter(f"codec {codec!r} does not fit in {suffix}; possible: {', '.join(sorted(codecs))}")
        if sound is not None and audio_from is not None:
            raise ValueError("audio_from and sound exclude each other")
        if bit_rate is not None and crf is not None:
            raise InvalidParameter("bit_rate and crf exclude each other")
        self._like = like
        self._size = width or like.display_width, height or like.display_height
        deep = like.bits > 8 or codec == "prores"
        self._pix_fmt = pix_fmt or ("yuv422p10le" if codec == "prores" else "yuv420p10le" if deep else "yuv420p")
        self._tags = (color or _output_color(like)).resolved(like.height)
        self._time_base = time_base or like.time_base
        self._device = torch.device(device)
        self._convert = ToYUV(*self._coded_size(), self._pix_fmt, self._tags)
        self._by_torch = ToEncoder(self._device)
        self._last: int | None = None
        self._count = 0
        self._state: Literal["open", "done"] = "open"
        self._pending = PendingFile(path)
        self._companions: Companions | Soundtrack | None = None
        try:
            with self._pending.reported():
                self._output = open_output(self._pending, self._container_name, self._time_base)
                self._stream = self._add_stream(
                    codec, bit_rate, crf, preset, frame_rate or like.frame_rate or _FALLBACK_RATE, threads
                )
                context = self._stream.codec_context
                upright = like.sample_aspect_ratio
                turned = 1 / upright if rotation % 180 else upright
                context.sample_aspect_ratio = turned if sample_aspect_ratio is None else sample_aspect_ratio
                context.color_range, context.colorspace = self._tags.range, self._tags.matrix
                context.color_primaries, context.color_trc = self._tags.primaries, self._tags.transfer
                if rotation % 360:
                    self._stream.set_display_rotation(-rotation)
                if audio_from is not None:
                    source = audio_from.path if isinstance(audio_from, VideoInfo) else audio_from
                    start = audio_from.start if isinstance(audio_from, VideoInfo) else like.start
                    self._companions = Companions(
                        source, self._output, container=self._container_name, start=start, stop=audio_stop
                    )
                if sound is not None:
                    self._companions = Soundtrack(sound.format, sound.blocks, self._output)
                self._output.metadata.update(metadata or {})
        except BaseException:
            self.abort()
            raise

    def write(self, frames: Frames) -> None:
        """Encodes pictures; they must follow those written before."""
        with self._pending.reported():
            for picture, pts in zip(self._pictures(frames), frames.pts, strict=True):
                self._encode(picture, pts, frames.time_base)

    def prepared(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A decoded picture in the encoder's format, size and colour; the same object if it is so already."""
        source = tags_of(frame, self._like.color.resolved(self._like.height))
        same = (frame.width, frame.height, frame.format.name) == (*self._coded_size(), self._pix_fmt)
        if same and (source.range, source.matrix) == (self._tags.range, self._tags.matrix):
            return frame
        pts, time_base = frame.pts, frame.time_base
        frame = self._convert(frame, source)
        frame.pts, frame.time_base = pts, time_base
        return frame

    @property
    def tags(self) -> ColorTags:
        """What the numbers of a `prepared` picture mean; resolved."""
        return self._tags

    def write_native(self, frame: av.VideoFrame) -> None:
        """Encodes a picture as a decoder gave it, without any conversion if format, size and colour agree.

        Its pixels are not changed, but its picture type and colour tags are.
        """
        if self._hardware:
            raise ValueError("an encoder on a GPU takes Frames only; leave out device= to encode decoded pictures")
        assert frame.pts is not None
        assert frame.time_base is not None
        pts, time_base = frame.pts, Fraction(frame.time_base)
        with self._pending.reported():
            self._encode(self.prepared(frame), pts, time_base)

    def close(self) -> None:
        """Writes what is still inside the encoder and the rest of the companions, and moves the file to its name."""
        if self._state != "open":
            return
        try:
            with self._pending.reported():
                if not self._count:
                    raise InternalError(f"{self._pending.path.name}: no picture was written")
                rest = self._stream.encode(None)
                if self._count <= _TOO_SHORT:
                    for packet in rest:
                        packet.dts = packet.pts  # so few are not reordered
                self._mux(rest)
                if self._companions is not None:
                    self._companions.carry(None)
                    self._companions.close()
                self._output.close()
            self._pending.commit()
            self._state = "done"
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Removes everything. Idempotent; does nothing after `close`."""
        if self._state != "open":
            return
        self._state = "done"
        # First the name, so that closing does not rewrite the file to move its index to the front.
        self._pending.discard()
        if self._companions is not None:
            self._companions.close()
        with contextlib.suppress(av.FFmpegError, OSError, AttributeError, ValueError):
            self._output.close()
        self._pending.discard()

    def notes(self) -> tuple[str, ...]:
        """One sentence per thing about the companions that the user should know."""
        return () if self._companions is None else self._companions.notes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _coded_size(self) -> tuple[int, int]:
        """The size padded to what the pixel format can hold."""
        format = av.VideoFormat(self._pix_fmt, 16, 16)
        x, y = 16 // format.chroma_width(), 16 // format.chroma_height()
        width, height = self._size
        return -(-width // x) * x, -(-height // y) * y

    def _add_stream(
        self, codec: Codec, bit_rate: int | None, crf: float | None, preset: str, rate: Fraction, threads: int
    ) -> av.VideoStream:
        name = f"{codec}_nvenc"
        hardware = (
            name in abilities(self._device).encoders
            and self._pix_fmt in ("yuv420p", "yuv420p10le")
            and not (codec == "h264" and self._pix_fmt != "yuv420p")
        )
        if not hardware:
            name = _SOFTWARE[codec]
        stream = self._output.add_stream(name, rate=rate, options=_options(name, bit_rate, crf, preset))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = self._coded_size()
        stream.pix_fmt = "cuda" if hardware else self._pix_fmt
        context = stream.codec_context
        context.time_base = self._time_base
        context.thread_count = threads
        context.thread_type = "AUTO"  # av's default, slices, costs x264 quality
        if bit_rate is not None:
            context.bit_rate = bit_rate
        if codec == "hevc":
            context.codec_tag = "hvc1"  # what Apple's players insist on
        self._hardware = hardware
        return stream

    def _pictures(self, frames: Frames) -> Iterator[av.VideoFrame]:
        """RGB as the encoder wants it."""
        data = frames.data
        bits = 10 if "10" in self._pix_fmt else 8
        if self._hardware:
            yield from self._by_torch.frames(data, self._tags, bits=bits)
        elif self._pix_fmt in ("yuv420p", "yuv420p10le") and (data.device.type != "cpu" or self._tags.range == FULL):
            # full range also on the CPU, since swscale puts the middle of its chroma half a level too low
            yield from self._by_torch.host_frames(data, self._tags, bits=bits)
        else:
            for picture in data:
                yield self._convert(picture_from_rgb(picture.cpu()), self._tags)

    def _encode(self, frame: av.VideoFrame, pts: int, time_base: Fraction) -> None:
        now = pts if time_base == self._time_base else rescale(pts, time_base, self._time_base)
        if self._last is not None and now <= self._last:
            if pts == now:
                raise ValueError(f"pts {pts} after {self._last}: pictures must come in order")
            now = self._last + 1  # two times of a finer clock that fall together in this one
        self._last = now
        frame.pts, frame.time_base = now, self._time_base
        frame.pict_type = 0  # or the encoder would repeat the source's choice of key pictures
        tag(frame, self._tags)
        self._count += 1
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            if self._companions is not None and packet.dts is not None:
                self._companions.carry(packet.dts * self._time_base)
            self._output.mux(packet)


def _output_color(like: VideoInfo) -> ColorTags:
    """The source's, but YUV made from RGB has limited range, which every player expects."""
    return dataclasses.replace(like.color, range=LIMITED) if like.color.matrix == RGB else like.color


def _options(encoder: str, bit_rate: int | None, crf: float | None, preset: str) -> dict[str, str]:
    options: dict[str, str] = {}
    if bit_rate is not None:
        options |= {"maxrate": str(int(bit_rate * _PEAK)), "bufsize": str(bit_rate * _BUFFER_SECONDS)}
    if encoder == "prores_ks":
        return {"profile": "hq", "vendor": "apl0"}
    if encoder.endswith("_nvenc"):
        quality = {"rc": "vbr"} | (
            {} if bit_rate is not None else {"cq": f"{DEFAULT_CRF if crf is None else crf:g}", "b:v": "0"}
        )
        return options | quality | {"preset": "p5", "tune": "hq"}
    options["preset"] = preset
    if bit_rate is None:
        options["crf"] = f"{DEFAULT_CRF if crf is None else crf:g}"
    if encoder == "libx265":
        options["x265-params"] = "log-level=none"
    return options
