"""A local store and a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.files import BODY, PAIR
from vidprod.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects", PAIR)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(BODY)
    return path
