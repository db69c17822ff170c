"""What tests of the local store share."""

from __future__ import annotations

from datetime import timedelta

from vidprod.storage.local import LocalStore
from vidprod.storage.presign import KeyPair

PAIR = KeyPair("testid", "testsecret")
KEY = "super-resolve-video/2026-03-20-12/a.mp4"
BODY = bytes(range(256)) * 20
DAY = timedelta(days=1)


def files(store: LocalStore) -> list[str]:
    """All files of the store, unfinished ones too."""
    folder = store._folder
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path != folder / ".lock"
    )


def content(store: LocalStore, key: str = KEY) -> bytes:
    return b"".join(store.open_range(key))


def receive(store: LocalStore, key: str, *parts: bytes, max_size: int = 1 << 20) -> str:
    with store.receive(key, max_size) as upload:
        for part in parts:
            upload.write(part)
        return upload.commit().etag
