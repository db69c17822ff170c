from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vidprod import weights
from vidprod.models import bands
from vidprod.models.registry import MODELS, fill, load
from vidprod.models.rrdbnet import RRDBNet
from vidprod.models.span import SPAN
from vidprod.models.srvgg import SRVGGNetCompact

from .pictures import checkerboard, golden, natural, salt_and_pepper

SHIPPED = [name for name, spec in MODELS.items() if weights.manifest()[spec.weights].shipped]


@pytest.mark.parametrize("name", ["span-x2", "realesr-animevideov3", "realesrgan-x4plus"])
@torch.inference_mode()
def test_outputs_are_those_of_ncnn(name: str, device: torch.device) -> None:
    entry = weights.manifest()[name]
    if not entry.shipped and not (weights.FOLDER / entry.file).exists():
        pytest.skip(f"made on demand: python -m vidprod.weights.tools.rebuild {name}")
    x, expected = golden(name)
    net, _ = load(name, device=device, dtype=torch.float32)
    assert (net(x.to(device)).cpu() - expected).abs().max() < 1e-4


def test_span_x2_video_is_a_relative_of_span_x2() -> None:
    x, published = golden("span-x2")
    with torch.inference_mode():
        difference = (load("span-x2-video")[0](x) - published).abs()
    assert 1e-3 < difference.max() < 0.2  # trained further, but the same picture


@pytest.mark.parametrize("name", SHIPPED)
def test_scale_and_half_precision_on_fake_cuda(name: str, fake_cuda: torch.device) -> None:
    net, spec = load(name, device=fake_cuda)
    for height, width in ((33, 47), (64, 48)):
        out = net(torch.rand(2, 3, height, width, device=fake_cuda, dtype=torch.float16))
        assert out.shape == (2, 3, spec.scale * height, spec.scale * width)
        assert (out.device.type, out.dtype) == ("cuda", torch.float16)


def test_rrdb_on_fake_cuda(fake_cuda: torch.device) -> None:
    with torch.device("meta"):
        state = {key: torch.zeros(value.shape, device="cpu") for key, value in RRDBNet().state_dict().items()}
    net = fill(RRDBNet, state, fake_cuda, torch.float16)
    out = net(torch.rand(1, 3, 18, 22, device=fake_cuda, dtype=torch.float16))
    assert out.shape == (1, 3, 72, 88)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("name", SHIPPED)
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close(name: str) -> None:
    x = natural(64, 96)
    exact = load(name)[0](x).clamp(0, 1)
    half = load(name, device="cuda")[0](x.cuda().half()).clamp(0, 1)
    assert (half.float().cpu() - exact).abs().max() < 2 / 255


@pytest.mark.parametrize("name", SHIPPED)
@torch.inference_mode()
def test_output_does_not_depend_on_the_batch(name: str, device: torch.device) -> None:
    x = natural(40, 50, 3).to(device)
    net, _ = load(name, device=device, dtype=torch.float32)
    together = net(x)
    for i in range(len(x)):
        assert (net(x[i : i + 1]) - together[i : i + 1]).abs().max() < 1e-5


@pytest.mark.parametrize("name", SHIPPED)
@torch.inference_mode()
def test_a_tile_with_the_radius_around_it_is_exact(name: str) -> None:
    net, spec = load(name)
    x = natural(96, 100)
    whole = net(x)
    top, bottom, left, right, s, r = 40, 52, 44, 61, spec.scale, spec.radius
    tile = net(x[:, :, top - r : bottom + r, left - r : right + r])
    inner = tile[:, :, s * r : s * (r + bottom - top), s * r : s * (r + right - left)]
    assert (inner - whole[:, :, s * top : s * bottom, s * left : s * right]).abs().max() < 1e-5
    # One pixel less is not enough: the radius is not padded for safety.
    r -= 1
    tile = net(x[:, :, top - r : bottom + r, left - r : right + r])
    inner = tile[:, :, s * r : s * (r + bottom - top), s * r : s * (r + right - left)]
    assert (inner - whole[:, :, s * top : s * bottom, s * left : s * right]).abs().max() > 0


def reach(net: nn.Module, size: int, scale: int) -> int:
    """How far in input pixels the gradient of the middle output pixels reaches."""
    for parameter in net.parameters():
        parameter.data = parameter.data.abs() + 0.05
    net.double()
    x = torch.rand(1, 3, size, size, dtype=torch.double, requires_grad=True)
    middle = size // 2
    out = net(x)
    found = 0
    for offset in range(scale):
        (gradient,) = torch.autograd.grad(out[0, :, scale * middle + offset].sum(), x, retain_graph=True)
        rows = gradient[0].abs().sum((0, 2)).nonzero().flatten()
        found = max(found, middle - int(rows.min()), int(rows.max()) - middle)
    return found


def test_radius_of_rrdb() -> None:
    assert reach(RRDBNet(4, 1, 4), 64, 4) == RRDBNet.radius(1)
    assert reach(RRDBNet(4, 2, 4), 90, 4) == RRDBNet.radius(2)
    assert MODELS["realesrgan-x4plus"].radius == RRDBNet.radius(23)


def test_radius_of_compact_and_span() -> None:
    assert reach(SRVGGNetCompact(4, 5, 2), 40, 2) == 7
    assert reach(SPAN(4), 64, 2) == SPAN.RADIUS


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 90), (22, 21), (61, 33), (130, 18)])
@pytest.mark.parametrize("band", [8, 9, 20, 21, 22, 64])
@torch.inference_mode()
def test_bands_equal_whole_maps(height: int, width: int, band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BAND_PIXELS", band * width)
    net, _ = load("span-x2")
    assert isinstance(net, SPAN)
    x = natural(height, width, 2)
    assert (net(x) - net._forward_whole(x)).abs().max() < 1e-5


@torch.inference_mode()
def test_bands_can_be_used_again_after_another_size_and_after_an_error() -> None:
    net, _ = load("span-x2")
    x = natural(70, 40)
    expected = net(x)
    net(natural(20, 64))
    with pytest.raises(RuntimeError):
        net(x[:, :2])
    assert torch.equal(net(x), expected)


def test_gradients_flow_in_training() -> None:
    net = SPAN(8)
    net(natural(16, 16)).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("picture", [checkerboard, salt_and_pepper])
@torch.inference_mode()
def test_hopeless_pictures_stay_finite_in_single_precision(name: str, picture: type) -> None:
    """SPAN's output is nonsense on these (thousands of times white), which is what the op's guard is for; but no NaN."""
    out = load(name)[0](picture(48, 64))
    assert out.isfinite().all()


@torch.inference_mode()
def test_span_needs_a_guard_on_a_checkerboard() -> None:
    assert (
        load("span-x2")[0](checkerboard(48, 64)).abs().max() > 10
    )  # if this fails, ops/guard.py may have become needless


@torch.inference_mode()
def test_clean_pictures_stay_in_range() -> None:
    for name in ("span-x2", "span-x2-video"):
        out = load(name)[0](natural(64, 64))
        assert out.min() > -0.2
        assert out.max() < 1.2


@torch.inference_mode()
def test_doubling_a_picture_of_known_detail_beats_interpolation() -> None:
    """A picture drawn at twice the size and averaged down: the network must come closer to it than bicubic does."""
    sharp = natural(192, 192)
    small = nn.functional.interpolate(sharp, (96, 96), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)

    def psnr(x: torch.Tensor) -> float:
        return -10 * math.log10(float((x.clamp(0, 1) - sharp)[..., 8:-8, 8:-8].square().mean()))

    bicubic = psnr(nn.functional.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False))
    assert psnr(load("span-x2")[0](small)) > bicubic + 2
    assert psnr(load("span-x2-video")[0](small)) > bicubic
