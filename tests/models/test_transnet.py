from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import transnet
from vidprod.models.transnet import DILATIONS, TransNet
from vidprod.weights.tools.convert_transnet import state_of

GOLDENS = Path(__file__).parent / "goldens_shots.npz"
CUTS = (30, 76)  # first pictures of new shots in the goldens


def golden(kind: str) -> tuple[Tensor, Tensor]:
    """100 real pictures (1, 100, 3, 27, 48) with two cuts, and what the published code makes of them, (2, 100).

    `kind`: "full" with the published weights, "rounded" with ours put back into it.
    """
    with np.load(GOLDENS) as arrays:
        return torch.from_numpy(arrays["pictures"]).permute(0, 3, 1, 2)[None], torch.from_numpy(arrays[kind])


@torch.inference_mode()
def test_probabilities_are_those_of_the_published_code(device: torch.device) -> None:
    x, expected = golden("rounded")
    out = torch.cat(transnet.load(device=device, dtype=torch.float32)(x.to(device))).cpu()
    assert out.dtype == torch.float32
    assert (out - expected).abs().max() < 1e-4


@torch.inference_mode()
def test_rounding_the_weights_changes_little() -> None:
    x, expected = golden("full")
    out = torch.cat(transnet.load()(x))
    assert (out - expected).abs().max() < 2e-3


@torch.inference_mode()
def test_cuts_are_seen_at_the_last_picture_of_the_old_shot() -> None:
    middle, _ = transnet.load()(golden("full")[0])
    assert torch.equal(middle[0].gt(0.5).nonzero().flatten(), torch.tensor(CUTS) - 1)


@torch.inference_mode()
def test_windows_do_not_see_each_other(device: torch.device) -> None:
    x = golden("full")[0][:, :40].to(device)
    net = transnet.load(device=device, dtype=torch.float32)
    alone = net(x)[0]
    together = net(torch.cat([x.flip(1), x]))[0]
    assert (together[1:] - alone).abs().max() < 1e-4


def test_shapes_and_half_precision_on_fake_cuda(fake_cuda: torch.device) -> None:
    net = transnet.load(device=fake_cuda)
    x = torch.zeros(2, 100, 3, 27, 48, dtype=torch.uint8, device=fake_cuda)
    for out in net(x):
        assert out.shape == (2, 100)
        assert (out.device.type, out.dtype) == ("cuda", torch.float32)


@pytest.mark.needs_cuda
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close() -> None:
    x, expected = golden("rounded")
    out = torch.cat(transnet.load(device="cuda")(x.cuda())).cpu()
    assert (out - expected).abs().max() < 0.05


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transnet, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        transnet.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[transnet.WEIGHTS]
    assert entry.shipped
    assert entry.licence == "MIT"
    assert entry.file in (weights.FOLDER / "NOTICE").read_text(encoding="utf-8")


def published(seed: int = 0) -> dict[str, Tensor]:
    """A state dict in the published layout, with random numbers."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for stack, (inputs, filters) in enumerate(((3, 16), (64, 32), (128, 64))):
        for number, channels in enumerate((inputs, 4 * filters)):
            prefix = f"SDDCNN.{stack}.DDCNN.{number}"
            for d in DILATIONS:
                state[f"{prefix}.Conv3D_{d}.layers.0.weight"] = torch.rand(
                    2 * filters, channels, 1, 3, 3, generator=generator
                )
                state[f"{prefix}.Conv3D_{d}.layers.1.weight"] = torch.rand(
                    filters, 2 * filters, 3, 1, 1, generator=generator
                )
            for name in ("weight", "bias", "running_mean", "running_var"):
                state[f"{prefix}.bn.{name}"] = torch.rand(4 * filters, generator=generator) + 0.5
            state[f"{prefix}.bn.num_batches_tracked"] = torch.tensor(7)
    shapes = {
        "frame_sim_layer.projection": (128, 448),
        "frame_sim_layer.fc": (128, 101),
        "color_hist_layer.fc": (128, 101),
        "fc1": (1024, 4864),
        "cls_layer1": (1, 1024),
        "cls_layer2": (1, 1024),
    }
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.zeros(outputs, inputs)
        state[f"{name}.bias"] = torch.zeros(outputs)
    return state


@torch.inference_mode()
def test_conversion_folds_the_normalisation_of_every_dilation() -> None:
    given = published()
    net = TransNet()
    net.load_state_dict(state_of(given, half=False))
    x = torch.rand(12, 3, 5, 4)
    ours = net.stacks[0].first(x, 12)  # type: ignore[operator]
    prefix = "SDDCNN.0.DDCNN.0"
    volume = x.transpose(0, 1)[None]  # (1, 3, 12, 5, 4)
    parts = []
    for d in DILATIONS:
        y = torch.nn.functional.conv3d(volume, given[f"{prefix}.Conv3D_{d}.layers.0.weight"], padding=(0, 1, 1))
        weight = given[f"{prefix}.Conv3D_{d}.layers.1.weight"]
        parts.append(torch.nn.functional.conv3d(y, weight, padding=(d, 0, 0), dilation=(d, 1, 1)))
    mean, var = given[f"{prefix}.bn.running_mean"], given[f"{prefix}.bn.running_var"]
    expected = torch.nn.functional.batch_norm(
        torch.cat(parts, 1), mean, var, given[f"{prefix}.bn.weight"], given[f"{prefix}.bn.bias"], eps=1e-3
    )
    assert torch.allclose(ours, expected[0].transpose(0, 1), rtol=1e-4, atol=1e-4)


def test_conversion_refuses_other_networks() -> None:
    given = published()
    missing = {name: value for name, value in given.items() if name != "fc1.bias"}
    with pytest.raises(ValueError, match=r"fc1\.bias"):
        state_of(missing)
    with pytest.raises(ValueError, match=r"fc\.weight is \(1024, 5\)"):
        state_of({**given, "fc1.weight": torch.zeros(1024, 5)})
