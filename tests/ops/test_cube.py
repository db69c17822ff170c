from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidprod.errors import InvalidParameter
from vidprod.ops.cube import parse_cube, read_cube, write_cube
from vidprod.ops.lut import Lut1D, Lut3D, LutChain

CURVES = "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n"
TABLE = "LUT_3D_SIZE 2\n" + "".join(f"{r} {g} {b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1))


def test_red_runs_fastest() -> None:
    table = parse_cube(TABLE).table
    assert table is not None
    assert table.table[1, 0, 0].tolist() == [1, 0, 0]
    assert torch.equal(table.table, Lut3D.identity(2).table)


def test_the_dialects(tmp_path: Path) -> None:
    text = 'TITLE "A \tname"\n# text\nDOMAIN_MAX 1 2 3\n\nLUT_1D_SIZE\t3\n0 0 0\n# more\n.5 +1e0 1.5\n1 1 1\n'
    (tmp_path / "a.cube").write_text(text, encoding="utf-8-sig")
    adobe = read_cube(tmp_path / "a.cube")
    assert adobe.title == "A \tname"
    assert adobe.curves is not None
    assert adobe.curves.domain_max == (1.0, 2.0, 3.0)
    assert adobe.curves.table.tolist() == [[0, 0, 0], [0.5, 1, 1.5], [1, 1, 1]]
    resolve = parse_cube(
        "lut_1d_size 2\r\nLUT_1D_INPUT_RANGE -1 3\r\nLUT_3D_SIZE 2\r\nLUT_3D_INPUT_RANGE 0 4\r\n9 9 9\r\n8 8 8\r\n"
        + "1 2 3\r\n" * 8,
        "name.cube",
    )
    assert resolve.title == "name.cube"
    assert resolve.curves is not None
    assert resolve.table is not None
    assert (resolve.curves.domain_min, resolve.curves.domain_max) == ((-1.0,) * 3, (3.0,) * 3)
    assert (resolve.table.domain_min, resolve.table.domain_max) == ((0.0,) * 3, (4.0,) * 3)
    assert resolve.curves.table[0, 0] == 9
    assert torch.equal(resolve.table.table[1, 1, 1], torch.tensor([1.0, 2.0, 3.0]))


def test_video_range_is_brought_to_full_range() -> None:
    """Black is code 64 of 1023, white 940; outside of the table everything has full range."""
    plain = parse_cube("LUT_IN_VIDEO_RANGE\nLUT_OUT_VIDEO_RANGE\n" + TABLE)
    colors = torch.rand(50, 3)
    assert torch.allclose(plain(colors), colors, atol=1e-6)
    only_in = parse_cube("LUT_IN_VIDEO_RANGE\n" + TABLE)
    assert torch.allclose(only_in(torch.tensor([[0.0, 1.0, 0.5]])), torch.tensor([[64.0, 940, 502]]) / 1023, atol=1e-6)


def broken(text: str, name: str = "x.cube") -> str:
    with pytest.raises(InvalidParameter) as caught:
        parse_cube(text, name)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("LUT_3D_SIZE 2\n0 0 0\n", 2, "ends after 1 rows of numbers, LUT_3D_SIZE 2 need 8"),
        (TABLE + "0 0 0\n", 10, "more than the 8 rows"),
        (CURVES.replace("1 1 1", "1 1"), 3, "has 2 numbers, must have 3"),
        (CURVES.replace("1 1 1", "1 x 1"), 3, "must be 3 numbers"),
        (CURVES.replace("1 1 1", "1 nan 1"), 3, "must be finite"),
        (CURVES.replace("1 1 1", "inf 1 1"), 3, "must be finite"),
        (CURVES.replace("1 1 1", "1e39 1 1"), 3, "must be finite"),
        (CURVES.replace("1 1 1", "1,0 1,0 1,0"), 3, "must be 3 numbers"),
        ("0 0 0\n", 1, "numbers before LUT_1D_SIZE or LUT_3D_SIZE"),
        ("LUT_3D_SIZE 1\n", 1, "must be a whole number in 2..256"),
        ("LUT_3D_SIZE 1000\n", 1, "must be a whole number in 2..256"),
        ("LUT_3D_SIZE 2.5\n", 1, "must be a whole number"),
        ("LUT_3D_SIZE\n", 1, "must be a whole number"),
        ("LUT_1D_SIZE 99999999999\n", 1, "must be a whole number in 2..65536"),
        ("LUT_3D_SIZE 2\nLUT_3D_SIZE 2\n", 2, "given twice"),
        (CURVES + "LUT_3D_SIZE 2\n", 4, "after the first row"),
        ("DOMAIN_MIN 0 0\n", 1, "has 2 numbers, must have 3"),
        ("DOMAIN_MIN 0 0 0\nDOMAIN_MIN 0 0 0\n", 2, "given twice"),
        ("LUT_3D_INPUT_RANGE 0 zero\n", 1, "must be 2 numbers"),
        ("PRESET film\n", 1, "'PRESET' is neither a row of numbers nor one of TITLE"),
        ("<html>\n", 1, "neither a row of numbers"),
        ("# " + "x" * 2000 + "\n", 1, "more than 1000 characters"),
    ],
)
def test_errors_name_the_line(text: str, line: int, reason: str) -> None:
    message = broken(text)
    assert f"LUT x.cube, line {line}: " in message
    assert reason in message


def test_errors_of_the_whole_file() -> None:
    assert "neither LUT_1D_SIZE nor LUT_3D_SIZE" in broken("")
    assert "must be above" in broken("DOMAIN_MAX 1 0 1\n" + CURVES)
    assert "must be above" in broken("LUT_1D_INPUT_RANGE 1 1\n" + CURVES)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"absent\.cube.*No such file"):
        read_cube(tmp_path / "absent.cube")
    with pytest.raises(InvalidParameter, match="directory"):
        read_cube(tmp_path)
    (tmp_path / "video.cube").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(InvalidParameter, match=r"video\.cube, line 1: "):
        read_cube(tmp_path / "video.cube")


@pytest.mark.parametrize(
    "chain",
    [
        LutChain(table=Lut3D.of(lambda c: c.flip(-1) ** 2, 5), title='Film "one"'),
        LutChain(table=Lut3D(torch.rand(3, 3, 3, 3) * 3 - 1, (-0.5, 0.0, 0.0), (1.0, 2.0, 3.0))),
        LutChain(curves=Lut1D(torch.rand(300, 3), (0.0, 0.0, -0.125), (1.0, 1.0, 1.0))),
        LutChain(
            Lut1D(torch.rand(17, 3), (-0.25,) * 3, (2.0,) * 3), Lut3D(torch.rand(4, 4, 4, 3), (0.0,) * 3, (1.5,) * 3)
        ),
    ],
)
def test_what_is_written_is_read_back(chain: LutChain, tmp_path: Path) -> None:
    write_cube(tmp_path / "a.cube", chain, comment="two\nlines")
    back = read_cube(tmp_path / "a.cube")
    assert back.title == (chain.title.replace('"', "") or "a.cube")
    for ours, theirs in ((chain.curves, back.curves), (chain.table, back.table)):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert (ours.domain_min, ours.domain_max) == (theirs.domain_min, theirs.domain_max)
            assert torch.allclose(ours.table, theirs.table, atol=6e-8, rtol=0)


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="empty"):
        write_cube(tmp_path / "a.cube", LutChain())
    uneven = Lut3D(torch.zeros(2, 2, 2, 3), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0))
    with pytest.raises(InvalidParameter, match="another domain for each channel"):
        write_cube(tmp_path / "a.cube", LutChain(Lut1D(torch.zeros(2, 3)), uneven))
    assert list(tmp_path.iterdir()) == []


def test_real_files(media: Path) -> None:
    """The test files of colour-science and OpenColorIO, and what is known of each."""
    known = {
        "iridas_Demo": (3, 0),
        "iridas_eotf_sRGB_3D": (0, 8),
        "ocio_iridas_1d": (5, 0),
        "ocio_iridas_3d": (0, 2),
        "ocio_resolve_1d3d": (6, 3),
        "resolve_ACES_Proxy_10_to_ACES": (32, 0),
        "resolve_Colour_Correct": (0, 4),
        "resolve_Demo": (3, 0),
        "resolve_LogC_Video": (16, 4),
        "resolve_RGB_1_0.5_0.25": (0, 4),
        "resolve_Three_Dimensional_Table": (0, 2),
        "resolve_Three_Dimensional_Table_With_Shaper": (10, 3),
        "resolve_Unit": (0, 4),
        "resolve_eotf_sRGB_3D": (0, 8),
    }
    for name, sizes in known.items():
        chain = read_cube(media / "luts" / f"{name}.cube")
        found = tuple(0 if part is None else part.size for part in (chain.curves, chain.table))
        assert found == sizes, name
    scaled = read_cube(media / "luts" / "resolve_RGB_1_0.5_0.25.cube")
    colors = torch.rand(100, 3)
    assert torch.allclose(scaled(colors), colors * torch.tensor([1, 0.5, 0.25]), atol=1e-5)
    srgb = read_cube(media / "luts" / "iridas_eotf_sRGB_3D.cube")
    assert srgb(torch.tensor([[-0.1, -0.15, -0.2]])).tolist() == [pytest.approx([-0.0077399, -0.0116099, -0.0154799])]
