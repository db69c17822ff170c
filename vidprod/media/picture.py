"""Single pictures as files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vidprod.errors import InternalError
from vidprod.media.pending import PendingFile

QUALITY = 92
"""Of JPEG, 1..100."""


def write_jpeg(path: Path, picture: Tensor) -> None:
    """Writes (3, H, W) uint8 or uint16 RGB; the file appears whole or not at all.

    Raises:
        InternalError: it cannot be written.
    """
    _write(path, picture, ".jpg")


def write_png(path: Path, picture: Tensor) -> None:
    """As `write_jpeg`, without loss."""
    _write(path, picture, ".png")


def _write(path: Path, picture: Tensor, kind: str) -> None:
    import cv2  # slow to import

    data = picture.cpu()
    if data.dtype == torch.uint16:
        data = (data.to(torch.int32) >> 8).to(torch.uint8)
    array = data.permute(1, 2, 0).contiguous().numpy()
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if kind == ".jpg" else []
    done, encoded = cv2.imencode(kind, array[:, :, ::-1], options)
    if not done:
        raise InternalError(f"cannot write {path}: the picture could not be encoded")
    pending = PendingFile(path)
    try:
        with pending.reported():
            pending.temporary.write_bytes(encoded.tobytes())
        pending.commit()
    finally:
        pending.discard()
