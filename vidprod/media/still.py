"""Photographs and drawings as 8-bit sRGB pictures that stand upright: `read_still` and `Still`."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.Image import DecompressionBombError, DecompressionBombWarning, Image, Transpose
from PIL.ImageFile import ImageFile
from torch import Tensor

from vidprod.errors import FileContent, FileDecode, FileDownload, FileResolution, FileType, VidprodError
from vidprod.media.backdrop import fitting_background, over
from vidprod.media.kinds import STILLS, head_of, still_format, unknown
from vidprod.media.still_color import to_srgb
from vidprod.media.still_pixels import Samples, shrunk

__all__ = ["MAX_PIXELS", "MAX_SIDE", "Still", "fitting_background", "over", "read_still"]

MAX_PIXELS = 160_000_000
"""Width x height above which a picture is refused by its header: decoding one takes up to 4 bytes a pixel."""

MAX_SIDE = 65_500
"""Width or height above which it is refused: the most that a JPEG can have."""

_MAX_SCANS = 100  # of a progressive JPEG, which usually has ten; each one goes through the whole picture
_ORIENTATION, _EXIF, _INTEROPERABILITY, _INDEX = 0x0112, 0x8769, 0xA005, 1  # EXIF tags
_REDUCED, _PAGE = 0x00FE, 1  # TIFF tag that says what a picture is for; bit of a small version of another one
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_QUIET = threading.Lock()  # what is warned of is a matter of the whole process
# The classes rather than PIL.Image.open, which tries every format there is and has a limit of its own. The first picture of a
# camera's MPO file is a plain JPEG.
_OPENERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


@dataclass(frozen=True, eq=False)
class Still:
    """A picture that does not move.

    Attributes:
        picture: (3, H, W) uint8 sRGB, upright; what it holds where alpha is 0 means nothing.
        alpha: (1, H, W) uint8, 255 is opaque; None for a picture that is opaque everywhere.
    """

    picture: Tensor
    alpha: Tensor | None


def read_still(path: str | os.PathLike[str], *, side: int = 4096) -> Still:
    """The picture in a JPEG, PNG, BMP, WebP, TIFF or GIF file; of a moving one the first.

    The format is told from the content. An embedded colour profile is applied, and EXIF's orientation. Pictures larger than
    `side` are made smaller while they are decoded where the format allows it (JPEG), else in bands afterwards.

    Args:
        path: the file.
        side: pixels that the longer side may have at most; smaller pictures stay as they are.

    Raises:
        FileDownload: missing or unreadable.
        FileType: not a picture, or of a kind that is not accepted.
        FileResolution: larger than `MAX_PIXELS` or `MAX_SIDE`; told by the header, nothing is decoded.
        FileDecode: damaged, cut off or empty.
        FileContent: wholly transparent.
    """
    path = Path(path)
    head = head_of(path)
    format = still_format(head)
    if format is None:
        raise unknown(path, head) or FileType(f"{path.name} is not a still picture; allowed: {', '.join(STILLS)}")
    with _reported(path), path.open("rb") as file:
        if format == "JPEG":
            _check_scans(path, file)
        with _OPENERS[format](file) as image:
            _check(path, image)
            samples = Samples.of(image)
            wanted = _fitting(image.size, side)
            box: tuple[float, float, float, float] = (0, 0, *image.size)
            if image.size != wanted and (drafted := image.draft(None, wanted)) is not None:
                box = drafted[1]  # in pixels of the smaller picture, the last of which may count in part
            image.load()
            small = shrunk(image, samples, box, wanted)
            upright, adobe_rgb = _camera(image)
            profile = image.info.get("icc_profile")
    picture = to_srgb(small, profile if isinstance(profile, bytes) else None, adobe_rgb=adobe_rgb)
    return _still(path, format, picture if upright is None else picture.transpose(upright))


def _still(path: Path, format: str, picture: Image) -> Still:
    planes = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
    rgb, alpha = planes[:3], planes[3:]
    if not len(alpha) or int(alpha.min()) == 255:
        return Still(rgb.clone() if len(alpha) else rgb, None)
    if int(alpha.max()):
        return Still(rgb, alpha)
    if format == "BMP":  # many have a fourth byte that was never meant
        return Still(rgb.clone(), None)
    raise FileContent(f"{path.name} is wholly transparent")


def _check(path: Path, image: ImageFile) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise FileResolution(
            f"{path.name}: picture of {width}x{height}: at most {MAX_SIDE} a side and {MAX_PIXELS} pixels are allowed"
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_REDUCED, 0) & _PAGE:
        raise FileType(f"{path.name} is a camera's raw file or holds only a preview; allowed: {', '.join(STILLS)}")


def _camera(image: ImageFile) -> tuple[Transpose | None, bool]:
    """What EXIF tells: how to turn the picture upright, and whether its colours are Adobe RGB (DCF 2.0's "R03")."""
    try:
        exif = image.getexif()
        special = _INTEROPERABILITY in exif.get_ifd(_EXIF) and exif.get_ifd(_INTEROPERABILITY).get(_INDEX) == "R03"
        return _UPRIGHT.get(exif.get(_ORIENTATION, 1)), special
    except Exception:  # damaged; the picture may well be whole
        return None, False


def _check_scans(path: Path, file: BinaryIO) -> None:
    scans, tail = 0, b""
    while block := file.read(1 << 20):
        scans += (tail + block).count(b"\xff\xda")  # cannot occur within the data itself
        tail = block[-1:]
    file.seek(0)
    if scans > _MAX_SCANS:
        raise FileDecode(f"{path.name}: a JPEG of {scans} scans; at most {_MAX_SCANS} are allowed")


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` made so much smaller that the longer side is at most `side`."""
    width, height = size
    longer = max(size)
    if longer <= side:
        return size
    return max(1, round(width * side / longer)), max(1, round(height * side / longer))


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Says what is wrong with a file in the terms of `vidprod.errors`; Pillow's decoders raise nearly anything."""
    try:
        with _QUIET, warnings.catch_warnings():
            # of damaged EXIF data and the like, which matters to nobody here
            warnings.filterwarnings("ignore", module=r"PIL\.")
            warnings.simplefilter("error", DecompressionBombWarning)
            yield
    except VidprodError:
        raise
    except (DecompressionBombError, DecompressionBombWarning) as error:  # found on the way, as within a GIF
        raise FileResolution(f"{path.name}: a picture too large; at most {MAX_PIXELS} pixels are allowed") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise FileDownload(f"{path.name} cannot be read: {error.strerror}") from error
        raise FileDecode(f"{path.name}: the picture is damaged or cut off: {error}") from error
