from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.helpers import decode, psnr, write_clip
from tests.ops.logo_pictures import burned, logo, moving
from vidprod import cli
from vidprod.actions.erase_video_logo import SPEC, EraseVideoLogoParams
from vidprod.actions.run import Context, Result, run
from vidprod.actions.steps import erase_video_logo as steps
from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter
from vidprod.media.probe import probe
from vidprod.media.writer import VideoWriter
from vidprod.service.values import read

HEIGHT, WIDTH, COUNT = 160, 256, 40
LEFT, TOP = 96, 64
BOX = {"x": 92 / WIDTH, "y": 60 / HEIGHT, "w": 70 / WIDTH, "h": 38 / HEIGHT}


@pytest.fixture(scope="module")
def clean() -> torch.Tensor:
    return moving(COUNT, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def marked(clean: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translucent logo over pictures that change."""
    cover, colour = logo(HEIGHT, WIDTH, LEFT, TOP)
    return written(burned(clean, cover, colour, 0.5), tmp_path_factory.mktemp("logo") / "marked.mp4")


@pytest.fixture(scope="module")
def erased(marked: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return erase(marked, tmp_path_factory.mktemp("logo") / "erased.mp4", boxes=[BOX])


def written(pictures: torch.Tensor, path: Path) -> Path:
    arrays: list[NDArray[np.uint8]] = list(pictures.to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return write_clip(path, arrays, crf="8")


def erase(source: Path, output: Path, *, plan: dict[str, Any] | None = None, **params: Any) -> Result:
    values = EraseVideoLogoParams.parse({"video_url": str(source), **params})
    return run(SPEC, values, output, Context.make("cpu"), plan=plan)


def pictures(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.stack(decode(path))).permute(0, 3, 1, 2)


def test_a_translucent_logo_in_a_box(marked: Path, erased: Result, clean: torch.Tensor) -> None:
    (found,) = erased.plan["logos"]
    assert found["kind"] == "unblend"
    assert found["alpha"] == pytest.approx(0.5, abs=0.1)
    assert erased.report["frames_changed"] == COUNT
    assert erased.report["share_real"] > 0.3
    cover, _ = logo(HEIGHT, WIDTH, LEFT, TOP)
    there = (cover > 0.02).numpy()
    before, after, truth = (x.float().numpy()[..., there] for x in (pictures(marked), pictures(erased.video), clean))
    assert psnr(after, truth, 255) > psnr(before, truth, 255) + 8


def test_outside_the_logo_pictures_stay_as_they_were_decoded(
    marked: Path, erased: Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[NDArray[np.uint8]] = []

    class Recorder(VideoWriter):
        def write_native(self, frame: Any) -> None:
            given.append(frame.to_ndarray())
            super().write_native(frame)

    monkeypatch.setattr(steps, "VideoWriter", Recorder)
    erase(marked, tmp_path / "out.mp4", plan=erased.plan)
    import av

    with av.open(str(marked)) as container:
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
    changed = np.any(np.stack(given) != np.stack(decoded), axis=0)[:HEIGHT]
    left, top, right, bottom = LEFT - 6, TOP - 6, LEFT + 72, TOP + 36
    assert changed[top:bottom, left:right].any()
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_the_plan_can_be_kept_and_edited(marked: Path, erased: Result, tmp_path: Path) -> None:
    plan = json.loads(json.dumps(erased.plan))
    again = erase(marked, tmp_path / "again.mp4", plan=plan)
    assert again.plan == erased.plan
    assert torch.equal(pictures(again.video), pictures(erased.video))
    plan["logos"][0] |= {"matte": None, "kind": "inpaint", "alpha": 1.0, "spans": [{"start": 0.4, "end": 0.8}]}
    part = erase(marked, tmp_path / "part.mp4", plan=plan)
    assert part.report["frames_changed"] == 10
    plan["logos"] = []
    none = erase(marked, tmp_path / "none.mp4", plan=plan)
    assert none.report["frames_changed"] == 0


def test_without_a_logo_the_video_is_unchanged(clean: torch.Tensor, tmp_path: Path) -> None:
    source = written(clean, tmp_path / "clean.mp4")
    result = erase(source, tmp_path / "out.mp4")
    assert result.plan["logos"] == []
    assert result.report["frames_changed"] == 0
    assert any("no logo was found" in note for note in result.notes)
    assert probe(result.video).frame_count == COUNT
    assert psnr(pictures(result.video), pictures(source)) > 35


def test_a_whole_frame_box_finds_what_no_box_finds(marked: Path, tmp_path: Path) -> None:
    for boxes in ([], [{"w": 1, "h": 1}]):
        result = erase(marked, tmp_path / "out.mp4", boxes=boxes)
        (found,) = result.plan["logos"]
        box = found["box"]
        assert abs(box["x"] * WIDTH - LEFT) < 8
        assert abs(box["y"] * HEIGHT - TOP) < 8


def test_results_do_not_depend_on_the_batch(
    marked: Path, erased: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "batch", 3)
    other = erase(marked, tmp_path / "other.mp4", plan=erased.plan)
    assert int((pictures(other.video).int() - pictures(erased.video).int()).abs().max()) <= 2


def test_boxes_on_the_wire() -> None:
    url = {"VideoUrl": "http://h/a.mp4"}
    values = read(
        EraseVideoLogoParams,
        {**url, "Boxes.2.W": "0.2", "Boxes.2.H": "1", "Boxes.5.X": "0.9", "Boxes.5.W": "1"} | {"Boxes.5.H": "0.5"},
    )
    assert [(box.x, box.y, box.w, box.h) for box in values.boxes] == [(0, 0, 0.2, 1), (0.9, 0, 1, 0.5)]
    assert read(EraseVideoLogoParams, url).boxes == ()
    with pytest.raises(MissingParameter, match=r"Boxes\.3\.H"):
        read(EraseVideoLogoParams, {**url, "Boxes.3.W": "0.2"})
    with pytest.raises(InvalidParameterFormat, match=r"Boxes\.1\.W"):
        read(EraseVideoLogoParams, {**url, "Boxes.1.W": "wide", "Boxes.1.H": "1"})


@pytest.mark.parametrize(
    ("side", "value", "allowed"),
    [("X", "-0.1", "0"), ("X", "1", "1"), ("Y", "1.5", "1"), ("W", "0", "0"), ("W", "1.1", "1"), ("H", "-1", "0")],
)
def test_boxes_that_are_refused(side: str, value: str, allowed: str) -> None:
    values = {"VideoUrl": "http://h/a.mp4", "Boxes.4.W": "0.2", "Boxes.4.H": "0.2", f"Boxes.4.{side}": value}
    with pytest.raises(InvalidParameter, match=rf"^Boxes\.4\.{side} is .*{allowed}$"):
        read(EraseVideoLogoParams, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logos": 3}, "logos is 3"),
        ({"more": 1}, "'more'"),
        ({"width": 0}, "width is 0"),
        ({"logos": [{"box": {}}]}, r"logos\[0\]"),
        ({"kind": "paint"}, r"logos\[0\]\.kind is 'paint', must be unblend or inpaint"),
        ({"alpha": 2}, r"logos\[0\]\.alpha is 2"),
        ({"matte": None}, r"logos\[0\] has no matte"),
        ({"matte": {}}, r"logos\[0\]\.matte"),
        ({"spans": [{"start": 2, "end": 1}]}, r"logos\[0\]\.spans\[0\]"),
        ({"box": {"x": 0, "y": 0, "w": 2, "h": 1}}, r"logos\[0\]\.box\.w is 2"),
    ],
)
def test_plans_that_are_refused(erased: Result, change: dict[str, Any], message: str) -> None:
    plan = json.loads(json.dumps(erased.plan))
    target = plan if set(change) & {"logos", "more", "width"} else plan["logos"][0]
    target.update(change)
    with pytest.raises(InvalidParameter, match=message):
        steps.load_plan(plan)


def test_a_matte_that_is_damaged_is_refused(erased: Result) -> None:
    for key, value in (("planes", "AAAA"), ("box", [0, 0, 9, 9999]), ("structure", None), ("support", {}), ("kind", 1)):
        plan = json.loads(json.dumps(erased.plan))
        plan["logos"][0]["matte"][key] = value
        with pytest.raises(InvalidParameter):
            steps.load_plan(plan)


def test_a_plan_of_another_size_is_refused(marked: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"for pictures of 99x160, these are 256x160"):
        erase(marked, tmp_path / "out.mp4", plan={"width": 99, "height": 160, "logos": []})


def test_the_command_line(marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> int:
        with pytest.raises(SystemExit) as caught:
            cli.main(["erase-video-logo", str(marked), "-o", str(tmp_path / "out.mp4"), "--device", "cpu", *arguments])
        return int(caught.value.code or 0)

    boxes = ",".join(f"{BOX[side]:.4f}" for side in "xywh")
    plan = tmp_path / "plan.json"
    assert command("--box", boxes, "--box", "0.7,0.7,0.2,0.2", "--plan", str(plan), "--quiet") == 0
    assert len(json.loads(plan.read_text())["logos"]) >= 1
    assert command("--box", "0.1,0.2,0.3") != 0
    assert "--box is '0.1,0.2,0.3', must be X,Y,W,H" in capsys.readouterr().err
