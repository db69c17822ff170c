"""Erases one logo of a plan: un-blends what shines through, and fills the rest from other pictures and from around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from vidprod.media.probe import VideoInfo
from vidprod.ops.erase import Patched, fitting, region_of
from vidprod.ops.logo_matte import Matte
from vidprod.ops.logo_plan import Logo
from vidprod.ops.logo_unblend import LogoUnblend
from vidprod.ops.temporal_fill import REACH, SpatialFill, TemporalFill
from vidprod.ops.text_boxes import Box

AROUND = 40
"""Pixels around a logo that are looked at: what is guessed, or moved into the hole, comes from there."""


def region(matte: Matte, info: VideoInfo) -> Box:
    """What must be seen of the pictures to erase a logo."""
    whole = Box(0, 0, info.display_width, info.display_height)
    return fitting(region_of(info, matte.box.grown(AROUND, AROUND, whole)))


class LogoEraser:
    """An `Eraser` for one logo.

    Args:
        logo: when it is seen.
        matte: what it did to the picture.
        box: `region` of it.
        fill: for what neither shines through nor is seen on other pictures.
        cuts: numbers of the first pictures of shots.
        reach: pictures before and after that can be copied from.
        batch: pictures that are worked on at a time.
        device: where that happens.
    """

    def __init__(
        self,
        logo: Logo,
        matte: Matte,
        box: Box,
        fill: SpatialFill,
        *,
        cuts: Sequence[int] = (),
        reach: int = REACH,
        batch: int = 8,
        device: torch.device | str = "cpu",
    ) -> None:
        self._logo = logo
        self._box = box
        self._fill = fill
        self._batch = batch
        self._device = torch.device(device)
        inner = matte.box.moved(-box.left, -box.top)
        self._inner = inner.slices
        self._mask = torch.zeros(box.height, box.width, dtype=torch.bool)
        self._mask[inner.slices] = torch.from_numpy(matte.support)
        self._hole = self._mask[None, None].to(self._device)
        self._none = torch.zeros_like(self._mask)
        unblend = logo.kind == "unblend"
        self._unblend = LogoUnblend(matte, device=self._device) if unblend else None
        self._share = self._unblend.share if self._unblend is not None else 0.0
        self._temporal = None if unblend else TemporalFill(fill, cuts=cuts, reach=reach)
        self._pictures: list[Tensor] = []  # of the next batch
        self._seen: list[tuple[int, bool]] = []  # their numbers, and whether the logo is on them

    @property
    def box(self) -> Box:
        """The rectangle, in pixels of the upright picture."""
        return self._box

    def push(self, index: int, second: Fraction, read: Callable[[], Tensor]) -> list[Patched]:
        """See `Eraser.push`."""
        stands = self._logo.stands(float(second))
        if self._temporal is None and not stands:
            return [Patched(index)]
        self._pictures.append(read())
        self._seen.append((index, stands))
        return self._run() if len(self._pictures) == self._batch else []

    def finish(self) -> list[Patched]:
        """See `Eraser.finish`."""
        done = self._run() if self._pictures else []
        if self._temporal is not None:
            done += [
                self._patched(f.index, f.picture if f.share is not None else None, f.share)
                for f in self._temporal.finish()
            ]
        return done

    def _run(self) -> list[Patched]:
        pictures = torch.stack(self._pictures).to(self._device)
        seen = self._seen
        self._pictures, self._seen = [], []
        if self._temporal is not None:
            masks = torch.stack([self._mask if stands else self._none for _, stands in seen])
            filled = self._temporal.push(pictures, masks)
            return [self._patched(f.index, f.picture if f.share is not None else None, f.share) for f in filled]
        assert self._unblend is not None
        rows, columns = self._inner
        guess = self._fill(pictures, self._hole)
        clean = pictures.clone()
        clean[..., rows, columns] = self._unblend.mixed(pictures[..., rows, columns], guess[..., rows, columns])
        return [self._patched(index, one, self._share) for (index, _), one in zip(seen, clean.cpu(), strict=True)]

    def _patched(self, index: int, picture: Tensor | None, share: float | None) -> Patched:
        if picture is None or share is None:
            return Patched(index)
        return Patched(index, picture.cpu(), self._mask, share)
