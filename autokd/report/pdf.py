"""The page as PDF: Chrome or Chromium prints it, without a window and without the network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from autokd.core.atomic_write import replacing
from autokd.errors import InputError
from autokd.report.page import write
from autokd.text.quoting import one_of

_VARIABLE: Final = "BROWSER_PATH"
"""The environment variable that kaleido reads, too."""
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS: Final = (
    *(
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
    ),
    *("--no-pdf-header-footer", "--virtual-time-budget=20000"),
)
_SECONDS: Final = 300


def writer_of(path: Path) -> Callable[[str, Path], None]:
    """Return what writes a page to a file of this name: as HTML or as PDF.

    Raises:
        InputError: If its ending is neither, or there is no browser for PDF.
    """
    ending = path.suffix.lower()
    if ending in (".html", ".htm"):
        return write
    if ending != ".pdf":
        raise InputError(f"--out {path}: the name must end in .html or .pdf, which decides the format")
    browser = _browser(path)
    return lambda page, file: _print(browser, page, file)


def _browser(path: Path) -> str:
    named = os.environ.get(_VARIABLE)
    browser = next(filter(None, map(shutil.which, (named,) if named else _BROWSERS)), None)
    if browser is None:
        looked = f"{_VARIABLE}={named} is no program" if named else f"there is no {one_of(_BROWSERS)}"
        raise InputError(
            f"--out {path}: a browser prints the PDF, and {looked}; install Chromium, name a program in "
            f"{_VARIABLE}, or write .html"
        )
    return browser


def _print(browser: str, page: str, path: Path) -> None:
    """Print a page; a file that is there is replaced when the new one is complete.

    Raises:
        InputError: If the browser fails, or no file can be written there.
    """
    # As root a browser has no sandbox; the page is this package's own and asks nothing of the network.
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    try:
        with (
            TemporaryDirectory(prefix="autokd-", ignore_cleanup_errors=True) as folder,
            replacing(path) as draft,
        ):
            source, made = Path(folder) / "page.html", Path(folder) / "page.pdf"
            source.write_text(page, encoding="utf-8")
            where = (f"--user-data-dir={Path(folder) / 'profile'}", f"--print-to-pdf={made}")
            command = [browser, *_OPTIONS, *root, *where, source.as_uri()]
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
            if not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
                said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise InputError(
                    f"--out {path}: {browser} printed no PDF ({said[0][:200]}); write .html instead"
                )
            draft.write_bytes(made.read_bytes())
    except subprocess.TimeoutExpired:
        raise InputError(
            f"--out {path}: {browser} did not end in {_SECONDS} s; write .html instead"
        ) from None
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror or error})") from error
