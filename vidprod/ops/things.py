"""Where pictures show persons, animals, vehicles and things that a viewer may care about."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import batched_nms

from vidprod.models import efficientdet
from vidprod.ops.detection import Detections
from vidprod.ops.scaled import scaled, within

WORKING_SIDE = 320
"""Longer side in pixels at which the network looks at pictures; it was trained on that."""

SIZE_MULTIPLE = 32
"""Sides are filled up to a multiple, so that the levels of the pyramid stay aligned."""

LEAST_SCORE: Mapping[str, float] = {"person": 0.4, "animal": 0.4, "vehicle": 0.4, "object": 0.5}
"""By group. Lower ones turn out wrong too often, objects more so than the rest."""

MOST_OVERLAP = 0.5
"""Intersection over union of two finds of one group."""

MOST_ANCHORS = 200
"""Anchors on each picture that are looked at more closely."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "person": ("person",),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    "vehicle": ("bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    "object": (
        *(
            "backpack",
            "umbrella",
            "handbag",
            "tie",
            "suitcase",
            "sports ball",
            "skateboard",
            "surfboard",
            "tennis racket",
        ),
        *("bottle", "wine glass", "cup", "bowl", "banana", "apple", "sandwich", "orange", "hot dog", "pizza", "donut"),
        *("cake", "laptop", "cell phone", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
    ),
}
"""Kinds by group. What is mostly scenery (furniture, traffic lights, cutlery) is left out."""

NAMES = tuple(name for names in GROUPS.values() for name in names)
GROUP_OF: Mapping[str, str] = {name: group for group, names in GROUPS.items() for name in names}


class ThingDetector:
    """Finds the things of `GROUPS` in batches of pictures of one size."""

    def __init__(
        self,
        device: torch.device | str = "cpu",
        *,
        least: Mapping[str, float] = LEAST_SCORE,
        net: nn.Module | None = None,
    ) -> None:
        """`least` is by group; `net` is an `EfficientDet` of the classes of `NAMES` other than the one that comes with vidprod."""
        self.device = torch.device(device)
        self._net = net or efficientdet.load(NAMES, device=self.device)
        self._dtype = next(self._net.parameters()).dtype
        order = list(GROUPS)
        self._groups = torch.tensor([order.index(GROUP_OF[name]) for name in NAMES], device=self.device)
        self._least = torch.tensor([least[GROUP_OF[name]] for name in NAMES], device=self.device)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Detections:
        """Things on pictures (N, 3, H, W) uint8; a longer side of 320 is enough."""
        height, width = within(*pictures.shape[2:], side=WORKING_SIDE)
        x = scaled(pictures, (height, width), self.device)
        below, right = (-side % SIZE_MULTIPLE for side in (height, width))
        x = F.pad(x, (0, right, 0, below), value=efficientdet.MEAN)  # what the network was trained with: nothing
        found = self._net(x.to(self._dtype).contiguous(memory_format=torch.channels_last))
        logits, kinds = found.logits.float().max(2)  # (N, A)
        # The same number of anchors on every picture, so that nothing waits for the GPU to count.
        logits, anchors = logits.topk(min(MOST_ANCHORS, logits.shape[1]), 1)
        numbers = torch.arange(len(x), device=self.device)[:, None].expand_as(anchors)
        scores, boxes, kinds = logits.sigmoid(), found.boxes[numbers, anchors], kinds.gather(1, anchors)
        sure = scores > self._least[kinds]
        scores, boxes, kinds, numbers = scores[sure], boxes[sure], kinds[sure], numbers[sure]
        fraction = torch.tensor([(width + right) / width, (height + below) / height], device=self.device).repeat(2)
        boxes = (boxes * fraction).clamp(0, 1)
        once = batched_nms(boxes, scores, numbers * len(GROUPS) + self._groups[kinds], MOST_OVERLAP)
        return Detections(boxes[once].cpu(), scores[once].cpu(), kinds[once].cpu(), numbers[once].cpu(), NAMES)
