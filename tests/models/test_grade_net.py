from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import grade_net
from vidprod.models.grade_net import HIGH, INPUTS, LOW, MEMBERS, GradeNet
from vidprod.ops.grade_plan import LIMITS, PARAMETERS
from vidprod.ops.grade_statistics import measure
from vidprod.weights.tools import grade_pairs, train_grade
from vidprod.weights.tools.color_faults import FAULTS, Fault


def picture() -> Tensor:
    """(1, 3, 36, 64) uint8: three ramps that cross."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 36), torch.linspace(0, 1, 64), indexing="ij")
    return (torch.stack([0.5 * x + 0.5 * y, x, 0.3 * (1 - y) + 0.7 * x])[None] * 255).round().to(torch.uint8)


def spoilt(fault: Fault) -> Tensor:
    codes = picture().permute(0, 2, 3, 1).double().numpy() / 255
    return (torch.from_numpy(fault(codes)) * 255).round().to(torch.uint8).permute(0, 3, 1, 2)


def answer(pictures: Tensor) -> dict[str, float]:
    values = grade_net.load()(measure(pictures).vector[None])[0]
    return dict(zip(PARAMETERS, values.tolist(), strict=True))


def test_answers_are_the_same_everywhere(device: torch.device) -> None:
    statistics = torch.linspace(0, 1, 3 * INPUTS).view(3, INPUTS)
    net = grade_net.load()
    expected = net(statistics)
    assert expected.shape == (3, 7)
    assert torch.allclose(net.to(device)(statistics.to(device)).cpu(), expected, atol=1e-4)
    assert torch.allclose(expected[0], torch.tensor(GOLDEN), atol=2e-3)


GOLDEN = [0.7791, 0.0894, -0.0043, 0.8427, 0.961, 0.0949, 0.3926]


def test_shapes_on_a_device_that_is_not_there(fake_cuda: torch.device) -> None:
    with fake_cuda:
        net = GradeNet()
    result = net(torch.zeros(5, INPUTS, device=fake_cuda))
    assert result.shape == (5, 7)
    assert result.device.type == "cuda"


def test_any_input_gives_a_grade_that_is_allowed() -> None:
    statistics = torch.randn(500, INPUTS) * 3
    statistics[:, LOW], statistics[:, HIGH] = torch.rand(500), torch.rand(500)
    values = grade_net.load()(statistics)
    for column, name in enumerate(PARAMETERS):
        least, greatest = LIMITS[name]
        assert bool(((values[:, column] >= least) & (values[:, column] <= greatest)).all()), name
    assert float((values[:, 6] - values[:, 5]).min()) > 0.1


def test_members_can_have_inputs_of_their_own() -> None:
    net = grade_net.load()
    statistics = torch.rand(MEMBERS, 5, INPUTS)
    each = net.members(statistics)
    for i in range(MEMBERS):
        assert torch.allclose(each[i], net.members(statistics[i])[i], atol=1e-5)


def test_faults_are_answered_in_the_right_direction() -> None:
    dark, warm, veiled = (spoilt(f) for f in (Fault(stops=-1.5), Fault(warmth=1.2), Fault(veil=0.12)))
    plain = answer(picture())
    assert answer(dark)["white"] < plain["white"] - 0.15
    assert answer(warm)["temperature"] < plain["temperature"] - 0.2
    assert answer(veiled)["black"] > plain["black"] + 0.15


def test_the_recipe_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    frame = picture()[0].permute(1, 2, 0).numpy()
    kinds = list(FAULTS)
    chosen = [int(random.integers(len(kinds))) for _ in range(40)]
    rows = [grade_pairs.pair(frame, kinds[kind], random) for kind in chosen]
    statistics, seen, truth = (np.stack(column) for column in zip(*rows, strict=True))
    np.savez(
        tmp_path / "grade.npz",
        statistics=statistics, seen=seen, truth=truth, kind=np.array(chosen), source=np.zeros(40, int),
    )  # fmt: skip
    for iterations in ("3", "6"):  # the second run carries on
        arguments = ["train_grade", str(tmp_path), str(tmp_path / "run"), "--iterations", iterations]
        monkeypatch.setattr("sys.argv", arguments)
        train_grade.main()
    state = load_file(tmp_path / "run" / "grade-net.safetensors")
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["iteration"] == 6
    net = GradeNet()
    net.load_state_dict({name: value.float() for name, value in state.items()})
    assert float(net.direct.detach().abs().max()) > 0


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade_net, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        grade_net.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[grade_net.WEIGHTS]
    assert (entry.shipped, entry.licence) == (True, "Apache-2.0")
    assert entry.file in (weights.FOLDER / "NOTICE").read_text(encoding="utf-8")
