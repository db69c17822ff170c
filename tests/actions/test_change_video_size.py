"""ChangeVideoSize through the Python API: every mode, pixel by pixel; odd shapes; what is refused."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vidprod
import vidprod.api
from tests.helpers import decode, write_clip
from vidprod.actions.change_video_size import SPEC
from vidprod.errors import FileCategory, InvalidParameter, InvalidParameterFormat, MissingParameter
from vidprod.media.probe import probe

WIDTH, HEIGHT = 160, 96
COLOUR = (200, 60, 30)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red rises from left to right, green downwards; blue is nearly nothing."""
    x, y = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    picture = np.stack([x, y, np.full_like(x, 20)], -1).astype(np.uint8)
    return write_clip(tmp_path_factory.mktemp("card") / "card.mp4", [picture] * 6)


def picture_of(path: Path, out: Path, width: int, height: int, **params: object) -> np.ndarray:
    given = {"video_url": str(path), "width": width, "height": height, **params}
    result = vidprod.api.run("ChangeVideoSize", given, output=out, device="cpu")
    assert result.cover == out.with_suffix(".jpg")
    assert result.cover.is_file()
    pictures = decode(out)
    assert len(pictures) == 6
    assert pictures[3].shape == (height + height % 2, width + width % 2, 3)
    return pictures[3].astype(int)


SHAPES = {"tall": (90, 160), "wide": (160, 40), "same": (120, 72), "large": (320, 320)}


@pytest.mark.parametrize(
    ("shape", "crop", "fill"), list(itertools.product(SHAPES, ("smart", "fill", "cut"), ("image", "color", "stretch")))
)
def test_every_mode(shape: str, crop: str, fill: str, card: Path, tmp_path: Path) -> None:
    width, height = SHAPES[shape]
    red, green, blue = COLOUR
    made = picture_of(card, tmp_path / "out.mp4", width, height, crop_type=crop, fill_type=fill, r=red, g=green, b=blue)
    left, right = made[height // 2, 1], made[height // 2, -2]
    top, bottom = made[1, width // 2], made[-2, width // 2]
    source, target = WIDTH / HEIGHT, width / height
    seen_x = min(target / source, 1.0) if crop == "cut" else 1.0  # part of the width that is seen
    seen_y = min(source / target, 1.0) if crop == "cut" else 1.0
    if crop == "smart":
        return_early = fill == "stretch" or shape == "same"
        assert return_early or made.std() > 10
        if shape == "same":
            assert left[0] < 12
            assert right[0] > 240
        return
    bars_x = crop == "fill" and fill != "stretch" and target > source * 1.02
    bars_y = crop == "fill" and fill != "stretch" and target < source / 1.02
    if not bars_x:
        assert left[0] == pytest.approx(255 * (1 - seen_x) / 2, abs=14)
        assert right[0] == pytest.approx(255 * (1 + seen_x) / 2, abs=14)
    if not bars_y:
        assert top[1] == pytest.approx(255 * (1 - seen_y) / 2, abs=14)
        assert bottom[1] == pytest.approx(255 * (1 + seen_y) / 2, abs=14)
    for edges, there in (((left, right), bars_x), ((top, bottom), bars_y)):
        if there and fill == "color":
            for edge in edges:
                np.testing.assert_allclose(edge, COLOUR, atol=8)
        if there and fill == "image":  # the middle of the picture, which has the frame's shape, and blurred
            across = 1 if bars_x else 0
            part = source / target if bars_x else target / source
            assert made[1, 1][across] == pytest.approx(255 * (1 - part) / 2, abs=20)
            assert made[-2, -2][across] == pytest.approx(255 * (1 + part) / 2, abs=20)


def test_the_colour_matters_with_fill_type_color_only(card: Path, tmp_path: Path) -> None:
    one = picture_of(card, tmp_path / "a.mp4", 90, 160, crop_type="fill", fill_type="image")
    other = picture_of(card, tmp_path / "b.mp4", 90, 160, crop_type="fill", fill_type="image", r=255, g=255, b=255)
    assert abs(one - other).max() <= 2


def test_tightness_crops_more_and_more(bikes: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(bikes, 12))
    widths = []
    for number, tightness in enumerate((0.0, 0.6, 1.0)):
        params = {"video_url": str(short), "width": 90, "height": 160, "tightness": tightness}
        result = vidprod.api.run("ChangeVideoSize", params, output=tmp_path / f"{number}.mp4", device="cpu")
        widths.append(result.plan["path"][0]["w"])
    assert widths[0] == 1
    assert widths[0] >= widths[1] >= widths[2]
    assert widths[2] == pytest.approx(90 / 160 / (640 / 272), abs=1e-3)


def test_an_edited_path_is_followed(bikes: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(bikes, 10))
    first = vidprod.change_video_size(
        video_url=str(short), width=96, height=96, crop_type="cut", output=tmp_path / "a.mp4", device="cpu"
    )
    plan = json.loads(json.dumps(first.plan))
    plan["path"] = [{"t": 0.0, "x": 0.5, "y": 0.0, "w": 0.425, "h": 1.0}]
    second = vidprod.change_video_size(
        video_url=str(short), width=96, height=96, output=tmp_path / "b.mp4", plan=plan, device="cpu"
    )
    assert second.plan == plan
    import cv2

    source = decode(short)[4]
    expected = cv2.resize(source[:, 320:592], (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(decode(tmp_path / "b.mp4")[4].astype(int) - expected).mean() < 6


def test_debug_shows_what_was_seen_and_the_window(bikes: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(bikes, 6))
    params = {"video_url": str(short), "width": 96, "height": 96}
    found = vidprod.run(
        "ChangeVideoSize", params, device="cpu", output=tmp_path / "a.mp4", debug=tmp_path / "debug.mp4"
    )
    shown, source = decode(tmp_path / "debug.mp4"), decode(short)
    assert len(shown) == 6
    assert shown[0].shape == source[0].shape
    left, width = (round(found.plan["path"][0][key] * source[0].shape[1]) for key in ("x", "w"))
    outside = np.ones(source[0].shape[1], bool)
    outside[max(left - 4, 0) : left + width + 4] = False
    assert outside.any()
    assert shown[3][:, outside, 1].mean() < 0.6 * source[3][:, outside, 1].mean()
    # an edited plan can be looked at as well
    whole = {**found.plan, "path": [{"t": 0.0, "x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0}]}
    vidprod.run(
        "ChangeVideoSize",
        params,
        device="cpu",
        output=tmp_path / "b.mp4",
        debug=tmp_path / "debug.mp4",
        plan=whole,
    )
    again = decode(tmp_path / "debug.mp4")
    assert again[3][:, outside, 1].mean() > 0.8 * source[3][:, outside, 1].mean()


def test_debug_is_refused_where_it_cannot_be(card: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"debug 'debug.png' must end in .mp4 or .mov"):
        vidprod.change_video_size(
            video_url=str(card), width=96, height=96, output=tmp_path / "a.mp4", debug=tmp_path / "debug.png"
        )
    with pytest.raises(InvalidParameter, match="SuperResolveVideo has nothing to show"):
        vidprod.run("SuperResolveVideo", {"video_url": str(card)}, debug="debug.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_tell_its_length(card: Path, tmp_path: Path) -> None:
    """The cover and the background are from its middle all the same."""
    path = tmp_path / "in.mkv"
    pictures = [np.full((64, 96, 3), 10 * n, np.uint8) for n in range(25)]
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    assert probe(path).duration is None
    found = vidprod.change_video_size(
        video_url=str(path), width=64, height=96, crop_type="fill", output=tmp_path / "a.mp4", device="cpu"
    )
    assert found.plan["fill"]["at"] == pytest.approx(0.48, abs=0.05)
    assert decode(tmp_path / "a.mp4")[0][4, 32].mean() == pytest.approx(120, abs=12)


def test_a_long_video_is_cut_off(card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidprod.actions.steps.change_video_size.LONGEST", Fraction(3, 25))
    for crop in ("cut", "smart"):
        out = tmp_path / f"{crop}.mp4"
        found = vidprod.change_video_size(
            video_url=str(card), width=64, height=96, crop_type=crop, output=out, device="cpu"
        )
        assert len(decode(out)) == 3
        assert "cut off after 0.12 seconds" in found.notes
        assert found.plan["end"] == 0.12


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_videos(count: int, card: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "in.mp4", decode(card, count))
    vidprod.change_video_size(video_url=str(short), width=64, height=96, output=tmp_path / "a.mp4", device="cpu")
    assert len(decode(tmp_path / "a.mp4")) == count
    assert (tmp_path / "a.jpg").is_file()


@pytest.mark.parametrize(("tightness", "seen"), [(0, 1.0), (0.6, 96 / 96.5)])
def test_nearly_the_same_shape_needs_no_analysis(tightness: float, seen: float, tmp_path: Path) -> None:
    from dataclasses import asdict

    from vidprod.actions.run import Context
    from vidprod.actions.steps.change_video_size import analyse

    path = write_clip(tmp_path / "in.mp4", [np.full((96, 160, 3), 90, np.uint8)] * 2)
    params = SPEC.params.parse({"VideoUrl": str(path), "Width": 640, "Height": 386, "Tightness": tightness})
    plan = asdict(analyse(params, Context.make("cpu")))
    (point,) = plan["path"]
    assert min(point["w"], point["h"]) == pytest.approx(seen, abs=1e-3)


def test_pixels_that_are_not_square(clip: Path, tmp_path: Path) -> None:
    wide = write_clip(tmp_path / "in.mp4", decode(clip, 6), sar=Fraction(2))  # 176x144, seen as 352x144
    made = picture_of(wide, tmp_path / "out.mp4", 176, 176, crop_type="fill", fill_type="color")
    rows = np.flatnonzero(made.mean((1, 2)) > 8)
    assert len(rows) == pytest.approx(72, abs=4)
    assert probe(tmp_path / "out.mp4").sample_aspect_ratio == 1


def test_odd_sizes_are_made_even(card: Path, tmp_path: Path) -> None:
    picture_of(card, tmp_path / "out.mp4", 75, 133, crop_type="cut")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, MissingParameter, "width is required|Width is required"),
        ({"Width": 31, "Height": 100}, InvalidParameter, "Width is 31: input should be greater than or equal to 32"),
        ({"Width": 100, "Height": 2161}, InvalidParameter, "Height is 2161: .* less than or equal to 2160"),
        ({"Width": "a", "Height": 100}, InvalidParameterFormat, "Width is 'a'"),
        (
            {"Width": 100, "Height": 100, "CropType": "zoom"},
            InvalidParameter,
            "CropType is 'zoom': .*'smart', 'fill' or 'cut'",
        ),
        ({"Width": 100, "Height": 100, "FillType": "blur"}, InvalidParameter, "FillType is 'blur'"),
        ({"Width": 100, "Height": 100, "Tightness": 1.1}, InvalidParameter, "Tightness is 1.1"),
        ({"Width": 100, "Height": 100, "R": 256}, InvalidParameter, "R is 256"),
        ({"Width": 100, "Height": 100, "B": -1}, InvalidParameter, "B is -1"),
    ],
)
def test_what_is_refused_at_once(given: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SPEC.params.parse({"VideoUrl": "in.mp4", **given})


def test_a_file_without_pictures(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0" * 16000)
    with pytest.raises(FileCategory):
        vidprod.change_video_size(video_url=str(path), width=64, height=64, output=tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == [path]
