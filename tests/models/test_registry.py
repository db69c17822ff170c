from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vidprod import weights
from vidprod.errors import InvalidParameter, ModelError
from vidprod.models.device import resolve_device
from vidprod.models.registry import MODELS, load


@pytest.fixture
def copied_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the folder of weights in which things may be broken."""
    folder = tmp_path / "weights"
    shutil.copytree(weights.FOLDER, folder, ignore=shutil.ignore_patterns("tools", "__pycache__"))
    monkeypatch.setattr(weights, "FOLDER", folder)
    weights.path.cache_clear()
    yield folder
    weights.path.cache_clear()


def test_every_model_has_weights_in_the_manifest_under_the_same_licence() -> None:
    for name, spec in MODELS.items():
        entry = weights.manifest()[spec.weights]
        assert (spec.name, spec.licence) == (name, entry.licence)


def test_every_shipped_file_is_as_the_manifest_says() -> None:
    for entry in weights.manifest().values():
        if entry.shipped:
            data = (weights.FOLDER / entry.file).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.size, entry.sha256)


def test_nothing_else_is_shipped() -> None:
    found = {file.name for file in weights.FOLDER.glob("*.safetensors")}
    assert found <= {entry.file for entry in weights.manifest().values()}


def test_every_licence_is_in_the_notice() -> None:
    notice = (weights.FOLDER / "NOTICE").read_text(encoding="utf-8")
    for entry in weights.manifest().values():
        assert entry.file in notice
        assert entry.licence in notice


def test_networks_come_ready_to_run() -> None:
    net, spec = load("span-x2")
    assert spec is MODELS["span-x2"]
    assert not net.training
    for parameter in net.parameters():
        assert (parameter.dtype, parameter.requires_grad) == (torch.float32, False)
        assert parameter.ndim != 4 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_two_loads_share_nothing() -> None:
    one, other = load("span-x2")[0], load("span-x2")[0]
    with torch.no_grad():
        next(one.parameters()).zero_()
    assert next(other.parameters()).abs().max() > 0


def test_unknown_model_lists_those_there_are() -> None:
    with pytest.raises(
        InvalidParameter, match=r"no model is named 'span-x3'; there are span-x2, span-x2-video, .*\.pth"
    ):
        load("span-x3")


def test_one_flipped_bit_is_found(copied_weights: Path) -> None:
    file = copied_weights / "span-x2.safetensors"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(
        ModelError, match=r"the weights of span-x2 are damaged: .* sha256 .* expected .*rebuild span-x2"
    ):
        load("span-x2")


def test_truncated_weights_are_found(copied_weights: Path) -> None:
    file = copied_weights / "span-x2.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        load("span-x2")


def test_absent_weights_tell_how_to_make_them(copied_weights: Path) -> None:
    (copied_weights / "realesrgan-x4plus.safetensors").unlink(missing_ok=True)
    command = "python -m vidprod.weights.tools.rebuild realesrgan-x4plus"
    with pytest.raises(ModelError, match=f"realesrgan-x4plus are not installed .*{command}"):
        load("realesrgan-x4plus")


def test_unknown_weights() -> None:
    with pytest.raises(InvalidParameter, match=r"no weights named 'x'; there are .*span-x2"):
        weights.path("x")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda0", "", "CPU", "mps", "cuda:²"])
def test_unknown_devices(name: str) -> None:
    with pytest.raises(InvalidParameter, match=r"device is '.*', must be one of auto, cpu, cuda"):
        resolve_device(name)


def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(InvalidParameter, match="device is 'cuda:99', but this machine has"):
        resolve_device("cuda:99")


def test_auto_finds_something() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected


def test_gpus_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InvalidParameter, match="this machine has 2 GPUs"):
        resolve_device("cuda:2")
