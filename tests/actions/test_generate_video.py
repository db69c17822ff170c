"""Shorts through the Python API: exact lengths, sound, files that are not what they are said to be."""

from __future__ import annotations

import io
import itertools
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

import vidprod
from tests.helpers import decode
from vidprod.actions.run import Result
from vidprod.actions.steps import generate_video as steps
from vidprod.errors import (
    FileCategory,
    FileContent,
    FileDownload,
    FileResolution,
    FileType,
    InvalidFile,
    InvalidParameter,
    VidprodError,
)

SMALL = {"width": 96, "height": 64, "style": "fast", "device": "cpu"}
TEMPO = 120


@dataclass(frozen=True)
class Material:
    """Files of each kind."""

    video: Path
    photos: tuple[Path, ...]
    music: Path


@pytest.fixture(scope="module")
def material(inputs: Path, bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A talking man, three photographs, and twelve seconds of clicks, 120 a minute."""
    folder = tmp_path_factory.mktemp("material")
    pictures = decode(bikes)
    photos = []
    for number, at in enumerate((10, 120, 230)):
        photos.append(folder / f"photo-{number}.{('jpg', 'png', 'bmp')[number]}")
        Image.fromarray(pictures[at]).save(photos[-1])
    return Material(inputs / "three.mp4", tuple(photos), clicks(folder / "clicks.wav", 12))


def clicks(path: Path, seconds: float, rate: int = 22050) -> Path:
    """Noise that dies away at every beat, lower and louder at every fourth."""
    sound = np.zeros(round(seconds * rate))
    source = np.random.default_rng(0)
    for number, begin in enumerate(np.arange(0, seconds, 60 / TEMPO)):
        length = min(rate // 8, len(sound) - round(begin * rate))
        time = np.arange(length) / rate
        tone = np.sin(2 * np.pi * (60 if number % 4 == 0 else 400) * time) + 0.3 * source.standard_normal(length)
        sound[round(begin * rate) : round(begin * rate) + length] += tone * np.exp(-time * 30) * 0.4
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


def make(files: Sequence[Path], output: Path, **rest: Any) -> Result:
    return vidprod.generate_video(file_list=[str(file) for file in files], output=output, **{**SMALL, **rest})


def streams(path: Path) -> dict[str, float]:
    """Seconds of each kind of stream."""
    with av.open(str(path)) as container:
        return {one.type: float(one.duration * (one.time_base or 0)) for one in container.streams if one.duration}


def test_a_short_of_everything(material: Material, tmp_path: Path) -> None:
    output = tmp_path / "short.mp4"
    result = make([material.video, *material.photos, material.music], output, duration=6.2)
    pictures = decode(output)
    rate = Fraction(result.plan["rate"])
    assert len(pictures) == round(Fraction("6.2") * rate) == result.timing.frames
    assert pictures[0].shape == (64, 96, 3)
    found = streams(output)
    assert found["video"] == pytest.approx(6.2, abs=float(1 / rate) / 2 + 1e-3)
    assert found["audio"] == pytest.approx(6.2, abs=0.03)
    assert result.cover is not None
    with Image.open(result.cover) as cover:
        assert cover.size == (96, 64)
    # every file is seen, and every cut is on a beat
    assert {shot["source"] for shot in result.plan["shots"]} == {0, 1, 2, 3}
    beats = np.array(result.plan["beats"])
    assert len(beats) > 8
    assert np.diff(beats) == pytest.approx(60 / TEMPO, abs=0.03)
    shots = result.plan["shots"]
    for before, after in itertools.pairwise(shots):
        if after["out_start"] != before["out_start"]:
            middle = (before["out_end"] + after["out_start"]) / 2
            assert np.abs(beats - middle).min() < 0.04


def test_a_plan_is_rendered_again(material: Material, tmp_path: Path) -> None:
    files = [material.video, *material.photos]
    plan = make(files, tmp_path / "one.mp4", duration=3).plan
    edited = json.loads(json.dumps(plan))
    edited["shots"][-1] |= {"source": 1, "start": 0, "end": 1, "path": []}
    result = make(files, tmp_path / "two.mp4", plan=edited)
    assert result.plan["shots"][-1]["source"] == 1
    assert len(decode(tmp_path / "two.mp4")) == result.timing.frames
    with pytest.raises(InvalidParameter, match=r"the plan is made of video, image, image, image"):
        make(files[1:], tmp_path / "three.mp4", plan=edited)
    assert not (tmp_path / "three.mp4").exists()


def test_one_photograph(material: Material, tmp_path: Path) -> None:
    make([material.photos[0]], tmp_path / "out.mp4", duration=2.51, width=None)
    pictures = decode(tmp_path / "out.mp4")
    assert len(pictures) == round(2.51 * 30)
    assert pictures[0].shape == (64, 64, 3)  # one side given: square
    assert "audio" not in streams(tmp_path / "out.mp4")
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 1  # it moves
    make([material.photos[0]], tmp_path / "still.mp4", duration=1, smart_effect=False)
    still = decode(tmp_path / "still.mp4")
    assert np.abs(still[3].astype(int) - still[-1]).mean() < 1.5


def test_mute(material: Material, tmp_path: Path) -> None:
    make([*material.photos, material.music], tmp_path / "out.mp4", duration=1, mute=True)
    assert set(streams(tmp_path / "out.mp4")) == {"video"}


def test_the_length_of_the_material(material: Material, tmp_path: Path) -> None:
    result = make([*material.photos, material.music], tmp_path / "out.mp4", duration_adaption=True)
    seconds = result.timing.frames / float(Fraction(result.plan["rate"]))
    bar = 4 * 60 / TEMPO
    assert seconds / bar == pytest.approx(round(seconds / bar), abs=0.05)


def test_three_minutes_of_video_at_most(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "LONGEST", Fraction(4))
    result = make([material.video] * 3, tmp_path / "out.mp4", duration=2)
    assert all(shot["end"] <= (3, 1.05, 0)[shot["source"]] for shot in result.plan["shots"])
    first, second = result.notes[:2]
    assert first.startswith("FileList.2: only the first 1.0 seconds are used")
    assert second.startswith("FileList.3: is not used")


def bad(name: str, folder: Path) -> Path:
    """A file with something wrong."""
    path = folder / name
    if name == "bomb.png":
        header = io.BytesIO()
        Image.new("1", (8, 8)).save(header, "png")
        data = bytearray(header.getvalue())
        data[16:24] = (60000).to_bytes(4, "big") * 2
        import zlib

        data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
        path.write_bytes(bytes(data))
    elif name == "text.jpg":
        path.write_text("no picture\n" * 20)
    elif name == "cut.png":
        whole = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole, "png")
        path.write_bytes(whole.getvalue()[:4000])
    return path


@pytest.mark.parametrize(
    ("name", "error"),
    [("text.jpg", FileType), ("bomb.png", FileResolution), ("cut.png", InvalidFile), ("absent.jpg", FileDownload)],
)
def test_one_bad_file_among_good_ones(
    name: str, error: type[VidprodError], material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "Composition", None)  # nothing is rendered
    with pytest.raises(error) as caught:
        make([material.photos[0], bad(name, tmp_path), material.video], tmp_path / "out.mp4", duration=1)
    assert name == "absent.jpg" or caught.value.message.startswith("FileList.2")
    assert not list(tmp_path.glob("out*"))


def test_what_a_file_is_said_to_be(material: Material, tmp_path: Path) -> None:
    member = {"file_name": "a", "file_url": str(material.photos[0]), "type": "video"}
    with pytest.raises(FileCategory, match=r"FileList\.1: photo-0\.jpg holds a picture, Type says video"):
        vidprod.generate_video(file_list=[member], output=tmp_path / "out.mp4")


def test_pictures_that_are_none(tmp_path: Path) -> None:
    """A video whose only picture is black is shown; nobody is told that there is nothing."""
    Image.new("RGB", (64, 48)).save(tmp_path / "black.png")
    make([tmp_path / "black.png"], tmp_path / "out.mp4", duration=1)
    assert len(decode(tmp_path / "out.mp4")) == 30


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": -3}, "duration"),
        ({"scene": "food"}, "scene"),
        ({"style": "furious"}, "style"),
        ({"transition_style": "spin"}, "transition_style"),
        ({"width": 31}, "width"),
        ({"height": 2161}, "height"),
    ],
)
def test_wrong_parameters(wrong: dict[str, Any], error: str, material: Material, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=error):
        make([material.photos[0]], tmp_path / "out.mp4", **wrong)


def test_silent_music(material: Material, tmp_path: Path) -> None:
    """Sound that is empty is as none."""
    path = tmp_path / "empty.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(b"\0\0" * 22050)
    make([material.photos[0], path], tmp_path / "out.mp4", duration=2)
    assert len(decode(tmp_path / "out.mp4")) == 60


def test_music_alone(material: Material, tmp_path: Path) -> None:
    with pytest.raises((InvalidParameter, FileContent)):
        make([material.music], tmp_path / "out.mp4")
