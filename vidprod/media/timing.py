"""Exact time: changing time bases without drift, and repairing times that are absent or go back."""

from __future__ import annotations

from fractions import Fraction

# Containers of broadcasts, whose clock may be set anew at any moment.
BROADCAST = {"mpegts", "mpeg"}
# In those, a step forward of more than this is such a moment; elsewhere it may be a picture that stands for long.
LEAP_SECONDS = Fraction(10)
# A step back of more than this is a new beginning (a splice); less is a duplicate or a rounding fault.
SPLICE_SECONDS = Fraction(1, 2)


def rescale(ticks: int, source: Fraction, target: Fraction) -> int:
    """`ticks` of `source` seconds in units of `target` seconds, rounded to the nearest, halves away from zero as FFmpeg does."""
    ratio = source / target
    numerator, denominator = abs(ticks) * ratio.numerator, ratio.denominator
    rounded = (2 * numerator + denominator) // (2 * denominator)
    return rounded if ticks >= 0 else -rounded


class PtsRepair:
    """Turns the times a decoder gives into strictly increasing ones that start at the file's origin.

    Sound times pass unchanged but for the origin. Absent ones continue at the usual rate. Where times jump back by more than
    half a second (in broadcasts also: forward by more than ten), two recordings were joined: everything after is moved so that
    it follows without a gap, which keeps the length of both. Smaller steps back are squeezed in by single ticks, and so are a
    few pictures that return from a wrong step forward.

    Attributes:
        repaired: how many times had to be invented or moved by a tick.
        splices: how many joints were found.
    """

    # A step forward counts as wrong if times return to before it within so many pictures.
    _DOUBT = 32

    def __init__(self, *, origin: int, step: int, time_base: Fraction, container: str = "") -> None:
        """`origin` is subtracted from every time; `step` is the usual distance; both in ticks of `time_base`.

        `container` is FFmpeg's name of the format.
        """
        self._leap = round(LEAP_SECONDS / time_base) if container in BROADCAST else None
        self.repaired = 0
        self.splices = 0
        self._step = max(1, step)
        self._shift = -origin
        self._jump = max(2, round(SPLICE_SECONDS / time_base))
        self._last: int | None = None
        self._raw: int | None = None
        self._before_leap: int | None = None  # the last time before a doubtful step forward
        self._since_leap = 0

    def __call__(self, pts: int | None) -> int:
        """The repaired time of the next picture or packet."""
        last = self._last
        if last is None:
            self.repaired += pts is None
            now = 0 if pts is None else pts + self._shift
        elif pts is None or pts == self._raw:  # no clock, or one that stands still
            self.repaired += 1
            now = last + self._step
        else:
            now = self._after(last, pts)
        self._last, self._raw = now, pts
        return now

    def _after(self, last: int, pts: int) -> int:
        now = pts + self._shift
        self._since_leap += 1
        if self._since_leap > self._DOUBT:
            self._before_leap = None
        if self._leap is not None and now - last > self._leap:
            return self._joined(last, pts)
        if now > last:
            if now - last >= max(self._jump, 2 * self._step):
                self._before_leap, self._since_leap = last, 0
            return now
        returned = self._before_leap is not None and now > self._before_leap
        if last - now < self._jump or returned:
            self.repaired += 1
            return last + 1
        return self._joined(last, pts)

    def _joined(self, last: int, pts: int) -> int:
        self.splices += 1
        self._shift = last + self._step - pts
        return last + self._step
