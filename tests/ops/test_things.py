from __future__ import annotations

import pytest
import torch

from tests.models.subjects import golden
from vidprod.models.efficientdet import CLASSES
from vidprod.ops.things import GROUPS, NAMES, ThingDetector


@pytest.fixture(scope="module")
def detector() -> ThingDetector:
    return ThingDetector()


def test_every_kind_is_one_of_the_network_and_stands_in_one_group() -> None:
    assert set(NAMES) <= set(CLASSES)
    assert len(NAMES) == len(set(NAMES))


def test_finds_a_woman_and_a_dog_once_each(detector: ThingDetector) -> None:
    found = detector(golden("things"))
    assert sorted(NAMES[kind] for kind in found.kinds.tolist()) == ["dog", "person"]
    boxes = {NAMES[kind]: box for kind, box in zip(found.kinds.tolist(), found.boxes, strict=True)}
    (left, top, right, bottom), dog = boxes["person"].tolist(), boxes["dog"].tolist()
    assert 0.05 < left < right < 0.4  # upright on the left
    assert bottom - top > 0.35
    assert dog[3] - dog[1] < 0.4
    assert float(found.scores.min()) > 0.5


def test_bars_and_batches_change_nothing(detector: ThingDetector) -> None:
    shown = golden("things")
    one = detector(shown).on(0)
    three = detector(torch.cat([shown, torch.zeros_like(shown), shown]))
    assert three.pictures.unique().tolist() == [0, 2]
    for number in (0, 2):
        same = three.on(number)
        assert same.kinds.tolist() == one.kinds.tolist()
        assert torch.allclose(same.boxes, one.boxes, atol=1e-3)


def test_pictures_of_any_shape(detector: ThingDetector) -> None:
    for height, width in ((17, 300), (300, 17), (64, 64)):
        found = detector(torch.full((2, 3, height, width), 90, dtype=torch.uint8))
        assert not len(found)


def test_thresholds_are_by_group() -> None:
    high = dict.fromkeys(GROUPS, 0.4) | {"person": 0.999}
    found = ThingDetector(least=high)(golden("things"))
    assert [NAMES[kind] for kind in found.kinds.tolist()] == ["dog"]
