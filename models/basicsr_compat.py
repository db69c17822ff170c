"""basicsr (https://github.com/XPixelGroup/BasicSR), used where it is installed: BasicVSR++ with a user's checkpoint.

basicsr 1.4.2 imports a torchvision module that is gone; `import_basicsr` puts a stand-in for it. It is imported only when
somebody asks for what it alone has, and its absence breaks nothing else.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .registry import ModelSpec

MISSING = "torchvision.transforms.functional_tensor"
LEAST = 64
"""Smallest side of an input of BasicVSR++: its optical flow halves the picture five times."""

WINDOW = 16
"""Frames at a time that BasicVSR++ does well with; memory grows with them."""

BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")


def import_basicsr(module: str) -> Any:
    """A module of basicsr, as "basicsr.archs.edvr_arch"; raises ModelError where basicsr is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses names that SciPy and others have moved
        if MISSING not in sys.modules:
            stand_in = types.ModuleType(MISSING)
            vars(stand_in)["rgb_to_grayscale"] = importlib.import_module(
                "torchvision.transforms.functional"
            ).rgb_to_grayscale
            sys.modules[MISSING] = stand_in
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise ModelError(
                f"this checkpoint needs basicsr, which cannot be imported ({error}); install it with: make install"
            ) from error


def is_video_model(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of BasicVSR++ as basicsr names its parts."""
    return "backbone.backward_2.main.0.weight" in state and "deform_align.forward_2.weight" in state


class BasicVSRPlusPlus(nn.Module):
    """BasicVSR++ (https://arxiv.org/abs/2104.13371): RGB (N, T, 3, H, W) in 0..1 -> (N, T, 3, scale H, scale W).

    All T frames serve each other, so an op calls it with overlapping windows of consecutive frames of one shot.
    """

    def __init__(self, channels: int, blocks: int, scale: int) -> None:
        super().__init__()
        arch = import_basicsr("basicsr.archs.basicvsrpp_arch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "alignment is skipped now": see below
            self.net = arch.BasicVSRPlusPlus(channels, blocks, is_low_res_input=scale == 4)
        # basicsr leaves the alignment out where there is no GPU, as if a checkpoint could do without it; torchvision's
        # deformable convolution runs anywhere.
        for branch in BRANCHES:
            if branch not in self.net.deform_align:
                self.net.deform_align[branch] = arch.SecondOrderDeformableAlignment(
                    2 * channels, channels, 3, padding=1, deformable_groups=16, max_residue_magnitude=10
                )
        self.net.is_with_alignment = True
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """See the class; sizes that the network does not take are padded, and a lone frame is shown twice."""
        frames, height, width = x.shape[1], x.shape[3], x.shape[4]
        multiple = 1 if self.scale == 4 else 4
        least = LEAST * (4 // self.scale)
        more = [max(-(-n // multiple) * multiple, least) - n for n in (height, width)]
        if any(more):
            flat = nn.functional.pad(x.flatten(0, 1), (0, more[1], 0, more[0]), mode="replicate")
            x = flat.unflatten(0, x.shape[:2])
        if frames == 1:
            x = x.expand(-1, 2, -1, -1, -1)
        self.net.is_mirror_extended = False  # it remembers this from the call before
        out: Tensor = self.net(x.contiguous())
        return out[:, :frames, :, : height * self.scale, : width * self.scale]


def load_basicvsr_pp(
    state: Mapping[str, Tensor], path: Path, *, device: torch.device, dtype: torch.dtype | None
) -> tuple[nn.Module, ModelSpec]:
    """Network and description of a user's BasicVSR++ checkpoint; see `registry.load`."""
    blocks = len({key.split(".")[4] for key in state if key.startswith("backbone.backward_1.main.2.")})
    scale = 4 if "feat_extract.main.0.weight" in state else 1
    net = BasicVSRPlusPlus(state["upconv1.weight"].shape[1], blocks, scale)
    try:
        net.net.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path} looks like BasicVSR++ but does not fit it: {error}") from error
    net.to(device=device, dtype=dtype or torch.float32)
    spec = ModelSpec(
        name=path.stem,
        arch="basicvsr++",
        scale=scale,
        radius=1 << 20,
        fp16=False,  # optical flow and sampling positions need more than ten bits
        frames=WINDOW,
        licence="unknown",
        source=str(path),
        weights=str(path),
        summary="the user's checkpoint (BasicVSR++)",
    )
    return net.eval().requires_grad_(False), spec
