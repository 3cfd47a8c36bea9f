"""What all tests of the builder need."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_folder_of_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """The builder looks training pairs up in S2_DATA_DIR: a test says so where it means to."""
    monkeypatch.delenv("S2_DATA_DIR", raising=False)
