"""Fourteen ways to go from one shot to the next.

The names are those of the API's `TransitionStyle`. Ideas for some come from gl-transitions (https://gl-transitions.com); all are
drawn here in torch: in batches, on any device, the same for the same seed, and exact at both ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vidprod.ops import transition_moves as moves
from vidprod.ops import transition_wipes as wipes
from vidprod.ops.transition_canvas import Canvas, Draw

STYLES: dict[str, Callable[[Canvas], Draw]] = {
    "basic": wipes.basic,
    "slow": moves.slow,
    "fast": moves.fast,
    "normal": wipes.normal,
    "ink": wipes.ink,
    "glitch": moves.glitch,
    "shift": moves.shift,
    "mosaic": moves.mosaic,
    "shutter": wipes.shutter,
    "zoom": moves.zoom,
    "mask": wipes.mask,
    "brush": wipes.brush,
    "wind": wipes.wind,
    "smog": wipes.smog,
}
"""How each style is drawn."""

POOLS = {
    "slow": ("slow", "normal", "ink", "smog", "mask"),
    "normal": ("normal", "basic", "shift", "brush", "wind", "mask", "shutter"),
    "fast": ("fast", "glitch", "zoom", "shift", "mosaic", "basic"),
}
"""Those that suit a pace of cutting."""

_CHUNK = 1 << 22
"""Pixels drawn at once on a GPU; about 250 MB."""


class Transition:
    """One transition: what its seed decides is worked out once, for all of its pictures.

    Args:
        style: one of `STYLES`.
        height: of the pictures.
        width: of the pictures.
        seed: of all that is random in it, at least 0; also its direction.
        device: of the pictures.

    Raises:
        ValueError: an unknown style, a size below 1 or a seed below 0.
    """

    def __init__(
        self, style: str, height: int, width: int, *, seed: int = 0, device: torch.device | str = "cpu"
    ) -> None:
        if style not in STYLES:
            raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
        if height < 1 or width < 1:
            raise ValueError(f"height and width must be at least 1, got {height} and {width}")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        self.style = style
        self._size = (height, width)
        self._device = torch.device(device)
        self._draw = STYLES[style](Canvas(height, width, seed, self._device))

    @torch.inference_mode()
    def __call__(self, a: Tensor, b: Tensor, progress: Tensor | Sequence[float]) -> Tensor:
        """Pictures of the transition.

        Args:
            a: (N, 3, H, W) uint8 of the old shot, or (1, 3, H, W) for a still.
            b: likewise, of the new one.
            progress: (N,) in 0..1; 0 gives exactly `a`, 1 exactly `b`. Numbers are checked; a tensor is not looked at, as that
                would wait for its device, and counts as 0 or 1 beyond them.

        Returns:
            (N, 3, H, W) uint8 on the device of the pictures. A picture does not depend on those beside it.

        Raises:
            ValueError: shapes, types or progress that do not fit.
        """
        if not isinstance(progress, Tensor) and not all(0 <= one <= 1 for one in progress):
            raise ValueError(f"progress must be in 0..1, got {list(progress)}")
        at = torch.as_tensor(progress, dtype=torch.float32).clamp(0, 1)
        self._check(a, b, at)
        count = len(at)
        shape = (count, 3, *self._size)
        a, b = a.expand(shape), b.expand(shape)
        # laid out as what comes in, so that nobody has to turn it round again
        layout = torch.channels_last if a.stride(1) == 1 else torch.contiguous_format
        out = torch.empty(shape, dtype=torch.uint8, device=a.device, memory_format=layout)
        if a.device.type == "cpu":
            self._each(a, b, at.tolist(), out)
            return out
        at = at.to(a.device)
        # The memory taken is bounded.
        chunk = max(_CHUNK // (self._size[0] * self._size[1]), 1)
        for first in range(0, count, chunk):
            part = slice(first, first + chunk)
            old, new, now = a[part], b[part], at[part]
            edge = now.view(-1, 1, 1, 1)
            out[part] = torch.where(edge <= 0, old, torch.where(edge >= 1, new, self._levels(old, new, now)))
        return out

    def _each(self, a: Tensor, b: Tensor, progress: Sequence[float], out: Tensor) -> None:
        """One picture at a time: on a CPU it stays in its cache, and what its ends are is known."""
        for number, at in enumerate(progress):
            old, new = a[number : number + 1], b[number : number + 1]
            if 0 < at < 1:
                out[number] = self._levels(old, new, torch.tensor([at]))[0]
            else:
                out[number] = (new if at >= 1 else old)[0]

    def _levels(self, old: Tensor, new: Tensor, progress: Tensor) -> Tensor:
        drawn = self._draw(old.to(torch.float32), new.to(torch.float32), progress)
        return drawn.round_().clamp_(0, 255).to(torch.uint8)

    def _check(self, a: Tensor, b: Tensor, progress: Tensor) -> None:
        if progress.dim() != 1:
            raise ValueError(f"progress must be (N,), got {tuple(progress.shape)}")
        for name, pictures in (("a", a), ("b", b)):
            if pictures.dtype != torch.uint8:
                raise ValueError(f"{name} must be uint8, got {pictures.dtype}")
            if tuple(pictures.shape[1:]) != (3, *self._size) or pictures.shape[0] not in (1, len(progress)):
                raise ValueError(
                    f"{name} must be ({len(progress)} or 1, 3, {self._size[0]}, {self._size[1]}), got {tuple(pictures.shape)}"
                )
            if pictures.device.type != self._device.type:
                raise ValueError(f"{name} must be on {self._device.type}, got {pictures.device.type}")


def transition(style: str, a: Tensor, b: Tensor, progress: Tensor | Sequence[float], *, seed: int = 0) -> Tensor:
    """Pictures of one transition; see `Transition`, which is faster for more than one batch."""
    return Transition(style, a.shape[2], a.shape[3], seed=seed, device=a.device)(a, b, progress)


def choose(pace: str, count: int, *, seed: int = 0) -> tuple[str, ...]:
    """Styles for `count` transitions that suit a pace ("slow", "normal" or "fast"), no two alike in a row.

    Raises:
        ValueError: an unknown pace.
    """
    if pace not in POOLS:
        raise ValueError(f"pace must be one of {', '.join(POOLS)}, got {pace!r}")
    source = random.Random(seed)
    styles: list[str] = []
    for _ in range(count):
        styles.append(source.choice([style for style in POOLS[pace] if style not in styles[-1:]]))
    return tuple(styles)
