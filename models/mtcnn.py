"""MTCNN: finds faces.

"Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks" (https://arxiv.org/abs/1604.02878): a tiny
network looks at every place of a pyramid of scales and proposes; a larger one at 24x24 pixels of every proposal, and a third one
at 48x48, reject and refine. All three run on the proposals of a whole batch of pictures at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn
from torchvision.ops import batched_nms

from .. import weights
from ..errors import ModelError
from .registry import fill

WEIGHTS = "mtcnn"

WINDOW, STRIDE = 12, 2
"""Pixels the first network looks at, and between the places where it does."""

SHRINK = 0.709
"""From one scale of the pyramid to the next: half the area."""

PROBABLE = (0.6, 0.7)
"""Probability from which on a proposal goes on from the first network, and from the second."""

AT_ONCE = 512
"""Proposals that go through a network at a time."""


def _normal(x: Tensor) -> Tensor:
    return (x - 127.5) / 128


class Proposer(nn.Module):
    """The first network: at every second pixel, is there a face in the 12x12 pixels from here on?"""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 10, 3),
            nn.PReLU(10),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(10, 16, 3),
            nn.PReLU(16),
            nn.Conv2d(16, 32, 3),
            nn.PReLU(32),
        )
        self.face = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (N, 3, H, W) in levels of 255 -> probability of a face (N, h, w), by how much to move edges (N, 4, h, w)."""
        x = self.body(_normal(x))
        return self.face(x).float().softmax(1)[:, 1], self.box(x).float()


class Refiner(nn.Module):
    """The second and the third network: a small picture of one proposal each."""

    def __init__(self, body: nn.Sequential, channels: int, features: int) -> None:
        super().__init__()
        self.body = body
        self.dense = nn.Linear(9 * channels, features)
        self.act = nn.PReLU(features)
        self.face = nn.Linear(features, 2)
        self.box = nn.Linear(features, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (N, 3, side, side) in levels of 255 -> probability of a face (N), by how much to move edges (N, 4)."""
        x = self.act(self.dense(self.body(_normal(x)).flatten(1)))
        return self.face(x).float().softmax(1)[:, 1], self.box(x).float()


def second() -> Refiner:
    """The network for 24x24 pixels."""
    body = nn.Sequential(
        nn.Conv2d(3, 28, 3),
        nn.PReLU(28),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(28, 48, 3),
        nn.PReLU(48),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(48, 64, 2),
        nn.PReLU(64),
    )
    return Refiner(body, 64, 128)


def third() -> Refiner:
    """The network for 48x48 pixels."""
    body = nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.PReLU(32),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 3),
        nn.PReLU(64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(64, 64, 3),
        nn.PReLU(64),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.Conv2d(64, 128, 2),
        nn.PReLU(128),
    )
    return Refiner(body, 128, 256)


class Faces(NamedTuple):
    """M faces on all pictures of a batch, by picture and falling score.

    Attributes:
        boxes: (M, 4) float32 left, top, right, bottom in pixels; may reach a little beyond the picture.
        scores: (M,) float32 probabilities.
        pictures: (M,) int64, which picture of the batch.
    """

    boxes: Tensor
    scores: Tensor
    pictures: Tensor

    def chosen(self, which: Tensor) -> Faces:
        """Some of them, by mask or number."""
        return Faces(self.boxes[which], self.scores[which], self.pictures[which])


class Mtcnn(nn.Module):
    """The cascade: RGB (N, 3, H, W) uint8 -> `Faces`."""

    def __init__(self) -> None:
        super().__init__()
        self.proposer, self.second, self.third = Proposer(), second(), third()

    def forward(self, pictures: Tensor, *, smallest: float = 20.0, least: float = 0.7) -> Faces:
        """Faces at least `smallest` pixels high and wide, with a probability of more than `least`."""
        faces = self.propose(pictures, smallest)
        sums = integral(pictures)
        for net, side, probable in ((self.second, 24, PROBABLE[1]), (self.third, 48, least)):
            faces, crops = cut(faces, sums, side)
            if not len(faces.scores):
                break
            outs = [net(part.to(net.face.weight.dtype)) for part in crops.split(AT_ONCE)]
            scores, moves = (torch.cat(each) for each in zip(*outs, strict=True))
            kept = scores > probable
            faces, moves = Faces(faces.boxes, scores, faces.pictures).chosen(kept), moves[kept]
            if net is self.second:
                once = batched_nms(*faces, 0.7)
                faces = faces.chosen(once)
                faces = faces._replace(boxes=squared(moved(faces.boxes, moves[once])))
            else:
                faces = distinct(faces._replace(boxes=moved(faces.boxes, moves)), 0.7)
        order = torch.argsort(faces.pictures * 2 - faces.scores)
        return faces.chosen(order)

    def propose(self, pictures: Tensor, smallest: float) -> Faces:
        """Squares that the first network takes for faces, on all scales."""
        height, width = pictures.shape[2:]
        x = pictures.to(self.proposer.face.weight.dtype)
        found, moves = [], []
        scale = WINDOW / smallest
        while min(height, width) * scale >= WINDOW:
            small = F.adaptive_avg_pool2d(x, (int(height * scale + 1), int(width * scale + 1)))
            scores, edges = self.proposer(small)
            picture, row, column = (scores >= PROBABLE[0]).nonzero(as_tuple=True)
            start = torch.stack([column, row], 1) * STRIDE + 1
            boxes = (torch.cat([start, start + WINDOW - 1], 1) / scale).floor()
            faces = Faces(boxes, scores[picture, row, column], picture)
            once = batched_nms(*faces, 0.5)
            found.append(faces.chosen(once))
            moves.append(edges[picture, :, row, column][once])
            scale *= SHRINK
        if not found:
            none = torch.zeros(0, device=pictures.device)
            return Faces(none.view(0, 4), none, none.long())
        faces = Faces(*(torch.cat(each) for each in zip(*found, strict=True)))
        once = batched_nms(*faces, 0.7)
        faces = faces.chosen(once)
        sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).repeat(1, 2)
        return faces._replace(boxes=squared(faces.boxes + torch.cat(moves)[once] * sides))


def moved(boxes: Tensor, moves: Tensor) -> Tensor:
    """Boxes whose edges move by parts of their width and height."""
    return boxes + moves * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def squared(boxes: Tensor) -> Tensor:
    """The squares around the same middles that hold the boxes."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def integral(pictures: Tensor) -> Tensor:
    """(N, 3, H, W) uint8 -> (N, H + 1, W + 1, 3) int64, sums over everything above and to the left."""
    sums = pictures.long().cumsum(2).cumsum(3)
    return F.pad(sums, (1, 0, 1, 0)).permute(0, 2, 3, 1).contiguous()


def cut(faces: Faces, sums: Tensor, side: int) -> tuple[Faces, Tensor]:
    """What lies in the boxes, averaged over areas into (M, 3, side, side) float32, levels of 255.

    A box that reaches beyond its picture shows the part within, stretched; one wholly outside is left out.
    """
    height, width = sums.shape[1] - 1, sums.shape[2] - 1
    whole = faces.boxes.trunc().long()
    low = whole[:, :2].clamp(min=1) - 1
    high = torch.minimum(whole[:, 2:], torch.tensor([width, height], device=whole.device))
    inside = (high > low).all(1)
    faces, low, size = faces.chosen(inside), low[inside], (high - low)[inside]
    step = torch.arange(side, device=whole.device)
    # (M, side, 2): first pixel of every part, and the one after the last; parts of uneven size share a pixel
    first = low[:, None] + step[None, :, None] * size[:, None] // side
    after = low[:, None] + ((step[None, :, None] + 1) * size[:, None] + side - 1) // side
    at = faces.pictures[:, None, None]
    (x0, y0), (x1, y1) = first.unbind(2), after.unbind(2)
    x0, x1, y0, y1 = x0[:, None], x1[:, None], y0[:, :, None], y1[:, :, None]
    total = sums[at, y1, x1] - sums[at, y0, x1] - sums[at, y1, x0] + sums[at, y0, x0]
    area = (y1 - y0) * (x1 - x0)
    return faces, (total / area[..., None]).float().permute(0, 3, 1, 2)


def distinct(faces: Faces, most: float) -> Faces:
    """Without those that a likelier one on the same picture overlaps by more than `most` of the smaller of the two."""
    order = faces.scores.argsort(descending=True)
    faces = faces.chosen(order)
    boxes = faces.boxes
    size = boxes[:, 2:] - boxes[:, :2] + 1
    both = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    shared = (both + 1).clamp(min=0).prod(2)
    area = size.prod(1)
    clash = shared / torch.minimum(area[:, None], area[None]) > most
    clash &= faces.pictures[:, None] == faces.pictures[None]
    rows = clash.tolist()
    kept: list[int] = []
    for i, row in enumerate(rows):
        if not any(row[j] for j in kept):
            kept.append(i)
    return faces.chosen(torch.tensor(kept, dtype=torch.long, device=boxes.device))


def load(*, device: torch.device | str = "cpu") -> nn.Module:
    """The cascade, ready to run. It computes in float32 on every device: half precision moves boxes.

    Raises ModelError for weights that are absent or damaged.
    """
    file = weights.path(WEIGHTS)
    try:
        # By way of NumPy, so that it also works under FakeTensorMode.
        state = {key: torch.tensor(value) for key, value in load_file(file).items()}
        return fill(Mtcnn, state, torch.device(device), torch.float32)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the weights of {WEIGHTS} cannot be used ({file}): {error}") from error
