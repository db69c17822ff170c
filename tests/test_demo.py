"""The demonstration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers import decode
from vidprod.actions import ACTIONS
from vidprod.demo import sample
from vidprod.demo_clips import OVERLAYS, SUBTITLE_SHOWN


@pytest.mark.parametrize("name", list(ACTIONS))
def test_every_action_can_be_shown(name: str) -> None:
    spec = ACTIONS[name]
    spec.params.parse(sample(spec, "http://127.0.0.1/in.mp4"))


@pytest.mark.slow
def test_it_leaves_results_to_look_at_and_nothing_else(inputs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vidprod.demo", "--video", str(inputs / "three.mp4"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = [
        f"{spec.kebab_name}{suffix}"
        for spec in ACTIONS.values()
        for suffix in (".mp4", ".png", *((".jpg",) if spec.cover else ()))
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(expected)
    assert len(decode(tmp_path / "super-resolve-video.mp4")) == 75
    assert len(decode(tmp_path / "abstract-film-video.mp4")) == 50
    picture = cv2.imread(str(tmp_path / "super-resolve-video.png"))
    assert picture is not None
    assert picture.shape == (128, 2 * 192 + 8, 3)


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_is_put_onto_the_clip_is_where_it_should_be(name: str, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    OVERLAYS[name](clip, target)
    before, after = decode(clip), decode(target)
    assert len(before) == len(after)
    shown = [int((np.abs(a.astype(int) - b) > 30).sum()) > 200 for a, b in zip(before, after, strict=True)]
    assert shown == [name != "EraseVideoSubtitles" or index in SUBTITLE_SHOWN for index in range(len(before))]


def test_a_video_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vidprod.demo", "--video", str(tmp_path / "none.mp4"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 2
    assert done.stderr.startswith("InvalidFile.Download: ")
    assert done.stderr.count("\n") == 1
