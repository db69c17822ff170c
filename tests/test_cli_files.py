"""Commands that take several files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cyclopts import App

from tests.actions.gather_steps import STANDIN
from vidprod import cli
from vidprod.cli import actions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three files, in which commands run; stand-ins for the steps of GenerateVideo."""
    registry = {"GenerateVideo": STANDIN}
    monkeypatch.setattr("vidprod.actions.naming.ACTIONS", registry)
    monkeypatch.setattr(actions, "ACTIONS", registry)
    app = App(name="vidprod")
    actions.add_to(app)
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.chdir(tmp_path)
    for name in ("one.mp4", "two.png", "three.wav", "notes.txt", "[a].mp4"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([*map(str, arguments), "--device", "cpu"])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_files_before_and_between_options(folder: Path) -> None:
    more = ["--no-smart-effect", "--duration-adaption", "--width", "64", "--quiet"]
    assert run("generate-video", "one.mp4", "two.png", "-o", "out.mp4", "three.wav", *more) == 0
    made = json.loads((folder / "out.mp4").read_text())
    assert made["contents"] == ["one.mp4", "two.png", "three.wav"]
    assert made["types"] == ["video", "image", "audio"]
    assert (made["smart_effect"], made["seconds"], made["size"]) == (False, None, [64, 64])
    assert (folder / "out.jpg").exists()


def test_the_clouds_own_spelling(folder: Path) -> None:
    files = json.dumps([{"FileName": "photo", "FileUrl": "two.png", "Type": "image"}, "[a].mp4"])
    options = ["--FileList", "one.mp4", "--FileList", files, "--SmartEffect=false", "--Duration", "7"]
    assert run("GenerateVideo", *options, "-o", "out.mp4", "--quiet") == 0
    made = json.loads((folder / "out.mp4").read_text())
    assert made["names"] == ["one.mp4", "photo", "[a].mp4"]
    assert made["contents"] == ["one.mp4", "two.png", "[a].mp4"]
    assert (made["smart_effect"], made["seconds"]) == (False, 7)


def test_a_name_that_looks_like_json_is_a_name(folder: Path) -> None:
    assert run("generate-video", "[a].mp4", "-o", "out.mp4", "--quiet") == 0
    assert json.loads((folder / "out.mp4").read_text())["contents"] == ["[a].mp4"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "MissingParameter: FILE is required"),
        (["one.mp4", "notes.txt"], "InvalidParameter: FileList.2 is 'notes.txt': must end in one of .mp4"),
        (["three.wav"], "InvalidParameter: FileList has no video and no image"),
        (["one.mp4", "two.png", "none.jpg"], "InvalidFile.Download: FileList.3.FileUrl: none.jpg: No such file"),
        (["one.mp4"] * 6, "InvalidParameter: FileList has 6 files of Type video: at most 5"),
        (['{"FileUrl": "one.mp4", "Type": "video"}'], "MissingParameter: FileList.1.FileName is required"),
        (["one.mp4", "--transition-style", "swipe"], "InvalidParameter: "),
        (["one.mp4", "--duration", "0"], "InvalidParameter: duration is 0"),
        (["one.mp4", "--plan", "a.srt"], "InvalidParameter: --plan a.srt: only erase-video-subtitles has times"),
        (["one.mp4", "--storyboard", "a.jpg"], "InvalidParameter: storyboard 'a.jpg' must end in .png"),
        (
            ["one.mp4", "two.png", "--cover", "two.png"],
            "InvalidParameter: cover 'two.png' would overwrite an input file",
        ),
        (["one.mp4", "--plan", "out.mp4"], "InvalidParameter: --plan 'out.mp4' is also --output; name another"),
        (["one.mp4", "--plan", "none/plan.json"], "InternalServerError: cannot write none/plan.json: "),
        (["one.mp4", "--cover", "none/c.jpg"], "InternalServerError: cannot write none/c.jpg: "),
    ],
)
def test_what_is_wrong_is_one_line(
    files: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(folder.iterdir())
    assert run("generate-video", *files, "-o", "out.mp4") == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert set(folder.iterdir()) == before


def test_a_plan_for_an_editing_program_names_the_files_where_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("vidprod.ops.timeline_otio")
    monkeypatch.setattr(module, "otio_json", lambda plan, paths: json.dumps([plan["names"], paths]), raising=False)
    monkeypatch.setitem(sys.modules, "vidprod.ops.timeline_otio", module)
    more = ["--plan", "cut.otio", "--storyboard", "board.png", "--cover", "c.jpg", "--quiet"]
    assert run("generate-video", "one.mp4", "two.png", "-o", "out.mp4", *more) == 0
    assert json.loads((folder / "cut.otio").read_text()) == [
        ["one.mp4", "two.png"],
        [str(folder / "one.mp4"), str(folder / "two.png")],
    ]
    assert json.loads((folder / "board.png").read_text())["video"] == "out.mp4"
    assert (folder / "c.jpg").exists()


def test_a_plan_is_rendered_again(folder: Path) -> None:
    assert run("generate-video", "one.mp4", "-o", "a.mp4", "--plan", "plan.json", "--quiet") == 0
    plan = json.loads((folder / "plan.json").read_text()) | {"seconds": 3.0}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    assert run("generate-video", "one.mp4", "-o", "b.mp4", "--from-plan", "plan.json", "--quiet") == 0
    assert json.loads((folder / "b.mp4").read_text())["seconds"] == 3.0
    assert run("change-video-size", "one.mp4", "-o", "b.mp4") == 2  # not in this registry


def test_help_names_what_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["generate-video", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for word in ("FILE", "--scene", "--no-smart-effect", "--puzzle-effect", "--duration-adaption", "--mute", ".otio"):
        assert word in text
