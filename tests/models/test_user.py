from __future__ import annotations

import builtins
import importlib.util
import os
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vidprod.errors import InvalidParameter, ModelError
from vidprod.models import basicsr_compat
from vidprod.models.registry import fill, load
from vidprod.models.rrdbnet import RRDBNet
from vidprod.models.span import SPAN
from vidprod.models.srvgg import SRVGGNetCompact

from .pictures import natural

State = dict[str, Tensor]


def training_form(name: str, inputs: int, outputs: int) -> State:
    """Random parameters of one Conv3XC, with the stale `eval_conv` that real checkpoints hold too."""
    wide = 2 * inputs, 2 * outputs
    shapes = {
        "sk": (outputs, inputs, 1, 1),
        "conv.0": (wide[0], inputs, 1, 1),
        "conv.1": (wide[1], wide[0], 3, 3),
        "conv.2": (outputs, wide[1], 1, 1),
        "eval_conv": (outputs, inputs, 3, 3),
    }
    state = {}
    for part, shape in shapes.items():
        state[f"{name}.{part}.weight"] = torch.randn(shape) * 0.2
        state[f"{name}.{part}.bias"] = torch.randn(shape[0]) * 0.1
    return state


def run_training_form(state: State, name: str, x: Tensor) -> Tensor:
    """Conv3XC as it is defined: the input is padded first, the 3x3 takes the padding away again."""
    weights = {key: value.double() for key, value in state.items() if key.startswith(f"{name}.")}
    y = nn.functional.pad(x.double(), (1, 1, 1, 1))
    for i in range(3):
        y = nn.functional.conv2d(y, weights[f"{name}.conv.{i}.weight"], weights[f"{name}.conv.{i}.bias"])
    return y + nn.functional.conv2d(x.double(), weights[f"{name}.sk.weight"], weights[f"{name}.sk.bias"])


def span_checkpoint(channels: int = 8, scale: int = 2) -> State:
    state = training_form("conv_1", 3, channels) | training_form("conv_2", channels, channels)
    for block in range(1, 7):
        for conv in ("c1_r", "c2_r", "c3_r"):
            state |= training_form(f"block_{block}.{conv}", channels, channels)
    planes = 3 * scale * scale
    state |= {
        "conv_cat.weight": torch.randn(channels, 4 * channels, 1, 1) * 0.1,
        "conv_cat.bias": torch.zeros(channels),
    }
    return state | {
        "upsampler.0.weight": torch.randn(planes, channels, 3, 3) * 0.1,
        "upsampler.0.bias": torch.zeros(planes),
    }


def small(net: nn.Module) -> nn.Module:
    for parameter in net.parameters():
        parameter.data.uniform_(-0.1, 0.1)
    return net.eval()


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"params": s}, lambda s: {"params_ema": s, "params": {}}])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@torch.inference_mode()
def test_span_in_training_form(wrap: Callable[[State], Any], suffix: str, tmp_path: Path) -> None:
    state = span_checkpoint()
    file = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(wrap(state), file)
    else:
        save_file(state, file)
    net, spec = load(file)
    assert (spec.name, spec.arch, spec.scale, spec.radius, spec.licence) == ("mine", "span", 2, 21, "unknown")
    assert isinstance(net, SPAN)
    x = torch.rand(1, 3, 9, 9)
    expected = run_training_form(state, "conv_1", x)
    # Only inside: an official network run for training pads the skip's input differently at the border.
    inner = net.conv_1(x)[:, :, 1:-1, 1:-1] - expected[:, :, 1:-1, 1:-1]
    assert inner.abs().max() < 1e-5
    assert net(natural(20, 24)).shape == (1, 3, 40, 48)


@torch.inference_mode()
def test_span_in_inference_form_with_another_scale_and_width(tmp_path: Path) -> None:
    mine = small(SPAN(12, 4))
    save_file(mine.state_dict(), tmp_path / "mine.safetensors")
    net, spec = load(str(tmp_path / "mine.safetensors"))
    x = natural(30, 26)
    assert spec.scale == 4
    assert torch.equal(net(x), mine(x))


@torch.inference_mode()
def test_span_without_normalisation(tmp_path: Path) -> None:
    torch.save(span_checkpoint() | {"no_norm": torch.zeros(1)}, tmp_path / "plain.pth")
    net, _ = load(tmp_path / "plain.pth")
    assert isinstance(net, SPAN)
    assert (float(net.img_range), float(net.mean.abs().max())) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("build", "arch", "scale", "radius"),
    [
        (lambda: SRVGGNetCompact(8, 5, 2), "compact", 2, 7),
        (lambda: RRDBNet(8, 2, 4), "rrdb", 4, 34),
    ],
)
@torch.inference_mode()
def test_other_networks_of_ours(
    build: Callable[[], nn.Module], arch: str, scale: int, radius: int, tmp_path: Path
) -> None:
    mine = small(build())
    torch.save({"params": mine.state_dict()}, tmp_path / "mine.pth")
    net, spec = load(tmp_path / "mine.pth")
    assert (spec.arch, spec.scale, spec.radius) == (arch, scale, radius)
    x = natural(20, 22)
    assert (net(x) - mine(x)).abs().max() < 1e-6


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
@torch.inference_mode()
def test_an_architecture_of_spandrel(tmp_path: Path) -> None:
    from spandrel.architectures.SwinIR import SwinIR

    theirs = SwinIR(
        upscale=2, window_size=8, depths=[2], num_heads=[2], embed_dim=8, upsampler="pixelshuffledirect"
    ).eval()
    torch.save(theirs.state_dict(), tmp_path / "swin.pth")
    net, spec = load(tmp_path / "swin.pth")
    assert (spec.arch, spec.scale, spec.size_multiple) == ("SwinIR", 2, 1)
    x = natural(24, 32)
    assert (net(x) - theirs(x)).abs().max() < 1e-5
    assert net(natural(19, 21)).shape == (1, 3, 38, 42)


class Bomb:
    """Runs a command when it is unpickled without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("save", [torch.save, lambda o, f: f.write_bytes(pickle.dumps(o))])
def test_a_pickle_that_would_run_something_is_refused(save: Callable[..., Any], suffix: str, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / f"evil{suffix}"
    save({"params": OrderedDict(a=torch.zeros(1)), "bomb": Bomb(mark)}, file)
    with pytest.raises(ModelError, match="holds more than tensors") as caught:
        load(file)
    assert not mark.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x00" * 4096])
def test_rubbish_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"rubbish{suffix}"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="rubbish"):
        load(file)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.pth"
    torch.save(small(SRVGGNetCompact(8, 5, 2)).state_dict(), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        load(file)


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"there is no checkpoint .*nowhere\.pth"):
        load(tmp_path / "nowhere.pth")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"must end in \.safetensors, \.pth"):
        load(tmp_path / "model.onnx")


def test_a_network_of_another_kind(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(10, 10), "fc.bias": torch.zeros(10)}, tmp_path / "classifier.pth")
    with pytest.raises(ModelError, match=r"classifier\.pth is not a checkpoint of SPAN, Compact"):
        load(tmp_path / "classifier.pth")


def test_no_weights_at_all(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(ModelError, match="holds no weights"):
        load(tmp_path / "empty.pth")


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    state = SPAN(8).state_dict()
    state["block_3.c2_r.weight"] = torch.zeros(8, 8, 5, 5)
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(ModelError, match=r"odd\.safetensors looks like span but does not fit it"):
        load(tmp_path / "odd.safetensors")


def test_on_fake_cuda(fake_cuda: torch.device) -> None:
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in SPAN(8).state_dict().items()}
    net = fill(lambda: SPAN(8), {key: torch.zeros(shape) for key, shape in shapes.items()}, fake_cuda, torch.float16)
    assert net(torch.rand(1, 3, 16, 16, device=fake_cuda, dtype=torch.float16)).dtype == torch.float16


def test_basicsr_is_not_imported_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "basicsr":
            raise ImportError("No module named 'basicsr'")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    load("span-x2")
    for module in [m for m in sys.modules if m.split(".")[0] == "basicsr"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "basicsr", None)
    with pytest.raises(ModelError, match=r"needs basicsr, which cannot be imported .*make install"):
        basicsr_compat.import_basicsr("basicsr.archs.basicvsrpp_arch")


@pytest.fixture
def basicvsr(tmp_path: Path) -> Path:
    """A tiny BasicVSR++ checkpoint with random weights."""
    if importlib.util.find_spec("basicsr") is None:
        pytest.skip("basicsr is not installed")
    net = basicsr_compat.BasicVSRPlusPlus(8, 1, 4).net
    file = tmp_path / "vsr.pth"
    torch.save({"params": net.state_dict()}, file)
    return file


@torch.inference_mode()
def test_basicvsr_plus_plus(basicvsr: Path) -> None:
    net, spec = load(basicvsr)
    assert (spec.arch, spec.scale, spec.fp16) == ("basicvsr++", 4, False)
    assert spec.frames > 1
    x = natural(64, 70, 3)[None]
    out = net(x)
    assert out.shape == (1, 3, 3, 256, 280)
    # The alignment that basicsr leaves out without a GPU is there, and used.
    align = net.get_submodule("net.deform_align")
    assert isinstance(align, nn.ModuleDict)
    assert set(align) == set(basicsr_compat.BRANCHES)
    for branch in basicsr_compat.BRANCHES:
        align.get_parameter(f"{branch}.weight").mul_(1.5)
    assert not torch.equal(net(x), out)


@torch.inference_mode()
def test_basicvsr_plus_plus_takes_small_and_single_pictures_and_forgets_the_call_before(basicvsr: Path) -> None:
    net, _ = load(basicvsr)
    x = natural(64, 64, 2)[None]
    before = net(x)
    still = natural(64, 64)[None].expand(-1, 2, -1, -1, -1)
    net(still)  # two equal frames are taken for a mirrored sequence
    assert torch.equal(net(x), before)
    assert net(natural(40, 33)[None]).shape == (1, 1, 3, 160, 132)
