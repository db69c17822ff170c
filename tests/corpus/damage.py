"""Damaged files: what can be saved must be saved, at its time, and the damage reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from vidprod.errors import FileContent, FileDecode

from . import surgery
from .clips import expect
from .presets import H264
from .spec import Case, Expect, Sound, Video
from .write import write

# 75 pictures in groups of 15 that do not need each other.
LONG = replace(
    H264,
    numbers=range(75),
    options={"preset": "veryfast", "crf": "14", "g": "15", "bf": "2", "x264-params": "scenecut=0"},
)
HEAD, TAIL = tuple(range(15)), tuple(range(60, 75))
SPOKEN = tuple(0.12 + 0.5 * i for i in range(6))
AAC = Sound(duration=3, beeps=SPOKEN)
MP2 = Sound("mp2", duration=3, beeps=SPOKEN, start=Fraction(481, 48000))


def _damaged(
    name: str,
    video: Video,
    sound: Sound | None,
    harm: Callable[[bytes], bytes],
    options: dict[str, str] | None = None,
    **facts: object,
) -> Case:
    streams = (video, sound) if sound else (video,)

    def make(path: Path) -> None:
        write(path, *streams, options=options)
        path.write_bytes(harm(path.read_bytes()))

    found: Expect = expect(*streams, damaged=True, **facts)  # type: ignore[arg-type]
    return Case(name, make, found)


def _hole(data: bytes) -> bytes:
    """Zeros from 40 to 60 % of the length."""
    a, b = len(data) * 2 // 5, len(data) * 3 // 5
    return data[:a] + bytes(b - a) + data[b:]


def _missing(data: bytes) -> bytes:
    """The stretch from 40 to 60 % is gone, as after lost network packets; the cut is not at a packet's edge."""
    return data[: len(data) * 2 // 5] + data[len(data) * 3 // 5 + 77 :]


def _cut(data: bytes) -> bytes:
    return data[: len(data) * 3 // 5]


def _spoil_sound(data: bytes) -> bytes:
    """Noise in the packets of the sound only (PID 0x101), past their headers."""
    spoilt = bytearray(data)
    for count, at in enumerate(range(0, len(data), surgery.TS_PACKET)):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x101 and count % 3 == 0:
            spoilt[at + 60 : at + 70] = bytes(range(200, 210))
    return bytes(spoilt)


FAST = {"movflags": "faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}

CASES: tuple[Case, ...] = (
    _damaged("noise.mp4", LONG, AAC, lambda d: surgery.noise(d, 0.4, 0.6, 200), FAST, at_least=50, intact=HEAD + TAIL),
    _damaged("noise.ts", LONG, MP2, lambda d: surgery.noise(d, 0.4, 0.6, 200), at_least=45, intact=HEAD + TAIL),
    _damaged("noise.mkv", LONG, AAC, lambda d: surgery.noise(d, 0.4, 0.6, 200), at_least=40, intact=HEAD),
    _damaged(
        "noise.avi",
        Video("mpeg4", numbers=range(75), options={"b": "2000000", "g": "15"}),
        None,
        lambda d: surgery.noise(d, 0.4, 0.6, 100),
        at_least=50,
        intact=HEAD + TAIL,
    ),
    _damaged("hole.mp4", LONG, AAC, _hole, FAST, at_least=45, intact=HEAD + TAIL),
    _damaged("hole.ts", LONG, MP2, _hole, at_least=45, intact=HEAD + TAIL),
    _damaged("missing.ts", LONG, MP2, _missing, at_least=45, intact=HEAD + TAIL),
    _damaged(
        "noisy_sound.ts",
        H264,
        replace(MP2, duration=0.8, beeps=(0.12, 0.44)),
        _spoil_sound,
        at_least=20,
        intact=tuple(range(20)),
        only_sound=True,
    ),
    _damaged("cut_faststart.mp4", LONG, AAC, _cut, FAST, at_least=35, intact=HEAD, truncated=True),
    _damaged(
        "cut_fragmented.mp4",
        replace(LONG, options={**LONG.options, "bf": "0"}),
        Sound("flac", duration=3, beeps=SPOKEN),
        _cut,
        FRAGMENTS,
        at_least=25,
        intact=HEAD,
        truncated=True,
    ),
    _damaged("cut.mkv", LONG, AAC, _cut, at_least=35, intact=HEAD, truncated=True),
    # A transport stream has no length of its own: only the picture that was cut through tells.
    _damaged("cut.ts", LONG, MP2, _cut, at_least=35, intact=HEAD),
    _damaged(
        "cut.avi",
        Video("mpeg4", numbers=range(75), options={"b": "2000000", "g": "15"}),
        None,
        _cut,
        at_least=35,
        intact=HEAD,
        truncated=True,
    ),
    _damaged("cut_no_index.mp4", LONG, None, _cut, error=FileDecode),
    _damaged(
        "head_only.mp4",
        LONG,
        None,
        lambda d: d[: surgery.find_box(d, b"moov")[1] + 8],
        FAST,
        error=(FileDecode, FileContent),
    ),
)
