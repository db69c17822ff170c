from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import inpaint_net
from vidprod.models.inpaint_net import InpaintNet
from vidprod.ops.harmonic import harmonic
from vidprod.weights.tools import inpaint_pairs, train_inpaint
from vidprod.weights.tools.drawings import drawing
from vidprod.weights.tools.overlays import Canvas, Overlay
from vidprod.weights.tools.train_inpaint import Material
from vidprod.weights.tools.video_pairs import Encoding, pan_clip

from .pictures import checkerboard, natural


def strokes(height: int, width: int) -> Tensor:
    """(1, 1, height, width) bool: what text of 30 pixels hides, in the middle of the picture."""
    picture = np.zeros((height, width), np.uint8)
    cv2.putText(picture, "Wait! 80", (8, height // 2 + 10), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 5)
    return torch.from_numpy(picture > 0)[None, None]


def edges(height: int, width: int) -> Tensor:
    """(1, 3, height, width): slanting bars with soft edges, as of a fence behind the text."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    bars = torch.tanh(2.5 * torch.sin((x + 0.45 * y) / 5.5))
    return torch.stack([0.5 + 0.35 * bars, 0.45 + 0.3 * bars, 0.55 + 0.3 * bars])[None]


def psnr(x: Tensor, truth: Tensor, hole: Tensor) -> float:
    """dB in the hole."""
    return -10 * float(torch.log10((x - truth)[hole.expand_as(truth)].square().mean()))


@torch.inference_mode()
def test_known_pixels_stay_and_hidden_ones_are_not_looked_at(device: torch.device) -> None:
    x, hole = natural(60, 170).to(device), strokes(60, 170).to(device)
    net = inpaint_net.load(device=device, dtype=torch.float32)
    filled = net(x, hole, harmonic(x, hole))
    hidden = x.masked_fill(hole, 7.0)
    assert torch.equal(net(hidden, hole, harmonic(hidden, hole)), filled)
    assert torch.equal(filled[(~hole).expand_as(x)], x[(~hole).expand_as(x)])


@torch.inference_mode()
def test_edges_run_on_behind_text_where_the_harmonic_fill_blurs_them() -> None:
    truth, hole = edges(72, 176), strokes(72, 176)
    smooth = harmonic(truth, hole)
    filled = inpaint_net.load()(truth, hole, smooth)
    assert psnr(filled, truth, hole) > psnr(smooth, truth, hole) + 4


@torch.inference_mode()
def test_grown_masks_are_filled_as_well() -> None:
    truth, hole = edges(72, 176), torch.nn.functional.max_pool2d(strokes(72, 176).float(), 5, 1, 2) > 0
    smooth = harmonic(truth, hole)
    assert psnr(inpaint_net.load()(truth, hole, smooth), truth, hole) > psnr(smooth, truth, hole) + 6


@torch.inference_mode()
def test_better_than_telea_on_a_natural_picture() -> None:
    truth, hole = natural(72, 176), strokes(72, 176)
    picture = (truth[0] * 255).round().byte().permute(1, 2, 0).numpy()
    telea = cv2.inpaint(picture, hole[0, 0].byte().numpy(), 3, cv2.INPAINT_TELEA)
    filled = inpaint_net.load()(truth, hole, harmonic(truth, hole))
    theirs = torch.from_numpy(telea).permute(2, 0, 1)[None].float() / 255
    assert psnr(filled, truth, hole) > psnr(theirs, truth, hole) + 1


@torch.inference_mode()
def test_an_even_picture_stays_even() -> None:
    hole = strokes(72, 176)
    for shade in (0.05, 0.5, 0.93):
        x = torch.full((1, 3, 72, 176), shade)
        filled = inpaint_net.load()(x, hole, harmonic(x, hole))
        assert (filled - x).abs().max() < 3 / 255


@torch.inference_mode()
def test_hopeless_pictures_stay_near_the_range() -> None:
    hole = strokes(64, 160)
    noise = torch.rand(1, 3, 64, 160)
    for x in (checkerboard(64, 160), noise):
        filled = inpaint_net.load()(x, hole, harmonic(x, hole))
        assert filled.isfinite().all()
        assert filled.min() > -0.5
        assert filled.max() < 1.5


@torch.inference_mode()
def test_all_hidden_and_nothing_hidden() -> None:
    net, x = inpaint_net.load(), natural(40, 48)
    nothing = torch.zeros(1, 1, 40, 48, dtype=torch.bool)
    assert torch.equal(net(x, nothing, harmonic(x, nothing)), x)
    assert net(x, ~nothing, harmonic(x, ~nothing)).isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (16, 33), (61, 40)])
@torch.inference_mode()
def test_any_size(height: int, width: int) -> None:
    x, hole = natural(height, width), torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., height // 2 :, width // 2 :] = True
    assert inpaint_net.load()(x, hole, harmonic(x, hole)).shape == x.shape


@torch.inference_mode()
def test_output_does_not_depend_on_the_batch(device: torch.device) -> None:
    x, hole = natural(48, 160, 3).to(device), strokes(48, 160).to(device)
    net = inpaint_net.load(device=device, dtype=torch.float32)
    together = net(x, hole, harmonic(x, hole))
    for i in range(3):
        one = net(x[i : i + 1], hole, harmonic(x[i : i + 1], hole))
        assert (one - together[i : i + 1]).abs().max() < 1e-5


def test_half_precision_and_channels_last_on_fake_cuda(fake_cuda: torch.device) -> None:
    net = inpaint_net.load(device=fake_cuda)
    for parameter in net.parameters():
        assert parameter.dtype == torch.float16
        assert parameter.ndim != 4 or parameter.is_contiguous(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 50, 66, device=fake_cuda, dtype=torch.float16)
    out = net(x, torch.zeros(1, 1, 50, 66, device=fake_cuda, dtype=torch.bool), x)
    assert (out.shape, out.dtype, out.device.type) == (x.shape, torch.float16, "cuda")


@pytest.mark.needs_cuda
@torch.inference_mode()
def test_half_precision_on_the_gpu_is_close() -> None:
    x, hole = natural(64, 160), strokes(64, 160)
    smooth = harmonic(x, hole)
    exact = inpaint_net.load()(x, hole, smooth)
    half = inpaint_net.load(device="cuda")(x.cuda().half(), hole.cuda(), smooth.cuda().half())
    assert (half.float().cpu() - exact).abs().max() < 2 / 255


@torch.inference_mode()
def test_bfloat16_weights_are_close() -> None:
    x, hole = natural(64, 160), strokes(64, 160)
    smooth = harmonic(x, hole)
    exact, rough = (inpaint_net.load(dtype=d)(x, hole, smooth) for d in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 3 / 255


def test_damaged_weights_are_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    monkeypatch.setattr(weights, "path", lambda name: tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="the weights of inpaint-net cannot be used"):
        inpaint_net.load()


@torch.inference_mode()
def test_an_untrained_network_leaves_the_harmonic_fill() -> None:
    x, hole = natural(40, 120), strokes(40, 120)
    smooth = harmonic(x, hole)
    assert torch.equal(InpaintNet()(x, hole, smooth), smooth)


@pytest.fixture
def material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tiny training material."""
    monkeypatch.setattr(train_inpaint, "BATCH", 2)
    monkeypatch.setattr(train_inpaint, "CROP", 24)
    monkeypatch.setattr(train_inpaint, "InpaintNet", lambda: InpaintNet((8, 8, 8), (1,)))
    mask = strokes(64, 64)[0, 0].numpy()
    for stem in ("train", "held"):
        clean = (natural(64, 64, 4) * 255).byte().permute(0, 2, 3, 1).numpy()
        np.save(tmp_path / f"{stem}_clean.npy", clean)
        np.save(tmp_path / f"{stem}_seen.npy", np.where(mask[None, ..., None], 255, clean).astype(np.uint8))
        np.save(tmp_path / f"{stem}_mask.npy", np.stack([mask] * 4))
    return tmp_path


def train(folder: Path, run: str, *, stops: list[int], decay: int = 2) -> dict[str, Tensor]:
    """The average after training that was cut off at each of `stops` but the last, at which it ended."""
    for stop in stops:
        state = train_inpaint.Run(folder / run, 1, 1e-3)
        if stop == stops[-1]:
            train_inpaint.train(folder, state, iterations=stop, decay=decay, every=2)
        else:
            with pytest.raises(KeyboardInterrupt):
                train_inpaint.train(folder, state, iterations=99, decay=decay, every=2, stopped=cut_off(state, stop))
    saved: dict[str, Tensor] = torch.load(folder / run / "checkpoint.pt", weights_only=True)["average"]
    return saved


def cut_off(state: train_inpaint.Run, at: int):  # type: ignore[no-untyped-def]
    def stopped() -> bool:
        if state.iteration >= at:
            raise KeyboardInterrupt
        return False

    return stopped


def test_training_carries_on_exactly_where_it_was_cut_off(material: Path) -> None:
    # Cut off at 3: the checkpoint is that of 2, and the third iteration is done again.
    straight, resumed = train(material, "a", stops=[6]), train(material, "b", stops=[3, 6])
    for key, value in straight.items():
        assert torch.equal(value, resumed[key])
    rows = (material / "b" / "curve.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["iteration", "0", "2", "4", "6", "8"]
    assert (material / "b" / "inpaint-net.safetensors").stat().st_size > 0


def test_a_stop_file_begins_the_decay(material: Path) -> None:
    run = train_inpaint.Run(material / "c", 1, 1e-3)
    train_inpaint.train(material, run, iterations=1000, decay=4, every=50, stopped=lambda: run.iteration >= 3)
    assert (run.decay_from, run.iteration) == (3, 7)
    assert run.learning_rate(4) == 0
    assert train_inpaint.Run(material / "c", 1, 1e-3).iteration == 7


def test_training_lowers_the_loss(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_inpaint, "WARM_UP", 1)
    run = train_inpaint.Run(material / "d", 1, 3e-3)
    batch = train_inpaint.sample(Material.load(material / "train"), run.rng)
    losses = [run.step(batch, 3e-3) for _ in range(40)]
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_sample_shows_the_same_area_in_all_its_pictures(
    drawn: float, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_inpaint, "DRAWN", drawn)
    batch = train_inpaint.sample(Material.load(material / "train"), np.random.default_rng(3))
    known = ~batch.hole.expand_as(batch.clean)
    assert batch.clean.shape == batch.smooth.shape == (2, 3, 24, 24)
    assert torch.equal(batch.clean[known], batch.seen[known])
    assert (batch.smooth != batch.clean).any()


@pytest.mark.parametrize("how", [Encoding("none"), Encoding("libx264", 24, "veryfast")])
def test_pairs_differ_in_the_mask_and_little_elsewhere(how: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    def overlay(rng: np.random.Generator, width: int, height: int) -> Overlay:
        canvas = Canvas(width, height)
        canvas.put((255, 255, 255), canvas.layer(lambda d: d.line((0, 0, width, height), fill=255, width=25)))
        return canvas.overlay()

    monkeypatch.setattr(inpaint_pairs, "random_overlay", overlay)  # no fonts needed
    photo = (natural(260, 300)[0].permute(1, 2, 0).numpy() * 160).astype(np.uint8)
    pairs = inpaint_pairs.Pairs()
    pairs.add(pan_clip(photo, 1, np.random.default_rng(1), 6, 192), how, 2, 2, np.random.default_rng(2))
    clean, seen, mask = np.stack(pairs.clean).astype(float), np.stack(pairs.seen).astype(float), np.stack(pairs.mask)
    assert clean.shape[1:] == (128, 128, 3)
    error = np.abs(clean - seen).mean(-1)
    far = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((25, 25))) == 0 for m in mask])
    assert error[mask].mean() > 60
    assert error[far].mean() < 6


def test_drawings_are_of_edges_and_differ() -> None:
    rng = np.random.default_rng(0)
    pictures = np.stack([drawing(rng, 48) for _ in range(8)])
    assert pictures.shape == (8, 48, 48, 3)
    assert len({picture.tobytes() for picture in pictures}) == 8
    steps = np.abs(np.diff(pictures.astype(int), axis=2)).max((1, 2, 3))
    assert (steps > 20).sum() >= 6


def test_layers_lie_over_one_another() -> None:
    canvas = Canvas(4, 1)
    canvas.put((200, 0, 0), np.array([[1, 1, 0.5, 0]], np.float32))
    canvas.put((0, 100, 0), np.array([[0, 0.5, 0.5, 0]], np.float32))
    overlay = canvas.overlay()
    assert overlay.mask.tolist() == [[True, True, True, False]]
    out = overlay.over(np.full((1, 4, 3), 40, np.uint8))
    assert out[0].tolist() == [[200, 0, 0], [100, 50, 0], [60, 60, 10], [40, 40, 40]]
