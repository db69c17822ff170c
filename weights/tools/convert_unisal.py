"""Turns the published UNISAL, a PyTorch checkpoint of four domains, into a state dict of `models.unisal.Unisal`.

One domain is chosen, every normalisation folded into the convolution before it, and the smoothing of 41x41 pixels turned into
one of 7x7 cells. Computed in float64; convolution weights are rounded to float16, which halves the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from vidprod.models.unisal import CELL, STAGES, Unisal

DOMAIN = "DHF1K"
EPSILON = 1e-5  # of the normalisations


class _Folding:
    """Reads a checkpoint, and collects convolutions that have swallowed their normalisation."""

    def __init__(self, checkpoint: Mapping[str, Tensor]) -> None:
        self._checkpoint = checkpoint
        self.state: dict[str, Tensor] = {}

    def value(self, name: str) -> Tensor:
        return self._checkpoint[name].double()

    def put(self, name: str, convolution: str, norm: str) -> None:
        """Our convolution `name`, from a published one and the normalisation behind it, which may differ by domain."""
        if f"{norm}.weight" not in self._checkpoint:
            norm = f"{norm}.bn_{DOMAIN}"
        scale = self.value(f"{norm}.weight") / (self.value(f"{norm}.running_var") + EPSILON).sqrt()
        shift = self.value(f"{norm}.bias") - self.value(f"{norm}.running_mean") * scale
        if f"{convolution}.bias" in self._checkpoint:
            shift = shift + self.value(f"{convolution}.bias") * scale
        self.state[f"{name}.weight"] = self.value(f"{convolution}.weight") * scale.view(-1, 1, 1, 1)
        self.state[f"{name}.bias"] = shift

    def block(self, name: str, published: str, expansion: int) -> None:
        """An inverted residual: convolution, normalisation, activation in turns."""
        parts = ("widen", "depthwise", "narrow") if expansion > 1 else ("depthwise", "narrow")
        for i, part in enumerate(parts):
            self.put(f"{name}.{part}", f"{published}.conv.{3 * i}", f"{published}.conv.{3 * i + 1}")


def small_kernel(kernel: Tensor) -> Tensor:
    """(k, k), for a map enlarged `CELL`-fold and averaged over cells afterwards -> (7, 7), for the small map itself."""
    # Enlarging and averaging are together a triangle: the mean over all pairs of a pixel read and a pixel written.
    ones = torch.ones(1, 1, CELL, CELL, dtype=kernel.dtype)
    box = F.conv2d(ones, ones, padding=CELL - 1) / CELL**2
    reach = 3 * CELL
    room = reach - kernel.shape[-1] // 2 + CELL - 1
    spread = F.conv2d(F.pad(kernel[None, None], (room,) * 4), box)
    return spread[0, 0, ::CELL, ::CELL]


def state_of(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of Unisal in float64. Raises KeyError for another network."""
    fold = _Folding(checkpoint)
    fold.put("stem", "cnn.features.0.0", "cnn.features.0.1")
    expansions = [expansion for expansion, _, count, _ in STAGES for _ in range(count)]
    for number, expansion in enumerate(expansions):
        fold.block(f"blocks.{number}", f"cnn.features.{number + 1}", expansion)
    fold.put("top", "cnn.features.18.0", "cnn.features.18.1")
    fold.block("join", "post_cnn.inv_res", 1)
    fold.block("decode_coarse", "upsampling_2.inv_res", 2)
    fold.block("decode_fine", "post_upsampling_2.inv_res", 2)
    cell = "rnn.cell_list.0"
    for ours, gate, norm, factor, bias in (
        ("reset_x", "w_r", "norm_r_x", "a_r_x", "b_r"),
        ("reset_h", "u_r", "norm_r_h", "a_r_h", None),
        ("update_x", "w_z", "norm_z_x", "a_z_x", "b_z"),
        ("update_h", "u_z", "norm_z_h", "a_z_h", None),
        ("new_x", "w", "norm_out_x", "a_h_x", "b_h"),
        ("new_h", "u", "norm_out_h", "a_h_h", None),
    ):
        fold.put(f"memory.{ours}.depthwise", f"{cell}.{gate}.conv_dw", f"{cell}.{gate}.sep_bn")
        name = f"memory.{ours}.pointwise"
        fold.put(name, f"{cell}.{gate}.conv_sep", f"{cell}.{norm}")
        by = fold.value(f"{cell}.{factor}").flatten()
        fold.state[f"{name}.weight"] *= by.view(-1, 1, 1, 1)
        fold.state[f"{name}.bias"] *= by
        if bias:
            fold.state[f"{name}.bias"] += fold.value(f"{cell}.{bias}").flatten()
    fold.put("recall", "post_rnn.0", "post_rnn.1")
    for ours, published in (("skip_coarse", "skip_2x"), ("skip_fine", "skip_4x")):
        fold.put(f"{ours}.widen", f"{published}.expansion.0", f"{published}.expansion.1")
        fold.put(f"{ours}.narrow", f"{published}.reduction.0", f"{published}.reduction.1")
    domain = DOMAIN.lower()
    for part in ("weight", "bias"):
        fold.state[f"score.{part}"] = fold.value(f"adaptation_{domain}.0.{part}")
    fold.state["smooth.weight"] = small_kernel(fold.value(f"smoothing_{domain}.weight")[0, 0])[None, None]
    fold.state["priors"] = fold.value(f"coarse_gaussians_{domain}")
    net = Unisal()
    fold.state |= {"mean": net.mean.double(), "std": net.std.double()}
    if wrong := {k for k, v in net.state_dict().items() if k not in fold.state or fold.state[k].shape != v.shape}:
        raise KeyError(f"not UNISAL: {sorted(wrong)[0]} is missing or of another shape")
    return fold.state


def convert(checkpoint: Path) -> bytes:
    """The safetensors file for the published network; the same bytes every time."""
    state = state_of(torch.load(checkpoint, map_location="cpu", weights_only=True))
    stored = {
        name: state[name].to(torch.float16 if state[name].ndim == 4 and name not in ("mean", "std") else torch.float32)
        for name in sorted(state)
    }
    return save({name: value.contiguous() for name, value in stored.items()}, {"arch": "unisal"})
