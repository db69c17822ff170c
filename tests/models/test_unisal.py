from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import unisal
from vidprod.weights.tools.convert_unisal import small_kernel

from .pictures import natural
from .subjects import golden


def video() -> Tensor:
    """Four real pictures, half a second apart, in 0..1."""
    return golden("video").float() / 255


def off(mass: Tensor, expected: Tensor) -> float:
    """The largest difference, as part of the peak of its picture."""
    return float(((mass - expected).abs() / expected.amax((1, 2), keepdim=True)).max())


@torch.inference_mode()
def test_maps_are_those_of_the_published_network(device: torch.device) -> None:
    net = unisal.load(device=device, dtype=torch.float32)
    mass = net(video().to(device)).mass.cpu()
    assert off(mass, golden("video_mass")) < 5e-3  # what rounding the weights to float16 costs
    # The published head takes the softmax before it averages over cells.
    published = golden("video_published")
    assert off(mass, published) < 0.03
    assert np.corrcoef(mass.flatten(), published.flatten())[0, 1] > 0.9995
    assert torch.allclose(mass.sum((1, 2)), torch.ones(4), atol=1e-5)


@torch.inference_mode()
def test_memory_carries_over_chunks_and_matters(device: torch.device) -> None:
    net, x = unisal.load(device=device, dtype=torch.float32), video().to(device)
    together = net(x)
    memory, parts = None, []
    for part in x.split(1):
        seen = net(part, memory)
        memory = seen.memory
        parts.append(seen)
    assert off(torch.cat([p.mass for p in parts]), together.mass) < 1e-3
    assert torch.allclose(torch.cat([p.features for p in parts]), together.features, atol=1e-4)
    assert memory is not None
    assert torch.allclose(memory, together.memory, atol=1e-4)
    assert off(net(x[3:]).mass, together.mass[3:]) > 0.02  # forgotten


@torch.inference_mode()
def test_features_tell_alike_from_different() -> None:
    net = unisal.load()
    features = F.normalize(net(torch.cat([video(), natural(96, 160)])).features, dim=1)
    cosine = features @ features.T
    assert float(cosine[0, 1:4].min()) > float(cosine[:4, 4].max()) + 0.05


def test_shapes_and_half_precision_on_fake_cuda(fake_cuda: torch.device) -> None:
    net, size = unisal.load(device=fake_cuda), (288, 160)
    x = torch.rand(2, 3, *size, device=fake_cuda, dtype=torch.float16)
    seen = net(x, net(x).memory)
    assert seen.mass.shape == (2, size[0] // 8, size[1] // 8)
    assert seen.features.shape == (2, unisal.FEATURES)
    assert seen.memory.shape == (1, unisal.FEATURES, size[0] // 32, size[1] // 32)
    assert (seen.mass.dtype, seen.mass.device.type) == (torch.float32, "cuda")
    assert seen.memory.dtype == torch.float16


@pytest.mark.needs_cuda
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close() -> None:
    mass = unisal.load(device="cuda")(video().cuda().half()).mass.cpu()
    assert off(mass, golden("video_mass")) < 0.05


def test_the_small_kernel_does_what_enlarging_smoothing_and_averaging_do() -> None:
    generator = torch.Generator().manual_seed(0)
    kernel = torch.rand(41, 41, generator=generator, dtype=torch.float64)
    x = torch.rand(1, 1, 9, 12, generator=generator, dtype=torch.float64)
    large = F.interpolate(x, scale_factor=8.0, mode="nearest")
    slow = F.avg_pool2d(F.conv2d(F.pad(large, (20,) * 4, mode="replicate"), kernel[None, None]), 8)
    fast = F.conv2d(F.pad(x, (3,) * 4, mode="replicate"), small_kernel(kernel)[None, None])
    assert torch.allclose(slow, fast, rtol=1e-9)


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unisal, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        unisal.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[unisal.WEIGHTS]
    assert (entry.shipped, entry.licence) == (True, "Apache-2.0")
    assert entry.file in (weights.FOLDER / "NOTICE").read_text()
