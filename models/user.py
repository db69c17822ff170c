"""Checkpoints that users bring: our own architectures first, then whatever image architecture spandrel recognises.

Only tensors are ever read: `.safetensors`, or `.pth`/`.pt`/`.ckpt` through PyTorch's weights-only unpickler, which runs no
code. A pickle that holds anything else is refused.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import InvalidParameter, ModelError
from .device import default_dtype
from .registry import ModelSpec, fill
from .rrdbnet import RRDBNet
from .span import DIV2K_MEAN, SPAN
from .srvgg import SRVGGNetCompact

State = Mapping[str, Tensor]

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
WRAPPERS = ("params_ema", "params", "state_dict", "model", "generator")
UNBOUNDED = 1 << 20
"""Radius of a network that sees the whole picture, or of which we do not know: it cannot be tiled exactly."""


def looks_like_path(name: str) -> bool:
    """Whether a model "name" is meant as a file."""
    return name.endswith(SUFFIXES) or "/" in name


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, without the wrapping that training programs put round them."""
    if path.suffix not in SUFFIXES:
        raise InvalidParameter(f"{path} cannot be a checkpoint: its name must end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InvalidParameter(f"there is no checkpoint {path}")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickle protocols
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{path} is damaged or holds more than tensors, and is not loaded: {(reason or ['empty'])[0]}"
        ) from error
    for key in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = {}
    if isinstance(state, Mapping):
        tensors = {str(k).removeprefix("module."): v for k, v in state.items() if isinstance(v, Tensor)}
    if not tensors:
        raise ModelError(f"{path} holds no weights")
    return tensors


def fold_conv3xc(state: State, name: str) -> dict[str, Tensor]:
    """SPAN's training-time convolution (1x1, 3x3, 1x1 without anything between, and a 1x1 skip) as one 3x3.

    Not taken from the stored `eval_conv`, which is stale in a checkpoint saved in the midst of training.
    """
    (w1, b1), (w2, b2), (w3, b3) = (
        (state[f"{name}.conv.{i}.weight"].double(), state[f"{name}.conv.{i}.bias"].double()) for i in range(3)
    )
    weight = torch.einsum("pohw,omyx,mihw->piyx", w3, w2, w1)
    bias = w3[:, :, 0, 0] @ (torch.einsum("omyx,m->o", w2, b1) + b2) + b3
    weight[:, :, 1, 1] += state[f"{name}.sk.weight"].double()[:, :, 0, 0]
    bias += state[f"{name}.sk.bias"].double()
    return {f"{name}.weight": weight.float(), f"{name}.bias": bias.float()}


def fold_span(state: State) -> dict[str, Tensor]:
    """A SPAN checkpoint in training or inference form -> the state dict of our `SPAN`."""
    folded: dict[str, Tensor] = {}
    for name in sorted({key.rsplit(".", 1)[0] for key in state if key.endswith(".weight")}):
        parent, _, part = name.rpartition(".")
        if part == "sk":
            folded |= fold_conv3xc(state, parent)
        elif f"{name.rpartition('.conv')[0]}.sk.weight" not in state and part != "eval_conv":
            folded |= {key: state[key].float() for key in (f"{name}.weight", f"{name}.bias")}
    plain = "no_norm" in state  # a marker that some trainers store: this network takes 0..1 as it is
    mean = torch.zeros(3) if plain else torch.tensor(DIV2K_MEAN)
    folded["mean"] = state.get("mean", mean).float().view(1, 3, 1, 1)
    folded["img_range"] = state.get("img_range", torch.tensor(1.0 if plain else 255.0)).float().view(())
    return folded


def _numbers(state: State, pattern: str) -> int:
    """How many different numbers stand for the star of a key such as "body.*.rdb1.conv1.weight"."""
    before, after = pattern.split("*")
    return len({k[len(before) : len(k) - len(after)] for k in state if k.startswith(before) and k.endswith(after)})


def _square_root(planes: int) -> int:
    return math.isqrt(planes // 3)


def _span(state: State) -> tuple[Callable[[], nn.Module], State, int, int]:
    folded = fold_span(state)
    channels, scale = folded["conv_1.weight"].shape[0], _square_root(folded["upsampler.0.weight"].shape[0])
    return (lambda: SPAN(channels, scale)), folded, scale, 21


def _compact(state: State) -> tuple[Callable[[], nn.Module], State, int, int]:
    last = max(int(key.split(".")[1]) for key in state)
    features, convolutions = state["body.0.weight"].shape[0], last // 2 - 1
    scale = _square_root(state[f"body.{last}.weight"].shape[0])
    return (lambda: SRVGGNetCompact(features, convolutions, scale)), state, scale, convolutions + 2


def _rrdb(state: State) -> tuple[Callable[[], nn.Module], State, int, int]:
    blocks = _numbers(state, "body.*.rdb1.conv1.weight")
    channels, growth = state["conv_first.weight"].shape[0], state["body.0.rdb1.conv1.weight"].shape[0]
    return (lambda: RRDBNet(channels, blocks, growth)), state, 4, RRDBNet.radius(blocks)


def _recognise(state: State) -> tuple[str, Callable[[State], tuple[Callable[[], nn.Module], State, int, int]]] | None:
    """Architecture and reader for a state dict that is certainly of one of our own networks."""
    if {"conv_1.sk.weight", "block_6.c3_r.sk.weight"} <= state.keys() or {
        "conv_1.weight",
        "block_6.c3_r.weight",
    } <= state.keys():
        return "span", _span
    first = state.get("conv_first.weight")
    if first is not None and first.shape[1] == 3 and "conv_hr.weight" in state and "body.0.rdb1.conv1.weight" in state:
        return "rrdb", _rrdb
    if "body.0.weight" in state and "body.1.weight" in state and state["body.1.weight"].ndim == 1:
        return "compact", _compact
    return None


def load_checkpoint(path: Path, *, device: torch.device, dtype: torch.dtype | None) -> tuple[nn.Module, ModelSpec]:
    """Network and description of a user's file; see `registry.load`."""
    state = read_state(path)
    from . import basicsr_compat  # uses this module

    if basicsr_compat.is_video_model(state):
        return basicsr_compat.load_basicvsr_pp(state, path, device=device, dtype=dtype)
    recognised = _recognise(state)
    if recognised is None:
        return _load_by_spandrel(state, path, device=device, dtype=dtype)
    arch, read = recognised
    try:
        build, ours, scale, radius = read(state)
        net = fill(build, ours, device, dtype or default_dtype(device))
    except (RuntimeError, KeyError, ValueError) as error:
        raise ModelError(f"{path} looks like {arch} but does not fit it: {error}") from error
    spec = ModelSpec(
        name=path.stem,
        arch=arch,
        scale=scale,
        radius=radius,
        licence="unknown",
        source=str(path),
        weights=str(path),
        summary="the user's checkpoint",
    )
    return net, spec


class _Padded(nn.Module):
    """A spandrel network that pads to the sizes it needs and crops again."""

    def __init__(self, net: nn.Module, scale: int, multiple: int, least: int, square: bool) -> None:
        super().__init__()
        self.net = net
        self.scale = scale
        self._multiple = multiple
        self._least = least
        self._square = square

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in 0..1 -> (N, 3, scale H, scale W)."""
        height, width = x.shape[2:]
        sides = [max(-(-n // self._multiple) * self._multiple, self._least) for n in (height, width)]
        more = [max(sides) - n if self._square else side - n for side, n in zip(sides, (height, width), strict=True)]
        if any(more):
            x = nn.functional.pad(x, (0, more[1], 0, more[0]), mode="replicate")
        out: Tensor = self.net(x)
        return out[:, :, : height * self.scale, : width * self.scale]


def _load_by_spandrel(
    state: dict[str, Tensor], path: Path, *, device: torch.device, dtype: torch.dtype | None
) -> tuple[nn.Module, ModelSpec]:
    import spandrel  # a second to import, and seldom needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of architectures that use names PyTorch has moved
            found = spandrel.ModelLoader(device="cpu").load_from_state_dict(state)
    except Exception as error:  # every architecture fails in its own way on a file that is not quite its own
        known = "SPAN, Compact, RRDB, BasicVSR++ or an image architecture that spandrel knows"
        raise ModelError(f"{path} is not a checkpoint of {known}: {error or type(error).__name__}") from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        raise ModelError(
            f"{path} is a {found.architecture.name} network, but not one that takes and returns RGB pictures"
        )
    dtype = dtype or default_dtype(device, fp16=found.supports_half)
    size = found.size_requirements
    net = _Padded(found.model, found.scale, size.multiple_of, size.minimum, size.square)
    net.to(device=device, dtype=dtype)
    net.to(memory_format=torch.channels_last)
    spec = ModelSpec(
        name=path.stem,
        arch=found.architecture.id,
        scale=found.scale,
        radius=UNBOUNDED,
        fp16=found.supports_half,
        licence="unknown",
        source=str(path),
        weights=str(path),
        summary=f"the user's checkpoint ({found.architecture.name})",
    )
    return net.eval().requires_grad_(False), spec
