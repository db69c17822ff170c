"""The files that a short is made of: what each holds, and one pass over all of them that finds what may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from vidprod.errors import FileContent, InvalidFile
from vidprod.media.loudness import Loudness, loudness
from vidprod.media.previews import Preview, previews
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.sound import SoundFormat, SoundReader
from vidprod.media.still import fitting_background, over, read_still
from vidprod.ops.attention import EVERY_CPU, EVERY_GPU, Attention, AttentionAnalysis
from vidprod.ops.beats import NONE, Beats, beats_of_parts
from vidprod.ops.quality import Quality, QualityAnalysis
from vidprod.ops.takes import StillEyes, Take, takes_of_still, takes_of_video
from vidprod.ops.timeline import Kind
from vidprod.ops.titles import Title, TitleAnalysis

STILL_SIDE = 1024
"""Longer side in pixels at which photographs are looked at."""

_MUSIC_RATE = 22050
_MUSIC_BLOCK = 10  # seconds read at a time


@dataclass(frozen=True)
class Member:
    """One input file.

    Attributes:
        name: as the user calls it.
        kind: what it holds.
        path: where it is.
        info: of a video.
        until: seconds of a video after which it is not used.
    """

    name: str
    kind: Kind
    path: Path
    info: VideoInfo | None = None
    until: Fraction | None = None

    @property
    def aspect(self) -> float:
        """Width / height of a video's upright picture, as seen."""
        assert self.info is not None
        return float(self.info.display_width * self.info.sample_aspect_ratio / self.info.display_height)


@dataclass(frozen=True, eq=False)
class Glance:
    """Some of what there is to see.

    Attributes:
        source: number of the file.
        seen: a run of a video's pictures, or a photograph, (3, H, W) uint8.
        background: the colour that was put behind a photograph that is transparent in parts.
    """

    source: int
    seen: Preview | Tensor
    background: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.seen) if isinstance(self.seen, Preview) else 1


@dataclass(frozen=True, eq=False)
class Material:
    """What may be shown, by source and time, and the colours behind transparent photographs by source."""

    takes: tuple[Take, ...]
    backgrounds: Mapping[int, tuple[int, int, int]]


@contextmanager
def blamed(source: int) -> Iterator[None]:
    """Errors of a file tell which of the list it is."""
    try:
        yield
    except InvalidFile as error:
        raise type(error)(f"FileList.{source + 1}: {error.message}") from error


def glances(members: Sequence[Member], device: torch.device) -> Iterator[Glance]:
    """All videos and photographs, one after the other."""
    every = EVERY_CPU if device.type == "cpu" else EVERY_GPU
    for source, member in enumerate(members):
        with blamed(source):
            if member.kind == "image":
                yield Glance(source, *_photograph(member.path))
            elif member.kind == "video":
                with VideoReader(member.path, info=member.info) as reader:
                    for preview in previews(reader, every=every, until=member.until):
                        yield Glance(source, preview)


def _photograph(path: Path) -> tuple[Tensor, tuple[int, int, int] | None]:
    still = read_still(path, side=STILL_SIDE)
    if still.alpha is None:
        return still.picture, None
    background = fitting_background(still)
    return over(still, background), background


class MaterialAnalysis:
    """Analysis: glances in, `Material` out."""

    def __init__(self, members: Sequence[Member], device: torch.device) -> None:
        self._members = members
        self._device = device
        self._eyes: StillEyes | None = None
        self._current: int | None = None  # number of the video that is looked at
        self._attention: AttentionAnalysis | None = None
        self._quality: QualityAnalysis | None = None
        self._titles: TitleAnalysis | None = None
        self._takes: list[Take] = []
        self._backgrounds: dict[int, tuple[int, int, int]] = {}

    def update(self, glance: Glance) -> None:
        """Takes the next pictures."""
        if glance.source != self._current:
            self._close()
        if isinstance(glance.seen, Tensor):
            self._eyes = self._eyes or StillEyes(self._device)
            self._takes += takes_of_still(glance.source, glance.seen, self._eyes)
            if glance.background is not None:
                self._backgrounds[glance.source] = glance.background
            return
        if self._attention is None or self._quality is None or self._titles is None:
            self._current = glance.source
            self._attention, self._quality = AttentionAnalysis(self._device), QualityAnalysis()
            self._titles = TitleAnalysis(self._device)
        self._attention.update(glance.seen)
        self._quality.update(glance.seen)
        self._titles.update(glance.seen)

    def finish(self) -> Material:
        """What was found; called once, after the last glance."""
        self._close()
        return Material(tuple(self._takes), self._backgrounds)

    def _close(self) -> None:
        """The video that was looked at is over."""
        if self._current is None or self._attention is None or self._quality is None or self._titles is None:
            return
        attention, quality, titles = self._attention.finish(), self._quality.finish(), self._titles.finish()
        with blamed(self._current):
            self._takes += self._takes_of(self._current, attention, quality, titles)
        self._current = self._attention = self._quality = self._titles = None

    def _takes_of(
        self, source: int, attention: Attention, quality: Quality, titles: tuple[Title, ...]
    ) -> tuple[Take, ...]:
        member = self._members[source]
        assert member.info is not None
        if not len(quality.seconds):
            raise FileContent(f"{member.path.name}: the video has no picture")
        sound = loudness(member.path, float(quality.seconds[-1]) + 1, start=member.info.start)
        until = float("inf") if member.until is None else float(member.until)
        size = member.info.display_width, member.info.display_height
        return takes_of_video(source, attention, quality, sound, member.aspect, until=until, size=size, titles=titles)


@dataclass(frozen=True, eq=False)
class Music:
    """A piece of music: its beats, its length in seconds (0 where nothing could be decoded), and how loud it is over time."""

    beats: Beats = NONE
    seconds: float = 0.0
    loudness: Loudness | None = None


def hear(path: Path) -> Music:
    """Listens to a piece of music."""
    samples = 0

    def parts() -> Iterator[Tensor]:
        nonlocal samples
        with SoundReader(path, SoundFormat(_MUSIC_RATE, 1)) as reader:
            for block in reader.blocks(_MUSIC_BLOCK * _MUSIC_RATE):
                samples += block.shape[1]
                yield torch.from_numpy(block[0])

    beats = beats_of_parts(parts(), _MUSIC_RATE)
    seconds = samples / _MUSIC_RATE
    return Music(beats, seconds, loudness(path, seconds)) if samples else Music()
