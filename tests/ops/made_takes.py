"""Takes without any files, for tests of what is made from them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from vidprod.ops.beats import Beats
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.takes import Take
from vidprod.ops.timeline import Source


@dataclass(frozen=True)
class Told:
    """Windows that tell with which motion, and for which shape, they were asked for."""

    def path(self, start: float, end: float, aspect: float, motion: int) -> tuple[PathPoint, ...]:
        """x: hundredths of the motion + 1; h: a tenth of the shape."""
        return (PathPoint(start, (motion + 1) / 100, 0.0, 0.5, min(aspect / 10, 1.0)),)


def motion_of(path: tuple[PathPoint, ...]) -> int:
    """The motion that `Told` was asked for."""
    return round(path[0].x * 100) - 1


def vector(seed: int) -> np.ndarray:
    """(256,) of length 1; those of different seeds have next to nothing in common."""
    found = np.random.default_rng(seed).normal(size=256)
    return np.asarray(found / np.linalg.norm(found))


def still(source: int, score: float = 0.5, **more: Any) -> Take:
    """A photograph."""
    fields: dict[str, Any] = {
        "source": source,
        "number": 0,
        "start": 0.0,
        "end": math.inf,
        "score": score,
        "embedding": vector(source),
        "size": "none",
        "still": True,
        "aspect": 1.0,
        "talk": 0.0,
        "reason": "good focus",
        "calm": 1.0,
        "view": Told(),
    }
    return Take(**{**fields, **more})


def film(source: int, start: float, end: float, score: float = 0.5, **more: Any) -> Take:
    """A take of a video."""
    fields: dict[str, Any] = {
        "number": round(start * 100),
        "start": start,
        "end": end,
        "still": False,
        "embedding": vector(source * 1000 + round(start * 100)),
        "calm": 0.5,
    }
    return still(source, score, **{**fields, **more})


def sources_of(takes: list[Take], music: bool = False) -> list[Source]:
    """What the takes are of, and some music."""
    kinds = {take.source: take.still for take in takes}
    found = [
        Source(f"{at}.jpg", "image") if kinds.get(at, True) else Source(f"{at}.mp4", "video")
        for at in range(max(kinds) + 1)
    ]
    return [*found, Source("music.mp3", "audio")] if music else found


def steady(bpm: float, seconds: float, *, first: float = 0.3, phase: int = 0) -> Beats:
    """Beats of music that lasts so long; the one of number `phase` begins a bar."""
    times = torch.arange(first, max(seconds, first + 1e-3), 60 / bpm, dtype=torch.float64)
    return Beats(times, torch.arange(len(times)) % 4 == phase, bpm, 0.8)


class Material(list[Take]):
    """Takes, told by what makes them again: all that is in them would fill pages."""

    def __init__(self, videos: int, stills: int, seed: int) -> None:
        super().__init__()
        self._made_of = videos, stills, seed
        # drawn one by one all this would take longer than the tests
        chance = random.Random(seed)
        for source in range(videos):
            at = chance.uniform(0, 3)
            for _ in range(chance.randint(1, 6)):
                end = round(at + chance.choice([0.04, 0.2, 0.3, 0.8, 1.9, 4.0, 7.0]), 6)
                self.append(film(source, round(at, 6), end, **_fields(chance)))
                at = end + chance.choice([0.0, 0.16, 2.0])
        self.extend(still(source, **_fields(chance)) for source in range(videos, videos + stills))

    def __repr__(self) -> str:
        return "Material(videos={}, stills={}, seed={})".format(*self._made_of)


@st.composite
def materials(draw: st.DrawFn) -> Material:
    """Whatever may be sent: up to 5 videos of takes of any length, up to 40 photographs."""
    videos = draw(st.integers(0, 5))
    stills = draw(st.integers(0 if videos else 1, 40))
    return Material(videos, stills, draw(st.integers(0, 10**6)))


def _fields(chance: random.Random) -> dict[str, Any]:
    return {
        "score": chance.choice([0.0, 0.5, chance.random()]),
        "size": chance.choice(["full", "half", "detail", "none"]),
        "aspect": chance.choice([0.3, 0.75, 1.0, 1.78, 4.0]),
        "talk": chance.choice([0.0, 0.3, 0.9]),
        "embedding": vector(chance.randint(0, 20)),
    }
