"""The page as PDF, by the browser that is there; and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.errors import InputError
from autokd.report.page import write
from autokd.report.pdf import writer_of
from tests.browser import chromium


def test_a_browser_prints_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", chromium())
    file = tmp_path / "page.pdf"
    writer_of(file)("<h1>4-&gt;9</h1>", file)
    assert file.read_bytes().startswith(b"%PDF")
    assert [path.name for path in tmp_path.iterdir()] == ["page.pdf"]


def test_html_is_written_as_before() -> None:
    assert writer_of(Path("page.html")) is writer_of(Path("page.HTM")) is write


@pytest.mark.parametrize("name", ["page", "page.txt", "page.pdf.zip"])
def test_another_ending_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.html or \.pdf"):
        writer_of(Path(name))


def test_without_a_browser_there_is_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chromium")
    with pytest.raises(InputError, match=r"/nowhere/chromium is no program; .* or write \.html"):
        writer_of(Path("page.pdf"))
    monkeypatch.delenv("BROWSER_PATH")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="there is no chromium"):
        writer_of(Path("page.pdf"))


def test_a_browser_that_prints_nothing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/bin/false")
    file = tmp_path / "page.pdf"
    with pytest.raises(InputError, match="printed no PDF"):
        writer_of(file)("<p>", file)
    assert list(tmp_path.iterdir()) == []
