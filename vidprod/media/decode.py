"""From a file to decoded pictures with sound times: damage skipped, fields woven into frames, one constant size."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import Interpolation, VideoReformatter

from vidprod.errors import FileDecode, FileDownload
from vidprod.media._opening import open_input, packets
from vidprod.media.deinterlace import Deinterlacer
from vidprod.media.probe import Limits, VideoInfo
from vidprod.media.timing import BROADCAST, PtsRepair

# Codecs of which each packet gives exactly one picture, so that packets can be counted instead of pictures.
_ONE_PACKET_ONE_PICTURE = {"h264", "hevc", "mjpeg", "prores", "dnxhd", "ffv1", "av1", "vp9"}
# Containers with an index that finds a key picture for sure.
_INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
_BOXES = {
    b"ftyp",
    b"styp",
    b"moov",
    b"moof",
    b"mdat",
    b"mfra",
    b"sidx",
    b"emsg",
    b"free",
    b"skip",
    b"uuid",
    b"wide",
    b"prft",
}
# Below this many pictures, decoding from the beginning is cheaper than looking for a place to start.
_NEAR = 50
# Seconds before a time at which a key picture is looked for: first a little, since containers count in decoding times, then more.
_APPROACHES = (Fraction(1, 4), Fraction(15))


@dataclass
class ReadStats:
    """What reading one file met with.

    Attributes:
        pictures: decoded so far.
        damaged: packets that could not be decoded and were skipped.
        concealed: pictures that the decoder patched up.
        repaired: times that were absent or went back.
        splices: joints between recordings.
        truncated: whether the file breaks off.
        claimed: how many pictures the file says it has; None if it says nothing.
    """

    pictures: int = 0
    damaged: int = 0
    concealed: int = 0
    repaired: int = 0
    splices: int = 0
    truncated: bool = False
    claimed: int | None = None

    def notes(self) -> tuple[str, ...]:
        """One sentence per thing that the user should know; empty for a sound file."""
        notes = []
        if self.damaged:
            notes.append(f"damaged packets skipped: {self.damaged}")
        if self.concealed:
            notes.append(f"damaged pictures patched up by the decoder: {self.concealed}")
        if self.repaired:
            notes.append(f"missing or wrong timestamps repaired: {self.repaired}")
        if self.splices:
            notes.append(f"joints between recordings closed: {self.splices}")
        if self.truncated:
            of = f" of {self.claimed}" if self.claimed else ""
            notes.append(f"the file breaks off after {self.pictures}{of} pictures")
        return tuple(notes)


class Decoder:
    """One pass over the video stream of a file. Not to be shared between threads."""

    def __init__(
        self,
        info: VideoInfo,
        *,
        limits: Limits,
        threads: int = 0,
        qp: bool = False,
        hwaccel: av.codec.hwaccel.HWAccel | None = None,
        stats: ReadStats | None = None,
    ) -> None:
        self.info = info
        self.stats = stats or ReadStats()
        self._limits = limits
        self._threads = threads
        self._qp = qp
        self._hwaccel = hwaccel
        self._partial = False  # whether the pass begins in the middle
        self._latest: Fraction | None = None  # seconds; the highest time of a picture
        rate = info.frame_rate or Fraction(30)
        self._step = max(1, round(1 / (rate * info.time_base)))
        self._container, self._stream = self._open()

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        path = self.info.path
        try:
            container = open_input(str(path), max_pixels=self._limits.max_pixels, hwaccel=self._hwaccel)
            stream = container.streams[self.info.stream]
        except FileNotFoundError as error:
            raise FileDownload(f"{path} is gone") from error
        except (av.FFmpegError, IndexError) as error:
            raise FileDecode(f"{path.name}: cannot be opened again: {error}") from error
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            container.close()
            raise FileDecode(f"{path.name}: the file changed since it was probed")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        if self._qp:
            stream.codec_context.options = {**stream.codec_context.options, "export_side_data": "venc_params"}
        return container, stream

    def close(self) -> None:
        """Closes the file. Idempotent."""
        self._container.close()

    def pictures(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
        """(number, picture) with `pts` in the stream's time base, counted from `info.start`; numbers from 0 for the whole file.

        A range is cut by number, or, where each packet is one picture, by the times of those packets: the pieces of a cut-up
        video then fit together even where packets are damaged.
        """
        table = self._packet_times() if start or stop is not None else None
        if table is None:
            for number, frame in enumerate(self._finished(self._decoded())):
                if stop is not None and number >= stop:
                    return
                if number >= (start or 0):
                    yield number, frame
        else:
            yield from self._range(table, start or 0, stop)

    def _range(
        self, table: tuple[list[int], list[int]], start: int, stop: int | None
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        times, keys = table
        if start >= len(times):
            return
        first = times[start]
        # One key picture further back than needed: pictures after an open one in time may refer to before it.
        at = bisect.bisect_right(keys, first) - 2
        if start > _NEAR and at > 0:
            self._begin()
            self._container.seek(keys[at], stream=self._stream)
            self._partial = True
        origin = self.info.start_pts
        end = None if stop is None or stop >= len(times) else times[stop]
        number = start
        for frame in self._finished(self._decoded()):
            assert frame.pts is not None
            if end is not None and frame.pts + origin >= end:
                return
            if frame.pts + origin >= first:
                yield number, frame
                number += 1

    def since(self, second: Fraction) -> Iterator[av.VideoFrame]:
        """Pictures in order, from one at or before a time on: the nearest key picture where the file tells of one, else the first.

        Times are as in `pictures`, but joints between recordings before the first picture are not known of.
        """
        if self.info.container not in BROADCAST:  # whose times may begin anew at any moment
            for approach in _APPROACHES:
                wanted = second - approach
                if wanted <= 0:
                    break
                try:
                    self._begin()
                    self._container.seek(round((wanted + self.info.start) / self.info.time_base), stream=self._stream)
                except av.FFmpegError:
                    self._reopen()
                    continue
                self._partial = True
                pictures = self._finished(self._decoded())
                first = next(pictures, None)
                if first is not None and first.pts is not None and first.pts * self.info.time_base <= second:
                    yield first
                    yield from pictures
                    return
                self._reopen()
        yield from self._finished(self._decoded())

    def _begin(self) -> None:
        """Shows the decoder the first packet: only that one tells the version of x264, whose early 4:4:4 needs a workaround."""
        if self.info.codec == "h264" and "444" in self.info.pix_fmt:
            with contextlib.suppress(av.FFmpegError):
                self._stream.decode(next(packets(self._container, self._stream), None))

    def _reopen(self) -> None:
        self._container.close()
        self._container, self._stream = self._open()
        self._partial = False

    def _packet_times(self) -> tuple[list[int], list[int]] | None:
        """(times of all pictures, times of key pictures), both sorted; None where packets do not tell."""
        info = self.info
        if info.container not in _INDEXED or info.codec not in _ONE_PACKET_ONE_PICTURE or info.interlaced:
            return None
        times: list[int] = []
        keys: list[int] = []
        container, stream = self._open()
        with container, contextlib.suppress(av.FFmpegError):  # breaks off: what there is can be counted
            for packet in packets(container, stream):
                if packet.is_discard:
                    continue
                if packet.pts is None or not (times or packet.is_keyframe):
                    return None
                times.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        times.sort()
        if not times or any(a == b for a, b in itertools.pairwise(times)):
            return None
        return times, sorted(keys)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Pictures as the decoder gives them, in order of presentation, with repaired times."""
        time_base = self.info.time_base
        in_avi = self.info.container == "avi"
        latest: int | None = None
        repair = PtsRepair(
            origin=self.info.start_pts, step=self._step, time_base=time_base, container=self.info.container
        )
        for frame in self._raw():
            # AVI knows no pts, and what FFmpeg makes up for it is wrong with B-frames; there, and wherever pts is absent, the dts
            # of the packet that completed a picture is its time of presentation.
            pts = frame.dts if frame.pts is None or in_avi else frame.pts
            if pts is None and in_avi and latest is not None:
                pts = latest + self._step  # the last ones come out without a packet
            latest = pts
            frame.pts = repair(pts)
            self._latest = max(self._latest or Fraction(0), (frame.pts + self.info.start_pts) * time_base)
            frame.time_base = time_base
            self.stats.repaired, self.stats.splices = repair.repaired, repair.splices
            self.stats.concealed += frame.is_corrupt
            self.stats.pictures += 1
            yield frame

    def _raw(self) -> Iterator[av.VideoFrame]:
        source = packets(self._container, self._stream)
        seen = 0
        while True:
            packet: av.Packet[Any] | None
            try:
                packet = next(source, None)
            except av.FFmpegError:
                packet = None
                self.stats.truncated = True
            if packet is not None:
                seen += 1
            try:
                yield from self._stream.decode(packet)  # None lets out what the decoder holds
            except av.FFmpegError as error:
                self.stats.damaged += 1
                if self.stats.damaged > self._limits.max_errors:
                    raise FileDecode(
                        f"{self.info.path.name}: more than {self._limits.max_errors} damaged packets: {error.strerror}"
                    ) from error
            if packet is None:
                break
        if not self._partial and not self.stats.truncated:
            self.stats.truncated = self._breaks_off(seen)

    def _breaks_off(self, seen: int) -> bool:
        """Whether the file holds less than its header says. Called at its end."""
        claimed = self.stats.claimed = self.info.frame_count
        if claimed is not None and seen >= claimed - max(1, claimed // 100):
            return False
        if claimed is None and self.info.container.startswith("mov"):
            return last_box_is_cut(self.info.path)  # fragments: no part says how much there is in all
        promised = self.info.duration
        if claimed is not None and self.info.frame_rate is not None:
            promised = float(claimed / self.info.frame_rate)  # a cut AVI's duration is that of what is left
        if promised is None or self._latest is None:
            return False
        missing = max(0.5, 0.02 * promised) if claimed is None else 5 * float(self._step * self.info.time_base)
        end = promised - missing
        if self._latest >= end:
            return False
        if claimed is not None:
            return True
        # Perhaps only the pictures end early: look whether other streams go on.
        with (
            contextlib.suppress(av.FFmpegError),
            open_input(str(self.info.path), max_pixels=self._limits.max_pixels) as file,
        ):
            for packet in packets(file, *file.streams):
                if packet.pts is not None and (packet.pts + (packet.duration or 0)) * packet.time_base >= end:
                    return False
        return True

    def _finished(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Deinterlaced where needed, and always of the first picture's size and format."""
        info = self.info
        fit = VideoReformatter()
        deinterlace = Deinterlacer() if info.interlaced else None
        for frame in frames:
            if deinterlace is None and frame.interlaced_frame:
                deinterlace = Deinterlacer()
            for done in [frame] if deinterlace is None else deinterlace(frame):
                yield _fitted(done, info, fit)
        for done in [] if deinterlace is None else deinterlace(None):
            yield _fitted(done, info, fit)


def last_box_is_cut(path: Path) -> bool:
    """Whether an MP4 file ends within one of the boxes it is made of."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8 or head[4:8] not in _BOXES:
                return len(head) < 8  # something else was appended
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length == 0:
                return False  # reaches to the end, wherever that is
            at += max(8, length)
    return at > size


def _fitted(frame: av.VideoFrame, info: VideoInfo, fit: VideoReformatter) -> av.VideoFrame:
    if (frame.width, frame.height) == (info.width, info.height) and frame.format.name == info.pix_fmt:
        return frame
    if frame.format.name == "cuda":
        return frame
    pts, time_base = frame.pts, frame.time_base
    frame = fit.reformat(frame, info.width, info.height, info.pix_fmt, interpolation=Interpolation.BICUBIC, threads=1)
    frame.pts, frame.time_base = pts, time_base
    return frame
