"""Makes the timeline of a short: how long it is, its music, where it is cut, what is seen, and how one thing becomes the next.

Everything is counted in whole pictures of the result. Its seconds have six digits, so that they come back as the same picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vidprod.media.loudness import Loudness
from vidprod.ops import transitions
from vidprod.ops.beats import Beats
from vidprod.ops.casting import (
    HELD,
    Scene,
    duration,
    joined,
    talks,
)
from vidprod.ops.music_plan import LEAD, MusicPlan, music_plan, usable
from vidprod.ops.pacing import PACES, Pacing, bars, pacing
from vidprod.ops.shot_plan import DIGITS, Design, Slot, cast, chains_of, filled, shot_slots
from vidprod.ops.slots import hard, lengths
from vidprod.ops.takes import Take
from vidprod.ops.timeline import ClipSound, Shot, Soundtrack, Source, Timeline, TransitionSpan

LEAST_SECONDS, MOST_SECONDS = 8.0, 60.0
"""Of a short whose length is up to its material."""

LITTLE = 3.0
"""Seconds that such a short has at least, however little there is."""

STRETCHED = 2.0
"""Times its usable seconds that such a short may last, to reach `LEAST_SECONDS`: as long as nothing is seen a third time."""

QUIET_START = 0.5
"""Seconds at the beginning without a pulse."""

RESTLESS = frozenset({"fast", "shift", "zoom", "glitch", "mosaic", "shutter"})
"""Transitions that move by themselves: a pulse within them would only blur what they do."""

STRONG = (
    "zoom",
    "glitch",
    "mosaic",
    "shutter",
    "mask",
    "fast",
    "shift",
    "brush",
    "ink",
    "wind",
    "smog",
    "normal",
    "slow",
    "basic",
)
"""Transitions, the most striking ones first: those are put on downbeats."""


def make_timeline(
    sources: Sequence[Source],
    takes: Sequence[Take],
    *,
    width: int,
    height: int,
    rate: Fraction,
    seconds: float | None,
    scene: Scene,
    style: str,
    transition_style: str | None = None,
    smart_effect: bool = True,
    puzzle_effect: bool = False,
    mute: bool = False,
    beats: Beats | None = None,
    music: int | None = None,
    music_seconds: float = 0.0,
    loudness: Loudness | None = None,
    seed: int = 0,
) -> Timeline:
    """Designs a short.

    Args:
        sources: the input files.
        takes: what may be shown of them; at least one.
        width, height: of the result, in pixels.
        rate: pictures per second of the result.
        seconds: of the result; None for what the material suggests, a whole number of bars from 8 to 60 s, or less where there
            is so little that it would be seen again and again, but never below about 3 s.
        scene: see `choose_shots`.
        style: one of `vidprod.ops.pacing.PACES`.
        transition_style: of all transitions; None for several that suit the style.
        smart_effect: whether the camera moves over photographs, and the picture pulses with the music.
        puzzle_effect: whether some shots show several takes side by side.
        mute: whether there is no sound.
        beats: of the music.
        music: number of the source that is music; None for none.
        music_seconds: how long that is.
        loudness: of the music; tells where it is quiet.
        seed: of what is random, at least 0; the same gives the same timeline.

    Returns:
        A timeline of exactly `round(seconds * rate)` pictures, at least one.

    Raises:
        ValueError: there are no takes, or a value out of range.
    """
    if not takes:
        raise ValueError("there must be at least one take")
    if style not in PACES:
        raise ValueError(f"style must be one of {', '.join(PACES)}, got {style!r}")
    if transition_style is not None and transition_style not in transitions.STYLES:
        raise ValueError(f"transition_style must be one of {', '.join(transitions.STYLES)}, got {transition_style!r}")
    if seed < 0 or rate <= 0 or (seconds is not None and seconds <= 0):
        raise ValueError(f"seed must be at least 0, rate and seconds above 0, got {seed}, {rate} and {seconds}")
    beats = beats if usable(beats) and music is not None else None
    if seconds is None:
        seconds = adapted(takes, style, None if beats is None else beats.tempo)
    pictures = max(round(Fraction(seconds) * rate), 1)
    end = float(pictures / rate)
    heard = music_plan(
        beats, music_seconds if music is not None else 0.0, end, None if loudness is None else loudness.at
    )
    plan = pacing(style, pictures, rate, heard.beats)
    styles = _styles(plan, style, transition_style, seed)
    plan = hard(plan, styles)
    own = not mute and not heard.pieces  # the sound of the videos themselves is what is heard
    takes = joined(takes, lengths(plan, rate), own)
    names = {cut.at: name for cut, name in zip(plan.cuts, styles, strict=True)}
    plan, places = shot_slots(plan, takes, rate, heard.beats, puzzle_effect, own)
    roles = cast(plan, places, takes, rate, scene, (height, width), own)
    chains = chains_of(takes, roles)
    if transition_style is None:
        plan = hard(plan, ["basic" if chain else "" for chain in chains[1:]])
    slots = filled(takes, roles, chains, lengths(plan, rate), own)
    design = Design(takes, width, height, rate, smart_effect)
    shots = design.shots(plan, slots)
    spans = tuple(
        TransitionSpan(
            names[cut.at], design.second(cut.at - cut.before), design.second(cut.at + cut.after), seed * 1009 + number
        )
        for number, cut in enumerate(plan.cuts)
        if cut.before
    )
    marks, strong = _beats(heard.beats, end)
    return Timeline(
        width=width,
        height=height,
        rate=str(rate),
        sources=tuple(sources),
        shots=shots,
        transitions=spans,
        beats=marks,
        downbeats=strong,
        pulses=_pulses(strong, spans, end) if smart_effect else (),
        sound=None if mute else _sound(shots, takes, slots, heard, music, rate, end),
        cover=_cover(plan, slots, takes, rate),
    )


def adapted(takes: Sequence[Take], style: str, tempo: float | None) -> float:
    """Seconds of a short that is as long as its material suggests, in whole bars.

    Counted are videos' takes with at least the median score, up to twice the style's longest shot each, and a shot for every photo.
    """
    pace = PACES[style]
    tempo = tempo or pace.tempo
    shot = min(max(pace.beats * 60 / tempo, pace.shortest), pace.longest)
    middle = float(np.median([take.score for take in takes]))
    usable_seconds = sum(
        shot if take.still else min(duration(take), 2 * pace.longest)
        for take in takes
        if take.still or take.score >= middle
    )
    if usable_seconds * STRETCHED < LEAST_SECONDS:
        return bars(max(usable_seconds * STRETCHED, LITTLE), tempo, least=LITTLE, most=MOST_SECONDS)
    return bars(usable_seconds, tempo, least=LEAST_SECONDS, most=MOST_SECONDS)


def _styles(plan: Pacing, style: str, given: str | None, seed: int) -> list[str]:
    """Of the transitions; where they are chosen, stronger ones change places with weaker neighbours to come on downbeats."""
    if given is not None:
        return [given] * len(plan.cuts)
    names = list(transitions.choose(style, len(plan.cuts), seed=seed))
    for at, cut in enumerate(plan.cuts):
        for other in (at - 1, at + 1):
            if not cut.downbeat or not 0 <= other < len(names) or plan.cuts[other].downbeat:
                continue
            if STRONG.index(names[other]) < STRONG.index(names[at]):
                changed = [*names]
                changed[at], changed[other] = names[other], names[at]
                if all(a != b for a, b in itertools.pairwise(changed)):
                    names = changed
    return names


def _beats(beats: Beats | None, end: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of the beats, and of those that begin a bar."""
    if beats is None:
        return (), ()
    times = [
        (round(when, DIGITS), bar) for when, bar in zip(beats.seconds.tolist(), beats.downbeats.tolist(), strict=True)
    ]
    inside = [(when, bar) for when, bar in times if 0 <= when < end]
    return tuple(when for when, _ in inside), tuple(when for when, bar in inside if bar)


def _pulses(downbeats: Sequence[float], spans: Sequence[TransitionSpan], end: float) -> tuple[float, ...]:
    """A pulse begins on every downbeat, but not right at the start or the end, nor in a transition that moves by itself."""
    busy = [span for span in spans if span.style in RESTLESS]
    return tuple(
        when
        for when in downbeats
        if QUIET_START <= when < end - 0.2 and not any(span.out_start <= when < span.out_end for span in busy)
    )


def _sound(
    shots: Sequence[Shot],
    takes: Sequence[Take],
    slots: Sequence[Slot],
    heard: MusicPlan,
    music: int | None,
    rate: Fraction,
    end: float,
) -> Soundtrack | None:
    """The music, and under it nothing but what somebody says; without music the videos' own sound."""
    with_music = music is not None and bool(heard.pieces)
    clips: list[ClipSound] = []
    at = 0
    for slot in slots:
        members = list(zip(slot.parts, shots[at : at + len(slot.parts)], strict=True))
        at += len(slot.parts)
        for part, shot in members:
            take = takes[part.take]
            as_fast = abs((shot.end - shot.start) - (shot.out_end - shot.out_start)) < 0.5 / float(rate)
            wanted = talks(take) and not slot.layout if with_music else True
            if not take.still and as_fast and wanted and duration(take) >= HELD:
                clips.append(ClipSound(take.source, shot.start, shot.out_start, shot.out_end))
                break  # of a puzzle one is enough
    if not with_music and not clips:
        return None
    fade_in = LEAD if heard.on_beat else 0.1
    return Soundtrack(
        music=music if with_music else None,
        pieces=heard.pieces,
        clips=tuple(clips),
        fade_in=round(min(fade_in, end / 10), DIGITS),
        fade_out=round(min(1.5, end / 4), DIGITS),
    )


def _cover(plan: Pacing, slots: Sequence[Slot], takes: Sequence[Take], rate: Fraction) -> float:
    """Seconds of the middle of the best shot, where nothing else is seen; of about equal ones the first."""
    best, at = -1.0, 0
    begins = [0, *(cut.at + cut.after for cut in plan.cuts)]
    ends = [*(cut.at - cut.before for cut in plan.cuts), plan.pictures]
    for begin, stop, slot in zip(begins, ends, slots, strict=True):
        if stop <= begin:
            continue
        worth = takes[slot.parts[0].take].score * (1 - 0.3 * begin / plan.pictures) if not slot.layout else -0.5
        if worth > best:
            best, at = worth, (begin + stop) // 2
    return round(float(at / rate), DIGITS)
