"""Super-resolution by networks that look at several pictures at once, such as BasicVSR++, from a user's checkpoint."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidprod.media.frames import Frames
from vidprod.models.registry import ModelSpec, load
from vidprod.ops.guard import guard
from vidprod.ops.op import Op
from vidprod.ops.pixels import to_unit
from vidprod.ops.upscale import ADAPTIVE, SCALE, Upscale, UpscalePlan, padded, resized


class RecurrentUpscale:
    """Op: pictures twice as wide and high, from a network of (N, T, 3, H, W).

    Args:
        net: the network, see `vidprod.models.registry.load`.
        spec: its description.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec) -> None:
        self._net = net
        self._spec = spec
        parameter = next(net.parameters())
        self._dtype, self._device = parameter.dtype, parameter.device
        # Half of what it does well with lies on either side of what is kept, so that nothing is made from one side only.
        self.halo = max(1, spec.frames // 4)

    @torch.inference_mode()
    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """See `Op`; (N, 3, H, W) -> (N, 3, 2H, 2W), uint8 or uint16 as given."""
        x = frames.data.to(self._device)
        unit = to_unit(x, self._dtype)
        height, width = unit.shape[2:]
        y = self._net(padded(unit[None], self._spec))[0, core]
        y = resized(y[:, :, : self._spec.scale * height, : self._spec.scale * width], height, width)
        return guard(y, x[core], SCALE)


def upscaling(plan: UpscalePlan, *, device: torch.device) -> Op:
    """The op that carries out a plan, by the kind of network it names."""
    if plan.model != ADAPTIVE:
        net, spec = load(plan.model, device=device)
        if spec.frames > 1:
            return RecurrentUpscale(net, spec)
    return Upscale(plan, device=device)
