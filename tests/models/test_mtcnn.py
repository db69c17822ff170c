from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod import weights
from vidprod.errors import ModelError
from vidprod.models import mtcnn
from vidprod.models.mtcnn import Faces

from .pictures import natural
from .subjects import golden


@torch.inference_mode()
def test_boxes_are_those_of_the_published_networks(device: torch.device) -> None:
    expected = golden("faces_boxes")
    faces = mtcnn.load(device=device)(golden("faces").to(device))
    assert len(expected) >= 2
    assert torch.allclose(faces.boxes.cpu(), expected[:, :4], atol=1e-2)
    assert torch.allclose(faces.scores.cpu(), expected[:, 4], atol=1e-4)


@torch.inference_mode()
def test_pictures_of_a_batch_do_not_know_of_each_other(device: torch.device) -> None:
    net, shown = mtcnn.load(device=device), golden("faces")
    empty = (natural(*shown.shape[2:]) * 255).to(torch.uint8)
    mirrored = shown.flip(3)
    alone = [net(x.to(device)) for x in (shown, empty, mirrored)]
    together = net(torch.cat([shown, empty, mirrored]).to(device))
    assert together.pictures.tolist() == sorted(together.pictures.tolist())
    assert not len(alone[1].scores)
    for number, one in enumerate(alone):
        these = together.chosen(together.pictures == number)
        assert torch.allclose(these.boxes, one.boxes, atol=1e-2)
        assert torch.allclose(these.scores, one.scores, atol=1e-4)


@torch.inference_mode()
def test_least_and_smallest_leave_out_what_is_below() -> None:
    net, shown = mtcnn.load(), golden("faces")
    every = net(shown)
    bound = float(every.scores.median())
    likely = net(shown, least=bound)
    assert 0 < len(likely.scores) < len(every.scores)
    assert bool((likely.scores > bound).all())
    assert not len(net(shown, smallest=150.0).scores)


@torch.inference_mode()
def test_a_picture_smaller_than_any_face_has_none() -> None:
    assert not len(mtcnn.load()(torch.zeros(2, 3, 11, 40, dtype=torch.uint8)).scores)


def test_cuts_are_averages_over_areas(device: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, 60, 80), dtype=torch.uint8, generator=generator)
    boxes = torch.tensor(
        [[3.7, 5.2, 40.9, 42.0], [-20.0, -3.0, 30.0, 47.0], [60.0, 30.0, 99.0, 69.0], [200.0, 5.0, 240.0, 45.0]]
    )
    faces = Faces(boxes.to(device), torch.ones(4, device=device), torch.tensor([1, 0, 1, 0], device=device))
    kept, crops = mtcnn.cut(faces, mtcnn.integral(pictures.to(device)), 24)
    assert kept.pictures.tolist() == [1, 0, 1]  # the last one lies outside
    for crop, picture, (left, top, right, bottom) in zip(
        crops.cpu(), kept.pictures.tolist(), ((2, 4, 40, 42), (0, 0, 30, 47), (59, 29, 80, 60)), strict=True
    ):
        expected = F.interpolate(
            pictures[picture : picture + 1, :, top:bottom, left:right].float(), (24, 24), mode="area"
        )
        assert torch.allclose(crop, expected[0], atol=1e-3)


def faces_of(*rows: tuple[float, float, float, float, float, int]) -> Faces:
    values = torch.tensor([row[:5] for row in rows])
    return Faces(values[:, :4], values[:, 4], torch.tensor([row[5] for row in rows]))


def test_a_box_within_a_likelier_one_goes() -> None:
    faces = faces_of(
        (0, 0, 100, 100, 0.8, 0), (30, 30, 60, 60, 0.9, 0), (30, 30, 60, 60, 0.7, 1), (200, 0, 240, 40, 0.75, 0)
    )
    kept = mtcnn.distinct(faces, 0.7)
    assert torch.allclose(kept.scores, torch.tensor([0.9, 0.75, 0.7]))
    assert kept.pictures.tolist() == [0, 0, 1]


def test_squares_keep_their_middle() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    square: Tensor = mtcnn.squared(boxes)
    assert square.tolist() == [[0.0, 20.0, 40.0, 60.0]]


def test_shapes_on_fake_cuda(fake_cuda: torch.device) -> None:
    net = mtcnn.load(device=fake_cuda)
    assert isinstance(net, mtcnn.Mtcnn)
    scores, moves = net.proposer(torch.rand(2, 3, 60, 80, device=fake_cuda))
    assert (scores.shape, moves.shape) == ((2, 25, 35), (2, 4, 25, 35))
    for part, side in ((net.second, 24), (net.third, 48)):
        scores, moves = part(torch.rand(5, 3, side, side, device=fake_cuda))
        assert (scores.shape, moves.shape, scores.device.type) == ((5,), (5, 4), "cuda")


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "WEIGHTS", "span-x2")
    with pytest.raises(ModelError, match="span-x2"):
        mtcnn.load()


def test_the_weights_are_shipped_under_a_free_licence() -> None:
    entry = weights.manifest()[mtcnn.WEIGHTS]
    assert (entry.shipped, entry.licence) == (True, "MIT")
    assert entry.file in (weights.FOLDER / "NOTICE").read_text()
