"""Single pictures as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from vidprod.errors import InternalError
from vidprod.media.pending import PendingFile

QUALITY = 92
"""Of JPEG, 1..100."""


@contextmanager
def pending_jpeg(path: Path, picture: Tensor) -> Iterator[PendingFile]:
    """(3, H, W) uint8 or uint16 RGB as a file that appears, whole, when it is committed: once what it belongs to is complete.

    Raises:
        InternalError: it cannot be written.
    """
    with _pending(path, picture, ".jpg") as pending:
        yield pending


def write_png(path: Path, picture: Tensor) -> None:
    """Writes (3, H, W) uint8 or uint16 RGB without loss; the file appears whole or not at all.

    Raises:
        InternalError: it cannot be written.
    """
    with _pending(path, picture, ".png") as pending:
        pending.commit()


@contextmanager
def _pending(path: Path, picture: Tensor, kind: str) -> Iterator[PendingFile]:
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
        yield pending
    finally:
        pending.discard()
