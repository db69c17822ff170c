"""The pictures a hole can be filled from: a bounded window of them, how the camera moved between them, and which are best."""

from __future__ import annotations

import itertools
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from vidprod.ops.flow import global_motion, luma
from vidprod.ops.temporal_blend import Still

GUARD = 2
"""Pictures on either side of an event that are not trusted where its text is: fades, and ends found one picture too late."""

MARGIN = 2
"""Pixels around text that the codec has spoilt, where no other picture takes anything from."""

FRESH = 12
"""A donor so many pictures away is worth half of one right beside: light and perspective change."""

POINTS = 400
"""Pixels of a hole at which donors are compared."""

STILL = 1.0
"""A camera stands still as long as the reckoned motion, which is never exact, moves no corner of a hole by so many pixels."""

MEAN_OF = 4
"""Pictures before, and as many after, of which the mean is taken where the camera stands still: less of the codec's noise."""


@dataclass(eq=False)
class Entry:
    """One picture of the window.

    Attributes:
        index: its number.
        picture: (3, H, W) uint8, on the device.
        mask: (H, W) bool on the CPU, true where the picture is to be replaced; None for nowhere.
        shot: number of its shot; pictures of a transition are shots of their own.
        mixed: whether it is part of a transition: two shots in one picture, which no other moment shows.
        unsafe: (H, W) bool on the CPU, true where no other picture takes anything from: where there is text in this picture
            or in one of the `GUARD` nearest. None for nowhere; known once the next `GUARD` pictures are here.
        link: (3, 3) motion to the picture before, homogeneous, on the CPU; once somebody has asked.
    """

    index: int
    picture: Tensor
    mask: np.ndarray | None
    shot: int
    mixed: bool = False
    unsafe: np.ndarray | None = None
    link: np.ndarray | None = None

    @property
    def luma(self) -> Tensor:
        """(1, 1, H, W) float32."""
        return luma(self.picture[None])

    @property
    def known(self) -> Tensor:
        """(1, 1, H, W) float32 on the device: 1 where the picture can be taken as it is."""
        if self.unsafe is None:
            return torch.ones(1, 1, *self.picture.shape[1:], device=self.picture.device)
        return torch.from_numpy(~self.unsafe)[None, None].to(self.picture.device, torch.float32)


@dataclass(frozen=True, eq=False)
class Donor:
    """A picture to take pixels from, and the motion (3, 3) that leads there, homogeneous, on the CPU."""

    entry: Entry
    path: np.ndarray

    @property
    def motion(self) -> Tensor:
        """(1, 2, 3) float32 on the device of the picture."""
        return torch.from_numpy(self.path[None, :2].astype(np.float32)).to(self.entry.picture.device)


class Window:
    """Holds the pictures from `reach` before the next one to fill up to the newest, and the last clean ones before them.

    Memory: three bytes a pixel for each, and two more for those in or near an event.
    """

    def __init__(self, reach: int, cuts: Sequence[int], transitions: Sequence[tuple[int, int]] = ()) -> None:
        self._reach = reach
        self._transitions = sorted(transitions)
        self._cuts = sorted({*cuts, *(edge for interval in transitions for edge in interval)})
        self._entries: deque[Entry] = deque()
        # The last clean pictures that have left the window, one after another, in the shot of its oldest.
        self._behind: deque[Entry] = deque(maxlen=MEAN_OF)
        self._behind_path: np.ndarray | None = None  # from the oldest in the window to the last of them
        self._ahead: list[Entry] = []  # clean pictures beyond the newest, brought by the caller; ascending

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def newest(self) -> int:
        """Number of the newest picture."""
        return self._entries[-1].index

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index - self._entries[0].index]

    def append(self, index: int, picture: Tensor, mask: np.ndarray | None) -> None:
        """Takes the next picture; `mask` is None or has a true pixel."""
        self._entries.append(Entry(index, picture, mask, self._shot(index), self._mixed(index)))
        if len(self._entries) > GUARD:
            self._settle(self._entries[-1 - GUARD])

    def close(self) -> None:
        """There are no more pictures."""
        for entry in list(self._entries)[-GUARD:]:
            self._settle(entry)

    def pin(self, index: int, picture: Tensor) -> None:
        """Takes a picture without any text from beyond the window."""
        self._ahead.append(Entry(index, picture, None, self._shot(index), self._mixed(index)))
        self._ahead.sort(key=lambda entry: entry.index)

    def forget(self, before: int) -> None:
        """Lets go of what the pictures from `before` on do not need."""
        while len(self._entries) > 1 and self._entries[0].index < before - self._reach:
            oldest, following = self._entries[0], self._entries[1]
            if following.shot != oldest.shot:
                self._behind.clear()
                self._behind_path = None
            elif oldest.unsafe is None and not oldest.mixed:
                if self._behind and self._behind[-1].index != oldest.index - 1:
                    self._behind.clear()
                self._behind.append(oldest)
                # Followed by a clean one it will not be the last; then there is nothing to reckon.
                self._behind_path = None if following.unsafe is None else self._link(following)
            elif self._behind_path is not None:
                self._behind_path = self._behind_path @ self._link(following)
            self._entries.popleft()
        self._ahead = [entry for entry in self._ahead if entry.index > self.newest]

    def donors(self, index: int, reachable: Sequence[Donor], most: int) -> list[Donor]:
        """The few of `reachable` that together show most of what the mask of picture `index` hides, as near as can be."""
        now = self[index]
        assert now.mask is not None
        if not reachable:
            return []
        rows, columns = np.nonzero(now.mask)
        every = max(1, len(rows) // POINTS)
        points = np.stack([columns[::every], rows[::every], np.ones(len(rows[::every]))]).astype(np.float32)
        moved = np.stack([donor.path[:2] for donor in reachable]) @ points
        height, width = now.mask.shape
        worth = np.zeros((len(reachable), points.shape[1]), np.float32)
        for at, donor in enumerate(reachable):
            x, y = np.rint(moved[at]).astype(np.int64)
            there = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            unsafe = donor.entry.unsafe
            if unsafe is not None:
                there &= ~unsafe[y.clip(0, height - 1), x.clip(0, width - 1)]
            worth[at] = there / (1 + abs(donor.entry.index - index) / FRESH)
        return [reachable[at] for at in _choose(worth, most)]

    def still(self, index: int, reachable: Sequence[Donor], area: tuple[slice, slice]) -> list[Still]:
        """Where the camera stands still around picture `index`: the mean of what is before it, and of what is after it.

        Args:
            index: a picture with a hole.
            reachable: pictures of its shot, with their motions.
            area: rows and columns around the hole.
        """
        mask = self[index].mask
        assert mask is not None
        rows, columns = area
        corners = np.array([[x, y, 1.0] for x in (columns.start, columns.stop) for y in (rows.start, rows.stop)]).T
        hole = np.nonzero(mask[area])
        found: list[Still] = []
        for before in (True, False):
            side = [donor for donor in reachable if (donor.entry.index < index) == before]
            mean = _Mean()
            for donor in sorted(side, key=lambda donor: abs(donor.entry.index - index)):
                if np.abs(donor.path[:2] @ corners - corners[:2]).max() > STILL:
                    break
                unsafe = None if donor.entry.unsafe is None else donor.entry.unsafe[area]
                if unsafe is None or not unsafe[hole].all():
                    mean.add(donor.entry.picture[:, rows, columns], unsafe, abs(donor.entry.index - index))
                    if mean.least(hole) >= MEAN_OF:
                        break
            if mean.age:
                found.append(mean.result())
        return found

    def before(self, index: int) -> Donor:
        """The picture before, of the same shot."""
        return Donor(self[index - 1], self._link(self[index]))

    def reachable(self, index: int) -> list[Donor]:
        """Every other picture of the shot, with the motion that leads to it; none for a picture of a transition."""
        now = self[index]
        if now.mixed:
            return []
        found: list[Donor] = []
        first = self._entries[0].index
        path, at = np.eye(3), index
        while at > max(first, index - self._reach) and self[at - 1].shot == now.shot:
            path = self._link(self[at]) @ path
            at -= 1
            found.append(Donor(self[at], path))
        if at == first and self._behind_path is not None:
            path = self._behind_path @ path
            for entry, older in itertools.zip_longest(reversed(self._behind), list(self._behind)[-2::-1]):
                found.append(Donor(entry, path))
                if older is not None:
                    path = _link(entry, older) @ path
        path, at = np.eye(3), index
        while at < min(self.newest, index + self._reach) and self[at + 1].shot == now.shot:
            at += 1
            path = np.linalg.inv(self._link(self[at])) @ path
            found.append(Donor(self[at], path))
        previous: Entry | None = None
        for entry in self._ahead:
            if entry.shot == now.shot and entry.index > self.newest:
                follows = previous is not None and entry.index == previous.index + 1
                path = np.linalg.inv(_link(entry, previous)) @ path if follows and previous else _motion(now, entry)
                found.append(Donor(entry, path))
                previous = entry
        return found

    def _link(self, entry: Entry) -> np.ndarray:
        """The motion to the picture before, which is in the window."""
        return _link(entry, self[entry.index - 1])

    def _settle(self, entry: Entry) -> None:
        """Finds out where the picture is unsafe; its neighbours are here."""
        near = range(
            max(entry.index - GUARD, self._entries[0].index), min(entry.index + GUARD, self._entries[-1].index) + 1
        )
        masks = [mask for mask in (self[at].mask for at in near) if mask is not None]
        if masks:
            side = 2 * MARGIN + 1
            union = np.logical_or.reduce(masks).view(np.uint8)
            entry.unsafe = cv2.dilate(union, np.ones((side, side), np.uint8)).view(np.bool_)

    def _shot(self, index: int) -> int:
        return bisect_right(self._cuts, index)

    def _mixed(self, index: int) -> bool:
        begun = bisect_right(self._transitions, (index, sys.maxsize))
        return begun > 0 and index < self._transitions[begun - 1][1]


class _Mean:
    """Mean of up to `MEAN_OF` pictures, at every pixel of the first ones that show it."""

    def __init__(self) -> None:
        self.age = 0
        self._count: np.ndarray | None = None  # on the CPU too, lest the device be asked
        self._sums: Tensor | None = None  # (5, H, W): the pictures, their squared levels, how many

    def add(self, picture: Tensor, unsafe: np.ndarray | None, age: int) -> None:
        """(3, H, W) uint8, and where (H, W) it does not count; nearer ones come first."""
        wanted = np.ones(picture.shape[1:], np.bool_) if unsafe is None else ~unsafe
        if self._count is None:
            self._count = np.zeros(wanted.shape, np.uint8)
            self.age = age
        wanted &= self._count < MEAN_OF
        self._count += wanted
        levels = picture.to(torch.float32)
        seen = torch.from_numpy(wanted)[None].to(picture.device, torch.float32)
        sums = torch.cat([levels, levels.pow(2).mean(0, keepdim=True), torch.ones_like(seen)]) * seen
        self._sums = sums if self._sums is None else self._sums + sums

    def least(self, hole: tuple[np.ndarray, ...]) -> int:
        """How many there are at each of these pixels."""
        assert self._count is not None
        return int(self._count[hole].min())

    def result(self) -> Still:
        assert self._sums is not None
        count = self._sums[None, 4:]
        mean = self._sums[None, :3] / count.clamp_min(1)
        spread = self._sums[None, 3:4] / count.clamp_min(1) - mean.pow(2).mean(1, keepdim=True)
        return Still(mean, count, spread.clamp_min(0), self.age)


def _link(entry: Entry, before: Entry) -> np.ndarray:
    """(3, 3) from a picture to the one right before, reckoned once."""
    if entry.link is None:
        entry.link = _motion(entry, before)
    return entry.link


def _motion(one: Entry, other: Entry) -> np.ndarray:
    """(3, 3) from one picture to another."""
    found = global_motion(one.luma, other.luma, one.known, other.known)[0].cpu().numpy()
    return np.vstack([found, [0.0, 0.0, 1.0]])


def _choose(worth: np.ndarray, most: int) -> list[int]:
    """Rows of `worth` (donors, points), picked one by one for what they add: a best donor for every point, then a second."""
    best = np.zeros(worth.shape[1], np.float32)
    second = np.zeros(worth.shape[1], np.float32)
    chosen: list[int] = []
    while len(chosen) < most:
        firsts = np.maximum(worth, best)
        seconds = np.maximum(np.minimum(worth, best), second)
        gain = (firsts - best).mean(1) + 0.5 * (seconds - second).mean(1)
        gain[chosen] = 0
        pick = int(gain.argmax())
        if gain[pick] < 0.01:
            break
        chosen.append(pick)
        best, second = firsts[pick], seconds[pick]
    return chosen
