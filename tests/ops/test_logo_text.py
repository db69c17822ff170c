from __future__ import annotations

import cv2
import numpy as np
import torch

from vidprod.ops.logo_detect import standing_boxes
from vidprod.ops.logo_text import scenes
from vidprod.ops.text_boxes import Box

from .logo_pictures import moving, still, texture

HEIGHT, WIDTH = 300, 400
PLACE = Box(40, 200, 204, 222)


def scenes_under(text: list[str]) -> torch.Tensor:
    """Six scenes that stand still, ten pictures each, with text over them."""
    found = []
    for number in range(6):
        grain = 30 * torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(number))
        scene = texture(HEIGHT, WIDTH, seed=20 + number) + grain
        picture = scene.clamp(0, 255).permute(1, 2, 0).byte().numpy().copy()
        words = text[number % len(text)]
        cv2.putText(picture, words, (42, 218), cv2.FONT_HERSHEY_DUPLEX, 0.7, (230, 230, 230), 1, cv2.LINE_AA)
        found += [torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)] * 10
    return torch.stack(found)


def test_the_same_text_through_several_scenes() -> None:
    (box,) = standing_boxes(scenes_under(["www.example.org"]))
    assert (box & PLACE).area / (box | PLACE).area > 0.6


def test_subtitles_in_one_place_are_no_logo() -> None:
    lines = ["Where are you", "I was at home", "Never mind so", "Come with him", "Look at that!", "It is too late"]
    assert standing_boxes(scenes_under(lines)) == []


def test_text_in_front_of_a_camera_that_stands_still_is_no_logo() -> None:
    one = scenes_under(["www.example.org"])[:1]
    noise = torch.randn(40, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(5))
    assert standing_boxes((one + noise).round().clamp(0, 255).to(torch.uint8)) == []


def test_scenes() -> None:
    count = scenes(scenes_under([""]))
    assert 5.5 < count < 7
    assert scenes(still(12, HEIGHT, WIDTH)) < 1.1
    light = torch.linspace(0.4, 1, 12)[:, None, None, None]
    assert scenes(still(12, HEIGHT, WIDTH) * light) < 1.1
    assert scenes(moving(12, HEIGHT, WIDTH)) > 6
