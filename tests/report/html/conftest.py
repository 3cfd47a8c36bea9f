"""Debian's Chromium, one a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if os.environ.get("S2_NO_BROWSER") == "1":
        pytest.skip("S2_NO_BROWSER=1")
    if not CHROMIUM.exists():
        pytest.fail(
            f"no {CHROMIUM}. Install it: apt-get install chromium. To leave these tests out: S2_NO_BROWSER=1", False
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
