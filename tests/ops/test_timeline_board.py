"""The picture of a short: what it shows where, whatever its files are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.helpers import write_clip
from tests.ops.timelines import short
from vidprod.actions.run import plan_to_dict
from vidprod.errors import FileDecode, InvalidParameter
from vidprod.ops import board_drawing
from vidprod.ops.board_drawing import EDGE, PICK, WIDTH, across, legible, write
from vidprod.ops.timeline import Shot, Source, Timeline
from vidprod.ops.timeline_board import TOP, board
from vidprod.ops.timeline_strip import BELOW, STRIP

COLOURS = ((200, 40, 40), (40, 160, 60), (40, 60, 200))  # of the shots of the film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds of what `short()` would be: one colour for each shot."""
    picture = [np.broadcast_to(np.array(colour, np.uint8), (64, 36, 3)) for colour in COLOURS]
    numbers = [0 if at < 15 else 1 if at < 30 else 2 for at in range(45)]
    return write_clip(tmp_path_factory.mktemp("film") / "short.mp4", [picture[at] for at in numbers], rate=5)


def drawn(timeline: Timeline, film: Path, folder: Path) -> np.ndarray:
    paths = [folder / source.name for source in timeline.sources]
    board(plan_to_dict(timeline), paths, film, folder / "board.png")
    return np.asarray(Image.open(folder / "board.png").convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray(np.abs(picture - np.array(colour)).max(-1) < 30)


def test_the_strip_shows_shots_at_their_times_and_each_has_a_card(film: Path, tmp_path: Path) -> None:
    sheet = drawn(short(), film, tmp_path)
    assert sheet.shape[1] == WIDTH
    strip = TOP + 60  # a row through the strip
    for colour, seconds in zip(COLOURS, ((0, 3), (3, 6), (6, 9)), strict=True):
        columns = np.flatnonzero(near(sheet[strip], colour))
        assert columns.min() == pytest.approx(across(seconds[0], 9), abs=3)
        assert columns.max() == pytest.approx(across(seconds[1], 9), abs=3)
    cards = sheet[sheet.shape[0] // 2 :]
    assert all(near(cards, colour).sum() > 5000 for colour in COLOURS)
    assert not near(sheet[strip : strip + 1, across(2, 9) : across(4, 9)], PICK).any()
    bar = np.flatnonzero(near(sheet[TOP - 6], PICK))  # above the transition
    assert (bar.min(), bar.max()) == (across(2.6, 9), across(3.4, 9))
    cut = np.flatnonzero(near(sheet[TOP - 3], board_drawing.INK))
    assert set(cut) == {across(6, 9) - 1, across(6, 9)}


def test_beats_are_where_they_are_heard(film: Path, tmp_path: Path) -> None:
    sheet = drawn(short(), film, tmp_path)
    row = TOP + STRIP + BELOW + 10  # through the upper ends of the thick lines
    found = np.flatnonzero(near(sheet[row], board_drawing.INK))
    assert set(found) == {across(at, 9) - bar for at in (1, 3, 5, 7) for bar in (0, 1)}


def test_files_that_are_not_used_are_shown_and_may_be_broken(film: Path, tmp_path: Path) -> None:
    plain = drawn(short(), film, tmp_path)
    Image.new("RGB", (80, 60), (250, 0, 250)).save(tmp_path / "shoe.png")
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    more = (Source("shoe.png", "image"), Source("cut.mp4", "video"), Source("other.mp3", "audio"))
    sheet = drawn(short(sources=(*short().sources, *more)), film, tmp_path)
    assert sheet.shape[0] > plain.shape[0] + 50
    pink = near(sheet, (251, 88, 250))  # pale
    assert 5000 < pink.sum() < 20000
    assert not near(plain, (251, 88, 250)).any()


def test_many_shots_with_names_of_any_script(film: Path, tmp_path: Path) -> None:
    names = ("秋季新款连衣裙" * 6, "👗👗", "夏.jpg", "x" * 300)
    sources = tuple(Source(name, "image") for name in names)
    shots = tuple(Shot(at % 4, 0, 1, at * 9 / 40, (at + 1) * 9 / 40, "motion") for at in range(40))
    changes = {"sources": sources, "shots": shots, "transitions": (), "sound": None}
    sheet = drawn(short(**changes), film, tmp_path)
    assert sheet.shape[0] > 1500  # six rows of cards
    assert near(sheet[600:, WIDTH - EDGE + 2 :], board_drawing.PAPER).all()  # no name goes beyond the edge


@pytest.mark.parametrize("there", [True, False], ids=["with the system's fonts", "without"])
def test_names_that_cannot_be_drawn_get_a_number(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not there:
        monkeypatch.setattr(board_drawing, "fonts", lambda: ())
    assert legible("dress.jpg", "file 1") == "dress.jpg"
    assert legible("👗👗.jpg", "file 3") == "file 3"
    assert legible("robe d'été.jpg", "file 4") == "robe d'été.jpg"
    assert legible("裙子.jpg", "file 2") == ("裙子.jpg" if there and board_drawing.fonts() else "file 2")


def test_lines_are_cut_off_at_their_width() -> None:
    for text in ("a line that is too long", "iiii", "", "two\nlines", "裙\udcff子"):
        sheet = Image.new("RGB", (300, 40), "white")
        write(ImageDraw.Draw(sheet), (10, 5), text, (0, 0, 0), 16, 100)
        ink = np.flatnonzero(np.asarray(sheet).min((0, 2)) < 200)
        assert not len(ink) or (ink.min() >= 9 and ink.max() <= 111)


def test_what_is_wrong_is_told(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"^paths are 1, must be 4, one for each source of the plan$"):
        board(short(), [film], film, tmp_path / "out.png")
    wrong = plan_to_dict(short(shots=(*short().shots[:3], replace(short().shots[3], source=9))))
    with pytest.raises(InvalidParameter, match=r"^shots\[3\].source is 9"):
        board(wrong, [film] * 4, film, tmp_path / "out.png")
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(FileDecode, match=r"^empty\.mp4 is empty$"):
        board(short(), [film] * 4, empty, tmp_path / "out.png")
    assert not list(tmp_path.glob("*.png"))
