"""Comparison of what was found in a file with what must be there. Each check returns the differences as text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from .pictures import Array, psnr, read_number
from .readback import Contents
from .spec import Expect

SECOND_OFF = 0.0011  # s that a presentation time may be off
SOUND_OFF = 0.020  # s that a beep may be off against the pictures
BT601 = (5, 6)  # two names of one matrix


def times(found: Sequence[float], expect: Expect) -> Iterator[str]:
    """Presentation times, strictly increasing and each where it belongs."""
    if len(found) != len(expect.times):
        yield f"{len(found)} pictures instead of {len(expect.times)}"
        return
    if any(b <= a for a, b in itertools.pairwise(found)):
        yield f"times do not increase: {_some(found)}"
    off = [a - float(b) for a, b in zip(found, expect.times, strict=True)]
    lead = (
        min(max(-float(expect.shed), float(np.median(off))), float(expect.lead)) if expect.lead or expect.shed else 0.0
    )
    worst = max((abs(o - lead) for o in off), default=0.0)
    if worst > max(SECOND_OFF, float(expect.slack)):
        yield f"times are off by up to {worst:.4f} s: {_some(found)} instead of {_some([float(t) for t in expect.times])}"


def pictures(
    found: Sequence[Array], expect: Expect, least: float, numbers: Sequence[int] | None = None
) -> Iterator[str]:
    """Content: the right picture at each place, upright, in the right colours."""
    width, height = expect.size
    for i, (image, number) in enumerate(zip(found, numbers or expect.numbers, strict=False)):
        if image.shape != (height, width, 3):
            yield f"picture {i} has shape {image.shape} instead of {(height, width, 3)}"
            return
        if expect.legible and read_number(image) != number:
            yield f"picture {i} spells {read_number(image)} instead of {number}"
            return
        quality = psnr(image, expect.paint(number, width, height))
        if quality < least:
            yield f"picture {i} (number {number}) has {quality:.1f} dB instead of {least}"
            return


def sounds(found: Contents, expect: Expect, zero: float, *, codecs: bool = False) -> Iterator[str]:
    """Number of sounds, their channels, and their place in time; `zero` is added to all expected times."""
    if len(found.audio) != len(expect.audio):
        yield f"{len(found.audio)} sounds instead of {len(expect.audio)}"
        return
    for i, (heard, wanted) in enumerate(zip(found.audio, expect.audio, strict=True)):
        if codecs and heard.codec != wanted.codec:
            yield f"sound {i} is {heard.codec} instead of {wanted.codec}"
        if len(heard.tones) != len(wanted.tones):
            yield f"sound {i} has {len(heard.tones)} channels instead of {len(wanted.tones)}"
        elif any(abs(a - b) > max(6, 0.03 * b) for a, b in zip(heard.tones, wanted.tones, strict=True)):
            yield f"sound {i} has tones {heard.tones} instead of {wanted.tones} Hz"
        if len(heard.beeps) != len(wanted.beeps):
            yield f"sound {i} beeps at {_some(heard.beeps)} instead of {_some(wanted.beeps)}"
        elif any(abs(a - b - zero) > SOUND_OFF for a, b in zip(heard.beeps, wanted.beeps, strict=True)):
            yield f"sound {i} beeps at {_some(heard.beeps)} instead of {_some([b + zero for b in wanted.beeps])}"


def texts(found: Contents, expect: Expect, zero: float) -> Iterator[str]:
    """Subtitles and chapters."""
    for name, got, wanted in (
        (
            "subtitles",
            [line for stream in found.subtitles for line in stream],
            [x for s in expect.subtitles for x in s],
        ),
        ("chapters", list(found.chapters), list(expect.chapters)),
    ):
        if [t[2] for t in got] != [t[2] for t in wanted]:
            yield f"{name} {got} instead of {wanted}"
            continue
        for a, b in zip(got, wanted, strict=True):
            if any(abs(x - y - zero) > 0.002 for x, y in zip(a[:2], b[:2], strict=True)):
                yield f"{name}: {a} instead of {b} (+{zero:.4f} s)"
    if len(found.subtitles) != len(expect.subtitles):
        yield f"{len(found.subtitles)} subtitle streams instead of {len(expect.subtitles)}"
    if found.languages != expect.languages:
        yield f"languages {found.languages} instead of {expect.languages}"


def tags(found: Contents, expect: Expect) -> Iterator[str]:
    """Colour tags of a transcoded file: range and matrix always said, the others kept."""
    wanted, got = expect.tags, found.tags
    if expect.matrix == 0:  # RGB has none of its own; that the pictures are right shows that the tags are
        if got.matrix not in (1, 5, 6, 9) or got.range not in (1, 2):
            yield f"range and matrix of the copy are {got}"
        return
    if got.matrix != expect.matrix and not (got.matrix in BT601 and expect.matrix in BT601):
        yield f"matrix {got.matrix} instead of {expect.matrix}"
    if got.range != (2 if wanted.range == 2 else 1):
        yield f"range {got.range} instead of {wanted.range}"
    for name in ("primaries", "transfer"):
        if getattr(wanted, name) != 2 and getattr(got, name) != getattr(wanted, name):
            yield f"{name} {getattr(got, name)} instead of {getattr(wanted, name)}"


def survivors(found: Sequence[tuple[float, Array]], expect: Expect, least: float) -> Iterator[str]:
    """A damaged file: enough pictures, at increasing times, and those out of the damage's reach right and in place."""
    width, height = expect.size
    seconds = [t for t, _ in found]
    if len(found) < expect.at_least:
        yield f"only {len(found)} pictures, {expect.at_least} can be had"
    if any(b <= a for a, b in itertools.pairwise(seconds)):
        yield f"times do not increase: {_some(seconds)}"
    at = dict(zip(expect.numbers, expect.times, strict=True))
    for number in expect.intact:
        if not any(
            abs(t - float(at[number])) < SECOND_OFF and psnr(image, expect.paint(number, width, height)) >= least
            for t, image in found
            if image.shape == (height, width, 3)
        ):
            yield f"picture {number} is not to be found at {float(at[number]):.3f} s"


def _some(values: Sequence[float | Fraction]) -> str:
    shown = ", ".join(f"{float(v):.4f}" for v in values[:12])
    return f"[{shown}{', ...' if len(values) > 12 else ''}]"
