"""When a logo is seen: on which pictures its edges are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.harmonic import harmonic
from vidprod.ops.logo_matte import Matte
from vidprod.ops.logo_plan import Span
from vidprod.ops.logo_prediction import gaussian

SEEN = 0.4
"""Part of the strength of a logo's edges, compared with what is usual, that a picture must show."""

LEAST_CONTRAST = 2.0
"""Root mean square of the slopes that a logo would add to a picture, in levels a pixel; below, nobody could see it."""

LEAST_ABSENT = 0.05
"""Part of the samples that a logo must be absent from to be called one that comes and goes."""

MOST_SWITCHES = 6
"""Times that it may come or go between samples; more, and it moves."""

MOST_BETWEEN = 0.12
"""Part of the samples that may show it neither plainly nor not at all."""

SHORTEST = 5
"""Pictures; what is shorter is an error."""

_BETWEEN = 0.2, 0.65


class Presence:
    """How much of a logo's edges pictures show.

    Args:
        matte: of the logo, which is on more than half of the pictures.
    """

    def __init__(self, matte: Matte) -> None:
        support, alpha, colour = (torch.from_numpy(x) for x in (matte.support, matte.alpha, matte.colour))
        self._support = support
        self._alpha, self._colour = alpha, colour

    def scores(self, pictures: Tensor) -> NDArray[np.float64]:
        """(N,) for (N, 3, h, w) uint8 of the matte's box: 0 without the logo, about 1 with it; NaN where nobody can tell."""
        found = []
        for part in pictures.split(8):
            shown = part.float()
            guess = harmonic(shown, self._support[None, None])
            plain = _slopes(guess)[..., self._support]
            added = _slopes((1 - self._alpha) * guess + self._colour)[..., self._support] - plain
            energy = added.square().sum((1, 2))
            alike = ((_slopes(shown)[..., self._support] - plain) * added).sum((1, 2)) / energy.clamp(min=1e-3)
            alike[energy < LEAST_CONTRAST**2 * added.shape[2]] = torch.nan
            found.append(alike)
        return torch.cat(found).double().numpy()


def comes_and_goes(scores: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """On which samples a logo is seen, if it plainly is not on all of them; None if it may be."""
    known = scores[np.isfinite(scores)]
    if len(known) < len(scores) / 2 or not len(known):
        return None
    usual = float(np.quantile(known, 0.6))
    seen = _filled(scores) >= SEEN * usual
    between = np.mean((known > _BETWEEN[0] * usual) & (known < _BETWEEN[1] * usual))
    switches = int((seen[1:] != seen[:-1]).sum())
    plain = usual > 0 and between <= MOST_BETWEEN and switches <= MOST_SWITCHES
    return seen if plain and np.mean(~seen) >= LEAST_ABSENT and np.mean(seen) > 0.5 else None


def spans(scores: NDArray[np.float64], seconds: Sequence[float]) -> tuple[Span, ...]:
    """Times during which a logo is seen, from `Presence.scores` of all pictures of a video, and their times."""
    if not np.isfinite(scores).any():
        return ()
    seen = _filled(scores) >= SEEN * float(np.nanquantile(scores, 0.6))
    for value in (True, False):  # short gaps are closed, then short appearances dropped
        for first, stop in _runs(seen != value):
            if stop - first < SHORTEST and not (value and (first == 0 or stop == len(seen))):
                seen[first:stop] = value
    step = (seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1) or 1.0
    ends = [*seconds, seconds[-1] + step]
    return tuple(Span(round(ends[a], 5), round(ends[b], 5)) for a, b in _runs(seen))


def _filled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """With the nearest known score where there is none."""
    known = np.flatnonzero(np.isfinite(scores))
    places = np.arange(len(scores))
    after = known[np.clip(np.searchsorted(known, places), 0, len(known) - 1)]
    before = known[np.clip(np.searchsorted(known, places, "right") - 1, 0, len(known) - 1)]
    nearest: NDArray[np.float64] = scores[np.where(abs(after - places) < abs(before - places), after, before)]
    return nearest


def _runs(where: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and stop of every run of true values."""
    edges = np.flatnonzero(np.diff(np.r_[False, where, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _slopes(pictures: Tensor) -> Tensor:
    """(N, 2, h, w): of the lightness, across and down, in levels a pixel."""
    y = F.pad(gaussian(pictures.mean(1, keepdim=True), 0.7), (1, 1, 1, 1), mode="replicate")
    return torch.cat([y[..., 1:-1, 2:] - y[..., 1:-1, :-2], y[..., 2:, 1:-1] - y[..., :-2, 1:-1]], 1) / 2
