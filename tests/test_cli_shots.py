from __future__ import annotations

import json
from pathlib import Path

import pytest

import vidprod
from tests.helpers import decode, write_clip
from vidprod import cli
from vidprod.errors import Cancelled, FileDownload
from vidprod.ops.shots import ShotPlan


@pytest.fixture(scope="module")
def two(bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes of 20 pictures, 25 a second."""
    pictures = [picture[::4, ::4] for picture in decode(bikes, 50)[10:50]]
    return write_clip(tmp_path_factory.mktemp("two") / "two.mp4", pictures)


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["shots", *map(str, arguments), "--device", "cpu"])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_shots_are_printed_as_json(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "--quiet") == 0
    printed = capsys.readouterr()
    plan = ShotPlan.from_dict(json.loads(printed.out))
    assert [(s.first, s.stop, s.start, s.end) for s in plan.shots] == [(0, 20, 0.0, 0.8), (20, 40, 0.8, 1.6)]
    assert [t.kind for t in plan.transitions] == ["cut"]
    assert printed.err == ""
    assert plan == vidprod.shots(two, device="cpu")


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("a.edl", [], "002  AX       V     C        00:00:00:20 00:00:01:15 00:00:00:20 00:00:01:15"),
        ("a.csv", [], "2,20,40,0.800000,1.600000,cut,20,20"),
        ("a.otio", [], ' "OTIO_SCHEMA": "Timeline.1",'),
        ("a.txt", ["--format", "csv"], "1,0,20,0.000000,0.800000,,,"),
    ],
)
def test_the_format_is_that_of_the_file(
    name: str, options: list[str], line: str, two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(two, "-o", tmp_path / name, *options) == 0
    assert line in (tmp_path / name).read_text(encoding="utf-8").splitlines()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "xml"], "--format is 'xml': must be one of json, csv, edl, otio"),
        (["-o", "shots.xml"], "'xml'"),
        (["-o", "nowhere/shots.csv"], "is not a folder"),
    ],
)
def test_bad_options_end_with_one_line(
    options: list[str],
    words: str,
    two: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(two, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("InvalidParameter: ")
    assert words in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "absent.mp4") == 2
    assert capsys.readouterr().err.startswith("InvalidFile.Download: ")
    with pytest.raises(FileDownload):
        vidprod.shots(tmp_path / "absent.mp4", device="cpu")


def test_it_can_be_stopped(two: Path) -> None:
    with pytest.raises(Cancelled):
        vidprod.shots(two, device="cpu", cancelled=lambda: True)
