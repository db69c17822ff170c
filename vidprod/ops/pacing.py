"""When to cut: shots that begin on beats, of a length that suits the style, and together exactly as long as asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from vidprod.ops.beats import BAR, Beats


@dataclass(frozen=True)
class Pace:
    """What a style of cutting is.

    Attributes:
        beats: per shot, where that is not too short or too long.
        shortest: seconds of a shot.
        longest: seconds of a shot.
        transition: seconds, about; a whole number of pictures is made of it.
        tempo: beats per minute where there is no music.
    """

    beats: int
    shortest: float
    longest: float
    transition: float
    tempo: float


PACES = {
    "slow": Pace(beats=8, shortest=3.0, longest=5.0, transition=0.9, tempo=90.0),
    "normal": Pace(beats=4, shortest=1.5, longest=3.0, transition=0.45, tempo=110.0),
    "fast": Pace(beats=2, shortest=0.7, longest=1.5, transition=0.23, tempo=128.0),
}
"""Of the API's `Style`."""

LEAST_CONFIDENCE = 0.12
"""Beats found with less are not cut on: they are chance."""

_OFF_BEAT = 0.6  # what it costs to cut where no beat was found
_WEAK = 0.4  # to cut on a beat that does not begin a bar, in a style whose shots last for bars
_HALF_BAR = 0.05  # the same in one whose shots are shorter
_OUTSIDE = 50.0  # a shot shorter or longer than the style wants, and more the further it is


@dataclass(frozen=True)
class Cut:
    """From one shot to the next.

    Attributes:
        at: number of the picture on the beat: the first one of the new shot, and the middle of the transition.
        before: pictures before `at` that show both shots.
        after: pictures from `at` on that show both.
        downbeat: whether a bar begins there.
    """

    at: int
    before: int
    after: int
    downbeat: bool

    def progress(self) -> tuple[float, ...]:
        """Of the transition in its pictures `at - before` .. `at + after - 1`: in 0..1, neither end included."""
        count = self.before + self.after
        return tuple((i + 1) / (count + 1) for i in range(count))


@dataclass(frozen=True)
class Pacing:
    """Where the shots of a video begin and end.

    Attributes:
        pictures: of all of it.
        cuts: in order; one shot more than those.
    """

    pictures: int
    cuts: tuple[Cut, ...]

    def lengths(self) -> tuple[int, ...]:
        """Pictures from cut to cut; together exactly `pictures`."""
        return tuple(b - a for a, b in pairwise((0, *(cut.at for cut in self.cuts), self.pictures)))

    def shots(self) -> tuple[tuple[int, int], ...]:
        """First picture of each shot and the one after its last, transitions included: what must be taken from the sources."""
        begins = (0, *(cut.at - cut.before for cut in self.cuts))
        ends = (*(cut.at + cut.after for cut in self.cuts), self.pictures)
        return tuple(zip(begins, ends, strict=True))


def pacing(style: str, pictures: int, rate: Fraction, beats: Beats | None = None, *, start: float = 0.0) -> Pacing:
    """Cuts for a style.

    Shots keep to the style's seconds wherever whole beats, and the total, allow it.

    Args:
        style: one of `PACES`.
        pictures: of the whole video, at least 1.
        rate: pictures a second.
        beats: of the music; without, or with hardly any confidence, a fixed grid.
        start: seconds of the music at which the video begins.

    Raises:
        ValueError: an unknown style, fewer than one picture, or a rate that is not above 0.
    """
    if style not in PACES:
        raise ValueError(f"style must be one of {', '.join(PACES)}, got {style!r}")
    if pictures < 1 or rate <= 0:
        raise ValueError(f"there must be at least one picture and a rate above 0, got {pictures} and {rate}")
    pace = PACES[style]
    places = _places(pace, pictures, rate, beats, start)
    chosen = _choose(pace, places, pictures, rate)
    return Pacing(pictures, _with_transitions(pace, chosen, pictures, rate))


def bars(seconds: float, tempo: float, *, least: float = 8.0, most: float = 60.0) -> float:
    """`seconds` as a whole number of bars, within limits where a bar fits in between."""
    bar = BAR * 60 / tempo
    few, many = math.ceil(least / bar), math.floor(most / bar)
    number = round(min(max(seconds, least), most) / bar)
    return max(min(max(number, few), many), 1) * bar


@dataclass(frozen=True)
class _Place:
    """Where a cut could be: the picture, what that costs, seconds between beats there, and whether a bar begins."""

    at: int
    price: float
    gap: float
    downbeat: bool


def _places(pace: Pace, pictures: int, rate: Fraction, beats: Beats | None, start: float) -> list[_Place]:
    """Beats, and an even grid wherever there are none for a while; sorted, one per picture, ends left out."""
    end = pictures / float(rate)
    grid = 60 / pace.tempo
    weak = _WEAK if pace.beats >= BAR else _HALF_BAR
    usable = beats is not None and beats.confidence >= LEAST_CONFIDENCE and len(beats.seconds) > 1
    found: list[tuple[float, bool, float, float]] = []  # seconds, downbeat, gap, price
    if usable:
        assert beats is not None
        period = 60 / beats.tempo
        off, free = period, _OFF_BEAT
        for when, strong in zip(beats.seconds.tolist(), beats.downbeats.tolist(), strict=True):
            if 0 < when - start < end:
                found.append((when - start, strong, period, 0.0 if strong else weak))
    else:
        off, free = grid, 0.0
        # The grid's first bar begins with the video.
    filled: list[tuple[float, bool, float, float]] = []
    for left, right in pairwise([0.0, *(one[0] for one in found), end]):
        # Before the first beat the grid leads up to it: music that begins softly has the same beat.
        back = left == 0 and right < end
        number = 1
        while right - left > 1.6 * off and number * off < right - left - 0.4 * off:
            strong = not usable and number % BAR == 0
            when = right - number * off if back else left + number * off
            filled.append((when, strong, off, free + (0.0 if strong else weak)))
            number += 1
    places: dict[int, _Place] = {}
    for when, strong, gap, price in sorted([*found, *filled], key=lambda one: -one[3]):
        at = round(Fraction(when) * rate)
        if 0 < at < pictures:
            places[at] = _Place(at, price, gap, strong)  # the cheaper one stays
    return [places[at] for at in sorted(places)]


def _choose(pace: Pace, places: list[_Place], pictures: int, rate: Fraction) -> list[_Place]:
    """The cuts that cost least together, by dynamic programming over the places."""
    least = pace.shortest * float(rate)
    most = pace.longest * float(rate)

    def price(length: int, gap: float) -> float:
        wanted = min(max(pace.beats * gap * float(rate), least), most)
        slack = 0.5  # places are whole pictures
        outside = max(least - slack - length, 0.0) / least + max(length - slack - most, 0.0) / most
        return math.log(length / wanted) ** 2 + (_OUTSIDE * (0.05 + outside) if outside else 0.0)

    stops = [*places, _Place(pictures, 0.0, places[-1].gap if places else 60 / pace.tempo, False)]
    best: list[float] = []
    before: list[int] = []
    for number, stop in enumerate(stops):
        cost, link = price(stop.at, stop.gap), -1
        for earlier in range(number - 1, -1, -1):
            length = stop.at - stops[earlier].at
            other = best[earlier] + price(length, stop.gap)
            if other < cost:
                cost, link = other, earlier
            if length > 3 * most:
                break
        best.append(cost + stop.price)
        before.append(link)
    chosen: list[_Place] = []
    number = before[-1]
    while number >= 0:
        chosen.append(stops[number])
        number = before[number]
    return chosen[::-1]


def _with_transitions(pace: Pace, places: list[_Place], pictures: int, rate: Fraction) -> tuple[Cut, ...]:
    """Cuts whose transitions do not touch: each has at most a third of the shots beside it."""
    wanted = pace.transition * float(rate)
    edges = [0, *(place.at for place in places), pictures]
    cuts = []
    for number, place in enumerate(places, 1):
        room = min(edges[number] - edges[number - 1], edges[number + 1] - edges[number])
        half = min(round(wanted / 2), room // 3)
        cuts.append(Cut(place.at, half, half, place.downbeat))
    return tuple(cuts)
