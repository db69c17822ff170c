"""Fixtures for the tests of `vidprod.media`."""

from __future__ import annotations

import pytest

from tests.corpus.table import Corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Awkward files, made when they are asked for."""
    return Corpus(tmp_path_factory.mktemp("corpus"))
