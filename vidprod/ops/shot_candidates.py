"""Where a network should look for transitions, and where it need not because a cut is plain to see.

Cuts are changes that stand out from those around them and stay. Gradual transitions are found by how straight the way of every
pixel is: in a dissolve it goes from its old value to its new one, so that over the transition the sum of its changes is little
more than the change from end to end. Motion, also that of the camera, makes pixels go back and forth.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vidprod.ops.shot_signatures import LAGS, Signatures, recoloured

AROUND = 6
"""Pictures before and after a change that count as around it."""

LASTING = 4
"""Pictures on either side whose mean must differ across a cut, which those across a flash do not; the longest flash."""

LASTS = 0.6
"""Part of the change at a cut that must be there still when a flash would be over."""

PLAIN = 12.0
"""Levels that the picture must change by, on a grid of 6x4, for a plain cut."""

PLAIN_COLOURS = 0.12
"""Share of the pixels whose colour must change at a plain cut."""

PLAIN_RATIO = 4.0
"""How many times the usual change around it a plain cut must be."""

DOUBTFUL, DOUBTFUL_RATIO = 5.0, 2.2
"""The same for a change at which the network should look."""

STRAIGHT = {8: 0.65, 16: 0.5, 24: 0.42}
"""Least straightness of a gradual transition, 0..1, over so many pictures; 0.3 to 0.5 is usual for motion over 16."""

GRADUAL = 9.0
"""Levels that pixels must change by, on average, over a gradual transition or a part of it."""

GRADUAL_COLOURS = 0.10
"""Share of the pixels whose colour must change over it."""

_REST = 1.5  # levels by which even a still picture may change


def plain_cuts(signs: Signatures) -> NDArray[np.intp]:
    """Numbers of the first pictures after cuts that leave no doubt."""
    spikes = _spikes(signs, PLAIN, PLAIN_RATIO)
    found = []
    for t in spikes:
        around = np.r_[signs.change[max(t - AROUND, 1) : t], signs.change[t + 1 : t + 1 + AROUND]]
        alone = len(around) == 0 or around.max() < 0.4 * signs.change[t]
        coloured = recoloured(signs.levels, np.array([t - 1]), np.array([t]))[0] >= PLAIN_COLOURS
        if alone and coloured and lasting(signs, t) >= LASTS * signs.change[t]:
            found.append(t)
    return np.array(found, dtype=np.intp)


def suspects(signs: Signatures, cuts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(N,) whether the network should look at a picture; `cuts` are the plain ones, which need no look."""
    look = np.zeros(len(signs), dtype=bool)
    known = set(cuts.tolist())
    for t in _spikes(signs, DOUBTFUL, DOUBTFUL_RATIO):
        if t not in known and lasting(signs, t) >= LASTS * min(signs.change[t], 2 * DOUBTFUL):
            look[t] = True
    length = np.cumsum(np.r_[0.0, signs.lagged[1:, 0]])  # of the way of the mean pixel up to each picture
    shot = np.zeros(len(signs), dtype=np.intp)
    shot[cuts] = 1
    shot = np.cumsum(shot)
    for column, lag in enumerate(LAGS):
        if lag not in STRAIGHT or len(signs) <= lag:
            continue
        end = np.arange(lag, len(signs))
        start = end - lag
        change = signs.lagged[end, column]
        straight = change >= STRAIGHT[lag] * (length[end] - length[start])
        far = (change >= GRADUAL) & (recoloured(signs.levels, start, end) >= GRADUAL_COLOURS)
        middle = (start + end) // 2
        look[middle[straight & far & (shot[start] == shot[end])]] = True
    return look


def _spikes(signs: Signatures, least: float, ratio: float) -> list[int]:
    """Pictures that differ from the one before much more than is usual around them."""
    padded = np.pad(signs.change, AROUND, mode="edge")
    usual = np.median(sliding_window_view(padded, 2 * AROUND + 1), axis=1)
    high = (signs.change >= least) & (signs.change >= ratio * (usual + _REST))
    return [int(t) for t in np.flatnonzero(high) if t > 0]


def lasting(signs: Signatures, t: int) -> float:
    """Levels by which what comes from picture `t` on differs from what came before, when a flash would be over."""
    before, after = slice(max(t - LASTING, 0), t), slice(t, t + LASTING)
    near = signs.apart(before, after)
    if t + LASTING >= len(signs):
        return near
    # A flash may begin at `t` or end there.
    later, earlier = slice(t + LASTING, t + 2 * LASTING), slice(max(t - 2 * LASTING, 0), max(t - LASTING, 1))
    return min(near, signs.apart(before, later), signs.apart(earlier, after), signs.apart(earlier, later))
