from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import vidprod
import vidprod.api
from tests.helpers import decode, psnr, write_clip
from tests.helpers import vidprod as command
from tests.ops.text import scenery, subtitle
from vidprod.actions.erase_video_subtitles import SPEC
from vidprod.errors import InvalidParameter
from vidprod.media.probe import probe

COUNT, FIRST, STOP = 60, 15, 45


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """A clip with one subtitle, its clean pictures, and the alpha of the text."""
    clean = scenery(COUNT, 180, 320, speed=2.0)
    shown = clean.copy()
    alpha = subtitle(shown[FIRST:STOP], "What a day it was", x=40)
    return write_clip(tmp_path_factory.mktemp("in") / "in.mp4", list(shown)), clean, np.asarray(alpha)


def error(pictures: list[np.ndarray], clean: np.ndarray, mask: np.ndarray) -> float:
    return psnr(np.stack(pictures[FIRST:STOP])[:, mask], clean[FIRST:STOP][:, mask])


def test_a_subtitle_goes_and_the_rest_stays(made: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    path, clean, alpha = made
    output = tmp_path / "out.mp4"
    result = vidprod.erase_video_subtitles(video_url=str(path), output=output, device="cpu")
    (event,) = result.plan["events"]
    assert event["start"] == pytest.approx(FIRST / 25)
    assert event["end"] == pytest.approx(STOP / 25)
    (box,) = event["boxes"]
    assert box["y"] > 0.8
    mask = alpha > 0.05
    before, after = decode(path), decode(output)
    assert len(after) == len(before) == result.timing.frames
    assert error(before, clean, mask) < 15
    assert error(after, clean, mask) > 27
    around = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert error(after, clean, ~around) > 38  # what is left of two encodings
    assert result.report["events"] == 1
    assert result.report["frames_changed"] == STOP - FIRST
    assert 0 < result.report["share_from_other_frames"] <= 1
    assert result.report["residual_text_probability"]["mean"] < 0.05
    assert not result.notes


def test_times_in_an_edited_plan_count(made: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    path, _, alpha = made
    first = vidprod.erase_video_subtitles(video_url=str(path), output=tmp_path / "a.mp4", device="cpu")
    plan = json.loads(json.dumps(first.plan))
    plan["events"][0]["end"] = 1.2
    vidprod.erase_video_subtitles(video_url=str(path), output=tmp_path / "b.mp4", device="cpu", plan=plan)
    mask = alpha > 0.5
    bright = [picture[mask].mean() for picture in decode(tmp_path / "b.mp4")]
    assert max(bright[FIRST:30]) + 15 < min(bright[30:STOP])


def test_nothing_found_is_a_success_with_the_same_pictures(
    made: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    path = made[0]
    output = tmp_path / "out.mp4"
    result = vidprod.erase_video_subtitles(video_url=str(path), by=0.0, bh=0.4, output=output, device="cpu")
    assert result.plan["events"] == []
    assert result.notes == ("no subtitles were found in the region; the pictures are unchanged",)
    assert result.report["pixels_changed"] == 0
    for before, after in zip(decode(path), decode(output), strict=True):
        assert psnr(before, after) > 38


def test_a_plan_for_another_size_is_refused(
    made: tuple[Path, np.ndarray, np.ndarray], clip: Path, tmp_path: Path
) -> None:
    plan = {"width": 320, "height": 180, "events": []}
    with pytest.raises(InvalidParameter, match=r"for pictures of 320x180, these are 176x144"):
        vidprod.erase_video_subtitles(video_url=str(clip), output=tmp_path / "a.mp4", plan=plan)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bx": -0.1}, "bx is -0.1: input should be greater than or equal to 0"),
        ({"BY": 1.5}, "BY is 1.5: input should be less than or equal to 1"),
        ({"bh": 0}, "the region is empty: BY=0.75 and BH=0"),
        ({"bx": 1}, "the region is empty: BX=1 and BW=1"),
    ],
)
def test_regions_outside_or_empty_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        SPEC.params.parse({"video_url": "in.mp4", **given})


def test_a_region_that_leaves_the_picture_is_cut_off() -> None:
    params = SPEC.params.parse({"VideoUrl": "in.mp4", "BX": 0.5, "BW": 0.8, "BY": 0.9})
    assert (params.bx, params.bw, params.by, params.bh) == (0.5, 0.8, 0.9, 0.25)


def test_a_region_too_small_for_a_pixel(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="the region holds no pixel of a picture of 176x144"):
        vidprod.erase_video_subtitles(video_url=str(clip), bh=1e-7, output=tmp_path / "a.mp4")


@pytest.mark.parametrize("region", [{"bh": 0.01}, {"bw": 0.02}, {"bx": 0.99, "by": 0.99}])
def test_tiny_regions_work(clip: Path, tmp_path: Path, region: dict[str, float]) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(clip, 6))
    params = {"video_url": str(short), **region}
    result = vidprod.api.run("EraseVideoSubtitles", params, output=tmp_path / "out.mp4")
    assert result.plan["events"] == []


def test_the_command_line(made: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    output, plan = tmp_path / "out.mp4", tmp_path / "plan.json"
    done = command("erase-video-subtitles", made[0], "-o", output, "--by", "0.8", "--bh", "0.2", "--plan", plan)
    assert done.returncode == 0, done.stderr
    assert probe(output).frame_count == COUNT
    assert len(json.loads(plan.read_text())["events"]) == 1
    times = tmp_path / "times.srt"
    done = command("erase-video-subtitles", made[0], "-o", output, "--from-plan", plan, "--plan", times)
    assert done.returncode == 0, done.stderr
    assert times.read_text().startswith("1\n00:00:00,600 --> 00:00:01,800\n[subtitle 1: x ")
    done = command("erase-video-subtitles", made[0], "-o", tmp_path / "no.mp4", "--bw", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("InvalidParameter: the region is empty")
    assert not (tmp_path / "no.mp4").exists()
