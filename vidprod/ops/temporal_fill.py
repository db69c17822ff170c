"""Fills holes in moving pictures from other moments of the same shot, and from around the hole where no moment shows it.

For every picture a few donors are chosen among the pictures before and after, and each is registered to it anew: one affine
motion, then a displacement for every pixel, both from what is visible around the hole. (Following the motion from picture to
picture instead drifts: after twenty pictures a copied texture is worth no more than a guess.) How far the donors agree with
the surroundings and with each other says how much of each goes into the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidprod.ops.flow import affine_flow, compose, dense_motion, global_motion, luma, matched
from vidprod.ops.letterbox import bar_colour, bar_rows
from vidprod.ops.temporal_blend import Candidates, Hole, blend, grain, measure
from vidprod.ops.temporal_window import GUARD, Window

REACH = 48
"""Pictures before and after that can be donors, if they are in the window."""

AROUND = 32
"""Pixels around a hole that are looked at."""


class SpatialFill(Protocol):
    """Fills holes from what is around them."""

    def __call__(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 with holes (N, 1, H, W) bool -> (N, 3, H, W) uint8, equal outside them."""


@dataclass(frozen=True, eq=False)
class Filled:
    """One picture, done.

    Attributes:
        index: its number.
        picture: (3, H, W) uint8; outside the mask exactly what came in.
        share: how much of the hole, 0..1, was filled from other pictures; None where there was no hole.
    """

    index: int
    picture: Tensor
    share: float | None


class TemporalFill:
    """Takes pictures (or the same part of all of them) in order and gives them back filled, some pictures later.

    What comes out does not depend on how the pictures were cut into batches.

    Args:
        spatial: fills what no other picture shows.
        cuts: numbers of the first pictures of shots, ascending.
        transitions: (first, stop) of pictures during which one shot passes into the next, half open, not overlapping. None of
            them gives anything to other pictures, and they get nothing but from the one filled right before, in the same
            transition.
        reach: pictures before and after that are held to take pixels from. Besides them the last clean picture before a long
            event is kept, and later ones that the caller pins.
        donors: how many of them a picture is filled from; time grows with it.
        first: number of the first picture.
    """

    def __init__(
        self,
        spatial: SpatialFill,
        *,
        cuts: Sequence[int] = (),
        transitions: Sequence[tuple[int, int]] = (),
        reach: int = REACH,
        donors: int = 3,
        first: int = 0,
    ) -> None:
        if reach <= GUARD:
            raise ValueError(f"reach is {reach}, must be more than {GUARD}")
        for start, stop in transitions:
            if not 0 <= start < stop:
                raise ValueError(f"transition ({start}, {stop}) must be (first, stop) with 0 <= first < stop")
        self._spatial = spatial
        self._window = Window(reach, cuts, transitions)
        self._reach = reach
        self._donors = donors
        self._next_in = first
        self._next_out = first
        self._before: Tensor | None = None  # the picture filled last, if it is the one before the next

    def push(self, pictures: Tensor, masks: Tensor) -> list[Filled]:
        """Takes the next pictures and gives those that are done.

        Args:
            pictures: (N, 3, H, W) uint8, all of one size and on one device.
            masks: (N, H, W) bool on any device, true where the picture is to be replaced.
        """
        if pictures.dtype != torch.uint8 or masks.dtype != torch.bool:
            raise ValueError(f"pictures must be uint8 and masks bool, got {pictures.dtype} and {masks.dtype}")
        if masks.shape != (len(pictures), *pictures.shape[2:]):
            raise ValueError(f"masks are {tuple(masks.shape)} for pictures {tuple(pictures.shape)}")
        for picture, mask in zip(pictures, masks.cpu().numpy(), strict=True):
            # Copies: what comes may be a small part of large pictures, which would otherwise stay in memory.
            self._window.append(self._next_in, picture.clone(), mask.copy() if mask.any() else None)
            self._next_in += 1
        # A donor may be `reach` pictures away, and whether it is clean shows `GUARD` pictures later.
        return self._done(self._next_in - self._reach - GUARD)

    def pin(self, index: int, picture: Tensor) -> None:
        """Brings a clean picture (3, H, W) from beyond the window: the one after an event that is longer than the window.

        It must be free of text, and so must the `GUARD` pictures on either side of it be where there was text.
        """
        if index < self._next_in:
            raise ValueError(f"picture {index} is pinned, but {self._next_in - 1} has already come")
        self._window.pin(index, picture.clone())

    def finish(self) -> list[Filled]:
        """The rest, after the last picture."""
        self._window.close()
        return self._done(self._next_in)

    def _done(self, stop: int) -> list[Filled]:
        """Fills pictures up to `stop`; all those that they take from are here."""
        wanted = range(self._next_out, max(stop, self._next_out))
        guesses = self._guesses(wanted)
        done: list[Filled] = []
        for index in wanted:
            guess = guesses.get(index)
            if guess is None:
                done.append(Filled(index, self._window[index].picture, None))
                self._before = None
            else:
                done.append(self._fill(index, guess))
                self._before = done[-1].picture
            self._next_out = index + 1
            self._window.forget(index + 1)
        return done

    def _guesses(self, wanted: range) -> dict[int, Tensor]:
        """What the spatial fill makes of the pictures with holes, all in one go."""
        entries = [entry for entry in map(self._window.__getitem__, wanted) if entry.mask is not None]
        if not entries:
            return {}
        masks = torch.from_numpy(np.stack([entry.mask for entry in entries if entry.mask is not None]))[:, None]
        pictures = torch.stack([entry.picture for entry in entries])
        filled = self._spatial(pictures, masks.to(pictures.device))
        return {entry.index: picture for entry, picture in zip(entries, filled, strict=True)}

    def _fill(self, index: int, guess: Tensor) -> Filled:
        entry = self._window[index]
        assert entry.mask is not None
        # Cut down to the hole and what is around it: all that follows costs by area.
        rows, columns = np.nonzero(entry.mask)
        height, width = entry.mask.shape
        top, bottom = max(rows.min() - AROUND, 0), min(rows.max() + AROUND + 1, height)
        left, right = max(columns.min() - AROUND, 0), min(columns.max() + AROUND + 1, width)
        part = (slice(None), slice(int(top), int(bottom)), slice(int(left), int(right)))
        hole = Hole.of(entry.picture[part], guess[part], entry.mask[top:bottom, left:right])
        candidates = self._candidates(index, hole, (part[1], part[2]))
        if candidates is None:
            return Filled(index, _without_bars(entry.picture, guess, entry.mask), 0.0)
        values, weights = self._mix(index, hole, candidates)
        values = values + grain(candidates, weights, seed=index)
        picture = entry.picture.clone()
        inner = picture[part].clone()
        inner[:, hole.rows, hole.columns] = values.round().clamp(0, 255).to(torch.uint8)
        picture[part] = inner
        picture = _without_bars(entry.picture, picture, entry.mask)
        return Filled(index, picture, 1 - float(weights[-1].mean()))

    def _mix(self, index: int, hole: Hole, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """The pixels and the weights of picture `index`, as `blend` gives them; here so that what is mixed can be recorded."""
        return blend(hole, candidates)

    def _candidates(self, index: int, hole: Hole, area: tuple[slice, slice]) -> Candidates | None:
        """The donors and the picture filled last, registered, and what a still camera saw; `area` is where the hole is."""
        entry = self._window[index]
        reachable = self._window.reachable(index)
        donors = self._window.donors(index, reachable, self._donors)
        pictures = [donor.entry.picture for donor in donors]
        known = [donor.entry.known for donor in donors]
        ages = [abs(donor.entry.index - index) for donor in donors]
        motions: list[Tensor] = []
        shades: list[Tensor] = []
        if donors:
            count = len(donors)
            now, here, there = entry.luma.expand(count, -1, -1, -1), entry.known, torch.cat(known)
            shades.append(matched(luma(torch.stack(pictures)), now, there, here))
            chained = torch.cat([donor.motion for donor in donors])
            motions.append(
                global_motion(now, shades[0], here.expand(count, -1, -1, -1), there, start=chained, fine=True)
            )
        carried = self._before is not None and self._window[index - 1].shot == entry.shot
        if carried and self._before is not None:
            # The picture filled last, holes and all: it carries on what was decided there, so that nothing flickers.
            pictures.append(self._before)
            known.append(torch.ones_like(entry.known))
            shades.append(luma(self._before[None]))
            motions.append(self._window.before(index).motion)
            ages.append(0)
        if not pictures:
            return None
        count = len(pictures)
        data, seen, motion = torch.stack(pictures), torch.cat(known), torch.cat(motions)
        box_height, box_width = hole.known.shape[-2:]
        to_box = torch.tensor([[[1.0, 0.0, area[1].start], [0.0, 1.0, area[0].start]]], device=data.device)
        flow, more = dense_motion(
            hole.luma.expand(count, -1, -1, -1),
            torch.cat(shades),
            hole.known.expand(count, -1, -1, -1),
            seen,
            affine_flow(compose(to_box.expand(count, -1, -1), motion), box_height, box_width),
            guess=hole.guess_luma,
        )
        still = self._window.still(index, reachable, area)
        return measure(hole, data, seen, flow, more, ages, carried=carried, still=still)


def _without_bars(picture: Tensor, filled: Tensor, mask: np.ndarray) -> Tensor:
    """`filled` with holes in black bars made black."""
    rows = bar_rows(picture, mask)
    if not (mask & rows[:, None]).any():
        return filled
    inside = torch.from_numpy(mask & rows[:, None]).to(picture.device)
    return torch.where(inside, bar_colour(picture, rows, mask)[:, None, None], filled)
