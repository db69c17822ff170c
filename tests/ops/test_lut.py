from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers import noise
from vidprod.media.dither import SIDE, blue_noise, thresholds
from vidprod.ops import lut_cpu, lut_triton
from vidprod.ops.lut import PEAKS, Lut1D, Lut3D, LutChain
from vidprod.ops.lut_apply import LutFilter, apply_exactly

KINDS = [torch.uint8, torch.uint16, torch.float16, torch.float32]
# How far an implementation in float32 may be from one in float64: in levels, or as a number.
CLOSE = {torch.uint8: 1.0, torch.uint16: 1.0, torch.float16: 1e-3, torch.float32: 3e-6}


def warm(colors: Tensor) -> Tensor:
    """A function with nothing straight about it, that keeps greys grey for equal inputs only by accident."""
    r, g, b = colors.clamp(0, 1).unbind(-1)
    return torch.stack([r**0.8 * 0.9 + 0.1 * g, g**1.1, 0.2 + 0.7 * b**1.5 - 0.1 * r * g], -1)


def pictures(
    kind: torch.dtype, height: int = 21, width: int = 50, *, packed: bool = True, beyond: float = 0.1
) -> Tensor:
    """(2, 3, height, width) of any kind; floats go beyond 0..1."""
    unit = torch.rand(2, height, width, 3)
    if kind.is_floating_point:
        values = (unit * (1 + 2 * beyond) - beyond).to(kind)
    else:
        values = (unit * PEAKS[kind]).round().to(torch.int32).to(kind)
    planar = values.movedim(-1, 1)
    return planar if packed else planar.contiguous()


def distance(a: Tensor, b: Tensor) -> float:
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    return float((a.double() - b.double()).abs().max())


@given(
    rows=st.lists(st.lists(st.floats(-2, 2), min_size=4, max_size=4), min_size=3, max_size=3),
    size=st.integers(2, 9),
    low=st.floats(-1, 0.2),
    span=st.floats(0.5, 3),
)
@settings(max_examples=40)
def test_straight_functions_are_exact_whatever_the_size(
    rows: list[list[float]], size: int, low: float, span: float
) -> None:
    matrix = torch.tensor(rows, dtype=torch.float64)
    straight: Callable[[Tensor], Tensor] = lambda c: c @ matrix[:, :3].T + matrix[:, 3]  # noqa: E731
    lut = Lut3D.of(straight, size, domain_min=(low,) * 3, domain_max=(low + span,) * 3)
    colors = low + span * torch.rand(200, 3, dtype=torch.float64)
    assert torch.allclose(lut(colors), straight(colors), atol=3e-6)


def test_nodes_are_exact_and_greys_between_them_stay_grey() -> None:
    lut = Lut3D.of(lambda c: c.clamp(0, 1) ** 2.2 * (1 - 0.3 * (c - c.mean(-1, keepdim=True)).abs()), 9)
    nodes = torch.linspace(0, 1, 9)
    colors = torch.stack(torch.meshgrid(nodes, nodes, nodes, indexing="ij"), -1)
    assert distance(lut(colors), lut.table) < 1e-6
    greys = torch.linspace(-0.1, 1.1, 777)[:, None].repeat(1, 3)
    shown = lut(greys)
    assert float((shown.amax(-1) - shown.amin(-1)).max()) == 0


def test_beyond_the_domain_the_edge_holds_and_nan_is_the_lower_one() -> None:
    lut = Lut3D.of(warm, 5, domain_min=(0.1, 0.0, 0.0), domain_max=(0.9, 1.0, 2.0))
    inf, nan = float("inf"), float("nan")
    beyond = torch.tensor([[-5.0, 0.5, 0.5], [7.0, inf, 3.0], [nan, -inf, nan], [1e30, -1e30, 0.0]])
    inside = torch.tensor([[0.1, 0.5, 0.5], [0.9, 1.0, 2.0], [0.1, 0.0, 0.0], [0.9, 0.0, 0.0]])
    assert torch.equal(lut(beyond), lut(inside))
    many = beyond.T.reshape(1, 3, 2, 2).repeat(1, 1, 3, 5)
    assert torch.allclose(LutFilter(lut)(many), apply_exactly(LutChain.of(lut), many, torch.float32), atol=1e-6)


def test_curves_go_in_front_and_one_table_after_another() -> None:
    curves = Lut1D(torch.tensor([[0.0, 0.0, 0.5], [0.5, 1.0, 0.5], [1.0, 1.0, 0.5]]), (0.0, 0.0, 0.0), (2.0, 1.0, 1.0))
    found = curves(torch.tensor([[1.0, 0.25, 0.3], [-1.0, 0.75, 9.0], [1.5, 0.5, 0.0]]))
    assert torch.allclose(found, torch.tensor([[0.5, 0.5, 0.5], [0.0, 1.0, 0.5], [0.75, 1.0, 0.5]]))
    first, second = Lut3D.of(warm, 17), Lut3D.of(lambda c: c.flip(-1), 5)
    colors = torch.rand(500, 3)
    assert torch.allclose(first.then(second)(colors), first(colors).flip(-1), atol=1e-6)
    chain = LutChain(curves, first)
    assert torch.equal(chain(colors), first(curves(colors)))


CHAINS = {
    "table": lambda: LutChain.of(Lut3D.of(warm, 17)),
    "beyond": lambda: LutChain.of(Lut3D.of(lambda c: warm(c) * 1.6 - 0.3, 9)),
    "domain": lambda: LutChain.of(Lut3D.of(warm, 6, domain_min=(-0.2, 0.0, 0.1), domain_max=(1.1, 0.8, 1.0))),
    "curves": lambda: LutChain.of(Lut1D(torch.rand(33, 3).sort(0).values, (0.0, -0.1, 0.1), (1.0, 0.9, 0.8))),
    "both": lambda: LutChain(Lut1D(torch.rand(9, 3).sort(0).values), Lut3D.of(warm, 5, domain_max=(0.9, 1.0, 1.0))),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_agrees_with_the_reference(device: torch.device, kind: torch.dtype, packed: bool, name: str) -> None:
    chain = CHAINS[name]()
    data = pictures(kind, packed=packed)
    filter = LutFilter(chain, device)
    for out in (kind, torch.uint8, torch.uint16):
        want = apply_exactly(chain, data, out, torch.float64)
        got = filter(data.to(device), out)
        assert got.device.type == device.type
        assert distance(got.cpu(), want) <= CLOSE[out]
        assert filter(data.to(device), out).stride() == data.stride()


@pytest.mark.parametrize("width", [1, 4, 7, 12, 31, 64, 100, 101])
def test_any_width_and_a_change_of_size(width: int) -> None:
    """What lies right of a row in FFmpeg's pictures must not be looked up."""
    chain = CHAINS["table"]()
    filter = LutFilter(chain)
    for height in (1, 5):
        data = pictures(torch.uint8, height, width)
        assert distance(filter(data), apply_exactly(chain, data, torch.uint8)) <= 1


def test_large_pictures_are_done_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = CHAINS["table"]()
    for kind in (torch.uint8, torch.float32):
        data = pictures(kind, 45, 64)
        whole = LutFilter(chain)(data)
        for band in (64, 64 * 7, 64 * 44):
            monkeypatch.setattr(lut_cpu, "BAND", band)
            assert torch.equal(LutFilter(chain)(data), whole)
        monkeypatch.undo()


def test_pictures_are_not_written_to() -> None:
    for kind in KINDS:
        for packed in (True, False):
            data = pictures(kind, packed=packed)
            before = data.clone()
            LutFilter(Lut3D.of(warm, 5))(data)
            assert torch.equal(data, before)


def test_a_table_that_changes_nothing_changes_nothing() -> None:
    for kind in (torch.uint8, torch.uint16):
        data = pictures(kind)
        assert torch.equal(LutFilter(Lut3D.identity(33))(data), data)


def test_eight_bits_are_right_on_average_and_greys_stay_grey() -> None:
    """A slow ramp through a table that stretches three levels over one: rounding leaves bands, dithering a flat mean."""
    lut = Lut3D.of(lambda c: 0.4 + c * 0.02, 2)
    ramp = torch.linspace(0, 1, 512)[None, None, None, :].expand(1, 3, 128, -1).contiguous()
    shown = LutFilter(lut)(ramp, torch.uint8)[0].double()
    assert torch.equal(shown[0], shown[1])
    assert torch.equal(shown[0], shown[2])
    want = (0.4 + ramp[0, 0].double() * 0.02) * 255
    blocks: Callable[[Tensor], Tensor] = lambda x: x.unfold(0, 16, 16).unfold(1, 16, 16).mean((-1, -2))  # noqa: E731
    assert float((blocks(shown[0]) - blocks(want)).abs().max()) < 0.05
    assert float((blocks(want.round()) - blocks(want)).abs().max()) > 0.4


def test_the_thresholds_are_blue_noise() -> None:
    mask = torch.from_numpy(blue_noise()).double()
    assert len(mask.unique()) == SIDE * SIDE
    power = torch.fft.fft2(mask - mask.mean()).abs() ** 2
    at = torch.fft.fftfreq(SIDE)
    radius = (at[:, None] ** 2 + at[None, :] ** 2).sqrt()
    # hardly anything is coarser than four pixels, most is finer than three
    assert float(power[radius < 0.25].sum() / power.sum()) < 0.02
    assert float(power[radius > 0.33].sum() / power.sum()) > 0.85
    assert torch.equal(thresholds(70, 130)[64:, 64:128], thresholds(6, 64))


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_fake_gpu(fake_cuda: torch.device, kind: torch.dtype) -> None:
    data = torch.empty(2, 3, 12, 20, dtype=kind, device=fake_cuda)
    chain = CHAINS["both"]()
    for out in KINDS:
        got = LutFilter(chain, fake_cuda)(data, out)
        assert (got.shape, got.dtype, got.device.type) == (data.shape, out, "cuda")
        got = apply_exactly(chain.to(fake_cuda), data, out)
        assert (got.shape, got.dtype, got.device.type) == (data.shape, out, "cuda")


INTERPRETED = """
import torch
from tests.ops.test_lut import CHAINS, KINDS, CLOSE, distance, pictures
from vidprod.ops.lut import LutChain
from vidprod.ops.lut_apply import apply_exactly
from vidprod.ops.lut_triton import lut3d
torch.manual_seed(0)
cases = (("u8", "u8", True), ("u8", "u8", False), ("u16", "u16", True), ("f16", "f16", False), ("f32", "u8", True))
kinds = dict(zip(("u8", "u16", "f16", "f32"), KINDS, strict=True))
chain = CHAINS["domain"]()
for kind, out, packed in cases:
    data, dtype = pictures(kinds[kind], 9, 70, packed=packed), kinds[out]
    got = lut3d(data, chain.table, dtype)
    assert got.stride() == data.stride()
    assert distance(got, apply_exactly(chain, data, dtype)) <= CLOSE[dtype], (kind, out, packed)
print("agreed")
"""


@pytest.mark.skipif(not lut_triton.AVAILABLE, reason="Triton is not installed")
def test_the_kernel_agrees_in_tritons_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        timeout=200,
        check=False,
    )
    assert "agreed" in done.stdout, done.stderr


@pytest.mark.skipif(not lut_triton.AVAILABLE, reason="Triton is not installed")
@pytest.mark.parametrize("kind", ["u8", pytest.param("u16", marks=pytest.mark.slow), "fp16"])
def test_the_kernel_compiles_for_gpus_that_are_not_here(kind: str) -> None:
    from triton.backends.compiler import GPUTarget  # type: ignore[import-untyped,unused-ignore]
    from triton.compiler import ASTSource, compile  # type: ignore[import-untyped,unused-ignore]

    constants = {"SIDE": SIDE, "DITHER": kind == "u8", "WHOLE": kind.startswith("u"), "BLOCK": 1024}
    types = {"x": f"*{kind}", "out": f"*{kind}", "nodes": "*fp32", "mask": "*fp32", "peak": "fp32"}
    types |= {name: "fp32" for name in lut_triton._kernel.arg_names if name.startswith(("scale", "offset"))}
    signature = {name: types.get(name, "i32") for name in lut_triton._kernel.arg_names}
    signature |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(fn=lut_triton._kernel, signature=signature, constexprs=constants)
    assert compile(source, target=GPUTarget("cuda", 80, 32)).asm["cubin"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Lut3D(torch.zeros(2, 2, 3, 3)), "must be"),
        (lambda: Lut3D(torch.zeros(1, 1, 1, 3)), "must be"),
        (lambda: Lut3D(torch.zeros(2, 2, 2, 3, dtype=torch.float64)), "float32"),
        (lambda: Lut3D(torch.zeros(2, 2, 2, 3), (0.0, 0.0, 1.0)), "above"),
        (lambda: Lut1D(torch.zeros(1, 3)), "must be"),
        (lambda: Lut1D(torch.zeros(5)), "must be"),
        (lambda: LutFilter(Lut3D.identity(2))(noise(1).to(torch.int32)), "must be uint8"),
        (lambda: LutFilter(Lut3D.identity(2))(noise(1), torch.float64), "must be uint8"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
