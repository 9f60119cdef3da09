"""A headless Chromium that looks at a page, for tests that need to know what a reader would see."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page: the document after its scripts ran, and what it complained about."""

    document: str
    console: list[str]


@dataclass(frozen=True)
class Browser:
    """Chromium with a profile of its own."""

    program: str
    folder: Path

    def look(self, text: str, *, then: str = "", width: int = 1440) -> Seen:
        """Open a page.

        Args:
            text: The page.
            then: JavaScript that runs at its end, as a reader's clicks would.
            width: Of the window, in pixels.
        """
        path = self.folder / "page.html"
        path.write_text(text.replace("</body>", f"<script>{then}</script></body>"), encoding="utf-8")
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
        profile = f"--user-data-dir={self.folder / 'profile'}"
        run = ("--virtual-time-budget=8000", "--enable-logging=stderr", f"--window-size={width},900")
        done = subprocess.run(
            [self.program, *quiet, profile, *run, "--dump-dom", path.as_uri()],
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        return Seen(done.stdout, re.findall(r".*CONSOLE.*", done.stderr))


def chromium() -> str:
    """The program; without one the test is skipped, or fails where everything is required."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        if os.environ.get("AUTOKD_REQUIRE_SERVERS"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    return program
