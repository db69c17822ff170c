"""`ShotAnalysis`: the shots of a video, by cuts, dissolves and fades.

Every picture is looked at cheaply; a network (`models/transnet.py`) looks at windows of 100 pictures, on a GPU all over the
video, on a CPU only where something may be. All but a few numbers for each picture is forgotten after some 250 pictures.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidprod.media.frames import Frames
from vidprod.models import transnet
from vidprod.models.transnet import MARGIN, STEP, WINDOW
from vidprod.ops.shot_candidates import plain_cuts, suspects
from vidprod.ops.shot_signatures import Signatures, Signing, tiny
from vidprod.ops.shot_transitions import fades, transitions
from vidprod.ops.shots import ShotPlan

SIDE = 96
"""Pixels of the longer side of pictures that are made for it; larger ones tell it nothing more."""

_WINDOWS = {"cpu": 1, "cuda": 16}  # looked at together
_BESIDE = 12  # pictures beside a fade that look suspicious only because of it
_AROUND = 100  # pictures before and after a block that are there when it is decided on; the longest fade fits in


class ShotAnalysis:
    """Analysis: pictures of any size in, shots and transitions out."""

    def __init__(self, device: torch.device | str = "cpu", *, everywhere: bool | None = None) -> None:
        """Loads the network when it is first needed.

        Args:
            device: where the work is done.
            everywhere: whether the network looks at the whole video; None: on a GPU.
        """
        self._device = torch.device(device)
        self._everywhere = self._device.type != "cpu" if everywhere is None else everywhere
        self._net: nn.Module | None = None
        self._signing = Signing()
        self._signs: list[Signatures] = []
        self._seconds: list[NDArray[np.float64]] = []
        self._count = 0
        self._recent: list[Tensor] = []  # the last tiny pictures, from number `_from` on
        self._from = 0
        self._block = 0  # of `STEP` pictures, the next to be decided on
        self._waiting: list[tuple[int, Tensor]] = []  # blocks to look at, and their windows
        self._seen: dict[int, NDArray[np.float32]] = {}  # block: (2, STEP) probabilities

    @property
    def looks(self) -> int:
        """Windows at which the network has looked so far."""
        return len(self._seen)

    def update(self, frames: Frames) -> None:
        """Takes the next pictures, uint8 or uint16, of any size, on any device."""
        if not len(frames):
            return
        pictures = tiny(frames.data).to(self._device)
        self._signs.append(self._signing(pictures))
        self._seconds.append(np.array([float(t) for t in frames.seconds]))
        self._recent.append(pictures)
        self._count += len(pictures)
        while (self._block + 1) * STEP + _AROUND <= self._count:
            self._decide()

    def finish(self) -> ShotPlan:
        """The plan; without shots for an empty video."""
        if not self._count:
            return ShotPlan((), ())
        while self._block * STEP < self._count:
            self._decide()
        self._look()
        signs = Signatures.cat(self._signs)
        seen = np.zeros((2, self._block * STEP), dtype=np.float32)
        for block, probabilities in self._seen.items():
            seen[:, block * STEP : (block + 1) * STEP] = probabilities
        middle, within = seen[:, : self._count]
        seconds = np.concatenate(self._seconds)
        found = transitions(signs, plain_cuts(signs), middle, within, seconds)
        return ShotPlan.joined(found, seconds.tolist())

    def _decide(self) -> None:
        """Has the network look at the next block, or not."""
        block, first = self._block, self._block * STEP
        if self._everywhere or self._suspicious(first):
            self._waiting.append((block, self._window(first - MARGIN)))
            if len(self._waiting) >= _WINDOWS.get(self._device.type, 1):
                self._look()
        self._block += 1
        self._forget((block + 1) * STEP - MARGIN)

    def _suspicious(self, first: int) -> bool:
        """Whether there may be a transition in the block that begins with picture `first`."""
        start = max(first - _AROUND, 0)
        parts, at = [], self._count
        for part in reversed(self._signs):
            parts.append(part)
            at -= len(part)
            if at <= start:
                break
        signs = Signatures.cat(parts[::-1])
        cuts = plain_cuts(signs)
        look = suspects(signs, cuts)
        for fade in fades(signs, cuts):
            look[max(fade.start - _BESIDE, 0) : fade.end + _BESIDE] = False
        return bool(look[first - at : first - at + STEP].any())

    def _window(self, start: int) -> Tensor:
        """(100, 3, 27, 48) from picture `start` on; before the first and after the last picture, these are repeated."""
        recent = torch.cat(self._recent)
        self._recent = [recent]
        numbers = torch.arange(start, start + WINDOW, device=recent.device).clamp_(0, self._count - 1)
        return recent[numbers - self._from]

    def _forget(self, before: int) -> None:
        """Lets go of tiny pictures that no window will need."""
        if before - self._from >= STEP:
            recent = torch.cat(self._recent)
            self._recent = [recent[before - self._from :].clone()]
            self._from = before

    @torch.inference_mode()
    def _look(self) -> None:
        if not self._waiting:
            return
        if self._net is None:
            self._net = transnet.load(device=self._device)
        windows = torch.stack([window for _, window in self._waiting])
        found = torch.stack(self._net(windows), 1)[:, :, MARGIN : MARGIN + STEP].cpu().numpy()
        for (block, _), probabilities in zip(self._waiting, found, strict=True):
            self._seen[block] = probabilities
        self._waiting = []
