"""What a file of the corpus is made of (`Video`, `Sound`, `Text`) and what is expected of it (`Expect`, `Case`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av

from vidprod.errors import VidprodError

from .pictures import Array, Painter, picture
from .sound import BEEPS

Packets: TypeAlias = "list[av.Packet[Any]]"

UNSPECIFIED = 2


@dataclass(frozen=True)
class Tags:
    """Colour tags by FFmpeg's numbers: range 0 unknown, 1 limited, 2 full; the others 2 when unspecified."""

    range: int = 0
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED


BT709 = Tags(1, 1, 1, 1)
BT601 = Tags(1, 6, 6, 6)
FULL709 = Tags(2, 1, 1, 1)
PQ = Tags(1, 9, 9, 16)
HLG = Tags(1, 9, 9, 18)


@dataclass(frozen=True)
class Video:
    """A video stream. Pictures are numbered; `numbers[i]` is shown at `times[i]` s."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (160, 120)  # upright
    numbers: Sequence[int] = range(20)
    rate: Fraction = Fraction(25)
    times: Sequence[Fraction] | None = None  # None: at `rate` from `start`
    start: Fraction = Fraction(0)
    time_base: Fraction | None = None  # None: 1 / rate
    options: Mapping[str, str] = field(default_factory=dict)
    tags: Tags = Tags()
    matrix: int | None = None  # used for the planes; None: the tag's, else BT.601
    sar: Fraction | None = None
    rotation: int = 0  # degrees that a player must turn clockwise
    mirror: bool = False  # a player must mirror left and right, before turning
    fields: str = ""  # "tff" or "bff": woven from two pictures, `numbers[i]` and the one after it
    paint: Painter = picture
    attached: bool = False
    default: bool | None = None  # disposition; None: the container's way
    edit: Callable[[Packets], Packets] | None = None  # a last word on the packets before they are written

    @property
    def seconds(self) -> tuple[Fraction, ...]:
        """Presentation times in s."""
        if self.times is not None:
            return tuple(Fraction(t) for t in self.times)
        return tuple(self.start + i / self.rate for i in range(len(self.numbers)))

    def upright(self, number: int) -> Array:
        """The picture as it must be shown."""
        return self.paint(number, *self.size)


@dataclass(frozen=True)
class Sound:
    """An audio stream: beeps of one pitch per channel."""

    codec: str = "aac"
    rate: int = 48000
    layout: str = "mono"
    tones: tuple[float, ...] = (440.0,)
    duration: float = 0.8
    start: Fraction = Fraction(0)
    beeps: tuple[float, ...] = BEEPS
    language: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    edit: Callable[[Packets], Packets] | None = None


@dataclass(frozen=True)
class Text:
    """A text subtitle stream: (start, end, words) in s."""

    codec: str = "srt"
    lines: tuple[tuple[float, float, str], ...] = ((0.1, 0.4, "hello"), (0.44, 0.7, "wörld"))
    language: str = "eng"


Chapters: TypeAlias = tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Heard:
    """An audio stream as a reader must find it; beeps in s from the earliest start of audio and video."""

    codec: str
    tones: tuple[float, ...]
    beeps: tuple[float, ...]


@dataclass(frozen=True)
class Expect:
    """What a correct reader finds. All times in s from the earliest start of audio and video."""

    size: tuple[int, int] = (0, 0)  # upright
    numbers: tuple[int, ...] = ()
    times: tuple[Fraction, ...] = ()
    lead: Fraction = Fraction(0)  # all times may be later by up to this, where the file does not settle it
    shed: Fraction = Fraction(
        0
    )  # the copy may start by this much earlier: encoder's delay that a new encoding leaves out
    slack: Fraction = Fraction(11, 10_000)  # single times may be off by this
    repaired: bool | None = False  # stats must tell of repaired times; None: they may, as there are none in the file
    paint: Painter = picture
    psnr: float = 39.0  # dB that every picture must reach
    copied: float = 38.0  # dB of each picture of a copy; a wrong matrix gives 37 at best, usually 29
    legible: bool = True  # the number can be read off the picture
    container: str = ""
    codec: str = ""
    bits: int = 8
    sar: Fraction = Fraction(1)
    rotation: int = 0
    mirrored: bool = False
    tags: Tags = Tags()
    matrix: int = 6  # after guessing; 0 for RGB and grey, which have none
    interlaced: bool = False
    audio: tuple[Heard, ...] = ()
    subtitles: tuple[tuple[tuple[float, float, str], ...], ...] = ()
    chapters: Chapters = ()
    languages: tuple[str, ...] = ()  # of sounds, then subtitles; empty: not checked
    error: type[VidprodError] | tuple[type[VidprodError], ...] | None = None  # refused on opening
    damaged: bool = False  # some frames are lost: `at_least` remain, those that remain may look wrong, and stats tell
    at_least: int = 0
    intact: tuple[int, ...] = ()  # numbers that damage did not reach: these must come out right
    truncated: bool = False
    only_sound: bool = False  # the pictures are unharmed


@dataclass(frozen=True)
class Case:
    """One file: `name` is the file's name, `make(path)` writes it."""

    name: str
    make: Callable[[Path], object]
    expect: Expect
    group: str = ""  # module
    guards: tuple[str, ...] = ()  # names of files beside it that must not be opened
