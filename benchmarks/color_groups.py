"""Shots of the same scenes by different cameras: are they found, and does matching bring them together?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
import torch

from benchmarks.color_scenes import Bytes, Scene
from benchmarks.color_truth import delta_e
from vidprod.ops.grade_look import look_at
from vidprod.ops.grade_match import MATCH, after, reference, scenes, towards
from vidprod.ops.grade_plan import GradedShot, grade
from vidprod.weights.tools.color_faults import Fault

FULL = {"light": 1.0, "balance": 1.0, "saturation": 1.0}


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a scene as one camera shows it."""

    scene: int
    truth: Bytes
    seen: Bytes
    camera: Fault
    shot: GradedShot


def camera(random: np.random.Generator) -> Fault:
    """Settings as they differ between two cameras, or two takes."""
    return Fault(
        warmth=float(random.normal(0, 0.5)),
        green=float(random.normal(0, 0.12)),
        stops=float(random.normal(0, 0.6)),
        saturation=float(random.uniform(0.7, 1.1)),
        lift=float(random.uniform(0, 0.06)),
        top=float(random.uniform(0.92, 1)),
    )


def parts(all_scenes: Sequence[Scene], seed: int = 0) -> list[Part]:
    """Every picture of every moving scene, each by a camera of its own, a random four fifths of it."""
    random = np.random.default_rng(seed)
    found = []
    for number, scene in enumerate(s for s in all_scenes if not s.still):
        for picture in scene.pictures:
            height, width = picture.shape[:2]
            y, x = random.integers(height // 5 + 1), random.integers(width // 5 + 1)
            truth = picture[y : y + height * 4 // 5, x : x + width * 4 // 5]
            settings = camera(random)
            seen = np.round(settings(truth / 255.0) * 255).astype(np.uint8)
            scale = 64 / max(seen.shape[:2])
            thumbnail = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            look = look_at(torch.from_numpy(np.asarray(thumbnail, np.uint8)).permute(2, 0, 1)[None])
            found.append(Part(number, truth, seen, settings, GradedShot(0, 1, 0, 1, look=look)))
    return found


def apart(group: Sequence[Part], strengths: Mapping[str, float] | None) -> list[float]:
    """CIEDE2000 of each but the reference to what the reference's camera would have shown."""
    looks = [after(part.shot) for part in group]
    chosen = reference(looks)
    result = []
    for part, look in zip(group, looks, strict=True):
        if part is group[chosen]:
            continue
        # Full strength has no dead zone either.
        caution = 1e-6 if strengths is FULL else 1.0
        shot = part.shot
        if strengths is not None:
            shot = towards(part.shot, look, looks[chosen], strengths, caution=caution)
        colors = part.seen.reshape(-1, 3)[::7] / 255.0
        matched = grade(torch.from_numpy(colors), shot).numpy()
        result.append(float(delta_e(matched, group[chosen].camera(part.truth.reshape(-1, 3)[::7] / 255.0)).mean()))
    return result


def matching(all_scenes: Sequence[Scene]) -> dict[str, float]:
    """How well scenes are found, and how far their shots are from their reference before and after."""
    every = parts(all_scenes)
    groups = scenes([part.shot.look for part in every])
    pairs = {pair for group in groups for pair in combinations(group, 2)}
    true = {(i, j) for i, j in combinations(range(len(every)), 2) if every[i].scene == every[j].scene}
    known = [[part for part in every if part.scene == n] for n in sorted({part.scene for part in every})]
    found = [[every[i] for i in group] for group in groups]
    result = {
        "pairs found that are right": len(pairs & true) / max(len(pairs), 1),
        "right pairs that are found": len(pairs & true) / max(len(true), 1),
    }
    for title, sets in (("known scenes", known), ("found scenes", found)):
        for name, strengths in (("unmatched", None), ("matched", MATCH), ("matched at full strength", FULL)):
            result[f"{title}, {name}"] = float(np.mean([e for g in sets for e in apart(g, strengths)]))
    return result
