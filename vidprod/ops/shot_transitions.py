"""What becomes of plain cuts, of blank pictures and of the network's probabilities: a list of transitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprod.ops.shot_candidates import LASTING, LASTS, lasting
from vidprod.ops.shot_signatures import COLUMNS, ROWS, Signatures, recoloured
from vidprod.ops.shots import Transition

MIDDLE, WITHIN = 0.3, 0.5
"""Probabilities from which a picture counts as the middle of a transition, or as part of one."""

BLACK, WHITE = 14.0, 241.0
"""Mean brightness below and above which an even picture is blank."""

EVEN = 16.0
"""Levels between the brightest and the darkest area of a blank picture; letters in small print are allowed."""

LONG_BLANK = 2.0
"""Seconds from which on a blank stretch between two shots is a shot of its own."""

_SHORT_BLANK = 8  # pictures; a shorter one between like pictures is a flash or a blink
_LONGEST_FADE = 90  # pictures, on one side of the blank stretch
_SAME = 3.0  # levels on the grid: pictures that differ by less show the same thing
_MOVED, _MOVED_COLOURS = (
    12.0,
    0.12,
)  # what else differs by less, and in less of its colours, may be the same shot, moving
_DIMMED = 0.4  # of the brightness before and after: a fade that does not reach black
_ABRUPT = 6  # pictures: a longer run of probabilities is no cut
_GAP = 2  # pictures between runs that are one


@dataclass(frozen=True)
class Fade:
    """A blank stretch [first, stop), with the fades on both sides of it, if any, [start, end)."""

    first: int
    stop: int
    start: int
    end: int


def transitions(
    signs: Signatures,
    cuts: NDArray[np.intp],
    middle: NDArray[np.float32],
    within: NDArray[np.float32],
    seconds: NDArray[np.float64],
) -> tuple[Transition, ...]:
    """All transitions, in order and apart from each other.

    Args:
        signs: of all N pictures.
        cuts: the plain ones.
        middle: (N,) probability that a picture is the middle of a transition; 0 where the network did not look.
        within: (N,) that it is in one.
        seconds: (N,) when each picture is shown.
    """
    count = len(signs)
    taken = np.zeros(count + 1, dtype=bool)  # pictures about which all is said
    found: list[Transition] = []
    for blank in fades(signs, cuts):
        found += _through(blank, signs, seconds)
        taken[max(blank.start - 2, 0) : blank.end + 3] = True
    for cut in cuts.tolist():
        if not taken[cut]:
            found.append(Transition(cut, cut, "cut"))
            taken[max(cut - 2, 0) : cut + 3] = True
    for first, stop in _runs((middle > MIDDLE) | (within > WITHIN), _GAP):
        if not taken[first : stop + 1].any():
            found += _seen(first, stop, signs)
    return _apart(sorted(found, key=lambda t: (t.first, t.stop)))


def _seen(first: int, stop: int, signs: Signatures) -> list[Transition]:
    """What the network saw in [first, stop); nothing where the pictures before and after show the same, as round a flash."""
    count = len(signs)
    before, after = slice(max(first - LASTING, 0), max(first, 1)), slice(min(stop + 1, count - 1), stop + 1 + LASTING)
    apart = signs.apart(before, after)
    if apart < _SAME:
        return []
    # The network's picture of a cut is the last one before it.
    start, end = max(first, 1), min(stop + 1, count)
    jump = start + int(signs.change[start:end].argmax()) if start < end else first
    if stop - first <= _ABRUPT and signs.change[jump] >= 0.5 * apart:
        return [Transition(jump, jump, "cut")] if lasting(signs, jump) >= LASTS * signs.change[jump] else []
    dark = signs.level[first:stop].min() < _DIMMED * min(signs.level[before].mean(), signs.level[after].mean())
    return [Transition(first, stop, "fade" if dark else "dissolve")]


def fades(signs: Signatures, cuts: NDArray[np.intp]) -> list[Fade]:
    """Every stretch of black or white; `cuts` are the plain ones, over which no fade runs."""
    bright = signs.grid[:, : ROWS * COLUMNS]
    even = bright.max(1).astype(np.int16) - bright.min(1) <= EVEN
    found: list[Fade] = []
    for low in (True, False):
        blank = even & (signs.level < BLACK if low else signs.level > WHITE)
        for first, stop in _runs(blank, 1):
            away = np.abs(signs.level - signs.level[first:stop].mean())
            # Cuts end a fade, but the one that makes the picture blank is none of its own.
            before = max((int(c) for c in cuts if c < first), default=0)
            after = min((int(c) for c in cuts if c > stop), default=len(signs))
            left = _fade(away[before:first][::-1])
            right = _fade(away[stop:after])
            found.append(Fade(first, stop, first - left, stop + right))
    return sorted(found, key=lambda b: b.first)


def _fade(away: NDArray[np.float32]) -> int:
    """Pictures of a fade, counted from the blank end: as long as they go on moving away from it at a like pace."""
    away = away[:_LONGEST_FADE]
    length = 0
    while length < len(away):
        step = away[length] - (away[length - 1] if length else 0)
        ahead = away[min(length + 2, len(away) - 1)] - away[length]
        pace = away[length] / (length + 1)
        if length and max(step, ahead / 2) < 0.3 * pace:
            break
        length += 1
    # A whole picture beside a blank one is a cut.
    return 0 if length <= 1 else length


def _through(blank: Fade, signs: Signatures, seconds: NDArray[np.float64]) -> list[Transition]:
    count = len(signs)
    if blank.start == 0 or blank.end == count:
        return [] if blank.end - blank.start >= count else [Transition(blank.start, blank.end, "fade")]
    if seconds[blank.stop - 1] - seconds[blank.first] >= LONG_BLANK:
        sides = ((blank.start, blank.first), (blank.stop, blank.end))
        return [Transition(a, b, "fade" if b > a else "cut") for a, b in sides]
    before = slice(max(blank.start - LASTING, 0), blank.start)
    apart = signs.apart(before, slice(blank.end, blank.end + LASTING))
    colours = recoloured(signs.levels, np.array([blank.start - 1]), np.array([blank.end]))[0]
    changed = apart >= _MOVED or (apart >= _SAME and colours >= _MOVED_COLOURS)
    if changed or blank.stop - blank.first >= _SHORT_BLANK:
        return [Transition(blank.start, blank.end, "fade")]
    return []


def _runs(mask: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """Half-open runs of True; those at most `gap` apart are one."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    found: list[tuple[int, int]] = []
    for first, stop in edges.reshape(-1, 2).tolist():
        if found and first - found[-1][1] <= gap:
            found[-1] = found[-1][0], stop
        else:
            found.append((first, stop))
    return found


def _apart(found: list[Transition]) -> tuple[Transition, ...]:
    """Joins transitions that overlap; a fade remains a fade."""
    kept: list[Transition] = []
    for t in found:
        last = kept[-1] if kept else None
        if last is None or t.first >= last.stop + (t.first == t.stop == last.stop):
            kept.append(t)
            continue
        kind = "fade" if "fade" in (last.kind, t.kind) else "dissolve"
        stop = max(t.stop, last.stop)
        kept[-1] = last if stop == last.first else Transition(last.first, stop, kind)  # type: ignore[arg-type]
    return tuple(kept)
