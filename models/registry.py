"""The networks that come with vidprod: what each is, and `load`, which makes one ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from .. import weights
from ..errors import InvalidParameter, ModelError
from .device import default_dtype
from .rrdbnet import RRDBNet
from .span import SPAN
from .srvgg import SRVGGNetCompact


@dataclass(frozen=True)
class ModelSpec:
    """What a caller must know of a network.

    Attributes:
        name: as `load` and the command line take it.
        arch: the architecture: "span", "compact", "rrdb", or spandrel's or basicsr's name of it.
        scale: how many times wider and higher the output is.
        radius: how far from a pixel, in input pixels, the output at its place still looks. Tiles that overlap by it give
            exactly the picture that the whole frame would.
        size_multiple: input width and height must be multiples of it.
        min_size: the least input width and height.
        fp16: whether it may run in float16.
        frames: 1 for a network of single pictures, (N, 3, H, W); more for one of (N, T, 3, H, W), the number of frames it
            does well with at a time.
        licence: SPDX identifier of the weights, or "unknown" for a user's own file.
        source: where the weights come from.
        weights: name in the manifest of weights, or path of the user's file.
        summary: what it is good for, in a line.
    """

    name: str
    arch: str
    scale: int
    radius: int
    licence: str
    source: str
    weights: str
    summary: str
    size_multiple: int = 1
    min_size: int = 1
    fp16: bool = True
    frames: int = 1


_BUILD: Mapping[str, Callable[[], nn.Module]] = {"span": SPAN, "compact": SRVGGNetCompact, "rrdb": RRDBNet}

_SPAN = "SPAN x2, 48 channels, Cheng Wan et al., https://github.com/hongyuanyu/SPAN"
_REAL = "Real-ESRGAN, Xintao Wang et al., https://github.com/xinntao/Real-ESRGAN"

MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            ModelSpec(
                name="span-x2",
                arch="span",
                scale=2,
                radius=21,
                licence="Apache-2.0",
                source=_SPAN,
                weights="span-x2",
                summary="faithful 2x for clean pictures: sharp, but amplifies compression errors and noise",
            ),
            ModelSpec(
                name="span-x2-video",
                arch="span",
                scale=2,
                radius=21,
                licence="Apache-2.0",
                source=f"{_SPAN}, fine-tuned by vidprod on compressed video",
                weights="span-x2-video",
                summary="faithful 2x for compressed video",
            ),
            ModelSpec(
                name="realesr-animevideov3",
                arch="compact",
                scale=4,
                radius=18,
                licence="BSD-3-Clause",
                source=_REAL,
                weights="realesr-animevideov3",
                summary="restyles drawn animation at 4x: clean lines, flat areas; not for camera footage",
            ),
            ModelSpec(
                name="realesrgan-x4plus",
                arch="rrdb",
                scale=4,
                radius=RRDBNet.radius(23),
                licence="BSD-3-Clause",
                source=_REAL,
                weights="realesrgan-x4plus",
                summary="invents plausible texture at 4x on photographs; about forty times as slow, flickers on video",
            ),
        )
    }
)


def fill(
    net: Callable[[], nn.Module], state: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """The network `net` makes, with the weights of `state`, in eval mode and channels_last.

    Built without memory and given its tensors: one allocation each, and no `Module.to`.
    """
    with torch.device("meta"):
        built = net()
    ready = {}
    for name, value in state.items():
        # Copied, never mapped: a file that is replaced while a process uses it would take the process down.
        value = value.to(device, dtype if value.is_floating_point() else None, copy=True)
        ready[name] = value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value.contiguous()
    built.load_state_dict(ready, assign=True)
    return built.eval().requires_grad_(False)


def load(
    name_or_path: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> tuple[nn.Module, ModelSpec]:
    """A network of the registry, or of the user's file, and its description.

    The network takes RGB (N, 3, H, W) in 0..1 (a video model (N, T, 3, H, W)) and returns the same `scale` times as large,
    not clamped. `dtype` is what it computes in; None: float16 on a GPU, float32 on the CPU.

    Raises InvalidParameter for an unknown name, ModelError for weights that are absent or damaged.
    """
    device = torch.device(device)
    name = str(name_or_path)
    spec = MODELS.get(name)
    if spec is None:
        from . import user  # imports the registry

        if isinstance(name_or_path, Path) or user.looks_like_path(name):
            return user.load_checkpoint(Path(name_or_path), device=device, dtype=dtype)
        raise InvalidParameter(
            f"no model is named {name!r}; there are {', '.join(MODELS)}, and files ending in {', '.join(user.SUFFIXES)}"
        )
    file = weights.path(spec.weights)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state = {key: torch.tensor(value) for key, value in load_file(file).items()}
        net = fill(_BUILD[spec.arch], state, device, dtype or default_dtype(device, fp16=spec.fp16))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {name} cannot be used ({file}): {error}") from error
    return net, spec
