"""Pictures of every kind that people hand in come out upright, in 8-bit sRGB; what cannot be read is refused by its proper name."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile
from PIL.Image import Transpose

from tests.helpers import noise, psnr, write_clip
from tests.media import pictures
from tests.media.pictures import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, encoded, packed, png, ramp, rows
from vidprod.errors import FileContent, FileDecode, FileDownload, FileResolution, FileType, InvalidFile
from vidprod.media.still import MAX_PIXELS, Still, _fitting, read_still

H, W = 40, 56
SRGB = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)  # primaries, adapted to D50
ADOBE = (0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)


def _read(tmp_path: Path, content: bytes, name: str = "picture", **options: int) -> Still:
    path = tmp_path / name
    path.write_bytes(content)
    still = read_still(path, **options)
    assert still.picture.dtype == torch.uint8
    assert still.picture.is_contiguous()
    assert still.picture.shape[0] == 3
    if still.alpha is not None:
        assert still.alpha.dtype == torch.uint8
        assert still.alpha.shape == (1, *still.picture.shape[1:])
    return still


def _array(still: Still) -> np.ndarray:
    return still.picture.permute(1, 2, 0).numpy().astype(int)


def _refused(tmp_path: Path, content: bytes, kind: type[InvalidFile], text: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(kind, match=text) as caught:
        read_still(path)
    assert type(caught.value) is kind
    assert caught.value.message.startswith("bad.jpg")


_BACK = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, format: str, orientation: int) -> None:
    upright = Image.fromarray(ramp(H, W))
    back = _BACK[orientation]
    stored = upright if back is None else upright.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    special: dict[str, dict[str, Any]] = {"jpeg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}
    options = special.get(format, {})
    still = _read(tmp_path, encoded(stored, format, exif=exif, **options))
    assert psnr(_array(still), ramp(H, W)) > 40
    small = _read(tmp_path, encoded(stored, format, exif=exif, **options), side=28)
    assert small.picture.shape == (3, 20, 28)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_there_is_not(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (_array(_read(tmp_path, encoded(ramp(), "png", exif=exif))) == ramp()).all()


def test_damaged_exif_is_left_out(tmp_path: Path) -> None:
    jpeg = encoded(ramp(), "jpeg")
    data = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 30
    still = _read(tmp_path, jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:])
    assert still.picture.shape == (3, H, W)


_WIDE = np.arange(H * W, dtype=np.uint16).reshape(H, W) * 29  # all of 16 bits
_DEEP = ramp().astype(np.uint16) * 257
_FEW = (np.arange(H * W).reshape(H, W) % 4).astype(np.uint8)
_COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], np.uint8)
_PLTE = chunk(b"PLTE", _COLOURS.tobytes())


def _trns(*values: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


# name: (file, what is expected (H, W, 3), alpha (H, W) or None)
KINDS: dict[str, tuple[bytes, np.ndarray, np.ndarray | None]] = {
    "grey 16": (png((W, H), 16, GREY, rows(_WIDE)), _grey(np.round(_WIDE / 257)), None),
    "grey 16, key": (
        png((W, H), 16, GREY, rows(_WIDE), _trns(int(_WIDE[3, 5]))),
        _grey(np.round(_WIDE / 257)),
        np.where(_WIDE[3, 5] == _WIDE, 0, 255),
    ),
    "RGB 16": (png((W, H), 16, RGB, rows(_DEEP)), ramp(), None),
    "RGB 16, key": (
        png((W, H), 16, RGB, rows(_DEEP), _trns(*map(int, _DEEP[3, 5]))),
        ramp(),
        np.where((_DEEP[3, 5] == _DEEP).all(2), 0, 255),
    ),
    "grey 16 and alpha": (
        png((W, H), 16, GREY_ALPHA, rows(np.stack([_WIDE, _WIDE.T.reshape(H, W)], -1))),
        _grey(_WIDE >> 8),
        _WIDE.T.reshape(H, W) >> 8,
    ),
    "RGBA 16": (
        png((W, H), 16, RGBA, rows(np.concatenate([_DEEP, np.full((H, W, 1), 0x40FF, np.uint16)], -1))),
        ramp(),
        np.full((H, W), 0x40),
    ),
    "grey 1": (png((W, H), 1, GREY, packed((_FEW & 1).astype(np.uint8), 1)), _grey((_FEW & 1) * 255), None),
    "grey 1, key": (
        png((W, H), 1, GREY, packed((_FEW & 1).astype(np.uint8), 1), _trns(1)),
        _grey((_FEW & 1) * 255),
        np.where(_FEW & 1, 0, 255),
    ),
    "grey 2, key": (png((W, H), 2, GREY, packed(_FEW, 2), _trns(2)), _grey(_FEW * 85), np.where(_FEW == 2, 0, 255)),
    "grey 4, key": (png((W, H), 4, GREY, packed(_FEW, 4), _trns(3)), _grey(_FEW * 17), np.where(_FEW == 3, 0, 255)),
    "RGB 8, key": (
        png((W, H), 8, RGB, rows(ramp()), _trns(*map(int, ramp()[3, 5]))),
        ramp(),
        np.where((ramp() == ramp()[3, 5]).all(2), 0, 255),
    ),
    "grey and alpha": (
        png((W, H), 8, GREY_ALPHA, rows(np.stack([_FEW * 60, 255 - _FEW], -1))),
        _grey(_FEW * 60),
        255 - _FEW,
    ),
    "palette 2": (png((W, H), 2, PALETTE, packed(_FEW, 2), _PLTE), _COLOURS[_FEW], None),
    "palette, one is clear": (
        png((W, H), 8, PALETTE, rows(_FEW), _PLTE, chunk(b"tRNS", b"\xff\x00")),
        _COLOURS[_FEW],
        np.where(_FEW == 1, 0, 255),
    ),
    "palette, shades of clear": (
        png((W, H), 8, PALETTE, rows(_FEW), _PLTE, chunk(b"tRNS", b"\x80\x40\xff\x01")),
        _COLOURS[_FEW],
        np.array([0x80, 0x40, 0xFF, 0x01])[_FEW],
    ),
    "opaque alpha": (png((W, H), 8, RGBA, rows(np.dstack([ramp(), np.full((H, W), 255, np.uint8)]))), ramp(), None),
    "BMP 24": (encoded(ramp(), "bmp"), ramp(), None),
    "BMP 32": (encoded(np.dstack([ramp(), _FEW * 80]), "bmp"), ramp(), None),  # a fourth byte that has no meaning
    "BMP 32, alpha": (pictures.bmp32(np.dstack([ramp(), _FEW * 80])), ramp(), _FEW * 80),
    "BMP 32, alpha never meant": (pictures.bmp32(np.dstack([ramp(), _FEW * 0])), ramp(), None),
    "BMP palette": (
        encoded(Image.fromarray(_FEW * 80).convert("P", palette=Image.Palette.ADAPTIVE), "bmp"),
        _grey(_FEW * 80),
        None,
    ),
    "BMP 1": (encoded(Image.fromarray((_FEW & 1) * 255).convert("1"), "bmp"), _grey((_FEW & 1) * 255), None),
    "WebP": (encoded(np.dstack([ramp(), _FEW * 80]), "webp", lossless=True, exact=True), ramp(), _FEW * 80),
    "TIFF, LZW": (encoded(ramp(), "tiff", compression="tiff_lzw"), ramp(), None),
    "TIFF 16": (encoded(_WIDE, "tiff"), _grey(np.round(_WIDE / 257)), None),
    "TIFF, fax": (
        encoded(Image.fromarray((_FEW & 1) * 255).convert("1"), "tiff", compression="group4"),
        _grey((_FEW & 1) * 255),
        None,
    ),
    "GIF": (encoded(Image.fromarray(_FEW * 80), "gif"), _grey(_FEW * 80), None),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_files_store(tmp_path: Path, name: str) -> None:
    content, picture, alpha = KINDS[name]
    still = _read(tmp_path, content)
    seen = np.ones((H, W), bool) if alpha is None else np.asarray(alpha) > 0
    assert (np.abs(_array(still) - picture)[seen] <= (1 if "16" in name else 0)).all()
    if alpha is None:
        assert still.alpha is None
    else:
        assert still.alpha is not None
        assert (still.alpha[0].numpy() == alpha).all()


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("jpeg", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("jpeg", {"quality": 95, "subsampling": 0}),
        ("mpo", {"quality": 95, "subsampling": 0, "save_all": True}),
        ("gif", {"save_all": True}),
        ("png", {"save_all": True}),
        ("webp", {"save_all": True, "lossless": True}),
        ("tiff", {"save_all": True}),
    ],
)
def test_of_several_pictures_the_first(tmp_path: Path, format: str, options: dict[str, object]) -> None:
    more = [Image.fromarray(ramp()[::-1].copy())] if "save_all" in options else []
    picture = ramp() if format != "gif" else _COLOURS[np.repeat(_FEW[:, :1], W, axis=1)]
    still = _read(tmp_path, encoded(picture, format, append_images=more, **options))
    assert psnr(_array(still), picture) > 38


def test_the_name_does_not_count(tmp_path: Path) -> None:
    assert (_array(_read(tmp_path, encoded(ramp(), "png"), "clip.mp4")) == ramp()).all()


# colour


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "webp"])
def test_an_embedded_profile_is_applied(tmp_path: Path, format: str) -> None:
    red, green, blue = SRGB
    swapped = pictures.rgb_profile(green, red, blue, 2.2)  # a red that is green
    picture = np.full((H, W, 3), [200, 60, 90], np.uint8)
    still = _read(
        tmp_path, encoded(picture, format, icc_profile=swapped, **({"quality": 100} if format == "jpeg" else {}))
    )
    assert np.abs(_array(still).mean((0, 1)) - [60, 200, 90]).max() < 5


def test_a_wide_profile_gives_more_colour_and_alpha_stays(tmp_path: Path) -> None:
    picture = np.dstack([np.full((H, W, 3), [160, 100, 90], np.uint8), np.full((H, W), 77, np.uint8)])
    still = _read(tmp_path, encoded(picture, "png", icc_profile=pictures.rgb_profile(*ADOBE, 2.19921875)))
    red, green, blue = _array(still)[0, 0]
    assert red > 170
    assert abs(green - 100) <= 2
    assert abs(blue - 90) <= 4
    assert still.alpha is not None
    assert (still.alpha == 77).all()


def test_a_camera_that_says_adobe_rgb_without_a_profile(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA005: {1: "R03"}}
    steps = np.array([0, 40, 100, 170, 255], np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(5, 25, 3)
    by_tag = _read(tmp_path, encoded(cube, "png", exif=exif))
    by_profile = _read(tmp_path, encoded(cube, "png", icc_profile=pictures.rgb_profile(*ADOBE, 2.19921875)))
    assert np.abs(_array(by_tag) - cube).max() > 20
    assert np.abs(_array(by_tag) - _array(by_profile)).max() <= 4  # curves of 8 bits in the profile


def test_grey_with_a_grey_profile(tmp_path: Path) -> None:
    values = np.full((H, W), 128, np.uint8)
    still = _read(tmp_path, encoded(values, "png", icc_profile=pictures.grey_profile(1.0)))
    assert np.abs(_array(still) - 188).max() <= 1  # half the light


@pytest.mark.parametrize("profile", [b"nonsense" * 40, pictures.grey_profile(2.2), b"\0" * 128, b"x"])
def test_a_profile_that_is_of_no_use_is_left_out(tmp_path: Path, profile: bytes) -> None:
    assert (_array(_read(tmp_path, encoded(ramp(), "png", icc_profile=profile))) == ramp()).all()


def test_an_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (_array(_read(tmp_path, encoded(ramp(), "png", icc_profile=profile))) == ramp()).all()


def _inks(*inks: tuple[int, int, int, int]) -> Image.Image:
    return Image.fromarray(np.repeat(np.array(inks, np.uint8), 16, axis=0)[None].repeat(16, axis=0), "CMYK")


def test_ink_with_a_profile(tmp_path: Path) -> None:
    corners = [(100.0, 0.0, 0.0)] + [(0.0, 0.0, 0.0)] * 15
    corners[8] = (54.3, 80.8, 69.9)  # a cyan that is red
    content = encoded(
        _inks((255, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 255)),
        "jpeg",
        quality=100,
        icc_profile=pictures.ink_profile(corners),
    )
    red, white, black = _array(_read(tmp_path, content))[8, [8, 24, 40]]
    assert np.abs(red - [255, 0, 0]).max() < 12
    assert white.min() > 250
    assert black.max() < 8


@pytest.mark.parametrize(("format", "marker"), [("tiff", True), ("jpeg", True), ("jpeg", False)])
def test_ink_without_a_profile(tmp_path: Path, format: str, marker: bool) -> None:
    inks = _inks((0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 255, 255, 0), (0, 0, 0, 255))
    if not marker:
        # by the book, ink is not stored as its opposite, and no marker of Adobe's says that it is
        content = encoded(Image.fromarray(255 - np.asarray(inks), "CMYK"), "jpeg", quality=100)
        at = content.index(b"\xff\xee")
        content = content[:at] + content[at + 16 :]
    else:
        content = encoded(inks, format, **({"quality": 100} if format == "jpeg" else {}))
    found = _array(_read(tmp_path, content))[8, 8::16]
    expected = [(255, 255, 255), (0, 158, 224), (230, 0, 126), (255, 237, 0), (227, 6, 19), (29, 29, 29)]
    assert np.abs(found - expected).max() <= 4


@given(ink=st.lists(st.integers(0, 255), min_size=4, max_size=4), more=st.integers(0, 3))
def test_more_ink_is_never_lighter(ink: list[int], more: int) -> None:
    from vidprod.media.still_color import to_srgb

    darker = [min(255, value + (40 if at == more else 0)) for at, value in enumerate(ink)]
    pair = np.asarray(to_srgb(Image.fromarray(np.array([[ink, darker]], np.uint8), "CMYK"), None)).astype(int)
    assert pair[0, 1].sum() <= pair[0, 0].sum()


# size


@given(width=st.integers(1, 70_000), height=st.integers(1, 70_000), side=st.integers(1, 5000))
def test_made_to_fit(width: int, height: int, side: int) -> None:
    size = _fitting((width, height), side)
    if max(width, height) <= side:
        assert size == (width, height)
    else:
        assert max(size) == side
        scale = side / max(width, height)
        assert all(abs(got - max(1, was * scale)) <= 0.5 for got, was in zip(size, (width, height), strict=True))


@pytest.mark.parametrize("side", [50, 223])
@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_made_smaller_as_if_in_one_step(tmp_path: Path, format: str, side: int) -> None:
    real = Image.fromarray(noise(1, 30, 45)[0].permute(1, 2, 0).numpy()).resize((901, 603), Image.Resampling.BICUBIC)
    still = _read(
        tmp_path, encoded(real, format, **({"quality": 98, "subsampling": 0} if format == "jpeg" else {})), side=side
    )
    assert still.picture.shape == (3, round(603 * side / 901), side)
    assert psnr(_array(still), np.asarray(real.resize((side, round(603 * side / 901)), Image.Resampling.LANCZOS))) > 36


def test_bands_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(noise(1, 403, 300)[0].permute(1, 2, 0).numpy(), "png")
    whole = _read(tmp_path, content, side=60)
    monkeypatch.setattr("vidprod.media.still_pixels._BAND", 300 * 21)
    assert torch.equal(_read(tmp_path, content, side=60).picture, whole.picture)


@pytest.mark.parametrize("side", [20, 37, 90, 160])
def test_what_is_hidden_does_not_bleed_into_edges(tmp_path: Path, side: int) -> None:
    y, x = np.mgrid[:200, :200]
    inside = np.hypot(x - 99, y - 93) < 61
    rgba = np.where(inside[..., None], [220, 20, 30, 255], [0, 255, 0, 0]).astype(np.uint8)  # green, but clear
    still = _read(tmp_path, encoded(rgba, "png"), side=side)
    assert still.alpha is not None
    alpha = still.alpha[0].numpy()[..., None] / 255
    assert ((alpha > 0) & (alpha < 1)).any()
    for behind in (0, 255):  # 3 is what 8 bits of colour weighted by 8 bits of alpha come to
        seen, expected = (colour * alpha + behind * (1 - alpha) for colour in (_array(still), np.array([220, 20, 30])))
        assert np.abs(seen - expected).max() <= 3
    assert 0.9 < still.alpha.float().mean() / 255 / inside.mean() < 1.1


def test_one_pixel(tmp_path: Path) -> None:
    still = _read(tmp_path, encoded(np.full((1, 1, 3), 9, np.uint8), "png"))
    assert still.picture.flatten().tolist() == [9, 9, 9]
    line = _read(tmp_path, encoded(np.full((1, 900, 3), 9, np.uint8), "png"), side=100)
    assert line.picture.shape == (3, 1, 100)


# what is refused


def _sized(content: bytes, at: int, code: str) -> bytes:
    return content[:at] + struct.pack(code, 60000, 60000) + content[at + struct.calcsize(code) :]


def _huge() -> dict[str, bytes]:
    jpeg, gif = encoded(ramp(), "jpeg"), encoded(ramp(), "gif")
    tiff = encoded(ramp(), "tiff")
    for tag in (256, 257):
        at = tiff.index(struct.pack("<HHI", tag, 4, 1))
        tiff = tiff[: at + 8] + struct.pack("<I", 60000) + tiff[at + 12 :]
    return {
        "png": png((60000, 60000), 8, RGB, b"\0" * 100),
        "long png": png((70000, 10), 8, GREY, b"\0" * 100),
        "jpeg": _sized(jpeg, jpeg.index(b"\xff\xc0") + 5, ">HH"),
        "bmp": _sized(encoded(ramp(), "bmp"), 18, "<ii"),
        "gif": _sized(gif, 6, "<HH"),
        "gif, picture": _sized(gif, gif.index(b"\x2c\0\0\0\0") + 5, "<HH"),
        "tiff": tiff,
    }


@pytest.mark.parametrize("name", _huge())
def test_pixel_bombs_by_their_header(tmp_path: Path, name: str) -> None:
    _refused(tmp_path, _huge()[name], FileResolution, f"at most .*{MAX_PIXELS} pixels")


def test_more_pixels_than_pillow_likes_but_not_too_many(tmp_path: Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    filters = list(warnings.filters)
    still = _read(
        tmp_path, png((20000, 6000), 1, GREY, b"\0" + b"\xf0" * 2500 + (b"\0" + b"\xff" * 2500) * 5999), side=512
    )
    assert still.picture.shape == (3, 154, 512)
    assert int(still.picture.min()) > 250
    assert limit == Image.MAX_IMAGE_PIXELS
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert filters == list(warnings.filters)


def test_in_several_threads(tmp_path: Path) -> None:
    filters = list(warnings.filters)
    contents = [encoded(ramp(), format) for format in ("png", "jpeg", "tiff", "webp")] * 6
    with ThreadPoolExecutor(4) as pool:
        stills = list(pool.map(lambda at: _read(tmp_path, contents[at], f"{at}"), range(len(contents))))
    assert all(torch.equal(still.picture, stills[at % 4].picture) for at, still in enumerate(stills))
    assert filters == list(warnings.filters)


_BOMB = zlib.compress(b"a" * (30 << 20), 9)


@pytest.mark.parametrize(
    "content",
    [
        png((W, H), 8, RGB, rows(ramp()), chunk(b"zTXt", b"k\0\0" + _BOMB)),
        png((W, H), 8, RGB, rows(ramp()), chunk(b"iCCP", b"k\0\0" + _BOMB)),
        png((W, H), 8, RGB, rows(ramp()), chunk(b"iTXt", b"k\0\1\0\0\0" + _BOMB)),
    ],
)
def test_bombs_beside_the_picture(tmp_path: Path, content: bytes) -> None:
    _refused(tmp_path, content, FileDecode, "damaged or cut off: Decompressed data too large")


def test_a_jpeg_of_endless_scans(tmp_path: Path) -> None:
    jpeg = encoded(ramp(), "jpeg", progressive=True)
    at = jpeg.rindex(b"\xff\xda")
    _refused(tmp_path, jpeg[:at] + jpeg[at:-2] * 200 + b"\xff\xd9", FileDecode, "scans; at most 100")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "gif", "webp", "tiff"])
def test_cut_off(tmp_path: Path, format: str, part: float) -> None:
    content = encoded(noise(1, 60, 80)[0].permute(1, 2, 0).numpy(), format)
    _refused(tmp_path, content[: max(int(len(content) * part), 40)], FileDecode, "damaged or cut off")


def test_damaged(tmp_path: Path) -> None:
    content = bytearray(encoded(noise(1, 60, 80)[0].permute(1, 2, 0).numpy(), "png"))
    content[200:300] = bytes(100)
    _refused(tmp_path, bytes(content), FileDecode, "damaged or cut off")


def test_wholly_transparent(tmp_path: Path) -> None:
    _refused(tmp_path, encoded(np.dstack([ramp(), _FEW * 0]), "png"), FileContent, "is wholly transparent")


def test_a_cameras_raw_file(tmp_path: Path) -> None:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[254] = 1  # a small version of another picture
    _refused(tmp_path, encoded(ramp(), "tiff", tiffinfo=tags), FileType, "raw file or holds only a preview")


def test_samples_without_a_known_range(tmp_path: Path) -> None:
    _refused(tmp_path, encoded(np.ones((H, W), np.float32), "tiff"), FileDecode, "samples of the kind F")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello\n", "is a text"),
        (b"BMW builds cars", "is a text"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "vector drawing"),
        (encoded(ramp(), "jpeg2000"), "JPEG 2000"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"%PDF-1.7\n", "PDF"),
        (b"ID3\4" + bytes(100), "not a still picture"),
        (bytes(1000), "not a still picture"),
    ],
)
def test_no_pictures(tmp_path: Path, content: bytes, text: str) -> None:
    _refused(tmp_path, content, FileType, text)


def test_a_video_is_no_still(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [ramp(32, 48)] * 3).rename(tmp_path / "clip.jpg")
    with pytest.raises(FileType, match=r"clip.jpg is not a still picture; allowed: JPEG, PNG"):
        read_still(clip)


def test_missing_empty_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileDownload, match="No such file"):
        read_still(tmp_path / "none.jpg")
    with pytest.raises(FileDownload, match="is not a file"):
        read_still(tmp_path)
    _refused(tmp_path, b"", FileDecode, "is empty")


_MEMORY = """
import resource, sys
from vidprod.media.still import read_still
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
print(*read_still(sys.argv[1]).picture.shape, (peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("format", "most"), [("jpeg", 200), ("png", 900)])
def test_a_panorama_takes_bounded_memory(tmp_path: Path, format: str, most: int) -> None:
    picture = np.zeros((6000, 20000, 3), np.uint8)
    picture[::2] = np.arange(20000, dtype=np.uint32).astype(np.uint8)[None, :, None]
    path = tmp_path / "panorama"
    path.write_bytes(encoded(picture, format, **({"compress_level": 1} if format == "png" else {})))
    found = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(path)], capture_output=True, text=True, timeout=300, check=True
    )
    channels, height, width, megabytes = map(int, found.stdout.split())
    assert (channels, height, width) == (3, 1229, 4096)
    assert megabytes < most


@pytest.mark.needs_media
def test_real_photographs(media: Path) -> None:
    for path in sorted((media / "photos").iterdir()):
        with Image.open(path) as image:
            size = image.size
            clear = image.mode == "RGBA" and image.getchannel("A").histogram()[255] < size[0] * size[1]
        still = read_still(path, side=640)
        assert still.picture.shape == (3, *_fitting(size, 640)[::-1])
        assert (still.alpha is not None) == clear
