"""What is heard in a short: music, lowered under the clips' own sound, as loud as EBU R 128 asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidprod.control import Control
from vidprod.media.mixing import Ducking, Fading, MixedSound, Voice, mixed, spans_of
from vidprod.media.r128 import Level, Meter, limited
from vidprod.media.sound import RATE, Samples, SoundFormat, sound_format
from vidprod.ops.timeline import Soundtrack, Timeline, TransitionSpan

PEAK = -1.0
"""dBTP that the result does not exceed."""

_MARGIN = 0.5  # dB; AAC adds to peaks
_LIMITED_MOST = 10.0  # decibels by which peaks are lowered at most: more than that is heard
_EDGE = 0.015  # seconds of the fades of a clip's own sound
_END = 0.3  # seconds of the fade of what is still heard at the very end
_MOST = 20.0  # decibels by which anything is raised at most: what is nearly silent is meant to be, or is noise
_UNHEARD = -55.0  # LUFS; for own sound below that the music does not step back
_NOTHING = -80.0  # dBTP; where nothing exceeds that, nothing is heard
_EVENED, _EVENED_MOST = 0.6, 8.0  # share of the difference between clips that is taken away, and decibels at most
_RATES = {44100, 48000}
_PASSES = 3  # in so many steps the gain is found that makes up for what the limiter takes away
_NEAR = 0.1  # LU, dB


def soundtrack_of(
    timeline: Timeline, paths: Sequence[Path], starts: Sequence[Fraction], *, control: Control | None = None
) -> MixedSound | None:
    """The sound of a short, as long as its pictures to the sample.

    The files are read block by block: to measure each part, to measure the mix, and for the result.

    Args:
        timeline: its `sound` tells what is heard when.
        paths: files of all its sources.
        starts: of each, the second of the file's clock that counts as nought: `VideoInfo.start`, or 0.
        control: stops the measuring.

    Returns:
        Stereo, 44100 samples a second where all files have that, otherwise 48000; to be closed. None for a timeline without
        sound, and where nothing can be heard.

    Raises:
        Cancelled: the caller asked for it.
        av.FFmpegError: a file cannot be opened.
    """
    if timeline.sound is None:
        return None
    desk = _Desk.of(timeline, timeline.sound, paths, starts, control or Control())
    if desk is None:
        return None
    voices = desk.voices()
    level = desk.measured(mixed(voices, desk.format, desk.count))
    if level.peak < _NOTHING:
        return None
    return MixedSound(desk.format, desk.blocks(voices, *desk.mastered(voices, level)))


@dataclass(frozen=True)
class _Own:
    """A clip's own sound, in samples: of the file from `begin` on, in the mix from `first` to `stop`."""

    source: int
    begin: int
    first: int
    stop: int
    loudness: float  # LUFS


@dataclass(frozen=True)
class _Desk:
    """Where the parts of one soundtrack are brought together."""

    plan: Soundtrack
    transitions: tuple[TransitionSpan, ...]
    paths: Sequence[Path]
    starts: Sequence[Fraction]
    audible: frozenset[int]
    format: SoundFormat
    count: int
    control: Control

    @classmethod
    def of(
        cls, timeline: Timeline, plan: Soundtrack, paths: Sequence[Path], starts: Sequence[Fraction], control: Control
    ) -> _Desk | None:
        """None if no file has sound."""
        used = {clip.source for clip in plan.clips} | (
            {plan.music} if plan.music is not None and plan.pieces else set()
        )
        formats = {n: sound_format(paths[n]) for n in sorted(used) if timeline.sources[n].type != "image"}
        rates = {format.rate for format in formats.values() if format is not None}
        if not rates:
            return None
        format = SoundFormat(rates.pop() if len(rates) == 1 and rates <= _RATES else RATE, 2)
        count = round(timeline.pictures / Fraction(timeline.rate) * format.rate)
        audible = frozenset(n for n, found in formats.items() if found is not None)
        return cls(plan, timeline.transitions, paths, starts, audible, format, count, control)

    def voices(self) -> list[Voice]:
        """All that is heard, at levels that suit each other."""
        music, own = self._music(), self._own()
        loudness = _loudness(own)
        level = self.measured(mixed(music, self.format, self.count)).loudness if music else -math.inf
        if math.isinf(level):
            return music + self._clips(own, _evened(loudness))
        # Speech is as loud as the music is where nobody speaks.
        aim = level if self.plan.loudness is None else self.plan.loudness
        spans = [(one.first, one.stop) for one in own if one.loudness > _UNHEARD]
        ducking = Ducking.under(spans, self.plan.duck, self.format.rate)
        factor = _factor(min(aim - level, _MOST))
        lowered = [replace(one, gain=factor, shapes=(*one.shapes, ducking)) for one in music]
        return lowered + self._clips(own, _raised(loudness, aim))

    def mastered(self, voices: Sequence[Voice], level: Level) -> tuple[float, float | None]:
        """What brings a mix, whose level is known, to the loudness of the plan: decibels, and the ceiling of its peaks in dBTP.

        The ceiling is None where no peak reaches it.
        """
        wanted = self.plan.loudness
        most = _MOST - max(20 * math.log10(min(voice.gain for voice in voices)), 0.0)
        most = min(most, PEAK - _MARGIN + _LIMITED_MOST - level.peak) if wanted is not None else 0.0
        gain = 0.0 if wanted is None or math.isinf(level.loudness) else min(wanted - level.loudness, most)
        ceiling = PEAK - _MARGIN
        if level.peak + gain <= ceiling:
            return gain, None
        # A limiter takes loudness away, and may let a little more through than it should.
        for _ in range(_PASSES):
            found = self.measured(self.blocks(voices, gain, ceiling))
            missing = 0.0 if wanted is None else min(wanted - found.loudness, most - gain)
            excess = max(found.peak - (PEAK - _MARGIN), 0.0)
            if abs(missing) < _NEAR and excess < _NEAR:
                break
            gain, ceiling = gain + missing, ceiling - excess
        return gain, ceiling

    def blocks(self, voices: Sequence[Voice], gain: float, ceiling: float | None) -> Iterator[Samples]:
        """The mix, raised by `gain` decibels, its peaks limited."""
        factor = np.float32(_factor(gain))
        with closing(mixed(voices, self.format, self.count)) as plain:
            raised = (block * factor for block in plain)
            yield from raised if ceiling is None else limited(raised, self.format, ceiling)

    def measured(self, blocks: Iterable[Samples]) -> Level:
        """How loud they are."""
        meter = Meter(self.format)
        for block in blocks:
            self.control.check()
            meter.update(block)
        return meter.finish()

    def _at(self, second: float) -> int:
        return round(second * self.format.rate)

    def _voice(self, source: int, begin: int, first: int, stop: int) -> Voice:
        return Voice(self.paths[source], self.starts[source], begin, first, stop)

    def _music(self) -> list[Voice]:
        """The pieces, fading into each other, in from silence and out again."""
        music = self.plan.music
        if music is None or music not in self.audible:
            return []
        begins, places = [], []
        for piece in self.plan.pieces:
            first = self._at(piece.out_start)
            stop = min(first + self._at(piece.end) - self._at(piece.start), self.count)
            if stop > max(first, 0):
                begins.append(self._at(piece.start) - first)
                places.append((first, stop))
        if not places:
            return []
        start, end = min(first for first, _ in places), max(stop for _, stop in places)
        fading = Fading(max(start, 0), end, self._at(self.plan.fade_in), self._at(self.plan.fade_out))
        return [
            replace(
                self._voice(music, begin + span.first, span.first, span.stop),
                fade_in=span.fade_in,
                fade_out=span.fade_out,
                shapes=(fading,),
            )
            for begin, span in zip(begins, spans_of(places, self._at(_EDGE)), strict=True)
        ]

    def _own(self) -> list[_Own]:
        """The clips' own sound, and how loud each is."""
        found = []
        for clip in self.plan.clips:
            first, stop = max(self._at(clip.out_start), 0), min(self._at(clip.out_end), self.count)
            if clip.source not in self.audible or stop <= first:
                continue
            begin = self._at(clip.start) + first - self._at(clip.out_start)
            alone = self._voice(clip.source, begin, 0, stop - first)
            level = self.measured(mixed([alone], self.format, stop - first))
            found.append(_Own(clip.source, begin, first, stop, level.loudness))
        return found

    def _clips(self, own: Sequence[_Own], gains: dict[int, float]) -> list[Voice]:
        """The clips' own sound. Where one is seen to come or go in a transition, it is heard to."""
        spans = spans_of([(one.first, one.stop) for one in own], self._at(_EDGE))
        into = {self._at(one.out_start): self._at(one.out_end - one.out_start) for one in self.transitions}
        out_of = {self._at(one.out_end): self._at(one.out_end - one.out_start) for one in self.transitions}
        out_of[self.count] = self._at(_END)
        return [
            replace(
                self._voice(one.source, one.begin, span.first, span.stop),
                fade_in=max(span.fade_in, _near(into, one.first, self.format.rate)),
                fade_out=max(span.fade_out, _near(out_of, one.stop, self.format.rate)),
                gain=gains[one.source],
            )
            for one, span in zip(own, spans, strict=True)
        ]


def _loudness(own: Sequence[_Own]) -> dict[int, float]:
    """LUFS of each source, over all that is heard of it: who speaks in several shots must not change."""
    found: dict[int, float] = {}
    for source in {one.source for one in own}:
        parts = [(one.stop - one.first, 10 ** (one.loudness / 10)) for one in own if one.source == source]
        loud = [(length, power) for length, power in parts if power > 0]
        mean = sum(length * power for length, power in loud) / max(sum(length for length, _ in loud), 1)
        found[source] = 10 * math.log10(mean) if mean else -math.inf
    return found


def _raised(loudness: dict[int, float], aim: float) -> dict[int, float]:
    """Factors that bring each source to one loudness; 1 for those that are silent."""
    return {n: 1.0 if math.isinf(level) else _factor(min(aim - level, _MOST)) for n, level in loudness.items()}


def _evened(loudness: dict[int, float]) -> dict[int, float]:
    """Factors that bring the sources nearer to each other."""
    heard = [level for level in loudness.values() if level > _UNHEARD]
    middle = float(np.median(heard)) if heard else 0.0
    return {
        n: _factor(float(np.clip(_EVENED * (middle - level), -_EVENED_MOST, _EVENED_MOST))) if level > _UNHEARD else 1.0
        for n, level in loudness.items()
    }


def _near(lengths: dict[int, int], place: int, rate: int) -> int:
    """Length of what is within a fiftieth of a second of a place; 0 where nothing is."""
    return max((length for at, length in lengths.items() if abs(at - place) <= rate // 50), default=0)


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
