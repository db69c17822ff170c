"""Where networks run."""

from __future__ import annotations

import torch

from ..errors import InvalidParameter

CHOICES = "auto, cpu, cuda, cuda:0, cuda:1, ..."


def resolve_device(name: str) -> torch.device:
    """The device for a name: "auto" (the first GPU, else the CPU), "cpu", "cuda" or "cuda:1".

    Raises InvalidParameter for another name, and where the GPU asked for does not exist.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if gpus else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or (name != "cuda" and not (number.isascii() and number.isdecimal())):
        raise InvalidParameter(f"device is {name!r}, must be one of {CHOICES}")
    index = int(number or 0)
    if index >= gpus:
        found = f"{gpus} GPU{'s' * (gpus != 1)}" if gpus else "no GPU"
        raise InvalidParameter(
            f"device is {name!r}, but this machine has {found} that PyTorch can use; try cpu or auto"
        )
    return torch.device("cuda", index)


def default_dtype(device: torch.device, *, fp16: bool = True) -> torch.dtype:
    """What a network computes in: float16 on a GPU where it stands that, float32 on the CPU."""
    return torch.float16 if device.type == "cuda" and fp16 else torch.float32
