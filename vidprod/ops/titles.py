"""Writing in pictures, and what of a video's is burned in: it had better stay whole in another frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidprod.media.previews import Preview
from vidprod.ops.active_area import WHOLE, Box
from vidprod.ops.crop_window import Fit
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.reframing import window
from vidprod.ops.text_boxes import TextDetector

TEXT_LONG, TEXT_HIGH = 1.8, 0.2
"""A line of text is so many times as long as high, and at most so high against the picture."""

EVERY = 1.0
"""Seconds between the pictures of a video in which writing is looked for."""

LEAST = 0.25
"""Of the picture's width or height: shorter writing is a logo in a corner, or a sign on a wall."""

STAYS = 0.5
"""Intersection over union of a line and one that was seen a moment before or after, from which on it is the same and stays."""

MARGIN = 0.015
"""Of the picture's side: what is left free on either side of it."""

FAR = 0.25
"""Of a window: by so much it is shifted at most, or it would leave what it was there for."""

_NEAR = 1.5 * EVERY


@dataclass(frozen=True)
class Title:
    """A line that is burned in, as parts of the upright picture, and when it was seen, in seconds."""

    second: float
    box: Box


def lines_of_text(detector: TextDetector, picture: Tensor) -> list[Box]:
    """Lines of text on a picture (1, 3, H, W) uint8, as parts of it. What is not long is mostly none: eyes, lakes."""
    height, width = picture.shape[2:]
    made = []
    for box in detector.boxes(picture)[0]:
        short, long = sorted((box.width, box.height))
        if long >= TEXT_LONG * short and short <= TEXT_HIGH * min(width, height):
            made.append((box.left / width, box.top / height, box.right / width, box.bottom / height))
    return made


class TitleAnalysis:
    """Analysis: previews in, titles out."""

    def __init__(self, device: torch.device | str = "cpu", detector: TextDetector | None = None) -> None:
        """`detector`: one that is at hand already."""
        self._detector = detector or TextDetector(device)
        self._due = 0.0
        self._seen: list[tuple[float, list[Box]]] = []

    def update(self, preview: Preview) -> None:
        """Takes the next pictures."""
        for sample in preview.samples:
            second = float(sample.seconds[0])
            if second >= self._due - 1e-6:
                self._due = second + EVERY
                found = lines_of_text(self._detector, sample.data)
                self._seen.append((second, [box for box in found if _long(box)]))

    def finish(self) -> tuple[Title, ...]:
        """Lines that stay where they are from one look to another; called once, after the last picture."""
        titles = []
        for at, (second, boxes) in enumerate(self._seen):
            beside = [
                one for _, found in (*self._seen[max(at - 1, 0) : at], *self._seen[at + 1 : at + 2]) for one in found
            ]
            titles += [Title(second, box) for box in boxes if any(_overlap(box, one) >= STAYS for one in beside)]
        return tuple(titles)


def titles_within(titles: Sequence[Title], area: Box) -> tuple[Title, ...]:
    """The same as parts of an area of the picture; what is outside of it is left out."""
    if area == WHOLE:
        return tuple(titles)
    left, top, right, bottom = area
    moved = []
    for title in titles:
        x = [min(max((side - left) / (right - left), 0.0), 1.0) for side in (title.box[0], title.box[2])]
        y = [min(max((side - top) / (bottom - top), 0.0), 1.0) for side in (title.box[1], title.box[3])]
        if x[0] < x[1] and y[0] < y[1]:
            moved.append(Title(title.second, (x[0], y[0], x[1], y[1])))
    return tuple(moved)


def with_titles(
    points: tuple[PathPoint, ...],
    titles: Sequence[Title],
    fit: Fit,
    start: float,
    end: float,
    heads: Sequence[tuple[float, float]] = (),
) -> tuple[PathPoint, ...]:
    """The way of a window, changed so that no title is cut, if there is one from `start` to `end` seconds.

    A window that is large enough is shifted as little as need be. Where that would be far, or cut heads, and where it is too small,
    it is made larger.

    Args:
        points: the way, of one size.
        titles: of the video.
        fit: how the picture fits into the frame.
        start, end: of what is seen.
        heads: from where to where along the axis they go.
    """
    axis = 0 if fit.axis == "x" else 1
    spans = [(one.box[axis], one.box[axis + 2]) for one in titles if start - _NEAR < one.second < end + _NEAR]
    if not spans or not points:
        return points
    low = max(min(span[0] for span in spans) - MARGIN, 0.0)
    high = min(max(span[1] for span in spans) + MARGIN, 1.0)
    size = points[0].w if axis == 0 else points[0].h
    places = [point.x if axis == 0 else point.y for point in points]
    shifted = [min(max(place, high - size), low) for place in places]
    far = max(abs(a - b) for a, b in zip(places, shifted, strict=True)) > FAR * size
    cut = [head for head in heads if not all(place <= head[0] and head[1] <= place + size for place in shifted)]
    if high - low <= size and 2 * len(cut) <= len(heads) and not far:
        return tuple(window(fit, point.t, place, size) for point, place in zip(points, shifted, strict=True))
    middle = sum(places) / len(places)
    for span in (*heads, *([(middle, middle + size)] if far else [])):
        low, high = max(min(low, span[0]), 0.0), min(max(high, span[1]), 1.0)
    size = max(size, high - low)
    return (window(fit, points[0].t, min(max((low + high - size) / 2, 0.0), 1.0 - size), size),)


def _long(box: Box) -> bool:
    return box[2] - box[0] >= LEAST or box[3] - box[1] >= LEAST


def _overlap(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(high, 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - both
    return both / union if union > 0 else 0.0
