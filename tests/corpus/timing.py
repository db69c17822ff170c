"""Times: irregular, offset, hidden, doubled, running backwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from . import surgery
from .clips import clip, expect
from .presets import H264, H264_B, H264_MS, MP2, MPEG4, PCM, SLOTS, TS_START
from .spec import Case, Packets, Sound
from .write import write

NTSC = Fraction(24000, 1001)
TICK = Fraction(1, 90000)

# Every picture at first, then every third: what a screen recorder or a duplicate filter leaves.
THINNED = tuple(n for n in range(50) if n < 14 or n % 3 == 0)
VFR = replace(H264, numbers=THINNED, times=tuple(Fraction(n, 25) for n in THINNED), time_base=TICK)
HOLE = replace(H264, times=tuple(Fraction(n, 25) + (2 if n >= 10 else 0) for n in range(20)), time_base=TICK)


def _phone() -> tuple[Fraction, ...]:
    """30/s with the jitter of a phone's camera clock, up to a quarter of an interval."""
    source = random.Random(7)
    return tuple((round(Fraction(n, 30) / TICK) + source.randint(-700, 700) * (n > 0)) * TICK for n in range(24))


def _doubled(path: Path) -> None:
    """The sixth picture claims the time of the fifth."""
    write(path, H264_MS)
    path.write_bytes(surgery.retime_flv(path.read_bytes(), 9, lambda i, old: old - 40 * (i == 5)))


def _backwards(path: Path) -> None:
    """The tenth picture jumps back by five."""
    write(path, H264_MS)
    path.write_bytes(surgery.retime_flv(path.read_bytes(), 9, lambda i, old: old - 200 * (i == 9)))


def _stuck(path: Path) -> None:
    """All pictures claim time 0."""
    write(path, H264_MS)
    path.write_bytes(surgery.retime_flv(path.read_bytes(), 9, lambda i, old: 0))


FIRST, SECOND = replace(H264, numbers=range(20)), replace(H264, numbers=range(100, 120))


def _splice(path: Path) -> None:
    """Two recordings joined byte by byte: the clock starts anew in the middle."""
    parts = []
    for part in (FIRST, SECOND):
        write(path, part, MP2, format="mpegts", options=TS_START)
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))


SPLICED = replace(FIRST, numbers=(*FIRST.numbers, *SECOND.numbers))
SPLICED_SOUND = replace(MP2, duration=1.6, beeps=(0.12, 0.44, 0.92, 1.24))


def _midgop(path: Path) -> None:
    """A recording that began between two key frames: the first six pictures cannot be decoded, the sound can."""
    write(path, MIDGOP, MP2, options=TS_START)
    path.write_bytes(surgery.without_ts_packets(path.read_bytes(), 0x100, lambda i: i >= 4))


def _leap(pid: int) -> Callable[[Path], None]:
    """One damaged time in the middle, ten hours ahead; the next is right again."""

    def make(path: Path) -> None:
        # Few frames of sound to a packet, so that there are packets to choose from.
        write(path, H264, MP2, options={**TS_START, "pes_payload_size": "400"})
        path.write_bytes(surgery.leap_ts(path.read_bytes(), pid, 8, 36000))

    return make


MIDGOP = replace(H264, options={**H264.options, "g": "10", "x264-params": "scenecut=0"})


def _double(packets: Packets) -> Packets:
    """The sixth picture claims the time of the fifth."""
    packets[5].pts = packets[5].dts = packets[4].pts
    return packets


CASES: tuple[Case, ...] = (
    clip("b_frames.mp4", H264_B, Sound()),
    clip(
        "b_frames_negative_cts.mp4",
        H264_B,
        Sound(),
        options={"movflags": "negative_cts_offsets"},
    ),
    clip("b_frames.mkv", H264_B, PCM),
    clip("b_frames.flv", replace(H264_B, time_base=H264_MS.time_base), Sound("pcm_s16le", rate=44100)),
    clip("vfr.mp4", replace(VFR, options=H264_B.options), Sound(duration=2)),
    clip("vfr.mkv", VFR, PCM),
    clip("vfr_hole.mp4", HOLE, Sound(duration=2.8, beeps=(0.12, 2.5))),
    clip("vfr_phone.mp4", replace(H264, numbers=range(24), times=_phone(), time_base=TICK, rate=Fraction(30))),
    # Dropped pictures leave empty slots in an AVI.
    clip("vfr.avi", replace(MPEG4, numbers=THINNED, times=tuple(Fraction(n, 25) for n in THINNED)), lead=SLOTS),
    clip(
        "fine_clock.mp4",
        replace(H264, time_base=Fraction(1, 10_000_000)),
        options={"video_track_timescale": "10000000"},
    ),
    clip("coarse_clock.mov", replace(H264, rate=Fraction(30000, 1001)), options={"video_track_timescale": "600"}),
    clip("fps_5994.mkv", replace(H264, rate=Fraction(60000, 1001)), PCM),
    clip("fps_23976.mp4", replace(H264, rate=NTSC), Sound()),
    clip("fps_23976.mkv", replace(H264, rate=NTSC), PCM),
    clip("fps_1000.mp4", replace(H264, rate=Fraction(1000), numbers=range(60))),
    clip("fps_half.mp4", replace(H264, rate=Fraction(1, 2), numbers=range(3)), Sound(duration=5, beeps=(0.12, 2.5))),
    clip(
        "edit_list.mp4",
        replace(H264_B, start=Fraction(-2, 5)),
        Sound(start=Fraction(-2, 5), duration=1.2, beeps=(0.6, 0.92)),
        # The edit list hides the first ten pictures, which the decoder needs for the others.
        main=0,
        numbers=tuple(range(10, 20)),
        times=tuple(Fraction(n, 25) for n in range(10)),
        audio=expect(H264, Sound(beeps=(0.2, 0.52))).audio,
    ),
    clip("offset_10s.mkv", replace(H264, start=Fraction(10)), Sound("pcm_s16le", start=Fraction(10))),
    clip("offset_10s.ts", H264, MP2, options={"output_ts_offset": "10"}),
    # 33 bits of 90 kHz run over in the middle of the clip.
    clip("clock_wraps.ts", H264, MP2, options={"output_ts_offset": "95443.317688"}),
    clip("audio_late.mp4", H264, Sound(start=Fraction(1, 2), duration=0.5)),
    clip("audio_late.mkv", H264, Sound("pcm_s16le", start=Fraction(1, 2), duration=0.5)),
    clip("video_late.mp4", replace(H264, start=Fraction(12, 25)), Sound(duration=1.3)),
    clip("video_late.mkv", replace(H264, start=Fraction(12, 25)), Sound("pcm_s16le", duration=1.3)),
    clip("one_frame.mp4", replace(H264, numbers=(5,))),
    clip("one_frame_with_sound.mkv", replace(H264, numbers=(5,)), PCM),
    clip("audio_longer.mp4", H264, Sound(duration=3, beeps=(0.12, 2.5))),
    clip("audio_longer.mkv", H264, replace(PCM, duration=3, beeps=(0.12, 2.5))),
    clip("audio_shorter.mp4", replace(H264, numbers=range(50)), Sound(duration=0.3, beeps=(0.12,))),
    Case("doubled_time.flv", _doubled, expect(H264, slack=Fraction(1, 25), repaired=True)),
    Case("backward_time.flv", _backwards, expect(H264, slack=Fraction(1, 25), repaired=True)),
    Case("no_time.flv", _stuck, expect(H264, slack=Fraction(1, 25), repaired=True)),
    clip("doubled_time.mkv", replace(H264, edit=_double), slack=Fraction(1, 25), repaired=True),
    Case(
        "splice.ts",
        _splice,
        expect(SPLICED, SPLICED_SOUND, priming=MP2.start, slack=Fraction(1, 50), repaired=True),
    ),
    Case("picture_leaps.ts", _leap(0x100), expect(H264, MP2, slack=Fraction(1, 25), repaired=True)),
    Case("sound_leaps.ts", _leap(0x101), expect(H264, MP2)),
    Case(
        "starts_mid_gop.ts",
        _midgop,
        expect(MIDGOP, MP2, numbers=tuple(range(10, 20)), times=tuple(Fraction(n, 25) for n in range(10, 20))),
    ),
)
